"""Add, deduct, transfer."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import AmountBody, BatchBody, TransferBody
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import (
    OF_ANY_OUTGOING,
    OF_RULES_OUTGOING,
    OF_RULES_TRANSFER,
    answers,
    refuses,
    takes_command,
)
from wallet_app.api.outgoing.outcomes import outcome, outcomes
from wallet_app.domain.errors.approval_errors import ApprovalNeeded
from wallet_app.domain.errors.exchange_errors import QuoteMismatch
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    CurrencyMismatch,
    SameWallet,
    WalletFrozen,
    WalletNotFound,
)

WAITING = {"Location": "The approval."}

blueprint = Blueprint("money", __name__)


@blueprint.post("/wallet/add")
@takes_command(AmountBody())
@answers(200, examples.CREDIT)
@refuses(WalletNotFound, WalletFrozen, BalanceOverflow)
def add_money(command: dict[str, Any]) -> Response:
    """Add money to a wallet

    A frozen wallet takes none.
    """
    return outcome(service().add(**command))


@blueprint.post("/wallet/deduct")
@takes_command(AmountBody())
@answers(200, examples.DEBIT)
@answers(202, examples.APPROVAL, **WAITING)
@refuses(*OF_ANY_OUTGOING)
def deduct_money(command: dict[str, Any]) -> Response:
    """Deduct money from a wallet

    What is above the wallet's approval threshold is kept back until it is confirmed.
    """
    return outcome(service().deduct(**command))


@blueprint.post("/wallet/transfer")
@takes_command(TransferBody())
@answers(200, examples.TRANSFER)
@answers(202, examples.APPROVAL, **WAITING)
@refuses(
    *OF_ANY_OUTGOING, *OF_RULES_TRANSFER, SameWallet, CurrencyMismatch, QuoteMismatch
)
def transfer_money(command: dict[str, Any]) -> Response:
    """Transfer money between two wallets

    Both sides happen, or neither does. Their transactions share a `referenceId`. What
    is above the source's approval threshold is kept back until it is confirmed. Between
    currencies it takes a quote, and goes through two wallets of the house.
    """
    return outcome(service().transfer(**command))


@blueprint.post("/wallet/batch")
@takes_command(BatchBody())
@answers(200, examples.BATCH)
@refuses(
    *OF_RULES_OUTGOING,
    *OF_RULES_TRANSFER,
    WalletNotFound,
    SameWallet,
    CurrencyMismatch,
    QuoteMismatch,
    ApprovalNeeded,
)
def run_batch(command: dict[str, Any]) -> Response:
    """Add, deduct and transfer, all or nothing

    The operations happen in order, at one moment. If one of them is refused, none has
    happened: the problem is that of the refused one, with its index as `operation`.
    One that would need an approval is refused.
    """
    return outcomes(service().batch(**command))
