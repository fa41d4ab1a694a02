"""Decides whether the history of a wallet contradicts its balance or the answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tests.judge.arithmetic.calls import Entry, Outcome, Record
from tests.judge.arithmetic.sums import Sums
from tests.judge.arithmetic.verdicts import Finding
from tests.judge.arithmetic.wording import short


def wrong_history(record: Record) -> Finding | None:
    """Return how a history contradicts its balance, or the acknowledged calls.

    Raises TooManyUnknown.
    """
    sums = Sums(record)
    for wallet, entries in enumerate(record.entries):
        rest = record.rest[wallet]
        if entries is None or rest is None:
            continue
        found = _wrong_entries(record, sums, wallet, entries, rest)
        if found is not None:
            return found
    return None


def _wrong_entries(
    record: Record, sums: Sums, wallet: int, entries: Sequence[Entry], rest: int
) -> Finding | None:
    name = short(record.ids[wallet])
    opening = record.starts[wallet]
    total = sum(each.change for each in entries)
    if opening + total != rest:
        return Finding(
            "the history does not add up to the balance",
            f"wallet {name}: it began at {opening}; with "
            f"{_counted(len(entries), 'entry')} it should hold "
            f"{opening + total}; it holds {rest}",
            likely="an entry is written outside the lock of its balance, or not at all",
        )
    acknowledged = Counter(
        sums.change(each)[wallet]
        for each in sums.acknowledged
        if sums.change(each)[wallet]
    )
    maybe = Counter(sums.change(each)[wallet] for each in sums.unknown)
    had = Counter(each.change for each in entries)
    for change, times in acknowledged.items():
        if had[change] < times:
            were = "were" if times > 1 else "was"
            return Finding(
                f"{_counted(times, 'change')} of {change:+} {were} acknowledged, and "
                f"the history has {had[change] or 'none'}",
                f"wallet {name}: {_counted(len(entries), 'entry')}, balance {rest}",
                likely="an entry is lost, or written after the answer",
            )
    for change, times in had.items():
        if times > acknowledged[change] + maybe[change]:
            most = acknowledged[change] + maybe[change]
            return Finding(
                f"the history has {_counted(times, 'change')} of {change:+}, and "
                f"{f'only {most}' if most else 'none'} can have happened",
                f"wallet {name}: {_counted(len(entries), 'entry')}, balance {rest}",
                likely="one call writes its entry twice",
            )
    broken = broken_chain(opening, rest, entries)
    if broken is None:
        return None
    return Finding(
        "the balances in the history do not follow from each other",
        f"wallet {name}: {broken}",
        likely="two calls read one balance before either wrote",
    )


def _counted(count: int, noun: str) -> str:
    """Return "1 entry" or "2 entries"."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"


def broken_chain(start: int, end: int, entries: Sequence[Entry]) -> str | None:
    """Return why the entries are no chain from balance to balance; None if they are.

    Each entry is an edge from the balance before it to the one after it, and an
    Eulerian path must exist: the order of the entries is not trusted.
    """
    if not entries or any(each.after is None for each in entries):
        return None
    edges = [
        (each.after - each.change, each.after)
        for each in entries
        if each.after is not None
    ]
    out: Mapping[int, list[int]] = defaultdict(list)
    degree: Counter[int] = Counter()
    for before, after in edges:
        out[before].append(after)
        degree[before] += 1
        degree[after] -= 1
    degree[start] -= 1
    degree[end] += 1
    for balance, surplus in sorted(degree.items()):
        if surplus > 0:
            if len(out[balance]) == 1:
                return f"1 entry leaves the balance {balance}, and none can"
            return f"{len(out[balance])} entries leave the balance {balance}"
        if surplus < 0:
            return f"no entry leaves the balance {balance}, and one should"
    reached, waiting = {start}, [start]
    while waiting:
        for after in out.get(waiting.pop(), ()):
            if after not in reached:
                reached.add(after)
                waiting.append(after)
    apart = [before for before, _ in edges if before not in reached]
    if apart:
        return f"the entry that leaves the balance {apart[0]} follows from none"
    return None


def late_entry(record: Record) -> Finding | None:
    """Return a history without an entry whose call was acknowledged before."""
    for each in record.done:
        if each.entries is None:
            continue
        before = [
            other
            for other in record.with_outcome(Outcome.ACKNOWLEDGED)
            if other.ended < each.began and other.op.changes().get(each.op.wallet)
        ]
        if len(each.entries) < len(before):
            return Finding(
                "an entry is not in the history when its call is acknowledged",
                f"wallet {short(record.ids[each.op.wallet])}: "
                f"acknowledged: {_counted(len(before), 'call')}; the history, asked "
                f"for after that: {_counted(len(each.entries), 'entry')}",
                record.places([before[-1], each]),
                "the entry is written after the answer",
            )
    return None
