"""Freeze a wallet, unfreeze it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import EmptyBody, FreezeBody
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import answers, refuses, takes_command
from wallet_app.api.outgoing.answers import answer
from wallet_app.domain.errors.wallet_errors import WalletNotFound
from wallet_app.services.json_forms import Wallet

blueprint = Blueprint("freeze", __name__)


@blueprint.post("/wallet/<uuid:wallet_id>/freeze")
@takes_command(FreezeBody())
@answers(200, examples.FROZEN)
@refuses(WalletNotFound)
def freeze_wallet(command: dict[str, Any], wallet_id: str) -> Response:
    """Freeze a wallet

    It neither sends nor receives until it is unfrozen. A wallet that is frozen stays
    as it is, with its first reason.
    """
    return answer(Wallet.of(service().freeze(wallet_id, **command)))


@blueprint.post("/wallet/<uuid:wallet_id>/unfreeze")
@takes_command(EmptyBody())
@answers(200, examples.WALLET)
@refuses(WalletNotFound)
def unfreeze_wallet(command: dict[str, Any], wallet_id: str) -> Response:
    """Unfreeze a wallet

    One that is not frozen stays as it is.
    """
    return answer(Wallet.of(service().unfreeze(wallet_id, **command)))
