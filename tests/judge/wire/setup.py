"""What is found out first: that the adapter fits, and how the server serves."""

from __future__ import annotations

import statistics
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from msgspec.structs import replace

from tests.judge.arithmetic.calls import Entry, Op, Outcome
from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.wire.adapter import History
from tests.judge.wire.client import MS, Script
from tests.judge.wire.subject import Subject, Undecided

WALK = (Op("add", 0, 7), Op("add", 0, 2), Op("deduct", 0, 4), Op("transfer", 0, 3, 1))
LOOKS = 4
"""How often balances are read that are not yet what they should be."""

SMALL_LIMIT = 10
"""Entries to a page, where a server does not give as many as the exercise has."""

CONNECTIONS = 8
AT_ONCE = 16
BURSTS = 5
"""The fastest one counts: a slow one may have met anything."""

TELLING_NS = 2 * MS
"""A read that takes less is so cheap that even a server with threads looks serial."""

SERIAL_SHARE = 0.8
"""Of the time that as many requests take one after another."""
SECOND_CONNECTION_SECONDS = 1.0


@dataclass
class Walk:
    """What a walk through all calls has shown, one call at a time."""

    wallet: str
    latency_ns: int
    notes: list[str]
    has_keys: bool


class NoFit(Exception):
    """The adapter does not fit: what was expected, and what came."""


def walk(subject: Subject, *, is_guess: bool = False) -> Walk:
    """Make each call once, and hold the balances to the sums.

    If an answer states a wrong balance here, stated balances are ignored from now on.
    If the sums are wrong, a guessed adapter does not fit; a given one is kept, and the
    probes report it. Raises NoFit and Spent.
    """
    try:
        ids = [subject.open(20), subject.open(20)]
    except Undecided as error:
        raise NoFit(str(error)) from error
    notes: list[str] = []
    latencies = []
    expected = [20, 20]
    changes = []
    for op in WALK:
        if not subject.offers(op.kind):
            continue
        done = subject.one(op, ids)
        if done.outcome is Outcome.REFUSED or done.status is None:
            raise NoFit(
                f"{op.kind} of {op.amount}: {done.status or ''} {done.said}".strip()
            )
        for wallet, change in op.changes().items():
            expected[wallet] += change
        if done.balance is not None and done.balance != expected[0]:
            call = replace(subject.call(op.kind), balance=())
            subject.adapter = replace(subject.adapter, **{op.kind: call})
        found = settled(subject, ids, expected)
        if found != expected:
            if is_guess or None in found:
                raise NoFit(
                    f"after {op.kind} of {op.amount} the balances should be "
                    f"{expected}, and are {found}"
                )
            expected = [each for each in found if each is not None]
        changes.append(op.changes()[0])
        read = subject.one(Op("read"), ids)
        latencies.append(read.ended - read.began)
    _check_history(subject, ids[0], changes, notes)
    latency_ns = int(statistics.median(latencies))
    return Walk(ids[0], latency_ns, notes, _has_keys(subject))


def settled(
    subject: Subject, ids: Sequence[str], expected: Sequence[int]
) -> list[int | None]:
    """Return the balances: what they should be, or what they are after a while."""
    found: list[int | None] = []
    for _ in range(LOOKS):
        found = [subject.read(id) for id in ids]
        if found == expected:
            break
        subject.pause()
    return found


def _check_history(
    subject: Subject, id: str, changes: Sequence[int], notes: list[str]
) -> None:
    """Find out what the history of a wallet has to which this was done, and in which
    order."""
    if not subject.offers("history"):
        return
    usual = subject.adapter.history
    entries = _first_history(subject, id)
    if entries is None:
        subject.unknown["history"] = "the history cannot be read"
        notes.append(subject.unknown["history"])
        _use(subject, replace(usual, request=""))
        return
    if not _has(entries, changes):
        meant = subject.adapter.history
        _use(subject, replace(meant, is_signed=not meant.is_signed))
        other = subject.history(id)
        if other is not None and _has(other, changes):
            entries = other
            how = "not signed" if meant.is_signed else "signed"
            notes.append(f"the amounts in the history are {how}")
        else:
            _use(subject, meant)
    if not _follow(entries) and _follow(entries[::-1]):
        notes.append("the history begins with the oldest entry")
        history = subject.adapter.history
        _use(subject, replace(history, is_latest_first=not history.is_latest_first))


