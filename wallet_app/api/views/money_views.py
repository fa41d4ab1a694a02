"""Add, deduct, transfer."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.idempotency_header import once
from wallet_app.api.incoming.request_schemas import AmountBody, TransferBody
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import (
    OF_ANY_OUTGOING,
    REPLAYED,
    answers,
    refuses,
    takes_command,
)
from wallet_app.api.outgoing.outcomes import outcome
from wallet_app.domain.errors.exchange_errors import (
    LiquidityExhausted,
    QuoteExpired,
    QuoteMismatch,
    QuoteNotFound,
    QuoteUsed,
)
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    CurrencyMismatch,
    SameWallet,
    WalletFrozen,
    WalletNotFound,
)

WAITING = REPLAYED | {"Location": "The approval."}

blueprint = Blueprint("money", __name__)


@blueprint.post("/wallet/add")
@takes_command(AmountBody(), examples.AMOUNT_BODY)
@answers(200, examples.CREDIT, **REPLAYED)
@refuses(WalletNotFound, WalletFrozen, BalanceOverflow)
def add(body: dict[str, Any]) -> Response:
    """Add money to a wallet"""
    return outcome(service().add(**body, **once()))


@blueprint.post("/wallet/deduct")
@takes_command(AmountBody(), examples.AMOUNT_BODY)
@answers(200, examples.DEBIT, **REPLAYED)
@answers(202, examples.APPROVAL, **WAITING)
@refuses(*OF_ANY_OUTGOING)
def deduct(body: dict[str, Any]) -> Response:
    """Deduct money from a wallet

    What is above the wallet's approval threshold is kept back until it is confirmed.
    """
    return outcome(service().deduct(**body, **once()))


@blueprint.post("/wallet/transfer")
@takes_command(TransferBody(), examples.TRANSFER_BODY)
@answers(200, examples.TRANSFER, **REPLAYED)
@answers(202, examples.APPROVAL, **WAITING)
@refuses(
    *OF_ANY_OUTGOING,
    SameWallet,
    CurrencyMismatch,
    QuoteNotFound,
    QuoteMismatch,
    QuoteUsed,
    QuoteExpired,
    LiquidityExhausted,
    BalanceOverflow,
)
def transfer(body: dict[str, Any]) -> Response:
    """Transfer money between two wallets

    Both sides happen, or neither does. Their transactions share a `referenceId`. What
    is above the source's approval threshold is kept back until it is confirmed. Between
    currencies it takes a quote, and goes through two wallets of the house.
    """
    return outcome(service().transfer(**body, **once()))
