"""What a check is, and what can be said of a record before any check."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.judge.arithmetic.calls import Done, Outcome, Record
from tests.judge.arithmetic.sums import TooManyUnknown
from tests.judge.arithmetic.verdicts import Finding

Check = Callable[[Record], Finding | None]
"""Says what in a record contradicts the exercise. May raise TooManyUnknown."""


def first_finding(record: Record, checks: Sequence[Check]) -> Finding | None:
    """Return what the first check that finds something has found."""
    for check in checks:
        try:
            finding = check(record)
        except TooManyUnknown:
            continue
        if finding is not None:
            return finding
    return None


def not_answered(record: Record) -> list[Done]:
    """Return the calls that timed out or failed within the server.

    With 503 a server says that it is busy, which is not wrong.
    """
    return [
        each
        for each in record.done
        if each.is_timed_out or ((each.status or 0) >= 500 and each.status != 503)
    ]


def is_decided(record: Record) -> bool:
    """Tell whether a round says anything: most of its calls were answered, and its
    balances were read."""
    answered = [
        each
        for each in record.done
        if each.outcome is not Outcome.UNKNOWN and each.status != 429
    ]
    unknown = len(record.done) - len(answered)
    is_read = None not in record.rest
    return is_read and len(answered) >= 2 and unknown <= len(answered)
