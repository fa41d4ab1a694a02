"""Transactions become CSV (RFC 4180), chunk by chunk, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from flask import Response

from wallet_app.domain.currencies import decimal_text
from wallet_app.domain.transactions import Transaction
from wallet_app.services.json_forms import timestamp

MEDIA_TYPE = "text/csv"

COLUMNS = (
    "id",
    "createdAt",
    "type",
    "amount",
    "amountDecimal",
    "currency",
    "balanceAfter",
    "balanceAfterDecimal",
    "referenceId",
    "category",
    "description",
)
"""The header row: amounts are in minor units, and once more as exact decimals."""

ROWS_PER_CHUNK = 500
"""About 100 kB: more go out no faster, and each export holds one chunk."""

_MARKED = re.compile(r"['\t\r\n]|\s*[=+\-@＝＋－＠]")


def csv_answer(transactions: Iterable[Transaction], name: str) -> Response:
    """Return a file of this name that is made while it is sent."""
    return Response(
        csv_chunks(transactions),
        content_type=f"{MEDIA_TYPE}; charset=utf-8; header=present",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def csv_chunks(transactions: Iterable[Transaction]) -> Iterator[bytes]:
    """Yield the header and a row for each transaction. Lines end with CRLF; cells
    are quoted where they must be, and empty where there is no value."""
    rows = chain([COLUMNS], map(_row, transactions))
    while text := _text(islice(rows, ROWS_PER_CHUNK)):
        yield text.encode()


def _text(rows: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _row(transaction: Transaction) -> tuple[object, ...]:
    currency, description = transaction.currency, transaction.description
    return (
        transaction.id,
        timestamp(transaction.created_at),
        transaction.type,
        transaction.amount,
        decimal_text(transaction.amount, currency),
        currency,
        transaction.balance_after,
        decimal_text(transaction.balance_after, currency),
        transaction.reference_id,
        transaction.category,
        None if description is None else never_a_formula(description),
    )


def never_a_formula(text: str) -> str:
    """Return free text as a spreadsheet shows it and does not run it (OWASP, "CSV
    Injection").

    One apostrophe is put before text that begins with a tab, CR or LF; whose first
    character, or first after white space, is one of = + - @ or their full-width
    forms; or that begins with an apostrophe. So a reader who drops one leading
    apostrophe has the text as it was.

    That holds where cells end at commas, as they do here: a reader that is set to
    split at another character makes cells of its own out of any text.
    """
    return f"'{text}" if _MARKED.match(text) else text
