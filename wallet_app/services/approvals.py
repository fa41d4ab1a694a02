"""Approvals: movements that wait until somebody confirms them with a code.

An approval's own lock is taken before those of the wallets. So of many who confirm
at the same time one moves the money, and the others find it confirmed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from wallet_app.domain import Clock, NewId, Transaction
from wallet_app.errors import (
    ApprovalClosed,
    ApprovalExpired,
    ApprovalNotFound,
    ApprovalRequired,
    ApprovalsExhausted,
    CodeInvalid,
    FraudBlocked,
    ResendsExhausted,
    TooManyApprovals,
    TooManyWrongCodes,
    WalletError,
)
from wallet_app.services.expiring import Expiring, seconds_until
from wallet_app.services.fraud import Alerts, Verdict
from wallet_app.services.idempotency import Keeper
from wallet_app.services.movement import Movement, under_terms
from wallet_app.store import Lock, LockFactory

ATTEMPTS_MAX = 5
"""The last of so many wrong codes rejects an approval, however often a new one was
sent."""

WRONG_CODES_MAX = 15
WRONG_CODES_SECONDS = 86_400
"""After so many wrong codes in a day a wallet can ask for no approval. So with those
that wait by then, 64 of a million codes can be tried for it, and no more."""

RESENDS_MAX = 3
PENDING_MAX = 10
"""Approvals that wait for one wallet at the same time."""

KEPT_SECONDS = 86_400
KEPT_MAX = 100_000
"""Approvals that are kept, each for a day after nobody can confirm it any more, or for
a shorter time where there are very many."""

THRESHOLD = "approval-threshold"


@under_terms
def no_approval_needed(movement: Movement) -> None:
    """Keep back what is above the wallet's threshold until it is confirmed."""
    source, target = movement.source, movement.target
    if source is None or source.terms is None or movement.approved:
        return
    threshold = source.terms.limits.approval_threshold
    if threshold is not None and movement.amount > threshold:
        raise ApprovalRequired(
            THRESHOLD,
            source.id,
            movement.amount,
            source.currency,
            target.id if target else None,
            movement.expires_at,
        )


class ApprovalStatus(StrEnum):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class ApprovalSnapshot(Struct, frozen=True, gc=False):
    """What an approval was at one moment; it has no code. `amount` is in minor units,
    times are in nanoseconds since 1970, UTC."""

    id: str
    wallet_id: str
    target_id: str | None
    amount: int
    currency: str
    reason: str
    status: ApprovalStatus
    attempts_left: int
    resends_left: int
    created_at: int
    expires_at: int

    def at(self, now: int) -> ApprovalSnapshot:
        """Return what it is at a time: nobody tells an approval that it expires."""
        if self.status is ApprovalStatus.PENDING and now >= self.expires_at:
            return replace(self, status=ApprovalStatus.EXPIRED)
        return self


Moved = Transaction | tuple[Transaction, Transaction]


class Command(Protocol):
    """A movement that can be asked for again, approved."""

    def __call__(self, *, claim: Keeper | None, approved: bool = False) -> Moved: ...


SendCode = Callable[[ApprovalSnapshot, str], None]
"""Sends a code to whoever may confirm. It is called under no lock."""


class Approval:
    """An approval as it lives: its lock protects everything else. After its deadline,
    if it has one, the movement cannot be made."""

    __slots__ = ("lock", "now_is", "command", "digest", "deadline")

    def __init__(
        self,
        lock: Lock,
        snapshot: ApprovalSnapshot,
        command: Command,
        digest: bytes,
        deadline: int | None,
    ) -> None:
        self.lock = lock
        self.now_is = snapshot
        self.command: Command | None = command
        self.digest = digest
        self.deadline = deadline

    def close(self, status: ApprovalStatus) -> None:
        """Let nobody confirm it from now on."""
        self.now_is = replace(self.now_is, status=status)
        self.command = None


class Confirmation:
    """Keeps a movement's outcome in the approval, too: under the locks of the wallets,
    as the last step. So the money has moved exactly when the approval is confirmed."""

    __slots__ = ("_approval", "_claim")

    def __init__(self, approval: Approval, claim: Keeper | None) -> None:
        self._approval = approval
        self._claim = claim

    def keep(self, outcome: object) -> None:
        if self._claim is not None:
            self._claim.keep(outcome)
        self._approval.close(ApprovalStatus.CONFIRMED)


def new_code() -> str:
    """Return six digits that nobody can guess."""
    return f"{secrets.randbelow(1_000_000):06}"


