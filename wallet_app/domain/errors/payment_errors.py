"""Refusals of deposits and withdrawals."""

from __future__ import annotations

from wallet_app.domain.errors.example_values import PAYMENT_ID
from wallet_app.domain.errors.families import Conflict, Exhausted, NotFound, member


class PaymentNotFound(NotFound):
    """No payment has this id."""

    code, title = "payment_not_found", "Payment not found"
    message = "There is no payment {payment_id}."
    payment_id: str = member(PAYMENT_ID)


class PaymentNotParked(Conflict):
    """Only a parked payment is retried by hand."""

    code, title = "payment_not_parked", "Payment not parked"
    message = "Payment {payment_id} is {payment_status}: it needs no retry by hand."
    payment_id: str = member(PAYMENT_ID)
    payment_status: str = member("SUCCEEDED")


class PaymentsExhausted(Exhausted):
    """As many payments are under way as may be at one time."""

    code, title = "payments_exhausted", "Too many payments"
    message = (
        "{maximum} payments are under way, and no more are taken. Nothing was done."
    )
    maximum: int = member(10_000)
    retry_after_seconds: int = member(60)
