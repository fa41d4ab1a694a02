"""Open a wallet, look at a wallet."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from werkzeug.exceptions import NotFound

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import CreateBody
from wallet_app.api.incoming.requests import once
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.answer_schemas import WalletAnswer, WalletsAnswer
from wallet_app.api.openapi.blueprint import REPLAYED, Blueprint, refuses
from wallet_app.api.outgoing.answers import answer, wallets_json
from wallet_app.domain.errors.wallet_errors import WalletExists, WalletNotFound
from wallet_app.services.json_forms import wallet_json

blueprint = Blueprint("wallets", __name__, description="Wallets and what they hold.")


@blueprint.post("/wallet/create")
@blueprint.takes_command(CreateBody(), examples.CREATE_BODY)
@blueprint.answers(
    201, WalletAnswer, examples.WALLET, Location="The wallet.", **REPLAYED
)
@refuses(WalletExists)
def create(body: dict[str, Any]) -> Response:
    """Create a wallet

    It is empty. A user has one wallet for each currency.
    """
    wallet = service().create_wallet(**body, **once())
    return answer(wallet_json(wallet), 201, Location=f"/wallet/{wallet.id}")


@blueprint.get("/users/<uuid:id>/wallets")
@blueprint.answers(200, WalletsAnswer, examples.WALLETS)
@refuses(NotFound)
def of_user(id: UUID) -> Response:
    """List a user's wallets, by currency

    A user who is not known has none.
    """
    return answer(wallets_json(service().list_wallets(str(id))))


@blueprint.get("/wallet/<uuid:id>")
@blueprint.answers(200, WalletAnswer, examples.WALLET)
@refuses(WalletNotFound, NotFound)
def get(id: UUID) -> Response:
    """Get a wallet"""
    return answer(wallet_json(service().get_wallet(str(id))))
