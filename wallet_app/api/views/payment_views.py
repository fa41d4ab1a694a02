"""Deposit from a bank account, withdraw to one, look at a payment, retry it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import (
    EmptyBody,
    PaymentBody,
    PaymentsQuery,
)
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import (
    OF_ANY_OUTGOING,
    answers,
    refuses,
    takes_command,
    takes_query,
)
from wallet_app.api.outgoing.answers import PaymentPage, answer
from wallet_app.api.outgoing.outcomes import outcome
from wallet_app.api.outgoing.paging import page_answer
from wallet_app.domain.errors.payment_errors import (
    PaymentNotFound,
    PaymentNotParked,
    PaymentsExhausted,
)
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    WalletFrozen,
    WalletNotFound,
)
from wallet_app.services.json_forms import Payment

GOES_ON = {"Location": "The payment, or the approval that it waits for."}

blueprint = Blueprint("payments", __name__)


@blueprint.post("/wallet/deposit")
@takes_command(PaymentBody())
@answers(202, examples.DEPOSIT, **GOES_ON)
@refuses(WalletNotFound, WalletFrozen, BalanceOverflow, PaymentsExhausted)
def deposit_money(command: dict[str, Any]) -> Response:
    """Deposit money from a bank account

    The wallet is credited when the bank has paid. The sandbox bank has the accounts
    `sandbox-ok`, `sandbox-declines`, `sandbox-flaky` (unavailable twice, then pays),
    `sandbox-times-out` (pays, but the first answer never arrives) and `sandbox-down`.
    """
    return outcome(service().deposit(**command))


@blueprint.post("/wallet/withdraw")
@takes_command(PaymentBody())
@answers(202, examples.WITHDRAWAL, examples.APPROVAL, **GOES_ON)
@refuses(*OF_ANY_OUTGOING, PaymentsExhausted)
def withdraw_money(command: dict[str, Any]) -> Response:
    """Withdraw money to a bank account

    The wallet is debited at once, by the rules for everything that leaves it; then the
    bank pays. What the bank declines is refunded by a credit with the same
    `referenceId`, also into a wallet that was frozen meanwhile.
    """
    return outcome(service().withdraw(**command))


@blueprint.get("/payments")
@takes_query(PaymentsQuery())
@answers(200, examples.PAYMENT_PAGE, Link="The pages around this one.")
def list_payments(query: dict[str, Any]) -> Response:
    """List payments, newest first

    Of all wallets, or those of one; with any status, or with one.
    """
    page = service().list_payments(**query)
    return page_answer(PaymentPage, page, payments=list(map(Payment.of, page.rows)))


@blueprint.get("/payments/<uuid:payment_id>")
@answers(200, examples.WITHDRAWAL)
@refuses(PaymentNotFound)
def get_payment(payment_id: str) -> Response:
    """Get a payment

    While it is pending, it changes by itself.
    """
    return answer(Payment.of(service().get_payment(payment_id)))


@blueprint.post("/payments/<uuid:payment_id>/retry")
@takes_command(EmptyBody())
@answers(202, examples.RETRIED)
@refuses(PaymentNotFound, PaymentNotParked, PaymentsExhausted)
def retry_payment(command: dict[str, Any], payment_id: str) -> Response:
    """Take up a parked payment again

    The bank is asked with the same key, so that it never pays twice.
    """
    return outcome(service().retry_payment(payment_id, **command))
