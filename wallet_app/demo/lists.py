"""Lists of all wallets and payments, for the page, until the API has them: its routes
have the same paths and come first, and then this file can go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from flask import Blueprint, Response

from wallet_app.api.incoming.fields import UuidText
from wallet_app.api.incoming.query import read_query
from wallet_app.api.incoming.request_schemas import PageQuery
from wallet_app.api.outgoing.answers import answer
from wallet_app.services.json_forms import JsonObject, Payment, Wallet

if TYPE_CHECKING:
    from wallet_app.demo.demo import Demo


T = TypeVar("T")


class PaymentsQuery(PageQuery):
    wallet_id = UuidText(load_default=None)


def blueprint(demo: Demo) -> Blueprint:
    """Return the routes of the lists, newest first."""
    routes = Blueprint("lists", __name__)

    @routes.get("/wallets")
    def wallets() -> Response:
        query = read_query(PageQuery())
        newest_first = list(demo.service.store.wallets)[::-1]
        some = [
            Wallet.of(demo.service.get_wallet(each))
            for each in _page(newest_first, **query)
        ]
        return _answer("wallets", some, len(newest_first), **query)

    @routes.get("/payments")
    def payments() -> Response:
        query = read_query(PaymentsQuery())
        wallet_id = query.pop("wallet_id")
        newest_first = [
            each
            for each in reversed(demo.service.payments.all())
            if wallet_id in (None, each.wallet_id)
        ]
        some = [Payment.of(each) for each in _page(newest_first, **query)]
        return _answer("payments", some, len(newest_first), **query)

    return routes


def _page(items: list[T], limit: int, page: int) -> list[T]:
    return items[(page - 1) * limit : page * limit]


def _answer(
    name: str, items: Sequence[JsonObject], total: int, limit: int, page: int
) -> Response:
    pages = -(-total // limit)
    return answer(
        {name: items, "page": page, "limit": limit, "total": total, "totalPages": pages}
    )
