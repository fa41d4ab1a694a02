"""Decides whether some order of the calls explains every answer and every read."""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from tests.concurrency.linearizability import Call, linearize
from tests.judge.arithmetic.calls import Done, Op, Outcome, Record
from tests.judge.arithmetic.verdicts import Finding, Verdict
from tests.judge.arithmetic.wording import in_sums

NEVER = 1 << 62
"""When a call without an answer ends: it may happen at any time, or not at all."""

CALLS_MAX = 12
"""The search tries all orders, so a round that is judged by it is small."""

Balances = tuple[int, ...]


def not_linearizable(record: Record) -> Finding | None:
    """Return that no order of the calls explains the reads and the balances at rest;
    None if one does. What other answers say of balances is `stated_late`."""
    done = [
        each if each.op.kind == "read" else msgspec.structs.replace(each, balance=None)
        for each in record.done
        if each.op.kind != "history"
    ]
    return _unordered(
        record, done, "no order of the calls gives these reads and these balances"
    )


def stated_late(record: Record) -> Finding | None:
    """Return that the balances in the answers are those of no order of the calls."""
    finding = _unordered(
        record,
        [each for each in record.done if each.op.kind != "history"],
        "an answer has not the balance after its own call",
    )
    if finding is None:
        return None
    return msgspec.structs.replace(
        finding,
        likely="the balance is read for the answer after the call has ended",
        verdict=Verdict.WEAK,
    )


def _unordered(record: Record, done: list[Done], sentence: str) -> Finding | None:
    if len(done) > CALLS_MAX or any(each.op.wallet < 0 for each in done):
        return None
    if is_linearizable(record, done):
        return None
    shown = _smaller(record, done)
    places = tuple(
        place
        for place, each in enumerate(record.done)
        if any(_is_same(each, other) for other in shown)
    )
    return Finding(sentence, in_sums(record, [], "") or _read_in(record, shown), places)


def _is_same(one: Done, other: Done) -> bool:
    return (one.stage, one.lane, one.began) == (other.stage, other.lane, other.began)


def _smaller(record: Record, done: list[Done]) -> list[Done]:
    """Return fewer calls that no order explains: a read or a refusal that is left out
    changes no balance."""
    for each in list(done):
        is_idle = each.op.kind == "read" or each.outcome is Outcome.REFUSED
        left = [other for other in done if other is not each]
        if is_idle and not is_linearizable(record, left):
            done = left
    return done


def _read_in(record: Record, done: list[Done]) -> str:
    reads = [
        f"{each.op.kind} {each.balance}" for each in done if each.balance is not None
    ]
    return f"began at {', '.join(map(str, record.starts))}; answers: {', '.join(reads)}"


def is_linearizable(record: Record, done: list[Done]) -> bool:
    """Tell whether some order of these calls explains their answers and the rest."""
    calls = [
        Call(
            each,
            each.began,
            NEVER if each.outcome is Outcome.UNKNOWN else each.ended,
            _result(each),
        )
        for each in done
        if each.op.kind != "read" or each.balance is not None
    ]
    last = max((each.ended for each in done), default=0)
    for wallet, rest in enumerate(record.rest):
        if rest is not None:
            read = Done(
                Op("read", wallet),
                stage=0,
                lane=0,
                began=last + 1,
                released=last + 1,
                ended=last + 2,
                outcome=Outcome.ACKNOWLEDGED,
                balance=rest,
            )
            calls.append(Call(read, read.began, read.ended, _result(read)))
    return linearize(calls, record.starts, _apply) is not None


def _result(done: Done) -> Hashable:
    if done.outcome is Outcome.ACKNOWLEDGED and done.op.kind != "transfer":
        return (done.outcome, done.balance)
    return (done.outcome, None)


def _apply(balances: Balances, done: Done) -> tuple[Hashable, Balances]:
    """Return what a right server answers, and the balances afterwards.

    A refusal is right at any time: why it was refused is not judged here.
    """
    if done.outcome is Outcome.REFUSED:
        return _result(done), balances
    changes = done.op.changes()
    after = tuple(held + changes.get(i, 0) for i, held in enumerate(balances))
    is_possible = all(after[wallet] >= 0 for wallet in changes)
    if done.outcome is Outcome.UNKNOWN:
        return _result(done), after if is_possible else balances
    if not is_possible:
        return None, balances
    return _result(
        msgspec.structs.replace(
            done, balance=None if done.balance is None else after[done.op.wallet]
        )
    ), after
