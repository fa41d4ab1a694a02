"""Open a wallet, look at a wallet."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import CreateBody, PageQuery
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import (
    answers,
    refuses,
    takes_command,
    takes_query,
)
from wallet_app.api.outgoing.answers import WalletPage, Wallets, answer
from wallet_app.api.outgoing.paging import page_answer
from wallet_app.domain.errors.wallet_errors import WalletExists, WalletNotFound
from wallet_app.services.json_forms import Wallet

blueprint = Blueprint("wallets", __name__)


@blueprint.post("/wallet/create")
@takes_command(CreateBody())
@answers(201, examples.CREATED, Location="The wallet.")
@refuses(WalletExists)
def create_wallet(command: dict[str, Any]) -> Response:
    """Create a wallet

    It is empty. A user has one wallet for each currency.
    """
    wallet = service().create_wallet(**command)
    return answer(Wallet.of(wallet), 201, Location=f"/wallet/{wallet.id}")


@blueprint.get("/wallets")
@takes_query(PageQuery())
@answers(200, examples.WALLET_PAGE, Link="The pages around this one.")
def list_wallets(query: dict[str, Any]) -> Response:
    """List the wallets of all users, newest first

    They are read at one moment, so their balances belong together.
    """
    page = service().list_wallets(**query)
    return page_answer(WalletPage, page, wallets=list(map(Wallet.of, page.rows)))


@blueprint.get("/users/<uuid:user_id>/wallets")
@answers(200, examples.WALLETS)
def list_user_wallets(user_id: str) -> Response:
    """List a user's wallets, by currency

    A user who is not known has none.
    """
    wallets = service().list_user_wallets(user_id)
    return answer(Wallets([Wallet.of(wallet) for wallet in wallets]))


@blueprint.get("/wallet/<uuid:wallet_id>")
@answers(200, examples.WALLET)
@refuses(WalletNotFound)
def get_wallet(wallet_id: str) -> Response:
    """Get a wallet

    Its balance is what its latest transaction left.
    """
    return answer(Wallet.of(service().get_wallet(wallet_id)))
