"""Read a wallet's history: page by page, added up, or whole."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from uuid_utils import UUID

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import (
    ExportQuery,
    HistoryQuery,
    SummaryQuery,
)
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import answers, refuses, takes_query
from wallet_app.api.outgoing.answers import History, Summary, answer
from wallet_app.api.outgoing.csv_answers import csv_answer
from wallet_app.api.outgoing.paging import page_answer
from wallet_app.domain.errors.wallet_errors import TransactionNotFound, WalletNotFound
from wallet_app.services.history import HistoryFilter
from wallet_app.services.json_forms import Transaction

blueprint = Blueprint("history", __name__)

FILTERS = ("type", "category", "since", "until")


@blueprint.get("/wallet/<uuid:wallet_id>/transactions")
@takes_query(HistoryQuery())
@answers(200, examples.PAGE, Link="The pages around this one.")
@refuses(WalletNotFound, TransactionNotFound)
def list_transactions(query: dict[str, Any], wallet_id: str) -> Response:
    """List a wallet's transactions, latest first

    The `Link` header (RFC 8288) has the relations `first`, `prev`, `next` and
    `last`, with the filters and the limit of this request.
    """
    wanted = HistoryFilter(**{name: query.pop(name, None) for name in FILTERS})
    page = service().get_history(wallet_id, wanted, **query)
    rows = list(map(Transaction.of, page.rows))
    return page_answer(History, page, transactions=rows)


@blueprint.get("/transactions/<uuid:transaction_id>")
@answers(200, examples.SENT)
@refuses(TransactionNotFound)
def get_transaction(transaction_id: str) -> Response:
    """Get a transaction

    A transaction never changes.
    """
    return answer(Transaction.of(service().get_transaction(UUID(transaction_id))))


@blueprint.get("/wallet/<uuid:wallet_id>/transactions.csv")
@takes_query(ExportQuery())
@answers(
    200,
    examples.EXPORT,
    **{"Content-Disposition": "Names the file `transactions-{walletId}.csv`."},
)
@refuses(WalletNotFound)
def export_transactions(query: dict[str, Any], wallet_id: str) -> Response:
    """Export a wallet's transactions as CSV, latest first

    All that match at the moment of the request, by RFC 4180 and in UTF-8. Amounts are
    in minor units and, as exact decimals, in major ones. A description that a
    spreadsheet could take for a formula, or that begins with an apostrophe, has one
    apostrophe before it: drop one leading apostrophe to have it as it was.
    """
    transactions = service().export_history(wallet_id, HistoryFilter(**query))
    return csv_answer(transactions, f"transactions-{wallet_id}.csv")


@blueprint.get("/wallet/<uuid:wallet_id>/summary")
@takes_query(SummaryQuery())
@answers(200, examples.SUMMARY)
@refuses(WalletNotFound)
def get_summary(query: dict[str, Any], wallet_id: str) -> Response:
    """Add up a wallet's transactions by type and by category

    All that there are at the moment of the request. The sums are exact integers of
    minor units and may pass 2^53-1: where they do, use a client that reads larger
    integers than a double holds exactly.
    """
    since, until = query.get("since"), query.get("until")
    totals = service().summarize(wallet_id, since, until)
    return answer(Summary.from_totals(totals, wallet_id, since, until))
