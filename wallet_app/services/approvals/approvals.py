"""Approvals: movements that wait until somebody confirms them with a code.

An approval's own lock is taken before those of the wallets. So of many who confirm
at the same time one moves the money, and the others find it confirmed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from wallet_app.domain.clock import SECOND, Clock, Deadline, NewId
from wallet_app.domain.errors.approval_errors import (
    ApprovalClosed,
    ApprovalExpired,
    ApprovalNeeded,
    CodeInvalid,
    ResendsExhausted,
)
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.wallet_errors import FraudBlocked
from wallet_app.services.alerts import Alerts
from wallet_app.services.approvals.approval import (
    RESENDS_MAX,
    Approval,
    ApprovalSnapshot,
    ApprovalStatus,
    Command,
    Confirmation,
    Moved,
    requested,
)
from wallet_app.services.approvals.approval_table import KEPT_MAX, ApprovalTable
from wallet_app.services.approvals.codes import SendCode
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.fraud import Verdict
from wallet_app.services.idempotency import Run
from wallet_app.services.movement import ApprovalRequired, Movement
from wallet_app.store import LockFactory

THRESHOLD = "approval-threshold"


def no_approval_needed(movement: Movement) -> None:
    """Keep back what is above the wallet's threshold until it is confirmed."""
    source = movement.source
    if source is None or movement.approved:
        return
    threshold = source.policy.limits.approval_threshold
    if threshold is not None and movement.amount > threshold:
        raise ApprovalRequired(THRESHOLD, movement)


T = TypeVar("T")
M = TypeVar("M", bound=Moved)


