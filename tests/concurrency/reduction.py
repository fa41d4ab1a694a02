"""Explores every schedule up to equivalence: dynamic partial-order reduction.

Two schedules are equivalent if they differ only in the order of steps that do not touch
the same thing; then they come to the same. So of two steps the other order is tried
only if both touch one thing, and one of them changes it (Flanagan and Godefroid, 2005).
A thread whose step was tried at some point sleeps there until a step comes that meets
its own (Godefroid's sleep sets). There is no bound on preemptions: what holds does so
under every schedule.

It knows nothing of wallets. What a step touches is said by `touch`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol, TypeVar

from tests.concurrency.scheduler import (
    Choice,
    Choose,
    Deadlock,
    Redundant,
    Step,
    Waiter,
)


class Mode(Enum):
    """How a step touches a thing. What only begins, ends or reads can change places
    with its like."""

    READ = "read"
    CHANGE = "change"
    TAKE = "take"
    """It waited for the thing, as for a lock."""

    OPEN = "open"
    """Who waited for the thing can go on."""

    BEGIN = "begin"
    END = "end"


SHARED = (Mode.READ, Mode.BEGIN, Mode.END)


class Touch(NamedTuple):
    thing: object
    mode: Mode

    def meets(self, other: Touch) -> bool:
        if EVERYTHING in (self, other):
            return True
        return self.thing == other.thing and (
            self.mode is not other.mode or self.mode not in SHARED
        )


EVERYTHING = Touch("everything", Mode.CHANGE)
"""What a step touches of which nobody knows what it touches."""

Touches = frozenset[Touch]


def meet(one: Touches, other: Touches) -> bool:
    """Return whether the order of two steps can make a difference."""
    return any(a.meets(b) for a in one for b in other)


def opens(one: Touches, other: Touches) -> bool:
    """Return whether the other step could only be made after the one, which has opened
    what it did not take itself."""
    opened = {each.thing for each in one if each.mode is Mode.OPEN}
    taken = {each.thing for each in one if each.mode is Mode.TAKE}
    return any(
        each.mode is Mode.TAKE and each.thing in opened - taken for each in other
    )


@dataclass
class _Node:
    """A moment of the run, and the thread that makes the step there."""

    able: tuple[int, ...]
    chosen: int
    asleep: dict[int, Touches]
    tried: dict[int, Touches] = field(default_factory=dict)
    wanted: set[int] = field(default_factory=set)
    touches: Touches = frozenset()

    def asleep_after(self) -> dict[int, Touches]:
        """Return the threads that still sleep after the step, with their own steps."""
        return {
            thread: touches
            for thread, touches in (self.asleep | self.tried).items()
            if thread != self.chosen and not meet(touches, self.touches)
        }

    def turn(self) -> bool:
        """Choose a thread that must be tried here, too; return whether there is one."""
        self.tried[self.chosen] = self.touches
        left = self.wanted - self.tried.keys() - self.asleep.keys()
        if left:
            self.chosen = min(left)
        return bool(left)


class Made(Protocol):
    """What must be known of a run."""

    @property
    def deadlock(self) -> Deadlock | None: ...


R = TypeVar("R", bound=Made)


def explore_all(
    execute: Callable[[Choose], R], touch: Callable[[Step], Sequence[Touch]]
) -> Iterator[R]:
    """Make a run of each class of equivalent schedules. `execute` makes a run with a
    `choose`."""
    nodes: list[_Node] = []
    steps: Sequence[Step] = ()
    number = -1

    def choose(choice: Choice, made: Sequence[Step]) -> int | None:
        nonlocal steps, number
        steps, number = made, number + 1
        if number < len(nodes):
            return nodes[number].chosen
        asleep: dict[int, Touches] = {}
        if nodes:
            nodes[-1].touches = _last_touches(made, touch)
            asleep = nodes[-1].asleep_after()
        awake = [thread for thread in choice.options if thread not in asleep]
        if not awake:
            return None
        chosen = choice.default if choice.default in awake else awake[0]
        nodes.append(_Node(choice.options, chosen, asleep))
        return chosen

    while True:
        number = -1
        run: R | None = None
        waiters: Sequence[Waiter] = ()
        try:
            run = execute(choose)
            waiters = run.deadlock.waiters if run.deadlock is not None else ()
        except Redundant as redundant:
            waiters = redundant.waiters
        if nodes:
            nodes[-1].touches = _last_touches(steps, touch)
        _want_other_orders(nodes)
        for each in waiters:
            take = frozenset({Touch(each.lock.key, Mode.TAKE)})
            _want_other_orders([*nodes, _Node((), each.thread, {}, touches=take)])
        if run is not None:
            yield run
        while nodes and not nodes[-1].turn():
            nodes.pop()
        if not nodes:
            return


def _last_touches(
    steps: Sequence[Step], touch: Callable[[Step], Sequence[Touch]]
) -> Touches:
    """Return what the last step has touched, with all that its thread did after it."""
    touches: set[Touch] = set()
    for step in reversed(steps):
        touches.update(touch(step))
        if step.number is not None:
            break
    return frozenset(touches)


Clock = dict[int, int]
"""The last step of each thread that comes before something, in every equivalent run."""


def _want_other_orders(nodes: Sequence[_Node]) -> None:
    """For each two steps that meet, and that nothing between them keeps in order, let
    the later one come first: one of the threads begins that could begin then."""
    clocks: list[Clock] = []
    of_thread: dict[int, Clock] = {}
    for number, node in enumerate(nodes):
        clock = dict(of_thread.get(node.chosen, {}))
        ordered = dict(clock)
        reversible = []
        for earlier in range(number - 1, -1, -1):
            other = nodes[earlier]
            if other.chosen == node.chosen or not meet(other.touches, node.touches):
                continue
            _join(clock, clocks[earlier])
            if earlier <= ordered.get(other.chosen, -1):
                continue
            if not opens(other.touches, node.touches):
                _join(ordered, clocks[earlier])
                reversible.append(earlier)
        clock[node.chosen] = number
        clocks.append(clock)
        of_thread[node.chosen] = clock
        for earlier in reversible:
            _want(nodes, clocks, earlier, number)


def _want(
    nodes: Sequence[_Node], clocks: Sequence[Clock], earlier: int, later: int
) -> None:
    """Want a thread that begins what leads to the later step without the earlier."""
    first, able = nodes[earlier], nodes[earlier].able
    others = [
        number
        for number in range(earlier + 1, later)
        if clocks[number].get(first.chosen, -1) < earlier
    ]
    begin: dict[int, bool] = {}
    for place, number in enumerate([*others, later]):
        clock = clocks[number]
        is_first = all(
            clock.get(nodes[each].chosen, -1) < each for each in others[:place]
        )
        begin.setdefault(nodes[number].chosen, is_first)
    initial = {thread for thread, is_first in begin.items() if is_first} & {*able}
    if not initial & {first.chosen, *first.tried, *first.wanted}:
        awake = initial - first.asleep.keys()
        first.wanted.update([min(awake)] if awake else initial or able)


def _join(clock: Clock, other: Clock) -> None:
    for thread, time in other.items():
        clock[thread] = max(clock.get(thread, -1), time)
