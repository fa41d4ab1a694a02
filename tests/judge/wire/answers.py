"""Reads what a server answers. The server is not trusted: all is bounded."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from decimal import Context, Decimal, DecimalException
from typing import Any

from tests.judge.arithmetic.calls import Entry, Outcome
from tests.judge.wire.adapter import Adapter
from tests.judge.wire.client import Answer, Exchange
from tests.lanes import cut, printable

DIGITS_MAX = 40
"""A balance of more digits is no balance."""

EXACT = Context(prec=2 * DIGITS_MAX)
"""For amounts of that many digits, none of which may be rounded away."""

ERRORS = ("error", "errors")
CODES = ("code", "statusCode", "status")
NO_ERROR: tuple[Any, ...] = (None, False, 0, "", [], {})

SAID_MAX = 120
ENTRIES_MAX = 5_000


class Unreadable(Exception):
    """An answer has not what it should have, or in another form."""


def document(answer: Answer) -> Any:
    """Return the JSON of an answer; fractions are Decimal. Raises Unreadable."""
    try:
        return json.loads(
            answer.body, parse_float=_decimal, parse_int=_integer, parse_constant=_nan
        )
    except (ValueError, RecursionError) as error:
        raise Unreadable("the body is not JSON") from error


def _integer(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise ValueError("too many digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > DIGITS_MAX:
        raise ValueError("too many digits")
    return Decimal(text)


def _nan(text: str) -> Any:
    raise ValueError(text)


def at(value: Any, path: str) -> Any:
    """Return what stands at a dotted path; an empty one is the whole.

    Raises Unreadable.
    """
    for name in path.split(".") if path else ():
        if isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise Unreadable(f"there is no {path!r}")
    return value


def first_at(value: Any, paths: Sequence[str]) -> Any:
    """Return what stands at the first of the paths that exists.

    Raises Unreadable.
    """
    for path in paths:
        try:
            found = at(value, path)
        except Unreadable:
            continue
        if found is not None:
            return found
    raise Unreadable(f"there is none of {', '.join(map(repr, paths))}")


def money(value: Any, scale: int) -> int:
    """Return an amount in minor units. Raises Unreadable."""
    minor = exact(value, scale)
    if minor != minor.to_integral_value(context=EXACT):
        raise Unreadable(f"{shown(repr(value))} is not in whole minor units")
    return int(minor)


def exact(value: Any, scale: int) -> Decimal:
    """Return an amount in minor units, with what is smaller. Raises Unreadable."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Unreadable(f"{shown(repr(value))} is no amount")
    if len(str(value)) > DIGITS_MAX:
        raise Unreadable("an amount of too many digits")
    try:
        minor = Decimal(value).scaleb(scale, EXACT)
    except DecimalException as error:
        raise Unreadable(f"{shown(repr(value))} is no amount") from error
    if not minor.is_finite() or minor.adjusted() > DIGITS_MAX:
        raise Unreadable(f"{shown(repr(value))} is no amount")
    return minor


def outcome(exchange: Exchange, adapter: Adapter) -> Outcome:
    """Return whether the effect of a call happened, as far as the answer says."""
    answer = exchange.answer
    if answer is None or answer.status == 202:  # 202: it may be done later
        return Outcome.UNKNOWN
    if 400 <= answer.status < 500:
        return Outcome.UNKNOWN if answer.status == 408 else Outcome.REFUSED
    if not 200 <= answer.status < 300:
        return Outcome.UNKNOWN
    return Outcome.REFUSED if is_failing(answer, adapter) else Outcome.ACKNOWLEDGED


def is_failing(answer: Answer, adapter: Adapter) -> bool:
    """Tell whether a success says in its body that the call failed: by a status, by an
    error, or by a code of HTTP's."""
    try:
        said = document(answer)
    except Unreadable:
        return False
    if not isinstance(said, dict):
        return False
    for path in adapter.failing:
        try:
            value = at(said, path)
        except Unreadable:
            continue
        if value is False or (
            isinstance(value, str) and value.lower() in adapter.failed
        ):
            return True
    return any(said.get(name) not in NO_ERROR for name in ERRORS) or any(
        type(said.get(name)) is int and 400 <= said[name] < 600 for name in CODES
    )


def balance(answer: Answer, paths: Sequence[str], scale: int) -> int:
    """Return the balance that an answer has. Raises Unreadable."""
    return money(first_at(document(answer), paths), scale)


def wallet_id(answer: Answer, paths: Sequence[str]) -> str:
    """Return the id that an answer has. Raises Unreadable."""
    found = first_at(document(answer), paths)
    if isinstance(found, bool) or not isinstance(found, int | str):
        raise Unreadable("the id is neither a text nor an integer")
    text = str(found)
    if not text or len(text) > 200 or not text.isprintable():
        raise Unreadable("the id is empty, too long, or not printable")
    return text


def entries(rows: Sequence[Any], adapter: Adapter) -> list[Entry]:
    """Return the entries of a history, in the order of the answer.

    A row of a call that failed is none. Raises Unreadable.
    """
    return [_entry(row, adapter) for row in rows if not _is_failed(row, adapter)]


def rows(answer: Answer, adapter: Adapter) -> list[Any]:
    """Return the entries of a history as they came. Raises Unreadable."""
    history = adapter.history
    if history.is_csv:
        found: list[Any] = [*csv_rows(answer)]
    else:
        found = _list_in(document(answer), history.entries)
    if len(found) > ENTRIES_MAX:
        raise Unreadable(f"more than {ENTRIES_MAX:,} entries")
    return found


def _list_in(said: Any, paths: Sequence[str]) -> list[Any]:
    for path in paths:
        try:
            found = at(said, path)
        except Unreadable:
            continue
        if isinstance(found, list):
            return found
    raise Unreadable("there is no list of entries")


def csv_rows(answer: Answer) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(answer.body.decode()), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unreadable("the body is not CSV") from error


def _is_failed(row: Any, adapter: Adapter) -> bool:
    status = row.get("status") if isinstance(row, dict) else None
    return isinstance(status, str) and status.lower() in adapter.failed


def _entry(row: Any, adapter: Adapter) -> Entry:
    history = adapter.history
    amount = money(at(row, history.amount), adapter.scale)
    if not history.is_signed and at(row, history.type) in history.debits:
        amount = -amount
    try:
        after = money(at(row, history.after), adapter.scale)
    except Unreadable:
        return Entry(amount)
    return Entry(amount, after)


def said(exchange: Exchange) -> str:
    """Return what a server answered in one printable line, or why it did not."""
    answer = exchange.answer
    if answer is None:
        return shown(exchange.failure)
    return shown(answer.body[: 2 * SAID_MAX].decode("utf-8", "replace"))


def shown(text: str, most: int = SAID_MAX) -> str:
    """Return a text of the server's that no terminal takes for a command."""
    return cut(printable(re.sub(r"\s+", " ", text).strip()), most)
