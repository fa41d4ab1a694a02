"""The payments there are, and how many of them may be under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from wallet_app.domain.errors.payment_errors import PaymentNotFound, PaymentsExhausted
from wallet_app.domain.transactions import Transaction
from wallet_app.services.background import Background
from wallet_app.services.events import Event
from wallet_app.services.payments.payment import Payment, PaymentSnapshot, PaymentStatus
from wallet_app.services.work_queue import WorkQueue
from wallet_app.store import Lock

UNDER_WAY_MAX = 10_000
"""Payments that are pending at the same time."""

FULL_SECONDS = 60
"""When to ask again if there are as many."""


class PaymentTable:
    """Payments by id, and how many are under way. All that there ever were are kept, as
    histories are. Its lock protects the table; a payment has its own."""

    def __init__(
        self, background: Background, queue: WorkQueue[Payment], lock: Lock
    ) -> None:
        self._background = background
        self._queue = queue
        self._lock = lock
        self._payments: dict[str, Payment] = {}
        self._under_way: set[Payment] = set()

    @property
    def under_way(self) -> int:
        """How many payments have a slot."""
        return len(self._under_way)

    @contextmanager
    def opening(self, payment: Payment) -> Iterator[None]:
        """Hold a payment while the block opens it, so that nobody attempts it before
        all of that is done. If the block fails before its commit, there is no payment,
        and its slot is released.

        Raises PaymentsExhausted.
        """
        failed = replace(payment.state, status=PaymentStatus.FAILED)
        with payment.lock:
            self.acquire_slot(payment)
            try:
                yield
            except BaseException:
                if payment.exists:
                    raise  # it came after the commit
                payment.state = failed  # for a worker that has it
                self._payments.pop(failed.id, None)
                self.release_slot(payment)
                raise

    def acquire_slot(self, payment: Payment) -> None:
        """Count a payment among those under way, or raise PaymentsExhausted."""
        with self._lock:
            if len(self._under_way) >= UNDER_WAY_MAX:
                raise PaymentsExhausted(UNDER_WAY_MAX, FULL_SECONDS)
            self._under_way.add(payment)

    def release_slot(self, payment: Payment) -> None:
        """Count a payment no longer among those under way. It takes neither a lock nor
        memory, so that it cannot fail."""
        self._under_way.discard(payment)

    def add(self, payment: Payment) -> None:
        """Have a new payment attempted, and let it be found when it exists."""
        with self._lock:
            self._payments[payment.state.id] = payment
            self.queue(payment)

    def queue(self, payment: Payment) -> None:
        """Have a payment attempted at once."""
        self._background.put(self._queue, 0, payment)

    def find(self, payment_id: str) -> Payment:
        """Raise PaymentNotFound if there is no such payment."""
        with self._lock:
            payment = self._payments.get(payment_id)
        if payment is None or not payment.exists:
            raise PaymentNotFound(payment_id)
        return payment

    def all(self) -> list[PaymentSnapshot]:
        with self._lock:
            payments = list(self._payments.values())
        return [payment.state for payment in payments if payment.exists]


@dataclass(frozen=True, slots=True)
class Opening:
    """Opens a payment: under the wallet's lock, as the last step. So there is a
    withdrawal exactly when its debit was made. Its outcome is the payment."""

    table: PaymentTable
    payment: Payment

    def prepare(self, outcome: object) -> tuple[object, tuple[Event, ...]]:
        if isinstance(outcome, Transaction):
            self.payment.debit = outcome
        self.table.add(self.payment)
        return self.payment.state, ()

    def commit(self) -> None:
        self.payment.exists = True
