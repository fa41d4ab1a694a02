"""Runs real threads one at a time, in an order that the test decides.

Only the thread that has the baton runs. It stops before each of its steps, and the
schedule, `{step: thread}`, says which thread makes that step; where the schedule says
nothing, the thread that has the baton keeps it. Two threads that each read and write,
under the schedule {2: 1}:

    step   thread 0     thread 1
       0   | start      .
       1   | read       .
           +----------->+          step 2 is thread 1's: a preemption
       2   .            | start
       3   .            | read
       4   .            | write
           +<-----------+          thread 1 has ended: this switch is free
       5   | write

       |  has the baton       .  waits for it

If both add to one number, thread 0 now overwrites what thread 1 wrote. A switch is
also free where a thread waits for a lock that another one holds: it cannot run on.

One program and one schedule always make the same run, so a failure can be shown again.
And the runs can be counted: each step that another thread could have made begins one
more schedule, and `explore` makes them all, up to a number of preemptions.

It knows nothing of wallets. The caller of `step` decides what a switch point is.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple, Protocol, TypeVar

Schedule = Mapping[int, int]
"""{number of a step: the thread that makes it}. Elsewhere threads run on."""

RUN_ON: Schedule = {}

HANG_SECONDS = 1.0
"""How long nothing may happen before a run is given up. A step takes microseconds."""

GIVE_UP_SECONDS = 60.0
"""How long a thread waits for its turn at most. The watchdog is much sooner."""

STEPS_MAX = 100_000
"""Of one run. Programs of tests have some dozens, line by line some hundreds."""

UNSHOWN = {__file__, contextlib.__file__}
"""Files that are left out where a place in the code is shown."""

FIRST, LAST = -1, -2
"""The numbers of the threads that prepare a run, and that look when it is over."""

_SLICES = 10
_FRAMES = 2  # of a lock's call site that are remembered


class Aborted(BaseException):
    """Unwinds a thread of a run that has come to its end early. Nobody but the
    scheduler catches it."""


class Diverged(Exception):
    """The schedule names a thread that cannot make the step, or a step that the run
    does not come to."""


class Redundant(Exception):
    """The run is given up, because all that could come of it is known."""

    def __init__(self, waiters: tuple[Waiter, ...]) -> None:
        super().__init__("the run is given up")
        self.waiters = waiters


class Endless(Exception):
    """The run made more steps than any program of a test does."""


class Hung(Exception):
    """A thread did not come to its next step: it loops, or waits for something that
    the scheduler does not own. The message has the stacks of all threads."""


class Choice(NamedTuple):
    """A step that more than one thread could have made."""

    step: int
    default: int
    options: tuple[int, ...]
    preempts: bool
    """Whether another one than the default takes the baton from a thread that could
    have run on. Where that thread waits or has ended, a switch is free."""


Choose = Callable[[Choice, "Sequence[Step]"], int | None]
"""Says which thread makes a step, after these; None gives the run up."""


class Step:
    """Something that a thread did; `number` is None where no switch was possible."""

    __slots__ = ("number", "thread", "what", "subject", "value", "site", "touches")

    def __init__(self, number: int | None, thread: int, what: str, subject: Any):
        self.number = number
        self.thread = thread
        self.what = what
        self.subject = subject
        self.value: Any = None
        self.site: Site | None = None
        self.touches: Any = None


class Site(NamedTuple):
    """Where in the code something happened, the innermost call first."""

    frames: tuple[tuple[CodeType, int], ...]

    @property
    def statement(self) -> Site:
        """The innermost call, or whose `with` it is."""
        entered = len(self.frames) > 1 and self.frames[0][0].co_name == "__enter__"
        return Site(self.frames[entered : entered + 1])

    def __str__(self) -> str:
        return ", called from ".join(
            f"{Path(code.co_filename).name}:{line} in {code.co_name}"
            for code, line in self.frames
        )


Key = tuple[int | None, int]
"""The thread that has made something, and how many it had made before."""


class Waitable(Protocol):
    """What a thread can wait for: it goes on when this is not `locked`."""

    name: str
    key: Key
    holder: int | None
    site: Site | None

    @property
    def locked(self) -> bool: ...


class Waiter(NamedTuple):
    """A thread of a deadlock: what it waits for, and who has that."""

    thread: int
    lock: Waitable
    site: Site
    holder: int | None
    holder_site: Site | None
    holder_ended: bool


class Deadlock(NamedTuple):
    """Every thread that has not ended waits for a lock."""

    waiters: tuple[Waiter, ...]

    def __str__(self) -> str:
        lines = []
        for thread, lock, site, holder, taken_at, ended in self.waiters:
            who = f"thread {thread}" if thread >= 0 else "who comes next"
            lines.append(f"{who} waits for {lock.name} at {site}")
            if isinstance(lock, Lock):
                whom = "itself" if holder == thread else f"thread {holder}"
                if holder is None or holder < 0:
                    whom = "nobody who runs"
                lines.append(
                    f"    held by {whom}{', which has ended,' if ended else ''} "
                    f"since {taken_at or 'before'}"
                )
        return "\n".join(lines)


class Run:
    """What came of one schedule."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.choices: list[Choice] = []
        self.deadlock: Deadlock | None = None

    @property
    def schedule(self) -> dict[int, int]:
        """What shows this run again."""
        threads = {step.number: step.thread for step in self.steps}
        return {
            choice.step: threads[choice.step]
            for choice in self.choices
            if threads.get(choice.step, choice.default) != choice.default
        }


