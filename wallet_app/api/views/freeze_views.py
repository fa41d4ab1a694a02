"""Freeze a wallet, unfreeze it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from werkzeug.exceptions import NotFound

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import EmptyBody, FreezeBody
from wallet_app.api.incoming.requests import once
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.answer_schemas import WalletAnswer
from wallet_app.api.openapi.blueprint import REPLAYED, Blueprint, refuses
from wallet_app.api.outgoing.answers import answer
from wallet_app.domain.errors.wallet_errors import WalletNotFound
from wallet_app.services.json_forms import wallet_json

blueprint = Blueprint("freeze", __name__, description="Wallets that are stopped.")


@blueprint.post("/wallet/<uuid:id>/freeze")
@blueprint.takes_command(FreezeBody(), examples.FREEZE_BODY)
@blueprint.answers(200, WalletAnswer, examples.FROZEN, **REPLAYED)
@refuses(WalletNotFound, NotFound)
def freeze(body: dict[str, Any], id: UUID) -> Response:
    """Freeze a wallet

    It neither sends nor receives until it is unfrozen. A wallet that is frozen stays
    as it is, with its first reason.
    """
    return answer(wallet_json(service().freeze(str(id), **body, **once())))


@blueprint.post("/wallet/<uuid:id>/unfreeze")
@blueprint.takes_command(EmptyBody(), {})
@blueprint.answers(200, WalletAnswer, examples.WALLET, **REPLAYED)
@refuses(WalletNotFound, NotFound)
def unfreeze(body: dict[str, Any], id: UUID) -> Response:
    """Unfreeze a wallet

    One that is not frozen stays as it is.
    """
    return answer(wallet_json(service().unfreeze(str(id), **once())))
