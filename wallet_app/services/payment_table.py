"""The payments there are, and how many of them may be under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from wallet_app.domain import Transaction
from wallet_app.errors import PaymentNotFound, PaymentsExhausted
from wallet_app.services.background import Background, Lane
from wallet_app.services.idempotency import Keeper
from wallet_app.services.payment import Payment, PaymentSnapshot, PaymentStatus
from wallet_app.store import Lock

UNDER_WAY_MAX = 10_000
"""Payments that are pending at the same time."""

FULL_SECONDS = 60
"""When to come back where there are as many."""


class PaymentTable:
    """Payments by id, and how many are under way. All that there ever were are kept, as
    histories are. Its lock protects the table; a payment has its own."""

    def __init__(
        self, background: Background, lane: Lane[Payment], at_most: int, lock: Lock
    ) -> None:
        self._background = background
        self._lane = lane
        self._at_most = at_most
        self._lock = lock
        self._payments: dict[str, Payment] = {}
        self._under_way = 0

    @contextmanager
    def opening(self, payment: Payment) -> Iterator[None]:
        """Hold a payment while the block opens it, so that nobody attempts it before
        all of that is done. When the block fails there is none, nor its place.

        Raises PaymentsExhausted.
        """
        with payment.lock:
            self.take_place()
            try:
                yield
            except BaseException:
                payment.now_is = replace(payment.now_is, status=PaymentStatus.FAILED)
                self._forget(payment)
                raise

    def take_place(self) -> None:
        """Count one payment more that is under way, or raise PaymentsExhausted."""
        with self._lock:
            if self._under_way >= self._at_most:
                raise PaymentsExhausted(self._at_most, FULL_SECONDS)
            self._under_way += 1

    def _forget(self, payment: Payment) -> None:
        with self._lock:
            self._payments.pop(payment.now_is.id, None)
            self._under_way -= 1

    def free_place(self) -> None:
        """Count one payment less that is under way."""
        with self._lock:
            self._under_way -= 1

    def add(self, payment: Payment) -> None:
        """Let a new payment be found, and have it attempted."""
        with self._lock:
            self._background.put(self._lane, payment.now_is.created_at, payment)
            self._payments[payment.now_is.id] = payment

    def find(self, payment_id: str) -> Payment:
        """Raise PaymentNotFound where there is no such payment."""
        with self._lock:
            payment = self._payments.get(payment_id)
        if payment is None:
            raise PaymentNotFound(payment_id)
        return payment

    def all(self) -> list[PaymentSnapshot]:
        """Return what every payment is. For as long as the caller holds all wallets,
        none is added, and none moves money."""
        with self._lock:
            return [payment.now_is for payment in self._payments.values()]


class Opening:
    """Opens a payment: under the wallet's lock, as the last step. So there is a
    withdrawal exactly when its debit was made."""

    __slots__ = ("_table", "_payment", "_claim")

    def __init__(
        self, table: PaymentTable, payment: Payment, claim: Keeper | None
    ) -> None:
        self._table = table
        self._payment = payment
        self._claim = claim

    def keep(self, outcome: object) -> None:
        if isinstance(outcome, Transaction):
            self._payment.debit = outcome
        self._table.add(self._payment)
        if self._claim is not None:
            self._claim.keep(self._payment.now_is)