def preempted(run: Run) -> dict[int, Choice]:
    """Return the steps at which the baton was taken from a thread that could have run
    on."""
    threads = {step.number: step.thread for step in run.steps}
    return {
        choice.step: choice
        for choice in run.choices
        if choice.preempts and threads.get(choice.step) not in (choice.default, None)
    }


class Lock:
    """A lock whose waiters the scheduler knows. Acquiring it is a switch point.

    Releasing it is none: the next one offers the same switches, unless something
    that is no switch point itself is touched in between. Line by line, all of it is.
    """

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        self.name = name
        self.key = scheduler.new_key()
        self.holder: int | None = None
        self.locked = False
        self.site: Site | None = None
        self._scheduler = scheduler

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        frame = sys._getframe(1)
        if blocking:
            return self._scheduler.take(self, frame, is_timed=timeout >= 0)
        self._scheduler.step("try", self)
        if self.locked:
            return False
        self.locked, self.holder = True, self._scheduler.thread
        self.site = site_of(frame, _FRAMES)
        return True

    def release(self) -> None:
        if not self.locked:
            raise RuntimeError("release unlocked lock")
        self.locked, self.holder, self.site = False, None, None
        self._scheduler.happened("release", self)

    def __enter__(self) -> bool:
        return self._scheduler.take(self, sys._getframe(1))

    def __exit__(self, *failure: object) -> None:
        self.release()


