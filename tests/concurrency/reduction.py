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

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import dropwhile
from typing import NamedTuple, Protocol, TypeVar

from tests.concurrency.scheduler import (
    Choice,
    Choose,
    Deadlock,
    Redundant,
    Run,
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


def taken(touches: Touches) -> set[object]:
    return {each.thing for each in touches if each.mode is Mode.TAKE}


def opened_by(touches: Touches) -> set[object]:
    """Return what a step opens that it did not take itself: who takes it next could
    not have come before."""
    opened = {each.thing for each in touches if each.mode is Mode.OPEN}
    return opened - taken(touches)


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
    races = _Races(nodes)
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
        races.reverse(waiters)
        if run is not None:
            yield run
        while nodes and not nodes[-1].turn():
            nodes.pop()
        if not nodes:
            return
        races.forget_from(len(nodes) - 1)


def same_until(run: Run, switch: int, touch: Callable[[Step], Sequence[Touch]]) -> int:
    """Return the last step at which the switch that this run makes would come to the
    same. That thread could also make its next steps first, as long as they meet nothing
    that the other one does until it has the baton again.

    That is so with two threads: with more, the third could come in between.
    """
    numbers = [place for place, step in enumerate(run.steps) if step.number is not None]
    left = deque(run.steps[numbers[switch] :])
    other = left[0].thread
    done = _touched(left, touch)
    while left and left[0].thread == other:
        done |= _touched(left, touch)
    for waiter in run.deadlock.waiters if run.deadlock is not None else ():
        done |= {Touch(waiter.lock.key, Mode.TAKE)}
    resumes = deque(dropwhile(lambda step: step.thread != other, left))
    if resumes:
        done |= _touched(resumes, touch)
    same = switch
    while left and left[0].thread != other and not meet(_touched(left, touch), done):
        same += 1
    return same


def _touched(
    left: deque[Step], touch: Callable[[Step], Sequence[Touch]]
) -> frozenset[Touch]:
    """Take one step off, with all that its thread did after it; return what it has
    touched."""
    touches = {*touch(left.popleft())}
    while left and left[0].number is None:
        touches.update(touch(left.popleft()))
    return frozenset(touches)


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


class _Races:
    """Finds the steps of a run that meet, and wants them in the other order, too."""

    def __init__(self, nodes: Sequence[_Node]) -> None:
        self._nodes = nodes
        self._clocks: list[Clock] = []
        self._of_thread: dict[int, list[int]] = defaultdict(list)
        self._touching: dict[object, list[tuple[int, Mode]]] = defaultdict(list)
        """The steps that touch a thing, and how."""

    def reverse(self, waiters: Sequence[Waiter]) -> None:
        """For each two steps that meet, and that nothing between them keeps in order,
        let the later one come first. Those who wait in the end would also make one."""
        for node in self._nodes[len(self._clocks) :]:
            number = len(self._clocks)
            clock = self._reverse(node)
            clock[node.chosen] = number
            self._clocks.append(clock)
            self._of_thread[node.chosen].append(number)
            for thing, mode in node.touches:
                self._touching[thing].append((number, mode))
        for each in waiters:
            take = frozenset({Touch(each.lock.key, Mode.TAKE)})
            self._reverse(_Node((), each.thread, {}, touches=take))

    def forget_from(self, number: int) -> None:
        """Forget the steps from this one on: the next run makes others."""
        del self._clocks[number:]
        for numbers in self._of_thread.values():
            while numbers and numbers[-1] >= number:
                numbers.pop()
        for touching in self._touching.values():
            while touching and touching[-1][0] >= number:
                touching.pop()

    def _reverse(self, node: _Node) -> Clock:
        """Let a step that follows all others come before those that it need not
        follow; return what comes before it."""
        own = self._of_thread[node.chosen]
        clock = dict(self._clocks[own[-1]]) if own else {}
        before, ordered = dict(clock), dict(clock)
        opened: set[object] = set()
        takers: set[int] = set()
        reversible = []
        for earlier in sorted(self._meeting(node), reverse=True):
            other = self._nodes[earlier]
            _join(clock, self._clocks[earlier])
            if taken(other.touches) & opened and other.chosen not in takers:
                # The step could be made before the lock was taken, but not before
                # what was done under it.
                takers.add(other.chosen)
                is_ordered = earlier <= before.get(other.chosen, -1)
            else:
                is_ordered = earlier <= ordered.get(other.chosen, -1)
            if not is_ordered:
                opens = opened_by(other.touches) & taken(node.touches)
                opened |= opens
                if not opens:
                    reversible.append(earlier)
            _join(ordered, self._clocks[earlier])
        for earlier in reversible:
            self._want(earlier, node.chosen, clock)
        return clock

    def _meeting(self, node: _Node) -> set[int]:
        """Return the steps of other threads that a step meets."""
        if EVERYTHING in node.touches:
            meeting = {
                number for touching in self._touching.values() for number, _ in touching
            }
        else:
            meeting = {number for number, _ in self._touching[EVERYTHING.thing]}
            for touch in node.touches:
                meeting.update(
                    number
                    for number, mode in self._touching[touch.thing]
                    if mode is not touch.mode or mode not in SHARED
                )
        return meeting.difference(self._of_thread[node.chosen])

    def _want(self, earlier: int, thread: int, clock: Clock) -> None:
        """Want one that begins what leads to the next step of a thread, which has this
        clock, without the earlier step."""
        nodes, first = self._nodes, self._nodes[earlier]
        others: list[int] = []
        initial: set[int] = set()
        begun: set[int] = set()

        def begins(thread: int, clock: Clock) -> None:
            if thread not in begun:
                begun.add(thread)
                if all(clock.get(nodes[each].chosen, -1) < each for each in others):
                    initial.add(thread)

        for number in range(earlier + 1, len(self._clocks)):
            if self._clocks[number].get(first.chosen, -1) < earlier:
                begins(nodes[number].chosen, self._clocks[number])
                others.append(number)
        begins(thread, clock)
        initial &= {*first.able}
        if not initial & {first.chosen, *first.tried, *first.wanted}:
            awake = initial - first.asleep.keys()
            first.wanted.update([min(awake)] if awake else initial or first.able)


def _join(clock: Clock, other: Clock) -> None:
    for thread, time in other.items():
        clock[thread] = max(clock.get(thread, -1), time)