class Approvals:
    """Asks for approvals, and makes movements when they are confirmed."""

    def __init__(
        self,
        clock: Clock,
        monotonic: Clock,
        new_id: NewId,
        new_code: Callable[[], str],
        send: SendCode,
        ttl_seconds: int,
        alerts: Alerts,
        lock_factory: LockFactory,
        kept_max: int = KEPT_MAX,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._new_id = new_id
        self._new_code = new_code
        self._send = send
        self._ttl_ns = ttl_seconds * SECOND
        self._alerts = alerts
        self._new_lock = lock_factory
        self._table = ApprovalTable(monotonic, ttl_seconds, kept_max, lock_factory())
        self._key = secrets.token_bytes()

    @property
    def table(self) -> ApprovalTable:
        """What is kept, to look at."""
        return self._table

    def run(
        self,
        command: Command[M],
        on_commit: OnCommits = (),
        caller: str | None = None,
    ) -> M | ApprovalSnapshot:
        """Make a movement; where it needs an approval, ask for that and return it. The
        approval counts for its caller, if one is given.

        Raises TooManyApprovals, TooManyWrongCodes, ApprovalsExhausted, and what the
        movement refuses.
        """
        try:
            return self._listed(command, on_commit)
        except ApprovalRequired as required:
            return self._request(command, required, on_commit, caller)

    def run_without(self, command: Run[T], on_commit: OnCommits = ()) -> T:
        """Make movements that cannot wait for an approval.

        Raises ApprovalNeeded in addition to what the movements refuse.
        """
        try:
            return self._listed(command, on_commit)
        except ApprovalRequired as required:
            self._flag(required, None)
            refusal = ApprovalNeeded(required.wallet_id, required.reason)
            refusal.operation = required.operation
            raise refusal from None

    def get(self, approval_id: str) -> ApprovalSnapshot:
        """No lock is needed: what an approval is, is one immutable value."""
        return self._table.find(approval_id).state.at(self._monotonic())

    def newest_first(self) -> list[ApprovalSnapshot]:
        return self._table.newest_first()

    def confirm(
        self,
        approval_id: str,
        code: str,
        on_commit: OnCommits = (),
        caller: str | None = None,
    ) -> Moved:
        """Make the movement now, by all the rules that hold now.

        Where they refuse it, the approval still waits. Raises ApprovalNotFound,
        ApprovalExpired, ApprovalClosed, TooManyWrongCodes, CodeInvalid, and what the
        movement refuses.
        """
        approval = self._table.find(approval_id)
        with approval.lock:
            command = self._pending(approval)
            self._table.check_caller(approval.state.wallet_id, caller)
            digest = self._digest(approval_id, code)
            if not hmac.compare_digest(approval.digest, digest):
                raise self._count_wrong_code(approval, on_commit, caller)
            on_commit = (Confirmation(approval), *on_commit)
            moved = self._listed(partial(command, approved=True), on_commit)
            self._table.release(approval)
        return moved

    def cancel(self, approval_id: str, on_commit: OnCommits = ()) -> ApprovalSnapshot:
        approval = self._table.find(approval_id)
        with approval.lock:
            self._pending(approval)
            cancelled = replace(approval.state, status=ApprovalStatus.CANCELLED)
            commit(on_commit, cancelled)
            approval.close(cancelled)
            self._table.release(approval)
        return cancelled

    def resend(self, approval_id: str, on_commit: OnCommits = ()) -> ApprovalSnapshot:
        """Send a new code, which replaces the one before, and start the time to confirm
        again; it ends no later than the movement can be made."""
        approval, code = self._table.find(approval_id), self._new_code()
        with approval.lock:
            self._pending(approval)
            left = approval.state.resends_left
            if left == 0:
                raise ResendsExhausted(RESENDS_MAX)
            ends = self._deadline(self._clock(), self._monotonic(), approval.deadline)
            resent = replace(
                approval.state,
                resends_left=left - 1,
                expires_at=ends.date,
                monotonic_expiry=ends.monotonic,
            )
            digest = self._digest(approval_id, code)
            self._table.renew(approval)
            # The code is sent under the lock, before a later one can be.
            commit(on_commit, resent, lambda: self._send(resent, code))
            approval.state, approval.digest = resent, digest
        return resent

    def _listed(self, command: Run[T], on_commit: OnCommits) -> T:
        """Run a command. List its movement if a fraud rule blocks it."""
        try:
            return command(on_commit=on_commit)
        except FraudBlocked as blocked:
            self._alerts.add(blocked, Verdict.BLOCK)
            raise

    def _request(
        self,
        command: Command[Moved],
        required: ApprovalRequired,
        on_commit: OnCommits,
        caller: str | None,
    ) -> ApprovalSnapshot:
        approval_id, code = str(self._new_id()), self._new_code()
        now, monotonic_now = self._clock(), self._monotonic()
        ends = self._deadline(now, monotonic_now, required.deadline)
        snapshot = requested(approval_id, required, now, ends)
        approval = Approval(
            self._new_lock(),
            snapshot,
            command,
            self._digest(approval_id, code),
            required.deadline,
            caller,
        )

        def report() -> None:
            self._flag(required, approval_id)
            self._send(snapshot, code)

        with approval.lock:  # so that the first code is sent before a later one can be
            try:
                self._table.add(approval)
            except WalletError:
                self._flag(required, None)
                raise
            try:
                commit(on_commit, snapshot, report)
            except BaseException:
                self._table.remove(approval)
                raise
            approval.exists = True
        return snapshot

    def _deadline(
        self, now: int, monotonic_now: int, latest: Deadline | None
    ) -> Deadline:
        """Return when an approval expires: after its time, or with its movement."""
        ends = Deadline(now + self._ttl_ns, monotonic_now + self._ttl_ns)
        if latest is not None and latest.monotonic < ends.monotonic:
            return latest
        return ends

    def _flag(self, required: ApprovalRequired, approval_id: str | None) -> None:
        """List a movement that a fraud rule sent to review."""
        if required.reason != THRESHOLD:
            self._alerts.add(required, Verdict.REVIEW, approval_id)

    def _pending(self, approval: Approval) -> Command[Moved]:
        """Return the command of a held approval that can still be confirmed.

        Raises ApprovalExpired and ApprovalClosed.
        """
        state = approval.state.at(self._monotonic())
        if state.status is ApprovalStatus.EXPIRED:
            raise ApprovalExpired(state.id, state.expires_at)
        if approval.command is None:
            raise ApprovalClosed(state.id, state.status)
        return approval.command

    def _count_wrong_code(
        self, approval: Approval, on_commit: OnCommits, caller: str | None
    ) -> CodeInvalid:
        """Count a wrong code for a held approval, and return the refusal, which is kept
        with the count."""
        state, left = approval.state, approval.state.attempts_left - 1
        status = state.status if left else ApprovalStatus.REJECTED
        counted = replace(state, attempts_left=left, status=status)
        refusal, kept = CodeInvalid(left), CodeInvalid(left)
        note = partial(self._table.note_wrong_code, state.wallet_id, caller)
        commit(on_commit, kept, note)
        approval.state = counted
        if left == 0:
            approval.close(counted)
            self._table.release(approval)
        return refusal

    def _digest(self, approval_id: str, code: str) -> bytes:
        """Return what is kept of a code. It depends on the key of this process: without
        that, a million digests would show which code it is."""
        return hmac.digest(self._key, f"{approval_id} {code}".encode(), hashlib.sha256)
