"""Quote what an amount comes to in another currency; show what the house holds."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import QuoteBody
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import answers, refuses, takes_command
from wallet_app.api.outgoing.answers import Quote, Wallets, answer
from wallet_app.domain.errors.exchange_errors import (
    AmountNotExchangeable,
    QuotesExhausted,
    RateUnavailable,
    SameCurrency,
)
from wallet_app.services.json_forms import Wallet

blueprint = Blueprint("exchange", __name__)


@blueprint.post("/fx/quotes")
@takes_command(QuoteBody())
@answers(201, examples.QUOTE)
@refuses(SameCurrency, RateUnavailable, AmountNotExchangeable, QuotesExhausted)
def create_quote(command: dict[str, Any]) -> Response:
    """Quote what an amount comes to in another currency

    It is rounded down to the minor unit of that currency. A transfer with the
    `quoteId` uses exactly these amounts, once, before the quote expires.
    """
    return answer(Quote.from_quote(service().create_quote(**command)), 201)


@blueprint.get("/fx/liquidity")
@answers(200, examples.LIQUIDITY)
def list_liquidity() -> Response:
    """List the house's wallets, one for each currency that was asked for

    Exchanges go through them, and nothing else does. They alone may go below zero.
    """
    wallets = service().list_liquidity()
    return answer(Wallets([Wallet.of(wallet) for wallet in wallets]))
