"""The approvals that are kept, for how long, and how many of them; and how many wrong
codes came for each wallet."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from msgspec import Struct

from wallet_app.domain.clock import SECOND, Clock
from wallet_app.domain.errors.approval_errors import (
    ApprovalNotFound,
    ApprovalsExhausted,
    TooManyApprovals,
    TooManyWrongCodes,
)
from wallet_app.services.approvals.approval import (
    Approval,
    ApprovalSnapshot,
    ApprovalStatus,
)
from wallet_app.services.expiring import Expiring, seconds_until
from wallet_app.store import Lock

WRONG_CODES_MAX = 15
WRONG_CODES_SECONDS = 86_400
"""After so many wrong codes in a day a wallet can ask for no approval. So with those
that wait by then, 64 of a million codes can be tried for it, and no more."""

WRONG_CODES_MAX_OF_CALLER = 5
"""After so many of them one caller can try no code of the wallet and ask for no
approval; the others can. Codes that one caller tries at the same moment may pass this
by as many approvals as wait for it."""

PENDING_MAX = 10
"""Approvals that wait for one wallet at the same time."""

PENDING_MAX_OF_CALLER = 5
"""So many of them may one caller have asked for. So one address cannot lock the others
out; two together can, until what they asked for expires."""

KEPT_SECONDS = 86_400
KEPT_MAX = 100_000
"""Approvals that are kept, each for a day after nobody can confirm it any more, or for
a shorter time if there are very many."""

_WINDOW = WRONG_CODES_SECONDS * SECOND


class _WrongCode(Struct, frozen=True, gc=False):
    time: int
    caller: str | None


class ApprovalTable:
    """Approvals by id, and by the wallet that they are for. Its lock protects the
    tables; an approval has one of its own."""

    def __init__(
        self, monotonic: Clock, ttl_seconds: int, kept_max: int, lock: Lock
    ) -> None:
        self._monotonic = monotonic
        self._lock = lock
        self._approvals = Expiring[Approval](
            kept_max, ttl_seconds, KEPT_SECONDS, ApprovalsExhausted, self._forget
        )
        self._of_wallet: dict[str, list[Approval]] = {}
        self._wrong_codes: dict[str, tuple[_WrongCode, ...]] = {}

    def __len__(self) -> int:
        """Return how many slots are taken, including those of expired approvals."""
        with self._lock:
            return len(self._approvals)

    def wallets(self) -> set[str]:
        """Return the wallets for which approvals are kept."""
        with self._lock:
            return set(self._of_wallet)

    def guessed_wallets(self) -> set[str]:
        """Return the wallets for which wrong codes are remembered."""
        with self._lock:
            return set(self._wrong_codes)

    def add(self, approval: Approval) -> None:
        """Let a new approval be found, if it has a slot.

        Raises TooManyApprovals, TooManyWrongCodes and ApprovalsExhausted.
        """
        snapshot, now = approval.state, self._monotonic()
        with self._lock:
            pending = self._pending_of(snapshot.wallet_id, now)
            if len(pending) >= PENDING_MAX:
                raise TooManyApprovals(snapshot.wallet_id, PENDING_MAX)
            caller = approval.caller
            own = sum(each.caller == caller for each in pending)
            if caller is not None and own >= PENDING_MAX_OF_CALLER:
                raise TooManyApprovals(snapshot.wallet_id, own, of_caller=True)
            wrong_codes = self._recent_wrong_codes(snapshot.wallet_id, now)
            _check(snapshot.wallet_id, wrong_codes, WRONG_CODES_MAX, now)
            self._check_caller(snapshot.wallet_id, caller, now)
            self._approvals.ensure_slot(now, caller)
            self._approvals.add(snapshot.id, approval, now, caller)
            try:
                self._of_wallet[snapshot.wallet_id] = [*pending, approval]
            except BaseException:
                self._approvals.remove(snapshot.id)
                raise

    def remove(self, approval: Approval) -> None:
        """Forget an approval that nobody knows of yet. No memory is needed."""
        self._lock.acquire()  # `with` needs memory, of which there may be none
        try:
            self._forget(approval)
            self._approvals.remove(approval.state.id)
        finally:
            self._lock.release()

    def find(self, approval_id: str) -> Approval:
        """Raise ApprovalNotFound if there is no such approval."""
        now = self._monotonic()
        with self._lock:
            approval = self._approvals.get(approval_id, now)
        if approval is None:
            raise ApprovalNotFound(approval_id)
        return approval

    def newest_first(self) -> list[ApprovalSnapshot]:
        """Return what every approval is that exists."""
        now = self._monotonic()
        with self._lock:
            approvals = list(self._approvals.values(now))
        found = [each.state.at(now) for each in reversed(approvals) if each.exists]
        return sorted(found, key=attrgetter("created_at"), reverse=True)

    def renew(self, approval: Approval) -> None:
        """Let an approval that was sent again wait for its whole time again."""
        now = self._monotonic()
        with self._lock:
            self._approvals.renew(approval.state.id, now)

    def release(self, approval: Approval) -> None:
        """Let a closed approval be forgotten when another one needs its slot. This
        comes after a commit, so it does not fail."""
        self._approvals.release_after_commit(approval.state.id, self._lock)

    def check_caller(self, wallet_id: str, caller: str | None) -> None:
        """Refuse a code from a caller that has sent too many wrong ones for this
        wallet. Raises TooManyWrongCodes."""
        now = self._monotonic()
        with self._lock:
            self._check_caller(wallet_id, caller, now)

    def note_wrong_code(self, wallet_id: str, caller: str | None) -> None:
        """Remember that a wrong code came for an approval of this wallet."""
        now = self._monotonic()
        with self._lock:
            recent = self._recent_wrong_codes(wallet_id, now)
            self._wrong_codes[wallet_id] = (*recent, _WrongCode(now, caller))

    def _forget(self, approval: Approval) -> None:
        """Forget an approval of a wallet, and the wallet with its last one."""
        wallet_id = approval.state.wallet_id
        waiting = self._of_wallet.get(wallet_id)
        if waiting is not None:
            if approval in waiting:
                waiting.remove(approval)
            if not waiting:
                del self._of_wallet[wallet_id]

    def _check_caller(self, wallet_id: str, caller: str | None, now: int) -> None:
        if caller is not None:
            recent = self._recent_wrong_codes(wallet_id, now)
            own = [wrong for wrong in recent if wrong.caller == caller]
            _check(wallet_id, own, WRONG_CODES_MAX_OF_CALLER, now, of_caller=True)

    def _recent_wrong_codes(self, wallet_id: str, now: int) -> tuple[_WrongCode, ...]:
        """Return the wrong codes of the last day, oldest first; forget the others."""
        wrong_codes = self._wrong_codes.get(wallet_id, ())
        recent = tuple(wrong for wrong in wrong_codes if wrong.time > now - _WINDOW)
        if recent:
            self._wrong_codes[wallet_id] = recent
        else:
            self._wrong_codes.pop(wallet_id, None)
        return recent

    def _pending_of(self, wallet_id: str, now: int) -> list[Approval]:
        """Return what waits for a wallet. No approval's lock is needed: one that is
        just being closed may count."""
        return [
            approval
            for approval in self._of_wallet.get(wallet_id, [])
            if approval.state.at(now).status is ApprovalStatus.PENDING
        ]


def _check(
    wallet_id: str,
    wrong_codes: Sequence[_WrongCode],
    maximum: int,
    now: int,
    of_caller: bool = False,
) -> None:
    """Refuse a wallet or a caller that may be guessing codes, until the first of its
    latest wrong codes is a day old."""
    if len(wrong_codes) >= maximum:
        wait = seconds_until(wrong_codes[-maximum].time + _WINDOW, now)
        raise TooManyWrongCodes(wallet_id, maximum, wait, of_caller=of_caller)
