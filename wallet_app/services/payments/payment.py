"""One payment: a deposit or a withdrawal with the bank, as a small state machine.

          what the bank is known to have done         what the wallet has seen
PENDING   NONE, UNKNOWN, or what is not booked yet    withdrawal: its debit
PARKED    the same, until somebody asks again         withdrawal: its debit
SUCCEEDED PAID                                        debit, or the deposit's credit
FAILED    DECLINED                                    nothing, or debit and credit
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace
from uuid_utils import UUID

from wallet_app.domain.transactions import PaymentIdentity, Transaction
from wallet_app.gateways.bank import Answer, Declined, Direction, Order
from wallet_app.services.events import Event, EventType
from wallet_app.store import Lock


class PaymentStatus(StrEnum):
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    PARKED = "PARKED"


class BankAnswer(StrEnum):
    """What the bank is known to have done."""

    NONE = "NONE"
    """Nothing: it has not taken the order yet."""

    UNKNOWN = "UNKNOWN"
    """It was asked, and no answer came. It may have paid."""

    PAID = "PAID"
    DECLINED = "DECLINED"


class PaymentSnapshot(Struct, frozen=True, gc=False):
    """What a payment was at one moment. `amount` is in minor units, times are in
    nanoseconds since 1970, UTC. `next_attempt_at` is None where none will come."""

    id: str
    wallet_id: str
    direction: Direction
    amount: int
    currency: str
    bank_account: str
    status: PaymentStatus
    bank_answer: BankAnswer
    attempts: int
    last_error: str | None
    next_attempt_at: int | None
    created_at: int
    updated_at: int

    @property
    def is_open(self) -> bool:
        return self.status in (PaymentStatus.PENDING, PaymentStatus.PARKED)

    @property
    def identity(self) -> PaymentIdentity:
        """How its transactions name it."""
        return PaymentIdentity(UUID(self.id), self.bank_account)

    @property
    def order(self) -> Order:
        """What the bank is asked; the key is the payment's id."""
        return Order(
            self.id, self.direction, self.bank_account, self.amount, self.currency
        )

    @property
    def booked(self) -> tuple[int, ...]:
        """What the payment has changed its wallet's balance by, in order."""
        if self.direction is Direction.WITHDRAWAL:
            failed = self.status is PaymentStatus.FAILED
            return (-self.amount, self.amount) if failed else (-self.amount,)
        succeeded = self.status is PaymentStatus.SUCCEEDED
        return (self.amount,) if succeeded else ()

    def answered(self, answer: Answer, now: int) -> PaymentSnapshot:
        """Return it with what the bank has done for good, not booked yet."""
        declined = isinstance(answer, Declined)
        return replace(
            self,
            bank_answer=BankAnswer.DECLINED if declined else BankAnswer.PAID,
            last_error=answer.reason if isinstance(answer, Declined) else None,
            next_attempt_at=None,
            updated_at=max(now, self.updated_at),
        )

    def waiting(
        self, wait: int | None, bank_answer: BankAnswer, why: str | None, now: int
    ) -> PaymentSnapshot:
        """Return it pending for its next attempt, or parked if that is None."""
        return replace(
            self,
            status=PaymentStatus.PARKED if wait is None else PaymentStatus.PENDING,
            bank_answer=bank_answer,
            last_error=why,
            next_attempt_at=None if wait is None else now + wait,
            updated_at=max(now, self.updated_at),
        )


@dataclass(slots=True, eq=False)
class Payment:
    """A payment as it lives, changed only under its lock. It `exists` from the commit
    that opens it on. `debit` is what a withdrawal took, `answer` what the bank has
    answered for good, and `tries` are the attempts since it was asked for or taken up
    again."""

    lock: Lock
    state: PaymentSnapshot
    exists: bool = False
    debit: Transaction | None = None
    answer: Answer | None = None
    tries: int = 0

    def learn(self, answer: Answer, now: int) -> None:
        """Note what the bank has done, whatever becomes of booking it."""
        self.state = self.state.answered(answer, now)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Ending:
    """Ends a held payment with the movement that books it: under the wallet's lock, as
    the last step. So the money has moved exactly when the payment has ended, and its
    slot is released; a parked payment holds none."""

    payment: Payment
    ended: PaymentSnapshot
    release_slot: Callable[[Payment], None]

    def prepare(self, outcome: object) -> tuple[object, tuple[Event, ...]]:
        ended = self.ended
        succeeded = ended.status is PaymentStatus.SUCCEEDED
        type = EventType.PAYMENT_SUCCEEDED if succeeded else EventType.PAYMENT_FAILED
        return outcome, (Event(type, ended.updated_at, ended),)

    def commit(self) -> None:
        self.payment.state = self.ended
        self.release_slot(self.payment)