class _Thread:
    """A pooled thread, and where it stands in the current run."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.baton = threading.Lock()
        self.baton.acquire()
        self.body: Callable[[], object] | None = None
        self.started = False
        self.ended = True
        self.waits_for: Waitable | None = None
        self.is_timed = False
        self.site: Site | None = None
        self.ident: int | None = None
        self.worker: threading.Thread | None = None

    @property
    def can_go_on(self) -> bool:
        return self.waits_for is None or not self.waits_for.locked


class Scheduler:
    """A pool of threads that pass one baton."""

    def __init__(self, hang_seconds: float = HANG_SECONDS) -> None:
        self._slice_seconds = hang_seconds / _SLICES
        self._pool: list[_Thread] = []
        self._threads: list[_Thread] = []
        self._spawned: list[Callable[[], object]] = []
        self._made: Counter[int | None] = Counter()
        self._bodies: list[_Thread] = []
        self._first: _Thread | None = None
        self._last: _Thread | None = None
        self._current: _Thread | None = None
        self._schedule = RUN_ON
        self._choose_next: Choose | None = None
        self._number = self._aside = 0
        self._aborting = False
        self._failure: BaseException | None = None
        self._ending = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()
        self._left_over: set[int | None] = set()
        self.run_now = Run()

    def new_lock(self, name: str = "a lock") -> Lock:
        return Lock(self, name)

    def new_key(self) -> Key:
        """Return what something that a thread makes is known by in every run."""
        self._made[self.thread] += 1
        return self.thread, self._made[self.thread]

    def spawn(self, body: Callable[[], object]) -> int | None:
        """Start one more thread in this run, or in the next one. Nobody waits for its
        end: a run is over when its bodies have ended, and these can do nothing more.
        Return its number, if it is known yet."""
        if self._me() is None:
            self._spawned.append(body)
            return None
        return self._begin_thread(body).number

    def run(
        self,
        bodies: Sequence[Callable[[], object]],
        schedule: Schedule = RUN_ON,
        *,
        choose: Choose | None = None,
        first: Callable[[], object] | None = None,
        last: Callable[[], object] | None = None,
    ) -> Run:
        """Run each body in a thread of its own until all have ended. Before them comes
        the first one, alone; the last one comes when nobody can do anything more. With
        `choose` no schedule is needed.

        Returns what happened; a deadlock is part of that. Raises what a body raised,
        Diverged, Redundant, Endless and Hung.
        """
        self._threads = []
        self._choose_next = choose
        self._bodies = [self._begin_thread(body) for body in bodies]
        self._first = None if first is None else self._begin_thread(first, FIRST)
        self._last = None if last is None else self._begin_thread(last, LAST)
        for body in self._spawned:
            self._begin_thread(body)
        self._spawned = []
        self._schedule = schedule
        self._number = self._aside = 0
        self._aborting = False
        self._failure = None
        self.run_now = Run()
        beginning = self._choose(None)
        if beginning is not None:
            self._hand_to(beginning)
            self._wait_until_done()
        self._current = None
        self._made.clear()
        if self._failure is None and max(schedule, default=-1) >= self._number:
            self._failure = Diverged(f"the run ends before step {max(schedule)}")
        if self._failure is not None:
            raise self._failure
        return self.run_now

    def _begin_thread(
        self, body: Callable[[], object], number: int | None = None
    ) -> _Thread:
        """Let a pooled thread run a body from its next turn on."""
        if len(self._threads) == len(self._pool):
            self._pool.append(self._new_thread(len(self._pool)))
        thread = self._pool[len(self._threads)]
        counted = sum(each.number >= 0 for each in self._threads)
        thread.number = counted if number is None else number
        thread.body, thread.waits_for = body, None
        thread.started = thread.ended = False
        self._threads.append(thread)
        return thread

    def close(self) -> None:
        """End the pooled threads, so that none of them dies while another test looks at
        what is left; the next run starts new ones."""
        for thread in self._release_pool():
            assert thread.worker is not None
            thread.worker.join(HANG_SECONDS)

    def _release_pool(self) -> list[_Thread]:
        """Let the pooled threads end, and return them."""
        pool, self._pool = self._pool, []
        for thread in pool:
            thread.body = None
            if thread.baton.locked():  # else it was handed over, and not yet taken
                thread.baton.release()
        return pool

    @property
    def thread(self) -> int | None:
        """The number of the thread that has the baton; None between runs."""
        return None if self._current is None else self._current.number

    def has_baton(self) -> bool:
        """Tell whether the caller is the thread that makes the next step."""
        current = self._current  # read once: others may ask while it is passed on
        return current is not None and current.ident == threading.get_ident()

    def step(self, what: str, subject: Any = None) -> Step | None:
        """Stop before the next step, until the schedule lets this thread make it.

        Returns the step, so that the caller can say what came of it. Between runs,
        and while a run is being given up, there are no steps.
        """
        me = self._me()
        if me is None or self._aborting:
            return None
        chosen = self._choose(me)
        if chosen is not me:
            self._give_way(me, chosen)
        return self._begin(me, what, subject)

    def _begin(self, me: _Thread, what: str, subject: Any = None) -> Step:
        step = Step(self._number, me.number, what, subject)
        if self._is_aside():
            self._aside += 1
        else:
            self._number += 1
            self.run_now.steps.append(step)
        return step

    def happened(self, what: str, subject: Any = None) -> int:
        """Note something that needs no switch point; return its moment, a number
        that grows with each thing that happens."""
        me = self._me()
        steps = self.run_now.steps
        if me is not None and not self._aborting and not self._is_aside():
            steps.append(Step(None, me.number, what, subject))
        return len(steps)

    def take(self, lock: Lock, frame: FrameType | None, is_timed: bool = False) -> bool:
        """Acquire the lock for the thread that has the baton, when it is free. Return
        whether it is free; with a time-out it need not be."""
        if not self.wait("acquire", lock, frame, is_timed):
            return False
        lock.locked, lock.holder, lock.site = True, self.thread, None
        if self._current is not None:
            lock.site = self._current.site
        return True

    def wait(
        self,
        what: str,
        event: Waitable,
        frame: FrameType | None,
        is_timed: bool = False,
    ) -> bool:
        """Wait until this is not locked. A wait with a time-out also ends, and returns
        False, when no thread could run otherwise."""
        me = self._me()
        if me is None:
            if event.locked:
                raise RuntimeError(f"{event.name} was never released")
            return True
        me.waits_for, me.is_timed = event, is_timed
        me.site = site_of(frame, _FRAMES)
        step = self.step(what, event)
        if step is None:
            raise Aborted
        step.site = me.site
        me.waits_for = None
        if event.locked:
            step.value = False
        return not event.locked

    def _me(self) -> _Thread | None:
        """Return the thread that has the baton, which is the caller."""
        me = self._current
        if me is not None:
            if threading.get_ident() != me.ident:
                raise Aborted  # left behind by a run that hung
        elif self._left_over and threading.get_ident() in self._left_over:
            raise Aborted
        return me

    def _choose(self, me: _Thread | None) -> _Thread | None:
        """Say who makes the next step; None where nobody can."""
        able = self._able()
        if not able:
            return None
        if self._number + self._aside >= STEPS_MAX:
            self._failure = Endless(f"more than {STEPS_MAX} steps")
            return None
        preempts = me in able
        default = me if me is not None and preempts else able[0]
        if self._is_aside():
            return default
        options = tuple([thread.number for thread in able])
        choice = Choice(self._number, default.number, options, preempts)
        if len(able) > 1:
            self.run_now.choices.append(choice)
        wanted = self._schedule.get(self._number, default.number)
        if self._choose_next is not None:
            chosen = self._choose_next(choice, self.run_now.steps)
            if chosen is None:
                self._failure = Redundant(self._deadlock().waiters)
                return None
            wanted = chosen
        if wanted == default.number:
            return default
        for thread in able:
            if thread.number == wanted:
                return thread
        self._failure = Diverged(f"thread {wanted} cannot make step {self._number}")
        return None

    def _able(self) -> list[_Thread]:
        """Return the threads that can make a step. Time passes only when no thread can
        run otherwise: then the waits with a time-out end."""
        out: list[_Thread | None] = [self._last]
        if self._first is not None and not self._first.ended:
            out += self._bodies
        alive = [each for each in self._threads if not each.ended and each not in out]
        able = [each for each in alive if each.can_go_on]
        if not able and self._last is not None and not self._last.ended:
            if all(each.ended for each in self._bodies) and self._last.can_go_on:
                able = [self._last]
        if not able and not self._is_over():
            able = [each for each in alive if each.is_timed]
        return able

    def _is_aside(self) -> bool:
        """Return whether this is before or after what the bodies do."""
        return (self._first is not None and not self._first.ended) or (
            self._last is not None and all(each.ended for each in self._bodies)
        )

    def _is_over(self) -> bool:
        """Return whether all bodies have ended; what they started may still wait."""
        return all(each.ended for each in self._bodies) and (
            self._last is None or self._last.ended
        )

    def _give_way(self, me: _Thread, chosen: _Thread | None) -> None:
        """Let another thread run, and wait until it is this one's turn again."""
        if chosen is None:
            self._give_up()
            raise Aborted
        self._hand_to(chosen)
        turn = me.baton.acquire(timeout=GIVE_UP_SECONDS)
        if not turn or self._aborting or self._current is not me:
            raise Aborted

    def _give_up(self) -> None:
        """End the run early: each thread that has begun is unwound in turn."""
        if self._failure is None and not self._is_over():
            self.run_now.deadlock = self._deadlock()
        self._aborting = True

    def _deadlock(self) -> Deadlock:
        waiters = []
        for thread in self._threads:
            lock = thread.waits_for
            if not thread.ended and lock is not None and thread.site is not None:
                ended = lock.holder is not None and not any(
                    each.number == lock.holder and not each.ended
                    for each in self._threads
                )
                waiters.append(
                    Waiter(
                        thread.number, lock, thread.site, lock.holder, lock.site, ended
                    )
                )
        return Deadlock(tuple(waiters))

    def _hand_to(self, thread: _Thread) -> None:
        self._current = thread
        thread.baton.release()

    def _new_thread(self, number: int) -> _Thread:
        thread = _Thread(number)
        thread.worker = threading.Thread(
            target=self._work, args=(thread,), name=f"thread {number}", daemon=True
        )
        thread.worker.start()
        return thread

    def _work(self, me: _Thread) -> None:
        """The life of a pooled thread: wait for the baton, run a body, pass it on."""
        me.ident = threading.get_ident()
        while True:
            me.baton.acquire()
            if me.body is None:
                return  # the scheduler was closed
            me.started = True
            self._begin(me, "start")
            try:
                me.body()
            except Aborted:
                pass
            except BaseException as failure:  # noqa: BLE001 - raised again by run()
                if self._current is me and not self._aborting:
                    self._failure = failure
                    self._aborting = True
            with self._ending:
                if self._current is not me:
                    self._left_over.discard(me.ident)
                    return
                me.ended = True
                self._pass_on()

    def _pass_on(self) -> None:
        """Hand the baton to whoever makes the next step after a thread's end."""
        if not self._aborting:
            following = self._choose(None)
            if following is None and not all(each.ended for each in self._threads):
                self._give_up()
        if self._aborting:
            begun = (t for t in self._threads if t.started and not t.ended)
            following = next(begun, None)
        if following is None:
            self._done.release()
        else:
            self._hand_to(following)

    def _wait_until_done(self) -> None:
        """Wait for the end of the run; give up when nothing happens for long.

        Time counts only while this thread gets to look at the clock, so that a
        machine that stands still for a while is not taken for a hang.
        """
        seen, idle = -1, 0
        while not self._done.acquire(timeout=self._slice_seconds):
            happened = len(self.run_now.steps)
            idle = idle + 1 if happened == seen else 0
            seen = happened
            if idle >= _SLICES:
                with self._ending:
                    if self._done.acquire(blocking=False):
                        return  # at the last moment
                    stacks = self._stacks()
                    self._leave_behind()
                raise Hung(f"no step for a long time\n{stacks}")

    def _leave_behind(self) -> None:
        """Go on without the threads of a run that hangs. Those that wait for a turn
        end now, the others at their next step."""
        self._current = None
        busy = [each for each in self._threads if each.started and not each.ended]
        self._left_over.update(each.ident for each in busy)
        self._release_pool()

    def _stacks(self) -> str:
        frames = sys._current_frames()
        return "\n".join(
            f"thread {thread.number}:\n"
            + "".join(traceback.format_stack(frames[thread.ident]))
            for thread in self._threads
            if thread.started and not thread.ended and thread.ident in frames
        )


