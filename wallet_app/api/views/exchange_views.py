"""Quote what an amount comes to in another currency; show what the house holds."""

from __future__ import annotations

from typing import Any

from flask import Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import QuoteBody
from wallet_app.api.incoming.requests import once
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.answer_schemas import QuoteAnswer, WalletsAnswer
from wallet_app.api.openapi.blueprint import REPLAYED, Blueprint, refuses
from wallet_app.api.outgoing.answers import answer, quote_json, wallets_json
from wallet_app.domain.errors.exchange_errors import (
    AmountNotExchangeable,
    QuotesExhausted,
    RateUnavailable,
    SameCurrency,
)

blueprint = Blueprint("exchange", __name__, description="Money in other currencies.")


@blueprint.post("/fx/quotes")
@blueprint.takes_command(QuoteBody(), examples.QUOTE_BODY)
@blueprint.answers(201, QuoteAnswer, examples.QUOTE, **REPLAYED)
@refuses(SameCurrency, RateUnavailable, AmountNotExchangeable, QuotesExhausted)
def quote(body: dict[str, Any]) -> Response:
    """Quote what an amount comes to in another currency

    It is rounded down to the minor unit of that currency. A transfer with the
    `quoteId` uses exactly these amounts, once, before the quote expires.
    """
    return answer(quote_json(service().create_quote(**body, **once())), 201)


@blueprint.get("/fx/liquidity")
@blueprint.answers(200, WalletsAnswer, examples.LIQUIDITY)
@refuses()
def liquidity() -> Response:
    """List the house's wallets, one for each currency that was asked for

    Exchanges go through them, and nothing else does. They alone may go below zero.
    """
    return answer(wallets_json(service().list_liquidity()))
