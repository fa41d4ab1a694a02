"""What the calls of a round come to, from numbers alone.

What was acknowledged happened exactly once, what was refused did not happen, and what
has no answer may have happened. A round is right if some choice among the calls without
an answer explains every balance. Only what no choice explains is a contradiction: it
is never a statistic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.judge.arithmetic.calls import Done, Op, Outcome, Record

UNKNOWN_MAX = 12
"""With more calls without an answer, too many choices explain anything."""

Change = tuple[int, ...]
"""By how much each wallet's balance changes."""


class TooManyUnknown(Exception):
    """Too many calls have no answer for the round to be decided."""


class Sums:
    """The effects of a round's calls, calls with one key counted once."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.count = len(record.starts)
        acknowledged = record.with_outcome(Outcome.ACKNOWLEDGED)
        ran = {each.op.key for each in acknowledged if each.op.key}
        self.acknowledged = list(_once(acknowledged))
        self.unknown = [
            each
            for each in _once(record.with_outcome(Outcome.UNKNOWN))
            if each.op.key not in ran and any(self.change(each))
        ]
        self.refused = [
            each
            for each in record.with_outcome(Outcome.REFUSED)
            if each.op.key not in ran and any(self.change(each))
        ]
        self.wanted = tuple(
            (rest or 0) - start
            for rest, start in zip(record.rest, record.starts, strict=True)
        )
        self.is_readable = None not in record.rest

    def change(self, done: Done) -> Change:
        return self.change_of(done.op)

    def change_of(self, op: Op) -> Change:
        changes = op.changes()
        return tuple(changes.get(wallet, 0) for wallet in range(self.count))

    def choices(self) -> set[Change]:
        """Return what the unknown calls may come to, each done or not.

        Raises TooManyUnknown.
        """
        if len(self.unknown) > UNKNOWN_MAX:
            raise TooManyUnknown
        sums = {(0,) * self.count}
        for each in self.unknown:
            change = self.change(each)
            sums |= {plus(done, change) for done in sums}
        return sums

    def missing(self) -> Change:
        """Return by how much each balance differs from what was acknowledged."""
        total = total_of((self.change(each) for each in self.acknowledged), self.count)
        return minus(self.wanted, total)

    def is_explained(self, missing: Change) -> bool:
        return missing in self.choices()


def _once(done: Iterable[Done]) -> Iterator[Done]:
    """Yield the calls, of those with one key the first."""
    seen: set[str] = set()
    for each in done:
        if each.op.key not in seen:
            yield each
        if each.op.key:
            seen.add(each.op.key)


def plus(one: Change, other: Change) -> Change:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def minus(one: Change, other: Change) -> Change:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def total_of(changes: Iterable[Change], count: int) -> Change:
    total = (0,) * count
    for change in changes:
        total = plus(total, change)
    return total