class Approvals:
    """Asks for approvals, and makes movements when they are confirmed."""

    def __init__(
        self,
        clock: Clock,
        new_id: NewId,
        new_code: Callable[[], str],
        send: SendCode,
        ttl_seconds: int,
        alerts: Alerts,
        lock_factory: LockFactory = threading.Lock,
        kept_max: int = KEPT_MAX,
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._new_code = new_code
        self._send = send
        self._ttl_nanoseconds = ttl_seconds * 1_000_000_000
        self._alerts = alerts
        self._new_lock = lock_factory
        self._lock = lock_factory()
        self._kept_max = kept_max
        kept_seconds = KEPT_SECONDS + (1 + RESENDS_MAX) * ttl_seconds
        self._approvals = Expiring[Approval](kept_seconds, kept_max)
        self._of_wallet: dict[str, list[Approval]] = {}
        self._wrong_codes: dict[str, tuple[int, ...]] = {}
        self._key = secrets.token_bytes()

    def run(
        self, command: Command, claim: Keeper | None = None
    ) -> Moved | ApprovalSnapshot:
        """Make a movement; where it needs an approval, ask for that and return it.

        Raises TooManyApprovals, TooManyWrongCodes and ApprovalsExhausted besides what
        the movement refuses.
        """
        try:
            return command(claim=claim)
        except ApprovalRequired as required:
            return self._request(command, required, claim)
        except FraudBlocked as blocked:
            self._alerts.add(blocked, Verdict.BLOCK)
            raise

    def get(self, approval_id: str) -> ApprovalSnapshot:
        """Raise ApprovalNotFound where there is no such approval."""
        approval = self._find(approval_id)
        with approval.lock:
            return approval.now_is.at(self._clock())

    def confirm(
        self, approval_id: str, code: str, claim: Keeper | None = None
    ) -> Moved:
        """Make the movement now, by all the rules that hold now.

        Where they refuse it, the approval still waits. Raises ApprovalNotFound,
        ApprovalExpired, ApprovalClosed, CodeInvalid, and what the movement refuses.
        """
        approval = self._find(approval_id)
        with approval.lock:
            command = self._pending(approval)
            if not hmac.compare_digest(
                approval.digest, self._digest(approval_id, code)
            ):
                raise CodeInvalid(self._count_wrong_code(approval))
            try:
                return command(claim=Confirmation(approval, claim), approved=True)
            except FraudBlocked as blocked:
                self._alerts.add(blocked, Verdict.BLOCK)
                raise

    def cancel(self, approval_id: str, claim: Keeper | None = None) -> ApprovalSnapshot:
        """Close an approval: its movement will not be made.

        Raises ApprovalNotFound, ApprovalExpired and ApprovalClosed.
        """
        approval = self._find(approval_id)
        with approval.lock:
            self._pending(approval)
            cancelled = replace(approval.now_is, status=ApprovalStatus.CANCELLED)
            if claim is not None:
                claim.keep(cancelled)
            approval.close(ApprovalStatus.CANCELLED)
        return cancelled

    def resend(self, approval_id: str, claim: Keeper | None = None) -> ApprovalSnapshot:
        """Send a new code, which alone counts from now on, and wait anew for it, but no
        longer than the movement can be made.

        Raises ApprovalNotFound, ApprovalExpired, ApprovalClosed and ResendsExhausted.
        """
        approval, code = self._find(approval_id), self._new_code()
        with approval.lock:
            self._pending(approval)
            left = approval.now_is.resends_left
            if left == 0:
                raise ResendsExhausted(RESENDS_MAX)
            expires_at = self._expires_at(self._clock(), approval.deadline)
            resent = replace(
                approval.now_is, resends_left=left - 1, expires_at=expires_at
            )
            if claim is not None:
                claim.keep(resent)
            approval.now_is = resent
            approval.digest = self._digest(approval_id, code)
        self._send(resent, code)
        return resent

    def _request(
        self, command: Command, required: ApprovalRequired, claim: Keeper | None
    ) -> ApprovalSnapshot:
        approval_id, code, now = str(self._new_id()), self._new_code(), self._clock()
        snapshot = ApprovalSnapshot(
            id=approval_id,
            wallet_id=required.wallet_id,
            target_id=required.target_id,
            amount=required.amount,
            currency=required.currency,
            reason=required.reason,
            status=ApprovalStatus.PENDING,
            attempts_left=ATTEMPTS_MAX,
            resends_left=RESENDS_MAX,
            created_at=now,
            expires_at=self._expires_at(now, required.expires_at),
        )
        approval = Approval(
            self._new_lock(),
            snapshot,
            command,
            self._digest(approval_id, code),
            required.expires_at,
        )
        try:
            self._add(approval, now, claim)
        except WalletError:
            self._flag(required, None)
            raise
        self._flag(required, approval_id)
        self._send(snapshot, code)
        return snapshot

    def _expires_at(self, now: int, deadline: int | None) -> int:
        expires_at = now + self._ttl_nanoseconds
        return expires_at if deadline is None else min(expires_at, deadline)

    def _flag(self, required: ApprovalRequired, approval_id: str | None) -> None:
        """List a movement that a fraud rule sent to review."""
        if required.reason != THRESHOLD:
            self._alerts.add(required, Verdict.REVIEW, approval_id)

    def _add(self, approval: Approval, now: int, claim: Keeper | None) -> None:
        """Let a new approval be found, if there is room for it."""
        snapshot = approval.now_is
        with self._lock:
            for expired in self._approvals.drop_expired(now):
                self._forget(expired, now)
            pending = self._pending_of(snapshot.wallet_id, now)
            if len(pending) >= PENDING_MAX:
                raise TooManyApprovals(snapshot.wallet_id, PENDING_MAX)
            self._check_wrong_codes(snapshot.wallet_id, now)
            if self._approvals.is_full:
                oldest = self._approvals.oldest.now_is.at(now)
                if oldest.status is ApprovalStatus.PENDING:
                    wait = seconds_until(oldest.expires_at, now)
                    raise ApprovalsExhausted(self._kept_max, wait)
                self._forget(self._approvals.drop_oldest(), now)
            if claim is not None:
                claim.keep(snapshot)
            self._of_wallet[snapshot.wallet_id] = [*pending, approval]
            self._approvals.add(snapshot.id, approval, now)

    def _forget(self, dropped: Approval, now: int) -> None:
        """Forget the wallet of a dropped approval, too, if no other one waits."""
        wallet_id = dropped.now_is.wallet_id
        if not self._pending_of(wallet_id, now):
            self._of_wallet.pop(wallet_id, None)

    def _check_wrong_codes(self, wallet_id: str, now: int) -> None:
        """Refuse an approval for a wallet whose codes somebody may be guessing."""
        window = WRONG_CODES_SECONDS * 1_000_000_000
        times = self._wrong_codes.pop(wallet_id, ())
        recent = tuple(time for time in times if time > now - window)
        if recent:
            self._wrong_codes[wallet_id] = recent
        if len(recent) >= WRONG_CODES_MAX:
            wait = seconds_until(recent[0] + window, now)
            raise TooManyWrongCodes(wallet_id, WRONG_CODES_MAX, wait)

    def _find(self, approval_id: str) -> Approval:
        with self._lock:
            approval = self._approvals.get(approval_id)
        if approval is None:
            raise ApprovalNotFound(approval_id)
        return approval

    def _pending(self, approval: Approval) -> Command:
        """Return the command of a held approval that can still be confirmed."""
        now_is = approval.now_is.at(self._clock())
        if now_is.status is ApprovalStatus.EXPIRED:
            raise ApprovalExpired(now_is.id, now_is.expires_at)
        if approval.command is None:
            raise ApprovalClosed(now_is.id, now_is.status)
        return approval.command

    def _pending_of(self, wallet_id: str, now: int) -> list[Approval]:
        """Return what waits for a wallet. No approval's lock is needed: one that is
        just being closed may count."""
        return [
            approval
            for approval in self._of_wallet.get(wallet_id, [])
            if approval.now_is.at(now).status is ApprovalStatus.PENDING
        ]

    def _count_wrong_code(self, approval: Approval) -> int:
        """Return how many attempts a held approval has left after this one, which its
        wallet remembers."""
        wallet_id, left = approval.now_is.wallet_id, approval.now_is.attempts_left - 1
        with self._lock:
            times = (*self._wrong_codes.get(wallet_id, ()), self._clock())
            self._wrong_codes[wallet_id] = times[-WRONG_CODES_MAX:]
        approval.now_is = replace(approval.now_is, attempts_left=left)
        if left == 0:
            approval.close(ApprovalStatus.REJECTED)
        return left

    def _digest(self, approval_id: str, code: str) -> bytes:
        """Return what is kept of a code: without the key of this process, a million
        digests would tell which it is."""
        return hmac.digest(self._key, f"{approval_id} {code}".encode(), hashlib.sha256)
