"""Decides what a bad request came to, from its answer and from what has moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from tests.judge.arithmetic.calls import Op, Outcome
from tests.judge.arithmetic.verdicts import Harm, Verdict
from tests.judge.contract.bad_requests import BAD, HALF, Bad, with_half
from tests.judge.contract.bench import BUSY, Bench, Case, Held, Seen, amounts
from tests.judge.wire import answers
from tests.judge.wire.client import Exchange
from tests.judge.wire.subject import Subject

NOT_IMPLEMENTED = 501
"""What a server may answer to a method that it does not know."""


def judged(bad: Bad, bench: Bench) -> Seen:
    """Make a bad request, then a valid one, and hold the balances to the sums.

    Raises Undecided, Stopped and client.Spent.
    """
    ids = bench.wallets()
    request = bad.request(bench.subject, ids)
    if request is None:
        return Seen(Verdict.SKIPPED, "not for the requests of this server")
    bench.sent.append(request)
    exchange = bench.send(request)
    before = list(bench.held)
    works = bench.still_works()
    added = bench.held[0] - before[0]
    is_refused = bench.outcome(exchange) is Outcome.REFUSED
    taken = [] if is_refused else _taken(bad, bench.subject)
    explained = [
        [
            held + by
            for held, by in zip(bench.held, _changes(bad.op, amount), strict=True)
        ]
        for amount in taken or [Decimal(0)]
    ]
    found = bench.settled(ids, lambda found: amounts(found) in explained)
    requests = (request, bench.reading(ids[0]))
    seen = _harm(bad, bench, found, works)
    if seen is None:
        moved = tuple(
            each.amount - held
            for each, held in zip(found, bench.held, strict=True)
            if each.amount is not None
        )
        bench.held = [each.amount for each in found if each.amount is not None]
        seen = verdict(bad, bench, exchange, moved)
        seen = replace(seen, answered=answers.said(exchange))
        if any(moved):
            sums = _sums(ids, before, added, found)
            seen = replace(seen, sums=sums, harm=Harm.MONEY)
    else:
        bench.drop()
    return replace(seen, requests=requests)


def _sums(
    ids: Sequence[str], before: Sequence[Decimal], added: Decimal, found: Sequence[Held]
) -> str:
    parts = []
    for id, was, valid, now in zip(ids, before, (added, 0), found, strict=True):
        then = f", a valid add brought {valid:f}" if valid else ""
        parts.append(
            f"wallet {answers.shown(id, 12)} held {was:f}{then}; it holds {now}"
        )
    return "; ".join(parts)


def _harm(
    bad: Bad, bench: Bench, found: Sequence[Held], works: Exchange | None
) -> Seen | None:
    """Return what the request did to the server or to the wallet."""
    for held in found:
        if held.status in BUSY:
            return Seen(Verdict.UNKNOWN, f"a balance cannot be read: {held}")
        if held.amount is None and held.status < 300:
            sentence = "after it the balance is no longer a number"
            reads = f"the wallet reads {held}"
            return Seen(Verdict.FAIL, sentence, reads, harm=Harm.MONEY)
        if held.amount is None:
            sentence = "after it the wallet can no longer be read"
            likely = "the process was restarted" if held.status == 404 else ""
            reads = f"the wallet reads {held}"
            return Seen(Verdict.FAIL, sentence, reads, (), likely, Harm.HANGS)
    if works is None or works.answer is None:
        return None
    status, said = works.answer.status, answers.said(works)
    if status in BUSY:
        return Seen(Verdict.UNKNOWN, f"a valid add after it: {status}", answered=said)
    if bench.outcome(works) is Outcome.REFUSED:
        sentence = f"a valid add after it is refused ({status})"
        return Seen(Verdict.WEAK, sentence, answered=said)
    if status >= 500:
        sentence = f"a valid add after it fails ({status})"
        return Seen(Verdict.FAIL, sentence, harm=Harm.HANGS, answered=said)
    return None


def verdict(
    bad: Bad, bench: Bench, exchange: Exchange, moved: Sequence[Decimal]
) -> Seen:
    """Return what a bad request came to, from its answer and what has moved."""
    outcome = bench.outcome(exchange)
    status = exchange.answer.status if exchange.answer else 0
    said = f"{status}" if status else "no answer"
    taken = [_changes(bad.op, amount) for amount in _taken(bad, bench.subject)]
    if any(moved):
        return _moved(bad, outcome, said, moved, taken)
    if status in BUSY:
        return Seen(Verdict.UNKNOWN, f"answered {said}")
    if exchange.failure.startswith("timed out"):
        return Seen(Verdict.WEAK, "not answered; nothing moved, and the server goes on")
    if status == 0:
        return Seen(Verdict.WEAK, "no answer; nothing moved")
    if outcome is Outcome.REFUSED or (bad.method and status == NOT_IMPLEMENTED):
        if bad.status not in (None, status) and status >= 400:
            return Seen(Verdict.WEAK, f"{bad.shows}, but with {said}")
        return Seen(Verdict.PASS, f"{bad.shows} ({status})")
    if outcome is Outcome.ACKNOWLEDGED:
        return _acknowledged(bad, said)
    if 300 <= status < 400 and not bad.refused and bad.status is None:
        return Seen(Verdict.INFO, f"answered {said}; nothing moved")
    is_named = bad.status is not None and status >= 500
    return Seen(
        Verdict.FAIL if is_named else Verdict.WEAK,
        f"answered {said}; nothing moved"
        + (f"; the exercise says {bad.status}" if is_named else ""),
    )


def _moved(
    bad: Bad,
    outcome: Outcome,
    said: str,
    moved: Sequence[Decimal],
    taken: Sequence[Sequence[Decimal]],
) -> Seen:
    if outcome is Outcome.REFUSED:
        return Seen(Verdict.FAIL, f"refused, but applied: {said}")
    if bad.refused:
        return Seen(Verdict.FAIL, f"it must be refused, and moved money: {said}")
    if list(moved) in [list(each) for each in taken]:
        odd = Verdict.INFO if bad.amount else Verdict.PASS
        return Seen(odd, f"taken for {abs(moved[0]):f}, exactly: {said}")
    if outcome is not Outcome.ACKNOWLEDGED or not taken:
        return Seen(Verdict.FAIL, f"it moved money that it does not name: {said}")
    if any(_is_nearly(moved, each) for each in taken):
        return Seen(Verdict.WEAK, f"rounded: {said}")
    likely = "an amount in quotes is put behind the balance" if bad.amount else ""
    return Seen(
        Verdict.FAIL, f"it moved another amount than it names: {said}", "", (), likely
    )


def _is_nearly(moved: Sequence[Decimal], named: Sequence[Decimal]) -> bool:
    return all(abs(a - b) < 1 for a, b in zip(moved, named, strict=True))


def _acknowledged(bad: Bad, said: str) -> Seen:
    if bad.refused:
        return Seen(Verdict.FAIL, f"it must be refused, and is acknowledged: {said}")
    if bad.op.kind in ("read", "history"):
        return Seen(Verdict.INFO, f"answered {said}")
    if bad.op.kind == "create":
        return Seen(Verdict.WEAK, f"a wallet is made all the same: {said}")
    rounded = "rounded to nothing" if bad.amount == HALF else "nothing moved"
    return Seen(Verdict.WEAK, f"acknowledged, and {rounded}: {said}")


def _taken(bad: Bad, subject: Subject) -> list[Decimal]:
    scale = subject.adapter.scale
    taken = [
        Decimal(with_half(each, scale)).scaleb(scale, answers.EXACT)
        for each in bad.takes
    ]
    return [*taken, Decimal(bad.op.amount)] if bad.may_pass else taken


def _changes(op: Op, amount: Decimal) -> tuple[Decimal, Decimal]:
    match op.kind:
        case "add":
            return amount, Decimal(0)
        case "deduct":
            return -amount, Decimal(0)
    return -amount, amount


# The table


CASES = tuple(
    Case(
        f"contract/{bad.name}",
        bad.shows,
        (bad.op.kind,),
        partial(judged, bad),
        bad.is_must,
    )
    for bad in BAD
)
