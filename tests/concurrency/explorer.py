"""Explores what threads do to any object: every schedule, up to equivalence.

    explored = explore(
        Path("counter.py"),
        lambda module: module.Counter(),
        [[Call("add", 1)], [Call("add", 1)]],
        final=[Call("read")],
    )
    assert explored.held

What is right needs no model: the same calls are made one at a time, in every order, on
a new object; what threads get at once must be what they get in one of these orders. A
`check` of one's own can take the place of that.

It knows nothing of wallets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from tests.concurrency import scheduler as scheduling
from tests.concurrency.instrument import Source
from tests.concurrency.reduction import EVERYTHING, Mode, Touch, explore_all
from tests.concurrency.scheduler import (
    RUN_ON,
    Choice,
    Choose,
    Deadlock,
    Run,
    Schedule,
    Scheduler,
    Step,
    preempted,
)

scheduling.UNSHOWN.add(__file__)


class Call:
    """A call of a method: `Call("add", 60)`."""

    def __init__(self, name: str, *args: object) -> None:
        self.name = name
        self.args = args

    def __call__(self, subject: Any) -> object:
        return getattr(subject, self.name)(*self.args)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))})"


Calls = Sequence[Callable[[Any], object]]
"""What one thread calls, one after the other."""


@dataclass(frozen=True)
class Raised:
    """A call that ended in an exception."""

    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind


@dataclass(frozen=True)
class Made:
    """One call that was made, and what it returned or raised."""

    thread: int
    call: Callable[[Any], object]
    invoked: int
    returned: int
    answer: object

    def __str__(self) -> str:
        return f"thread {self.thread}'s {self.call!r}"


@dataclass
class History:
    """What came of one schedule: the object, the calls in the order in which they
    ended, and what was read when all threads had ended."""

    subjects: list[Any] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    final: list[object] = field(default_factory=list)

    @property
    def answers(self) -> tuple[tuple[object, ...], ...]:
        """The answers of each thread, in its order."""
        threads: dict[int, list[object]] = {}
        for each in self.made:
            threads.setdefault(each.thread, []).append(each.answer)
        return tuple(tuple(threads[thread]) for thread in sorted(threads))


SCHEDULES_MAX = 100_000
"""Where an exploration stops that was not meant to become so long."""

DEADLOCK = "every thread waits for ever"

UNEXPLAINED = "no order of the calls explains what they answered"

Check = Callable[[History], str | None]
"""Returns what is wrong with a history."""


@dataclass
class Failure:
    """A run that is wrong, as `lanes` shows it."""

    schedule: Schedule
    run: Run
    history: History
    wrong: str | None

    @property
    def deadlock(self) -> Deadlock | None:
        return self.run.deadlock

    @property
    def choices(self) -> Sequence[Choice]:
        return self.run.choices

    @property
    def count(self) -> int:
        """How many threads there are, those of the object itself included."""
        return 1 + max(step.thread for step in self.run.steps)

    @property
    def preempted(self) -> Mapping[int, Choice]:
        return preempted(self.run)


@dataclass
class Explored:
    """What came of exploring: `held` if every schedule was tried and none is wrong."""

    schedules: int
    ended: bool
    failure: Failure | None

    @property
    def held(self) -> bool:
        return self.ended and self.failure is None


def explore(
    path: Path,
    setup: Callable[[Any], Any],
    threads: Sequence[Calls],
    check: Check | None = None,
    *,
    final: Calls = (),
    preemptions: int | None = None,
) -> Explored:
    """Explore calls on what `setup` makes of the module in a file.

    Raises what the file raises where it is imported.
    """
    scheduler = Scheduler()
    try:
        source = Source(path, scheduler)
        explorer = Explorer(scheduler, lambda: setup(source.module()), final)
        return explorer.explore(threads, check, preemptions)
    finally:
        scheduler.close()


class Explorer:
    """Makes the runs of programs on one kind of object. `setup` returns a new object
    each time; what it uses of `threading` must be the scheduler's (`instrument.load`).
    `final` is called when all threads have ended."""

    def __init__(
        self, scheduler: Scheduler, setup: Callable[[], Any], final: Calls = ()
    ) -> None:
        self._scheduler = scheduler
        self._setup = setup
        self._final = final

    def explore(
        self,
        threads: Sequence[Calls],
        check: Check | None = None,
        preemptions: int | None = None,
        deadline: float = inf,
        at_most: int = SCHEDULES_MAX,
    ) -> Explored:
        """Make every run up to equivalence, until one is wrong, the time by
        `time.monotonic` has come, or so many were made. With a number of preemptions,
        make every run with at most so many, fewest first."""
        check = check or self.one_at_a_time(threads)
        numbered = [
            [(thread, call) for call in calls] for thread, calls in enumerate(threads)
        ]

        def execute(schedule: Schedule, choose: Choose | None = None) -> Failure:
            run, history = self._run(numbered, schedule, choose)
            wrong = DEADLOCK if run.deadlock is not None else check(history)
            return Failure(schedule, run, history, wrong)

        schedules = 0
        if preemptions is None:
            runs = explore_all(partial(execute, RUN_ON), touch)
        else:
            runs = scheduling.explore(execute, preemptions)
        for made in runs:
            schedules += 1
            if made.wrong is not None:
                return Explored(schedules, False, made)
            if schedules == at_most or time.monotonic() > deadline:
                break
        return Explored(schedules, next(runs, None) is None, None)

    def one_at_a_time(self, threads: Sequence[Calls]) -> Check:
        """Return the check that threads get what they get when each call ends before
        the next one begins, in an order that respects the time at which they came."""
        return explained_by(self.in_turn(threads))

    def in_turn(self, threads: Sequence[Calls]) -> list[History]:
        """Return what the calls come to one at a time, in each order that does not
        wait for ever."""
        made = [self._run([order], RUN_ON) for order in _orders(threads)]
        return [history for run, history in made if run.deadlock is None]

    def _run(
        self,
        bodies: Sequence[Sequence[tuple[int, Any]]],
        schedule: Schedule,
        choose: Choose | None = None,
    ) -> tuple[Run, History]:
        """Run a program once; each call is made for the thread that is beside it."""
        history = History()
        subjects = history.subjects
        run = self._scheduler.run(
            [self._body(calls, subjects, history) for calls in bodies],
            schedule,
            choose=choose,
            first=lambda: subjects.append(self._setup()),
            last=lambda: history.final.extend(
                answer_of(call, subjects[0]) for call in self._final
            ),
        )
        return run, history

    def _body(
        self, calls: Sequence[tuple[int, Any]], subjects: list[Any], history: History
    ) -> Callable[[], None]:
        scheduler = self._scheduler

        def body() -> None:
            for position, (thread, call) in enumerate(calls):
                if position:  # the first call begins where the thread does
                    scheduler.step("call")
                invoked = scheduler.happened("invoke", repr(call))
                answer = answer_of(call, subjects[0])
                returned = scheduler.happened("return", str(answer))
                history.made.append(Made(thread, call, invoked, returned, answer))

        return body


def explained_by(orders: Sequence[History]) -> Check:
    """Return the check that one of these orders explains a history."""

    def check(history: History) -> str | None:
        explained = any(
            right.answers == history.answers
            and right.final == history.final
            and _respects(history.made, right.made)
            for right in orders
        )
        return None if explained else UNEXPLAINED

    return check


def touch(step: Step) -> Sequence[Touch]:
    """Return what a step touches."""
    match step.what:
        case "start" | "call" | "sleep":
            return ()
        case "invoke":
            return (Touch("calls", Mode.BEGIN),)
        case "return":
            return (Touch("calls", Mode.END),)
        case "line" | "store":
            return tuple(step.touches)
        case "acquire" | "wait":
            if step.value is False:
                return (EVERYTHING,)  # its time is up, because nobody could run
            return (Touch(step.subject.key, Mode.TAKE),)
        case "release" | "wake":
            return (Touch(step.subject.key, Mode.OPEN),)
    return (Touch(step.subject.key, Mode.CHANGE),)


def answer_of(call: Callable[[Any], object], subject: object) -> object:
    """Return what a call returns, or what it raises."""
    try:
        return call(subject)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return Raised(type(error).__name__, str(error))


def _orders(threads: Sequence[Calls]) -> Iterator[list[tuple[int, Any]]]:
    """Yield every order of the calls in which those of each thread keep theirs."""
    if not any(threads):
        yield []
    for thread, calls in enumerate(threads):
        if calls:
            left = [*threads[:thread], calls[1:], *threads[thread + 1 :]]
            for order in _orders(left):
                yield [(thread, calls[0]), *order]


def _respects(made: Sequence[Made], order: Sequence[Made]) -> bool:
    """Return whether calls that came one after the other keep that order."""
    places = _places(order)
    named = dict(zip(_places(made), made, strict=True))
    return not any(
        one.returned < other.invoked and places[a] > places[b]
        for a, one in named.items()
        for b, other in named.items()
    )


def _places(made: Sequence[Made]) -> dict[tuple[int, int], int]:
    """Return the place of each call, by its thread and its number there."""
    places: dict[tuple[int, int], int] = {}
    for place, each in enumerate(made):
        number = sum(thread == each.thread for thread, _ in places)
        places[each.thread, number] = place
    return places
