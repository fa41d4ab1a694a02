"""Add, deduct, transfer."""

from __future__ import annotations

from typing import Any

from flask import Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import AmountBody, TransferBody
from wallet_app.api.incoming.requests import once
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.answer_schemas import (
    ApprovalAnswer,
    MovementAnswer,
    TransferAnswer,
)
from wallet_app.api.openapi.blueprint import (
    OF_ANY_OUTGOING,
    REPLAYED,
    Blueprint,
    refuses,
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

blueprint = Blueprint("money", __name__, description="Movements of money.")


@blueprint.post("/wallet/add")
@blueprint.takes_command(AmountBody(), examples.AMOUNT_BODY)
@blueprint.answers(200, MovementAnswer, examples.CREDIT, **REPLAYED)
@refuses(WalletNotFound, WalletFrozen, BalanceOverflow)
def add(body: dict[str, Any]) -> Response:
    """Add money to a wallet"""
    return outcome(service().add(**body, **once()))


@blueprint.post("/wallet/deduct")
@blueprint.takes_command(AmountBody(), examples.AMOUNT_BODY)
@blueprint.answers(200, MovementAnswer, examples.DEBIT, **REPLAYED)
@blueprint.answers(202, ApprovalAnswer, examples.APPROVAL, **WAITING)
@refuses(*OF_ANY_OUTGOING)
def deduct(body: dict[str, Any]) -> Response:
    """Deduct money from a wallet

    What is above the wallet's approval threshold is kept back until it is confirmed.
    """
    return outcome(service().deduct(**body, **once()))


@blueprint.post("/wallet/transfer")
@blueprint.takes_command(TransferBody(), examples.TRANSFER_BODY)
@blueprint.answers(200, TransferAnswer, examples.TRANSFER, **REPLAYED)
@blueprint.answers(202, ApprovalAnswer, examples.APPROVAL, **WAITING)
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
