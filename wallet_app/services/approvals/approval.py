"""One approval: what it is, how long it waits, and what closes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from wallet_app.domain.clock import Deadline
from wallet_app.domain.transactions import Transaction
from wallet_app.services.commit import OnCommits
from wallet_app.services.events import Event
from wallet_app.services.movement import ApprovalRequired
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.store import Lock

ATTEMPTS_MAX = 5
"""The last of so many wrong codes rejects an approval, however often a new one was
sent."""

RESENDS_MAX = 3


class ApprovalStatus(StrEnum):
    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class ApprovalSnapshot(Struct, frozen=True, gc=False):
    """What an approval was at one moment; it has no code. `amount` is in minor units,
    times are in nanoseconds since 1970, UTC, except `monotonic_expiry`."""

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
    monotonic_expiry: int

    def at(self, monotonic_now: int) -> ApprovalSnapshot:
        """Return what it is at a time: an approval expires without an event."""
        is_due = monotonic_now >= self.monotonic_expiry
        if self.status is ApprovalStatus.PENDING and is_due:
            return replace(self, status=ApprovalStatus.EXPIRED)
        return self


def requested(
    id: str, required: ApprovalRequired, now: int, ends: Deadline
) -> ApprovalSnapshot:
    """Return the pending approval of a movement."""
    return ApprovalSnapshot(
        id=id,
        wallet_id=required.wallet_id,
        target_id=required.target_id,
        amount=required.amount,
        currency=required.currency,
        reason=required.reason,
        status=ApprovalStatus.PENDING,
        attempts_left=ATTEMPTS_MAX,
        resends_left=RESENDS_MAX,
        created_at=now,
        expires_at=ends.date,
        monotonic_expiry=ends.monotonic,
    )


Moved = Transaction | tuple[Transaction, Transaction] | PaymentSnapshot
"""What a movement comes to: one transaction, the two of a transfer, or a payment that
goes on."""


M_co = TypeVar("M_co", bound=Moved, covariant=True)


class Command(Protocol[M_co]):
    """A movement that can be asked for again, approved."""

    def __call__(self, *, on_commit: OnCommits, approved: bool = False) -> M_co: ...


@dataclass(slots=True, eq=False)
class Approval:
    """An approval as it lives, changed only under its lock. After its deadline, if it
    has one, the movement cannot be made. It `exists` when its request is committed."""

    lock: Lock
    state: ApprovalSnapshot
    command: Command[Moved] | None
    digest: bytes
    deadline: Deadline | None
    caller: str | None
    exists: bool = False

    def close(self, closed: ApprovalSnapshot) -> None:
        """Let nobody confirm it from now on."""
        self.state = closed
        self.command = None


class Confirmation:
    """Closes a held approval together with its movement: under the locks of the
    wallets, as the last step. So the money has moved exactly when the approval is
    confirmed."""

    def __init__(self, approval: Approval) -> None:
        self._approval = approval
        self._confirmed = replace(approval.state, status=ApprovalStatus.CONFIRMED)

    def prepare(self, outcome: object) -> tuple[object, tuple[Event, ...]]:
        return outcome, ()

    def commit(self) -> None:
        self._approval.close(self._confirmed)
