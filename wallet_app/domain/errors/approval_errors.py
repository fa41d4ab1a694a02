"""Refusals of approvals and of their codes."""

from __future__ import annotations

from wallet_app.domain.errors.example_values import APPROVAL_ID, MOVED_AT, SOURCE_ID
from wallet_app.domain.errors.families import (
    Conflict,
    Exhausted,
    Expired,
    Invalid,
    NotFound,
    TooMany,
    Unprocessable,
    internal,
    member,
)


class ApprovalNotFound(NotFound):
    """No approval has this id, or it is no longer kept."""

    code, title = "approval_not_found", "Approval not found"
    message = "There is no approval {approval_id}."
    approval_id: str = member(APPROVAL_ID)


class ApprovalNeeded(Unprocessable):
    """The movement needs an approval, and a batch does not wait for one."""

    code, title = "approval_required", "Approval required"
    message = "The movement needs an approval ({reason}), and a batch does not wait."
    wallet_id: str = member(SOURCE_ID)
    reason: str = member("approval-threshold")


class CodeInvalid(Invalid):
    """The code is not the approval's, or a later code has replaced it."""

    code, title = "otp_invalid", "Wrong code"
    attempts_left: int = member(4)

    @property
    def detail(self) -> str:
        left = self.attempts_left
        effect = f"Attempts left: {left}" if left else "It is rejected"
        return f"This is not the code of the approval. {effect}."


class ApprovalExpired(Expired):
    """Nobody confirmed the approval in time."""

    code, title = "approval_expired", "Approval expired"
    message = "Approval {approval_id} was not confirmed in time."
    approval_id: str = member(APPROVAL_ID)
    expired_at: int = member(MOVED_AT)


class ApprovalClosed(Conflict):
    """The approval was confirmed, rejected or cancelled before."""

    code, title = "approval_closed", "Approval closed"
    message = "Approval {approval_id} is {approval_status}."
    approval_id: str = member(APPROVAL_ID)
    approval_status: str = member("CONFIRMED")


class TooManyApprovals(TooMany):
    """As many approvals wait for one wallet as may, or as one caller may ask for."""

    code, title = "too_many_approvals", "Too many approvals"
    wallet_id: str = member(SOURCE_ID)
    maximum: int = member(10)
    of_caller: bool = internal(False, default=False)

    @property
    def detail(self) -> str:
        asked_for = " that were asked for from your address" if self.of_caller else ""
        return (
            f"{self.maximum} approvals{asked_for} wait for this wallet already. "
            "Confirm or cancel one of them first."
        )


class TooManyWrongCodes(TooMany):
    """So many wrong codes came for one wallet, or from one caller for it, that somebody
    may be guessing."""

    code, title = "too_many_wrong_codes", "Too many wrong codes"
    wallet_id: str = member(SOURCE_ID)
    maximum: int = member(15)
    retry_after_seconds: int = member(3600)
    of_caller: bool = internal(False, default=False)

    @property
    def detail(self) -> str:
        source, effect = "", "it can ask for no approval"
        if self.of_caller:
            source = " from your address"
            effect = "no code from there is tried, and no approval asked for"
        return (
            f"{self.maximum} wrong codes came for this wallet{source} in a day. Until "
            f"that is over, {effect}."
        )


class ApprovalsExhausted(Exhausted):
    """As many approvals wait as may, for all callers or for one."""

    code, title = "approvals_exhausted", "Too many approvals"
    message = (
        "{maximum} approvals wait: no more are kept in all, or from one address. "
        "Nothing was done."
    )
    maximum: int = member(100_000)
    retry_after_seconds: int = member(60)


class ResendsExhausted(TooMany):
    """The code was sent again as often as it may be. It was sent for the last time, so
    this is the outcome of the request."""

    code, title = "too_many_resends", "Too many codes"
    message = "A code is sent again {maximum} times at most."
    kept = True
    maximum: int = member(3)