def _first_history(subject: Subject, id: str) -> tuple[Entry, ...] | None:
    """Return the history, with fewer entries to a page or without pages if need be."""
    usual = subject.adapter.history
    for history in (
        usual,
        replace(usual, limit=SMALL_LIMIT),
        replace(usual, request=usual.request.partition("?")[0]),
    ):
        _use(subject, history)
        entries = subject.history(id)
        if entries is not None:
            return entries
    return None


def _use(subject: Subject, history: History) -> None:
    subject.adapter = replace(subject.adapter, history=history)


def _has(entries: Sequence[Entry], changes: Sequence[int]) -> bool:
    return Counter(changes) <= Counter(entry.change for entry in entries)


def _follow(entries: tuple[Entry, ...]) -> bool:
    return all(
        after.after is None
        or before.after is None
        or before.after + after.change == after.after
        for before, after in pairwise(entries)
    )


def _has_keys(subject: Subject) -> bool:
    """Tell whether two equal adds with one key have one effect."""
    if not subject.offers("add"):
        return False
    id = subject.open()
    op = Op("add", 0, 5, key=str(uuid.uuid4()))
    first = subject.one(op, [id])
    subject.one(op, [id])
    return first.outcome is Outcome.ACKNOWLEDGED and subject.read(id) == 5


def one_memory(subject: Subject) -> Result:
    """Tell whether all connections see the same wallets."""
    probe = "setup/one-memory"
    seen = 0
    for _ in range(3):
        id = subject.open()
        request = subject.asked(Op("read"), [id])
        subject.client.close()
        answers = [
            exchange.answer.status
            for (exchange,) in subject.client.race([Script([request])] * CONNECTIONS)
            if exchange.answer is not None
        ]
        seen += len(answers)
        found = sum(200 <= status < 300 for status in answers)
        if 404 in answers and found:
            return Result(
                probe,
                Verdict.FAIL,
                f"of {len(answers)} connections {found} find a wallet that was made a "
                "moment ago: there is more than one memory behind the address",
            )
    if not seen:
        return Result(probe, Verdict.UNKNOWN, "no read of a new wallet was answered")
    return Result(probe, Verdict.PASS, f"{seen} reads on new connections found it")


def serves_at_once(subject: Subject, found: Walk) -> tuple[bool, Result]:
    """Tell whether requests that arrive at once take as long as one after another."""
    script = Script([subject.asked(Op("read"), [found.wallet])])
    subject.client.race([script] * AT_ONCE)  # connects
    alone_ns = statistics.median(
        each.ended_ns - each.released_ns
        for _ in range(AT_ONCE)
        for (each,) in subject.client.race([script], is_gated=False)
    )
    bursts = []
    for _ in range(BURSTS):
        ran = [each for (each,) in subject.client.race([script] * AT_ONCE)]
        released = [each.released_ns for each in ran]
        lasted = max(each.ended_ns for each in ran) - min(released)
        bursts.append((lasted, max(released) - min(released)))
    took, spread = min(bursts)
    said = (
        f"{AT_ONCE} reads sent within {spread / MS:.2f} ms took {took / MS:.1f} ms; "
        f"one alone takes {alone_ns / MS:.2f} ms"
    )
    is_serial = alone_ns > TELLING_NS and took > SERIAL_SHARE * AT_ONCE * alone_ns
    if is_serial:
        said += ": they are handled one at a time, or as slowly"
    return is_serial, Result("setup/at-once", Verdict.INFO, said, is_must=False)


def one_connection_at_a_time(subject: Subject) -> bool:
    """Tell whether a second connection is served only when the first is closed.

    It waits for a second. A server that is only slow also gets one request for each
    connection, which costs nothing but time.
    """
    script = Script([subject.probe()])
    client = subject.client
    patience, client.timeout_seconds = client.timeout_seconds, SECOND_CONNECTION_SECONDS
    try:
        (first,), (second,) = client.race([script, script], is_gated=False)
    finally:
        client.timeout_seconds = patience
        client.close()
    return (first.answer is None) != (second.answer is None)
