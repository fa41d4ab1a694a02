"""Examines somebody's wallets: which few calls lose money, and under which schedule.

Programs are tried from the smallest on, so that the first one that fails is the
smallest. A call that is made alone must work, and change nothing if it is refused;
calls at once must come to what they come to one at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations_with_replacement, product
from pathlib import Path

from tests.concurrency.explorer import (
    Check,
    Explorer,
    Failure,
    History,
    Made,
    Raised,
    explained_by,
)
from tests.concurrency.instrument import Source
from tests.concurrency.losses import lost
from tests.concurrency.scheduler import Scheduler
from tests.concurrency.subject import OPENED, REFUSED, Operation, Subject
from tests.lanes import printable

SECONDS = 60.0

CALLS_MAX = 3
"""Of one program. With these every bug that is known here shows itself."""

PREEMPTIONS_SHOWN, SCHEDULES_SHOWN = 3, 3_000
"""How far a failure is searched for that has fewer preemptions."""

CHANGES = (
    Operation("add", ("asha",), 60),
    Operation("deduct", ("asha",), 60),
    Operation("transfer", ("asha", "ravi"), 60),
    Operation("transfer", ("ravi", "asha"), 60),
    Operation("deduct", ("asha",), 500),
    Operation("transfer", ("asha", "nobody"), 60),
    Operation("create", ("zoe",)),
)
READS = (
    Operation("balance", ("asha",)),
    Operation("balance", ("ravi",)),
    Operation("history", ("asha",)),
)

Threads = Sequence[Sequence[Operation]]


class Verdict(StrEnum):
    HELD = "held"
    LOST_MONEY = "lost money"
    DEADLOCK = "deadlock"
    NOT_ATOMIC = "not atomic"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Examined:
    """What came of it. `wrong` says what the failure shows; it `ended` if all programs
    were tried, and each under all of its schedules."""

    verdict: Verdict
    programs: int
    schedules: int
    ended: bool
    failure: Failure | None = None
    wrong: str = ""
    called: Sequence[str] = ()
    """The names of what was called there."""
    missing: Sequence[str] = ()
    """What nothing was found for."""
    calls_tried: int = 0
    """Every program of up to so many calls was tried."""


def examine(
    path: Path,
    cls: str = "",
    called: Mapping[str, str] = {},
    seconds: float = SECONDS,
    preemptions: int | None = None,
    calls_max: int = CALLS_MAX,
    progress: Callable[[Examined], None] = lambda so_far: None,
) -> Examined:
    """Try programs until one fails, all are done, or the time is up. Each is explored
    up to equivalence, or with at most so many preemptions.

    Raises NoSubject, SyntaxError, and what the file raises where it is imported.
    """
    scheduler = Scheduler()
    try:
        source = Source(path, scheduler)
        subject = Subject(source.module(), cls, called)
        reads = subject.offered(
            [
                Operation(kind, (name,))
                for kind in ("balance", "history")
                for name in OPENED
            ]
        )
        explorer = Explorer(scheduler, lambda: subject.opened(source.module()), reads)
        deadline = time.monotonic() + seconds
        examined = Examined(Verdict.HELD, 0, 0, ended=True)
        for threads in programs_of(subject, calls_max):
            smaller = sum(map(len, threads)) - 1
            examined = _with(examined, explorer, threads, preemptions, deadline)
            examined = replace(examined, calls_tried=smaller)
            progress(examined)
            if not examined.ended:
                break
        else:
            examined = replace(examined, calls_tried=calls_max)
        names = list(subject.names.values())
        return replace(examined, called=names, missing=subject.missing)
    finally:
        scheduler.close()


def _with(
    before: Examined,
    explorer: Explorer,
    threads: Threads,
    preemptions: int | None,
    deadline: float,
) -> Examined:
    """Return what one more program has come to, added to what was before."""
    orders = explorer.in_turn(threads)
    check = _check(threads, orders)
    explored = explorer.explore(threads, check, preemptions, deadline)
    programs, schedules = before.programs + 1, before.schedules + explored.schedules
    failure = explored.failure
    if failure is None:
        return Examined(Verdict.HELD, programs, schedules, explored.ended)
    for fewer in range(PREEMPTIONS_SHOWN):
        found = explorer.explore(threads, check, fewer, at_most=SCHEDULES_SHOWN)
        if found.failure is not None:
            failure = found.failure
            break
    for wallets in failure.history.subjects:
        wallets.name_locks()
    verdict, wrong = _judged(failure, orders)
    wrong = "\n".join(map(printable, wrong.splitlines()))
    return Examined(verdict, programs, schedules, False, failure, wrong)


def programs_of(subject: Subject, calls_max: int = CALLS_MAX) -> Iterator[Threads]:
    """Yield programs of what the subject can do, the smallest first."""
    changes, reads = subject.offered(CHANGES), subject.offered(READS)
    yield from ([[call]] for call in changes)
    yield from ([[first, then]] for first, then in product(changes, changes))
    for one, other in combinations_with_replacement([*changes, *reads], 2):
        if one in changes:
            yield [[one], [other]]
    if calls_max < 3:
        return
    for change, *looks in product(changes, reads, reads):
        yield [[change], looks]
    for one, first, then in product(reads, reads, changes):
        yield [[one], [first, then]]
    for one, first, then in product(changes, changes, changes):
        yield [[one], [first, then]]
    for some in combinations_with_replacement(changes, 3):
        yield [[call] for call in some]


def _check(threads: Threads, orders: Sequence[History]) -> Check:
    """Return the check that an order explains a history; made alone, that calls that
    are refused have changed nothing."""
    explained = explained_by(orders)
    if len(threads) > 1:
        return explained
    return lambda history: explained(history) or _unbalanced(history)


def _unbalanced(history: History) -> str | None:
    """Return what calls that were made alone have done to the balances, if it is not
    what they have answered."""
    possible = [dict(OPENED)]
    for each in history.made:
        operation = each.call
        assert isinstance(operation, Operation)
        if _is_refused(each):
            continue
        moved = [_moved(before, operation) for before in possible]
        if all(_is_doubtful(before, operation) for before in possible):
            moved += possible  # its answer may well be the words for a refusal
        possible = moved
    has = _balances(history)
    return lost(has, possible) if has and has not in possible else None


def _moved(before: Mapping[str, int], operation: Operation) -> dict[str, int]:
    """Return the balances after an operation."""
    after = dict(before)
    for name, sign in zip(operation.ends, (-1, 1), strict=True):
        if name in after:
            after[name] += sign * (operation.amount or 0)
    return after


def _is_doubtful(before: Mapping[str, int], operation: Operation) -> bool:
    """Return whether an operation ought to be refused."""
    source, target = operation.ends
    amount = operation.amount or 0
    return any(name not in before for name in (source, target) if name) or (
        bool(source) and before[source] < amount
    )


def _judged(failure: Failure, orders: Sequence[History]) -> tuple[Verdict, str]:
    """Return the verdict on a failure, and what is wrong."""
    history, deadlock = failure.history, failure.run.deadlock
    if deadlock is not None:
        return Verdict.DEADLOCK, f"Every thread waits for ever.\n{deadlock}"
    known = {str(made.answer) for order in orders for made in order.made}
    for made in history.made:
        if isinstance(made.answer, Raised) and str(made.answer) not in known:
            return (
                Verdict.CRASHED,
                f"Thread {made.thread}'s {made.call!r} raised {made.answer}.",
            )
    if len(orders) == 1:
        return Verdict.NOT_ATOMIC, f"{_unbalanced(history)}"
    has, possible = _balances(history), [_balances(order) for order in orders]
    if has not in possible:
        return Verdict.LOST_MONEY, lost(has, possible)
    return Verdict.NOT_ATOMIC, _unexplained(history, orders)


def _unexplained(history: History, orders: Sequence[History]) -> str:
    """Return which answer does not fit, in sentences."""
    said = "; ".join(f"{each.call!r} answered {each.answer}" for each in history.made)
    return f"{said}. No order of the calls explains that."


def _balances(history: History) -> dict[str, int]:
    """Return the balances that were read when all threads had ended."""
    read = [each for each in history.final if isinstance(each, int)]
    return dict(zip(OPENED, read, strict=False))


def _is_refused(made: Made) -> bool:
    return made.answer == REFUSED or isinstance(made.answer, Raised)
