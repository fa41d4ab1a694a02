"""Puts calls, sums and wallets into words."""

from __future__ import annotations

from collections.abc import Sequence

from tests.judge.arithmetic.calls import Done, Record
from tests.judge.arithmetic.sums import Sums

LOST_MAX = 3
"""Of more lost calls than that, none is named."""

NUMBERS = "no one two three four five six seven eight nine ten".split()


def number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def counted(done: Sequence[Done]) -> str:
    """Return "two deducts were" or "one add was"."""
    noun = noun_of(done)
    if len(done) == 1:
        return f"one {noun} was"
    return f"{number(len(done))} {noun}s were"


def noun_of(done: Sequence[Done]) -> str:
    kinds = {each.op.kind for each in done}
    return kinds.pop() if len(kinds) == 1 else "call"


def short(id: str) -> str:
    """Return enough of an id to know it again."""
    return id if len(id) <= 12 else id[:8]


TERMS_MAX = 8


def in_sums(record: Record, wrong: Sequence[Done], what: str) -> str:
    """Return the sums of the wallets whose balance is not what was acknowledged."""
    sums = Sums(record)
    missing = sums.missing()
    parts = []
    for wallet, id in enumerate(record.ids):
        if not missing[wallet] and record.rest[wallet] is not None:
            if not any(sums.change(each)[wallet] for each in wrong):
                continue
        changes = [sums.change(each)[wallet] for each in sums.acknowledged]
        terms = _terms([change for change in changes if change])
        parts.append(
            f"wallet {short(id)} began at {record.starts[wallet]}; "
            f"acknowledged {terms}; at rest it holds {record.rest[wallet]}"
        )
    named = [
        f"the {each.op.kind} of {each.op.amount} {what}" for each in wrong[:LOST_MAX]
    ]
    if len(wrong) > LOST_MAX:
        named.append(f"{len(wrong) - LOST_MAX} more {what}")
    tail = ": " + ", ".join(named) if named else ""
    return "; ".join(parts) + tail


def _terms(changes: Sequence[int]) -> str:
    if not changes:
        return "nothing"
    text = ""
    for i, change in enumerate(changes[:TERMS_MAX]):
        sign = (
            ("-" if change < 0 else "") if i == 0 else (" - " if change < 0 else " + ")
        )
        text += f"{sign}{abs(change)}"
    if len(changes) > TERMS_MAX:
        text += f" and {len(changes) - TERMS_MAX} more"
    return f"{text} = {sum(changes)}" if len(changes) > 1 else text
