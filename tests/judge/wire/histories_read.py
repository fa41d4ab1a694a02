"""Finds out what the entries of a history are like, from changes that are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from tests.judge.wire import answers
from tests.judge.wire.adapter import History
from tests.judge.wire.client import Answer
from tests.judge.wire.vocabulary import leaves, plain

ROWS_MAX = 100
TYPES = "type kind operation direction operationtype transactiontype entrytype".split()


def learnt(answer: Answer, changes: Sequence[int], scale: int) -> History | None:
    """Return what the history in an answer is like; None if there is none.

    The changes are in the order in which they were made; the history may begin with
    the opening balance, and with the oldest or the latest.
    """
    for path, rows, is_csv in _tables(answer):
        for is_latest_first in (True, False):
            ordered = rows[::-1] if is_latest_first else rows
            ordered = ordered[len(ordered) - len(changes) :]
            found = _columns(ordered, changes, scale)
            if found is not None:
                amount, type, after, debits, is_signed = found
                return History(
                    "",
                    (path,),
                    amount,
                    type,
                    after,
                    debits,
                    is_signed,
                    is_csv,
                    is_latest_first,
                )
    return None


def _tables(answer: Answer) -> Iterable[tuple[str, list[dict[str, Any]], bool]]:
    """Yield the lists of rows in an answer, with where they stand."""
    try:
        said = answers.document(answer)
    except answers.Unreadable:
        try:
            yield "", [dict(row) for row in answers.csv_rows(answer)], True
        except answers.Unreadable:
            pass
        return
    places = [("", said), *(leaves(said) if isinstance(said, dict) else ())]
    for path, value in places:
        if (
            isinstance(value, list)
            and 0 < len(value) <= ROWS_MAX
            and all(isinstance(row, dict) for row in value)
        ):
            yield path, value, False


def _columns(
    rows: Sequence[dict[str, Any]], changes: Sequence[int], scale: int
) -> tuple[str, str, str, tuple[str, ...], bool] | None:
    """Return which columns have the amount, the type and the balance afterwards."""
    if len(rows) != len(changes):
        return None
    texts = {
        name: [row.get(name) for row in rows]
        for name in rows[0]
        if isinstance(name, str)
    }
    numbers = {
        name: amounts
        for name, column in texts.items()
        if (amounts := _amounts(column, scale)) is not None
    }
    ends = list(accumulate(changes))
    after = next(
        (
            name
            for name, column in numbers.items()
            if len({have - end for have, end in zip(column, ends, strict=True)}) == 1
            and len(set(column)) > 1
        ),
        "",
    )
    for name, column in numbers.items():
        if column == list(changes) and any(change < 0 for change in changes):
            return name, "", after, (), True
        if column != [abs(change) for change in changes]:
            continue
        by_name = sorted(texts, key=lambda name: plain(name) not in TYPES)
        for type, kinds in ((name, texts[name]) for name in by_name):
            signs = list(zip(map(str, kinds), changes, strict=True))
            out = {kind for kind, by in signs if by < 0}
            into = {kind for kind, by in signs if by > 0}
            is_type = plain(type) in TYPES or len(out | into) < len(rows)
            if type != name and is_type and not out & into:
                return name, type, after, tuple(sorted(out)), False
    return None


def _amounts(column: Sequence[Any], scale: int) -> list[int] | None:
    try:
        return [answers.money(value, scale) for value in column]
    except answers.Unreadable:
        return None
