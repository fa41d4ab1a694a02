"""Read a wallet's history, page by page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from werkzeug.exceptions import NotFound

from wallet_app.api import examples
from wallet_app.api.answers import answer, transaction_json
from wallet_app.api.blueprint import Blueprint, refuses
from wallet_app.api.paging import Starts, around, links, pages_of
from wallet_app.api.schemas import HistoryQuery, PageAnswer
from wallet_app.api.service import service
from wallet_app.errors import TransactionNotFound, WalletNotFound
from wallet_app.services.history import HistoryFilter, Page

blueprint = Blueprint("history", __name__, description="What happened to a wallet.")

FILTERS = ("type", "category", "since", "until")


@blueprint.get("/wallet/<uuid:id>/transactions")
@blueprint.takes_query(HistoryQuery())
@blueprint.answers(200, PageAnswer, examples.PAGE, Link="The pages around this one.")
@refuses(WalletNotFound, TransactionNotFound, NotFound)
def transactions(query: dict[str, Any], id: UUID) -> Response:
    """List a wallet's transactions, latest first

    The `Link` header (RFC 8288) has the relations `first`, `prev`, `next` and
    `last`, with the filters and the limit of this request.
    """
    wanted = HistoryFilter(**{name: query.pop(name, None) for name in FILTERS})
    page = service().history.page(str(id), wanted, **query)
    total_pages = pages_of(page.total, page.limit)
    return answer(
        {
            "transactions": [transaction_json(each) for each in page.transactions],
            "page": page.page,
            "limit": page.limit,
            "total": page.total,
            "totalPages": total_pages,
        },
        Link=links(_starts(page, total_pages)),
    )


def _starts(page: Page, total_pages: int) -> Starts:
    if page.page is not None:
        return around(page.page, total_pages)
    starts: Starts = {"first": {"page": 1}}
    if page.has_more:
        starts["next"] = {"before": page.transactions[-1].id}
    return starts