def site_of(frame: FrameType | None, depth: int = 1) -> Site:
    """Remember the calls that led here, as far as they are not the scheduler's."""
    frames: list[tuple[CodeType, int]] = []
    while frame is not None and len(frames) < depth:
        file = frame.f_code.co_filename
        if file in UNSHOWN and file != contextlib.__file__ and frames:
            break
        if file not in UNSHOWN:
            frames.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return Site(tuple(frames))


class Explored(Protocol):
    """What `explore` must know of a run."""

    @property
    def choices(self) -> Sequence[Choice]: ...


R = TypeVar("R", bound=Explored)


def _but_for_its_last(
    schedule: Schedule, last: int
) -> tuple[frozenset[tuple[int, int]], int | None]:
    """Return the other switches of a schedule, and where its last one goes."""
    others = frozenset(each for each in schedule.items() if each[0] != last)
    return others, schedule.get(last)


def explore(
    execute: Callable[[Schedule], R],
    preemptions: int,
    alike: Collection[int] = (),
    same_until: Callable[[R, int], int] = lambda run, step: step,
) -> Iterator[R]:
    """Make every run with at most so many preemptions, each once, those with the
    fewest first. A run that begins with a thread that is `alike`, because it does the
    same as one before it, is another run with two threads renamed: it is left out.

    When the iterator is exhausted, so are the schedules: there are no others. A
    schedule is the set of steps at which it differs from running on; each run shows
    the choices it had, and each other choice after its last one is a new schedule.

    `same_until` can say up to which later step the last switch of a run would come to
    the same, with all that can follow it: these schedules are left out.
    """
    same: dict[tuple[frozenset[tuple[int, int]], int | None], range] = {}
    waiting: list[deque[dict[int, int]]] = [deque() for _ in range(preemptions + 1)]
    waiting[0].append({})
    for used, schedules in enumerate(waiting):
        while schedules:
            schedule = schedules.popleft()
            last = max(schedule, default=-1)
            switch = _but_for_its_last(schedule, last)
            if last in same.get(switch, ()):
                continue
            run = execute(schedule)
            yield run
            if schedule:
                same[switch] = range(last + 1, same_until(run, last) + 1)
            for step, default, options, preempts in run.choices:
                if step > last and used + preempts <= preemptions:
                    waiting[used + preempts].extend(
                        {**schedule, step: other}
                        for other in options
                        if other != default and (step or other not in alike)
                    )
