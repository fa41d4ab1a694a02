"""Decides whether reads contradict the answers of the calls around them."""

from __future__ import annotations

from tests.judge.arithmetic.calls import Done, Outcome, Record
from tests.judge.arithmetic.sums import Sums
from tests.judge.arithmetic.verdicts import Finding
from tests.judge.arithmetic.wording import short


def dirty_read(record: Record) -> Finding | None:
    """Return a read that shows a refused call, where all calls were refused."""
    changed = [
        each
        for each in record.done
        if each.outcome is not Outcome.REFUSED and any(Sums(record).change(each))
    ]
    if changed:
        return None
    refused = record.with_outcome(Outcome.REFUSED)
    for each in record.done:
        start = record.starts[each.op.wallet] if each.op.wallet >= 0 else None
        if each.op.kind == "read" and each.balance not in (None, start):
            beside = [
                other
                for other in refused
                if other.began < each.ended and each.began < other.ended
            ]
            return Finding(
                "a read shows a call that was refused",
                f"wallet {short(record.ids[each.op.wallet])} held {start} all the "
                f"time, and a read saw {each.balance}",
                record.places([*beside[:1], each]),
                "the debit is made first, and put back when the call is refused",
            )
    return None


def torn_read(record: Record) -> Finding | None:
    """Return two reads of which the later one shows less of the transfers 0 → 1."""
    reads = [
        (each, _moved(record, each))
        for each in record.done
        if each.op.kind == "read" and each.balance is not None
    ]
    for one, seen in reads:
        for other, later in reads:
            if one.ended < other.began and later < seen:
                wallets = record.ids[one.op.wallet], record.ids[other.op.wallet]
                return Finding(
                    "a transfer was half visible: one read shows it, a later one does "
                    "not",
                    f"{short(wallets[0])} {one.balance} shows {seen} moved, and "
                    f"{short(wallets[1])} {other.balance}, asked later, shows {later}",
                    record.places([one, other]),
                    "debit and credit are two steps, and a read came between",
                )
    return None


def _moved(record: Record, read: Done) -> int:
    assert read.balance is not None
    difference = read.balance - record.starts[read.op.wallet]
    return -difference if read.op.wallet == 0 else difference


def stale_read(record: Record) -> Finding | None:
    """Return a read without an add that was acknowledged before it began."""
    for each in record.done:
        if each.op.kind != "read" or each.balance is None:
            continue
        wallet = each.op.wallet
        adds = [
            other
            for other in record.with_outcome(Outcome.ACKNOWLEDGED)
            if other.op.kind == "add" and other.op.wallet == wallet
        ]
        before = [other for other in adds if other.ended < each.began]
        least = record.starts[wallet] + sum(other.op.amount for other in before)
        if each.balance < least:
            return Finding(
                "a read does not show an add that was acknowledged before it began",
                f"wallet {short(record.ids[wallet])} began at {record.starts[wallet]}; "
                f"{least} was acknowledged, a later read saw {each.balance}",
                record.places([before[-1], each]),
                "reads come from a cache, or the change is made after the answer",
            )
    return None
