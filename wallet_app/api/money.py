"""Add, deduct, transfer."""

from __future__ import annotations

from typing import Any

from flask import Response

from wallet_app.api import examples
from wallet_app.api.answers import answer, movement_json
from wallet_app.api.blueprint import REPLAYED, Blueprint, refuses
from wallet_app.api.requests import once
from wallet_app.api.schemas import (
    AmountBody,
    MovementAnswer,
    TransferAnswer,
    TransferBody,
)
from wallet_app.api.service import service
from wallet_app.errors import (
    BalanceOverflow,
    CurrencyMismatch,
    InsufficientFunds,
    LimitExceeded,
    SameWallet,
    WalletFrozen,
    WalletNotFound,
)

blueprint = Blueprint("money", __name__, description="Movements of money.")


@blueprint.post("/wallet/add")
@blueprint.takes_command(AmountBody(), examples.AMOUNT_BODY)
@blueprint.answers(200, MovementAnswer, examples.CREDIT, **REPLAYED)
@refuses(WalletNotFound, WalletFrozen, BalanceOverflow)
def add(body: dict[str, Any]) -> Response:
    """Add money to a wallet"""
    credit = once(lambda claim: service().money.add(**body, claim=claim))
    return answer(movement_json(service().wallets.after(credit), credit))


@blueprint.post("/wallet/deduct")
@blueprint.takes_command(AmountBody(), examples.AMOUNT_BODY)
@blueprint.answers(200, MovementAnswer, examples.DEBIT, **REPLAYED)
@refuses(WalletNotFound, WalletFrozen, InsufficientFunds, LimitExceeded)
def deduct(body: dict[str, Any]) -> Response:
    """Deduct money from a wallet"""
    debit = once(lambda claim: service().money.deduct(**body, claim=claim))
    return answer(movement_json(service().wallets.after(debit), debit))


@blueprint.post("/wallet/transfer")
@blueprint.takes_command(TransferBody(), examples.TRANSFER_BODY)
@blueprint.answers(200, TransferAnswer, examples.TRANSFER, **REPLAYED)
@refuses(
    SameWallet,
    WalletNotFound,
    WalletFrozen,
    CurrencyMismatch,
    InsufficientFunds,
    BalanceOverflow,
    LimitExceeded,
)
def transfer(body: dict[str, Any]) -> Response:
    """Transfer money between two wallets

    Both sides happen, or neither does. Their transactions share a `referenceId`.
    """
    wallet_service = service()
    sent, received = once(
        lambda claim: wallet_service.money.transfer(**body, claim=claim)
    )
    after = wallet_service.wallets.after
    return answer(
        {
            "referenceId": str(sent.reference_id),
            "from": movement_json(after(sent), sent),
            "to": movement_json(after(received), received),
        }
    )
