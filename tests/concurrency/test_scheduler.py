"""The scheduler: the same run each time, every run once, and each bad end told."""

from __future__ import annotations

import contextlib
import inspect
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from math import comb, factorial, prod
from types import FunctionType
from typing import NamedTuple

import pytest

from tests.concurrency import scheduler as module
from tests.concurrency.scheduler import (
    RUN_ON,
    Choice,
    Diverged,
    Endless,
    Hung,
    Lock,
    Run,
    Schedule,
    Scheduler,
    explore,
)

Body = Callable[[], None]

UNLIMITED = 40
"""More preemptions than any program here has steps."""

RUNS_MAX = 2_000
"""More runs than any program here has."""

TIMEOUT_SECONDS = 10
"""How long a test waits for what should come at once."""

HANG_SECONDS = 0.2


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler()
    yield scheduler
    scheduler.close()


@pytest.fixture
def impatient() -> Iterator[Scheduler]:
    scheduler = Scheduler(hang_seconds=HANG_SECONDS)
    yield scheduler
    scheduler.close()


# Programs in letters: `.` is a step, `a` takes lock a, and `A` releases it


def in_letters(scheduler: Scheduler, *programs: str) -> list[Body]:
    """Return bodies that do as the programs say; a thread's start is a step too."""
    locks: dict[str, Lock] = {}

    def body(program: str) -> Body:
        def follow() -> None:
            for letter in program:
                if letter == ".":
                    scheduler.step("step")
                elif letter.islower():
                    locks[letter].acquire()
                else:
                    locks[letter.lower()].release()

        return follow

    for letter in "".join(programs).lower():
        locks[letter] = scheduler.new_lock(f"lock {letter}")
    return [body(program) for program in programs]


def order(run: Run) -> str:
    """Return the threads that made the steps."""
    return "".join(str(step.thread) for step in run.steps if step.number is not None)


def explored(
    scheduler: Scheduler, preemptions: int, *programs: str, alike: Collection[int] = ()
) -> list[Run]:
    def execute(schedule: Schedule) -> Run:
        return scheduler.run(in_letters(scheduler, *programs), schedule)

    runs = list(islice(explore(execute, preemptions, alike), RUNS_MAX))
    assert len(runs) < RUNS_MAX, "it does not come to an end"
    return runs


class Outcome(NamedTuple):
    preemptions: int
    deadlocked: bool


def by_brute_force(*programs: str) -> dict[str, Outcome]:
    """Return what comes of each order, by trying every thread at every step."""
    found: dict[str, Outcome] = {}

    def search(left: tuple[str, ...], held: str, order: str, preemptions: int) -> None:
        able = [str(i) for i, rest in enumerate(left) if rest and rest[0] not in held]
        if not able:
            found[order] = Outcome(preemptions, any(left))
        for thread in able:
            i, holding = int(thread), held
            step, rest = left[i][0], left[i][1:]
            if step.islower():
                holding += step
            while rest[:1].isupper():  # to release is no step
                holding, rest = holding.replace(rest[0].lower(), ""), rest[1:]
            preempted = order[-1:] in able and order[-1] != thread
            after = left[:i] + (rest,) + left[i + 1 :]
            search(after, holding, order + thread, preemptions + preempted)

    search(tuple(f">{program}" for program in programs), "", "", 0)
    return found


def assert_explored(scheduler: Scheduler, preemptions: int, *programs: str) -> None:
    """Fail unless every run is made that brute force finds, once, fewest first."""
    outcomes = by_brute_force(*programs)
    runs = explored(scheduler, preemptions, *programs)
    orders = [order(run) for run in runs]
    used = [outcomes[order].preemptions for order in orders]
    assert used == sorted(used), programs
    assert sorted(orders) == sorted(
        order for order, outcome in outcomes.items() if outcome[0] <= preemptions
    ), programs
    assert [run.deadlock is not None for run in runs] == [
        outcomes[order].deadlocked for order in orders
    ], programs


def assert_usable(scheduler: Scheduler) -> None:
    run = scheduler.run(in_letters(scheduler, ".", "."), {1: 1})
    assert order(run) == "0110"
    assert run.deadlock is None


# One schedule, one run


def values(run: Run) -> object:
    """Return all that a run shows, without what is new each time."""
    steps = [
        (step.number, step.thread, step.what, str(step.site)) for step in run.steps
    ]
    return steps, run.choices, str(run.deadlock)


def test_a_schedule_makes_the_same_run_each_time(scheduler: Scheduler) -> None:
    programs = [".abAB", ".baBA", "a.A"]
    deadlocks = []

    def execute(schedule: Schedule) -> Run:
        run = scheduler.run(in_letters(scheduler, *programs), schedule)
        again = scheduler.run(in_letters(scheduler, *programs), schedule)
        assert values(again) == values(run)
        deadlocks.append(run.deadlock is not None)
        return run

    schedules = len(list(islice(explore(execute, 2), RUNS_MAX)))
    assert len(deadlocks) == schedules
    assert 0 < sum(deadlocks) < schedules


def test_threads_run_on_where_the_schedule_says_nothing(scheduler: Scheduler) -> None:
    def ran(schedule: Schedule) -> str:
        return order(scheduler.run(in_letters(scheduler, "..", "..", ".."), schedule))

    assert ran(RUN_ON) == "000111222"
    assert ran({0: 2}) == "222000111"
    assert ran({1: 1, 2: 2}) == "012220011"
    assert ran({2: 2, 4: 1, 5: 0}) == "002210112"


def test_a_step_tells_who_made_it_and_what_it_was(scheduler: Scheduler) -> None:
    def body() -> None:
        step = scheduler.step("write", "a wallet")
        assert step is not None
        step.value = 60
        threads.append(scheduler.thread)

    threads: list[int | None] = []
    run = scheduler.run([body, body], {1: 1})
    assert threads == [1, 0]
    assert [(s.number, s.thread, s.what, s.subject, s.value) for s in run.steps] == [
        (0, 0, "start", None, None),
        (1, 1, "start", None, None),
        (2, 1, "write", "a wallet", 60),
        (3, 0, "write", "a wallet", 60),
    ]


def test_a_run_shows_each_choice_it_had(scheduler: Scheduler) -> None:
    run = scheduler.run(in_letters(scheduler, "a.A", "a"), {2: 1})
    assert order(run) == "00101"
    assert run.choices == [
        Choice(step=0, default=0, options=(0, 1), preempts=False),
        Choice(step=1, default=0, options=(0, 1), preempts=True),
        Choice(step=2, default=0, options=(0, 1), preempts=True),
    ], "at step 3 thread 1 waits, and at step 4 thread 0 has ended"
    run = scheduler.run(in_letters(scheduler, "a", "a", "."), {2: 1})
    assert run.choices[3:] == [], "nobody but thread 2 can run"


def test_a_moment_is_later_than_all_before_it(scheduler: Scheduler) -> None:
    moments = []

    def body() -> None:
        moments.append(scheduler.happened("invoke"))
        moments.append(scheduler.happened("return"))
        scheduler.step("step")
        moments.append(scheduler.happened("invoke"))

    run = scheduler.run([body, body], {1: 1, 2: 0})
    assert order(run) == "0101"
    assert len(moments) == 6
    assert moments == sorted(set(moments))


def test_between_runs_there_are_no_steps(scheduler: Scheduler) -> None:
    assert scheduler.step("early") is None
    run = scheduler.run(in_letters(scheduler, "."))
    assert scheduler.thread is None
    assert scheduler.step("late") is None
    assert scheduler.happened("late") == scheduler.happened("late")
    assert [step.what for step in run.steps] == ["start", "step"]


def test_runs_share_their_threads_until_the_scheduler_is_closed(
    scheduler: Scheduler,
) -> None:
    def body() -> None:
        threads.append(threading.current_thread())

    threads: list[threading.Thread] = []
    for _ in range(2):
        scheduler.run([body, body])
    assert threads[0] is not threads[1]
    assert threads[:2] == threads[2:]
    scheduler.close()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert_usable(scheduler)


# How many runs there are


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_two_threads_of_n_steps_have_2n_over_n_runs(
    scheduler: Scheduler, steps: int
) -> None:
    programs = ["." * (steps - 1)] * 2
    assert len(explored(scheduler, UNLIMITED, *programs)) == comb(2 * steps, steps)


@pytest.mark.parametrize("preemptions", [0, 1, 2, UNLIMITED])
def test_of_two_runs_that_differ_in_the_names_of_threads_alike_one_is_made(
    scheduler: Scheduler, preemptions: int
) -> None:
    programs = ["aA.bB"] * 2
    every = sorted(map(order, explored(scheduler, preemptions, *programs)))
    made = [*map(order, explored(scheduler, preemptions, *programs, alike={1}))]
    renamed = [each.translate(str.maketrans("01", "10")) for each in made]
    assert sorted(made + renamed) == every


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 2, 3), (2, 2, 2), (1, 3, 3)])
def test_three_threads_have_a_multinomial_number_of_runs(
    scheduler: Scheduler, sizes: tuple[int, ...]
) -> None:
    programs = ["." * (size - 1) for size in sizes]
    runs = factorial(sum(sizes)) // prod(factorial(size) for size in sizes)
    assert len(explored(scheduler, UNLIMITED, *programs)) == runs


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_two_threads_have_this_many_runs_with_exactly_k_preemptions(
    scheduler: Scheduler, steps: int
) -> None:
    """With k preemptions the run has k + 2 parts, since the last switch is from a
    thread that has ended. Either thread is first, and the steps of each are cut
    into its parts, half of k + 2."""
    programs = ["." * (steps - 1)] * 2
    outcomes = by_brute_force(*programs).values()
    up_to = 0
    for k in range(2 * steps):
        exactly = 2 * comb(steps - 1, k // 2) * comb(steps - 1, (k + 1) // 2)
        assert exactly == sum(outcome.preemptions == k for outcome in outcomes)
        up_to += exactly
        assert len(explored(scheduler, k, *programs)) == up_to
    assert up_to == comb(2 * steps, steps)


def test_runs_come_with_the_fewest_preemptions_and_the_earliest_first(
    scheduler: Scheduler,
) -> None:
    runs = explored(scheduler, UNLIMITED, ".", ".")
    assert [order(run) for run in runs] == [
        "0011",
        "1100",
        "0110",
        "1001",
        "0101",
        "1010",
    ]


@pytest.mark.parametrize("preemptions", [0, 1, 2, 3, UNLIMITED])
@pytest.mark.parametrize(
    "programs",
    [
        ("...", "..."),
        (".", "..."),
        (".", ".", "."),
        ("a.A", "a.A"),
        ("abBA", "baAB"),
        (".", "aA", "aA"),
        ("aA.", "bB", "abAB"),
        ("aa", "a"),
    ],
    ids=" ∥ ".join,
)
def test_each_run_is_made_once_the_fewest_preemptions_first(
    scheduler: Scheduler, programs: tuple[str, ...], preemptions: int
) -> None:
    assert_explored(scheduler, preemptions, *programs)


def random_program(rng: random.Random, length: int) -> str:
    """Return a program that releases only what it has; it may well lock itself out,
    or end with a lock in its hands."""
    program, held = "", ""
    for _ in range(length):
        letter = rng.choice(".ab" + 2 * held.upper())
        program += letter
        if letter.islower():
            held += letter
        elif letter.isupper():
            held = held.replace(letter.lower(), "")
    return program


def test_drawn_programs_have_the_runs_that_brute_force_finds(
    scheduler: Scheduler,
) -> None:
    rng = random.Random(1)
    for _ in range(30):
        lengths = rng.choice([(4, 4), (3, 5), (2, 2, 2), (1, 2, 3)])
        programs = [random_program(rng, length) for length in lengths]
        assert_explored(scheduler, rng.choice([0, 1, 2, UNLIMITED]), *programs)


def test_the_first_run_is_made_before_the_others_are_known(
    scheduler: Scheduler,
) -> None:
    executed = []

    def execute(schedule: Schedule) -> Run:
        executed.append(schedule)
        return scheduler.run(in_letters(scheduler, ".", "."), schedule)

    runs = explore(execute, UNLIMITED)
    assert executed == []
    assert order(next(runs)) == "0011"
    assert executed == [{}]


# Locks


@pytest.mark.parametrize("inside", [0, 1, 2, 3])
def test_two_threads_that_share_a_lock_have_this_many_runs(
    scheduler: Scheduler, inside: int
) -> None:
    """Once one of them is inside, it stays there until its end, so that the other
    can only choose before which of the steps of the first it starts. Before all of
    them and after the first-comer took the lock, that is one preemption, between
    start and lock two, and after the end none."""
    programs = ["a" + "." * inside + "A"] * 2
    by_preemptions = [2 * 1, 2 * (inside + 1), 2 * 1]
    for k in range(5):
        runs = explored(scheduler, k, *programs)
        assert len(runs) == sum(by_preemptions[: k + 1])


@pytest.mark.parametrize("threads", [2, 3])
def test_only_one_thread_at_a_time_is_inside_a_lock(
    scheduler: Scheduler, threads: int
) -> None:
    switched = False
    for run in explored(scheduler, 2, *["a..A"] * threads):
        inside = None
        for step in run.steps:
            if step.what == "acquire":
                assert inside is None
                inside = step.thread
            elif step.what == "step":
                assert step.thread == inside
            elif step.what == "release":
                assert step.thread == inside
                inside = None
            elif inside is not None:
                switched = True
        assert inside is None
    assert switched, "another thread starts while one is inside"


def test_a_thread_takes_a_lock_when_it_is_free_again(scheduler: Scheduler) -> None:
    run = scheduler.run(in_letters(scheduler, "a.A", "aA"), {2: 1})
    assert order(run) == "001" + "0" + "1"
    assert run.deadlock is None
    locks = [step.what for step in run.steps if step.what in ("acquire", "release")]
    assert locks == ["acquire", "release", "acquire", "release"]


def test_to_release_a_lock_that_nobody_holds_fails_as_it_does_elsewhere(
    scheduler: Scheduler,
) -> None:
    with pytest.raises(RuntimeError) as elsewhere:
        threading.Lock().release()
    lock = scheduler.new_lock()
    with pytest.raises(RuntimeError, match=str(elsewhere.value)):
        lock.release()
    with pytest.raises(RuntimeError, match=str(elsewhere.value)):
        scheduler.run([lock.release])
    assert_usable(scheduler)


def test_between_runs_a_lock_is_taken_and_released(scheduler: Scheduler) -> None:
    lock = scheduler.new_lock()
    for _ in range(2):
        assert lock.acquire() is True
        lock.release()
        with lock as entered:
            assert entered is True
            assert lock.locked


def test_to_take_a_lock_that_a_run_has_leaked_fails(scheduler: Scheduler) -> None:
    lock = scheduler.new_lock("lock a")

    def leak() -> None:
        lock.acquire()

    assert scheduler.run([leak]).deadlock is None
    with pytest.raises(RuntimeError, match="lock a was never released"):
        lock.acquire()
    with pytest.raises(RuntimeError, match="lock a was never released"):
        with lock:
            pass


# Deadlocks


def at(function: Callable[..., object], code: str) -> str:
    """Return where in a function of this file some code stands."""
    assert isinstance(function, FunctionType)
    lines, first = inspect.getsourcelines(function)
    (line,) = [number for number, line in enumerate(lines, first) if code in line]
    return f"test_scheduler.py:{line} in {function.__name__}"


def test_a_deadlock_tells_who_waits_where_and_for_whom(scheduler: Scheduler) -> None:
    a, b = scheduler.new_lock("lock a"), scheduler.new_lock("lock b")

    def forth() -> None:
        with a:
            with b:
                pass

    def back() -> None:
        with b:
            with a:
                pass

    begun = time.monotonic()
    run = scheduler.run([forth, back], {2: 1})
    assert time.monotonic() - begun < 1
    assert order(run) == "0011"
    taken = [str(step.site) for step in run.steps if step.what == "acquire"]
    assert taken == [at(forth, "with a"), at(back, "with b")]
    assert run.deadlock is not None
    assert [(w.thread, w.lock, w.holder) for w in run.deadlock.waiters] == [
        (0, b, 1),
        (1, a, 0),
    ]
    assert str(run.deadlock) == (
        f"thread 0 waits for lock b at {at(forth, 'with b')}\n"
        f"    held by thread 1 since {at(back, 'with b')}\n"
        f"thread 1 waits for lock a at {at(back, 'with a')}\n"
        f"    held by thread 0 since {at(forth, 'with a')}"
    )
    for lock in (a, b):
        assert not lock.locked, "unwinding released it"
    assert_usable(scheduler)
    assert scheduler.run([forth, back]).deadlock is None


def test_crossing_locks_deadlock_in_six_of_fourteen_runs(scheduler: Scheduler) -> None:
    """Each thread starts, takes one lock, and then the other. It is a deadlock when
    both have taken one: the four steps until then come in 4 over 2 orders. Else one
    makes its three steps before the other takes a lock: two threads, and four
    places for the start of the other."""
    assert [run.deadlock for run in explored(scheduler, 0, "abBA", "baAB")] == [
        None
    ] * 2
    runs = explored(scheduler, UNLIMITED, "abBA", "baAB")
    assert sum(run.deadlock is not None for run in runs) == 6
    assert len(runs) == 6 + 8


def test_a_ring_of_three_is_a_deadlock_of_three(scheduler: Scheduler) -> None:
    bodies = in_letters(scheduler, "abBA", "bcCB", "caAC", "")
    run = scheduler.run(bodies, {2: 1, 4: 2})
    assert run.deadlock is not None
    assert [
        (waiter.thread, waiter.lock.name, waiter.holder)
        for waiter in run.deadlock.waiters
    ] == [(0, "lock b", 1), (1, "lock c", 2), (2, "lock a", 0)]


def test_a_thread_that_waits_for_itself_is_told_with_its_callers(
    scheduler: Scheduler,
) -> None:
    a = scheduler.new_lock("lock a")

    def again() -> None:
        with a:
            pass

    def body() -> None:
        with a:
            again()

    run = scheduler.run([body])
    assert str(run.deadlock) == (
        f"thread 0 waits for lock a at {at(again, 'with a')}, "
        f"called from {at(body, 'again()')}\n"
        f"    held by itself since {at(body, 'with a')}"
    )
    assert_usable(scheduler)


def test_a_lock_that_a_context_manager_takes_is_told_where_that_is_entered(
    scheduler: Scheduler,
) -> None:
    a = scheduler.new_lock("lock a")

    @contextmanager
    def locked() -> Iterator[None]:
        with a:
            yield

    def body() -> None:
        with locked(), locked():
            pass

    site = f"{at(inspect.unwrap(locked), 'with a')}, called from {at(body, 'locked()')}"
    assert str(scheduler.run([body]).deadlock) == (
        f"thread 0 waits for lock a at {site}\n    held by itself since {site}"
    )


def test_a_lock_of_a_thread_that_has_ended_is_told(scheduler: Scheduler) -> None:
    a = scheduler.new_lock("lock a")

    def leak() -> None:
        a.acquire()

    def body() -> None:
        with a:
            pass

    run = scheduler.run([leak, body])
    assert str(run.deadlock) == (
        f"thread 1 waits for lock a at {at(body, 'with a')}\n"
        f"    held by thread 0, which has ended, since {at(leak, 'a.acquire')}"
    )
    assert_usable(scheduler)


def test_a_lock_that_an_earlier_run_has_leaked_is_told(scheduler: Scheduler) -> None:
    a = scheduler.new_lock("lock a")

    def leak() -> None:
        a.acquire()

    def body() -> None:
        with a:
            pass

    assert scheduler.run([lambda: None, leak]).deadlock is None
    assert str(scheduler.run([body]).deadlock) == (
        f"thread 0 waits for lock a at {at(body, 'with a')}\n"
        f"    held by thread 1, which has ended, since {at(leak, 'a.acquire')}"
    )


def test_a_lock_that_was_taken_before_the_run_is_told(scheduler: Scheduler) -> None:
    a = scheduler.new_lock("lock a")

    def body() -> None:
        with a:
            pass

    assert scheduler.run([body]).deadlock is None
    a.acquire()
    assert str(scheduler.run([body]).deadlock) == (
        f"thread 0 waits for lock a at {at(body, 'with a')}\n"
        "    held by nobody who runs since before"
    )


# The early end of a run


def test_the_threads_of_a_deadlock_are_unwound_one_after_the_other(
    scheduler: Scheduler,
) -> None:
    """While they are, a step is none, and no lock is taken, not even a free one."""
    a, b, free = (scheduler.new_lock(name) for name in ("a", "b", "free"))
    log = []

    def body(name: str, mine: Lock, theirs: Lock) -> None:
        try:
            with mine:
                with theirs:
                    log.append(f"{name} is inside")
            log.append(f"{name} goes on")
        finally:
            log.append(f"{name} cleans up")
            assert scheduler.step("late") is None
            scheduler.happened("late")
            try:
                with free:
                    log.append(f"{name} takes a lock")
            finally:
                log.append(f"{name} has cleaned up")

    run = scheduler.run([lambda: body("0", a, b), lambda: body("1", b, a)], {2: 1})
    assert run.deadlock is not None
    assert log in (
        ["0 cleans up", "0 has cleaned up", "1 cleans up", "1 has cleaned up"],
        ["1 cleans up", "1 has cleaned up", "0 cleans up", "0 has cleaned up"],
    )
    assert [step.what for step in run.steps] == ["start", "acquire"] * 2
    for lock in (a, b, free):
        assert not lock.locked
    assert_usable(scheduler)


def test_locks_that_are_released_on_the_way_out_hide_no_deadlock(
    scheduler: Scheduler,
) -> None:
    """Such code releases what it has not taken, once nobody owns anything."""
    a, b = scheduler.new_lock("lock a"), scheduler.new_lock("lock b")

    def both(mine: Lock, theirs: Lock) -> None:
        try:
            mine.acquire()
            theirs.acquire()
        finally:
            theirs.release()
            mine.release()

    run = scheduler.run([lambda: both(a, b), lambda: both(b, a)], {2: 1})
    assert run.deadlock is not None
    assert len(run.deadlock.waiters) == 2
    assert_usable(scheduler)


def test_a_thread_that_catches_the_abort_still_ends(scheduler: Scheduler) -> None:
    a = scheduler.new_lock("lock a")
    caught = []

    def stubborn() -> None:
        for _ in range(3):
            try:
                scheduler.step("step")
                with a:
                    with a:
                        caught.append("never")
            except BaseException as failure:  # noqa: BLE001 - as careless code does
                caught.append(type(failure).__name__)

    run = scheduler.run([stubborn])
    assert run.deadlock is not None
    assert caught == ["Aborted"] * 3
    assert [step.what for step in run.steps] == ["start", "step", "acquire"]
    assert_usable(scheduler)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_a_body_raises_is_raised_by_run_and_the_others_are_unwound(
    scheduler: Scheduler, kind: type[BaseException]
) -> None:
    a = scheduler.new_lock("lock a")
    failure = kind("of the body")
    log = []

    def waits() -> None:
        try:
            with a:
                scheduler.step("step")
                log.append("waits went on")
        finally:
            log.append("waits was unwound")
            if kind is ValueError:
                raise LookupError("on the way out, which hides nothing")

    def fails() -> None:
        raise failure

    def idle() -> None:
        log.append("idle began")

    with pytest.raises(kind) as raised:
        scheduler.run([waits, fails, idle], {2: 1})
    assert raised.value is failure
    assert log == ["waits was unwound"]
    assert not a.locked
    assert_usable(scheduler)


def test_a_thread_that_never_began_is_not_started_to_be_unwound(
    scheduler: Scheduler,
) -> None:
    began = []

    def body() -> None:
        began.append(scheduler.thread)

    scheduler.run([body, body, body])
    assert began == [0, 1, 2]
    began.clear()
    with pytest.raises(Diverged):
        scheduler.run([body, body, body], {1: 0})
    assert began == [0]
    assert_usable(scheduler)


@pytest.mark.parametrize(
    "step, thread, programs, schedule",
    [
        pytest.param(0, 7, ("", ""), {}, id="does not exist"),
        pytest.param(2, 7, (".", "."), {1: 1}, id="does not exist, in the middle"),
        pytest.param(1, 7, (".",), {}, id="does not exist, no choice"),
        pytest.param(1, 0, ("", "..", ""), {}, id="has ended"),
        pytest.param(4, 1, ("a..A", "aA"), {2: 1}, id="waits for a lock"),
    ],
)
def test_a_schedule_with_a_thread_that_cannot_make_the_step_diverges(
    scheduler: Scheduler,
    step: int,
    thread: int,
    programs: tuple[str, ...],
    schedule: Schedule,
) -> None:
    ended = []

    def unwound(body: Body) -> Body:
        def run() -> None:
            begun.append(scheduler.thread)
            try:
                body()
            finally:
                ended.append(scheduler.thread)

        return run

    begun: list[int | None] = []
    bodies = [unwound(body) for body in in_letters(scheduler, *programs)]
    assert scheduler.run(bodies, schedule).deadlock is None
    assert set(begun) == set(range(len(programs)))
    begun.clear()
    ended.clear()
    with pytest.raises(Diverged, match=f"thread {thread} cannot make step {step}"):
        scheduler.run(bodies, {**schedule, step: thread})
    assert sorted(map(str, ended)) == sorted(map(str, begun))
    assert len(scheduler.run_now.steps) >= step
    assert scheduler.run_now.deadlock is None
    assert_usable(scheduler)


@pytest.mark.parametrize("programs", [(".",), (".", ".")])
def test_a_schedule_for_steps_that_the_run_does_not_come_to_diverges(
    scheduler: Scheduler, programs: tuple[str, ...]
) -> None:
    bodies = in_letters(scheduler, *programs)
    steps = 2 * len(programs)
    scheduler.run(bodies, {steps - 1: len(programs) - 1})
    with pytest.raises(Diverged, match=f"the run ends before step {steps}"):
        scheduler.run(bodies, {steps: 0})
    assert_usable(scheduler)


@pytest.mark.parametrize("caught", [Endless, Exception])
def test_a_loop_of_steps_without_an_end_is_given_up(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, caught: type[Exception]
) -> None:
    """Whatever the code under test catches."""
    monkeypatch.setattr(module, "STEPS_MAX", 50)
    waits = False

    def loops() -> None:
        while True:
            with contextlib.suppress(caught):
                scheduler.step("step")

    def has_begun() -> None:
        nonlocal waits
        waits = True
        try:
            scheduler.step("step")
        finally:
            waits = False

    with pytest.raises(Endless, match="more than 50 steps"):
        scheduler.run([has_begun, loops], {1: 1})
    assert not waits
    assert len(scheduler.run_now.steps) == 50
    assert scheduler.run_now.deadlock is None
    monkeypatch.undo()
    assert_usable(scheduler)


# The watchdog


def test_a_wait_that_the_scheduler_does_not_own_is_given_up(
    impatient: Scheduler,
) -> None:
    plain = threading.Lock()
    plain.acquire()
    left: list[threading.Thread] = []
    log = []

    def holds() -> None:
        left.append(threading.current_thread())
        try:
            impatient.step("step")
            log.append("never")
        finally:
            log.append("unwound")

    def is_stuck() -> None:
        left.append(threading.current_thread())
        assert plain.acquire(timeout=TIMEOUT_SECONDS)
        plain.release()
        log.append("woken up")

    begun = time.monotonic()
    with pytest.raises(Hung) as hung:
        impatient.run([holds, is_stuck], {1: 1})
    assert HANG_SECONDS <= time.monotonic() - begun < 5 * HANG_SECONDS
    first, second = str(hung.value).split("thread 1:")
    assert "thread 0:" in first
    assert "in holds" in first
    assert "in is_stuck" in second
    assert "plain.acquire(timeout=TIMEOUT_SECONDS)" in second
    waited, stuck = left
    waited.join(TIMEOUT_SECONDS)
    assert not waited.is_alive()
    assert log == ["unwound"]
    assert_usable(impatient)
    plain.release()
    stuck.join(TIMEOUT_SECONDS)
    assert not stuck.is_alive()
    assert log == ["unwound", "woken up"]
    assert_usable(impatient)


def test_a_loop_without_an_end_is_given_up(impatient: Scheduler) -> None:
    stop = threading.Event()
    left: list[threading.Thread] = []

    def loops() -> None:
        left.append(threading.current_thread())
        end = time.monotonic() + TIMEOUT_SECONDS
        while not stop.is_set() and time.monotonic() < end:
            pass

    with pytest.raises(Hung, match="in loops"):
        impatient.run([loops])
    assert impatient.thread is None
    assert impatient.step("between runs") is None
    assert_usable(impatient)
    stop.set()
    left[0].join(TIMEOUT_SECONDS)
    assert not left[0].is_alive()
    assert_usable(impatient)


def test_a_run_that_takes_long_is_not_given_up_while_there_are_steps(
    impatient: Scheduler,
) -> None:
    never = threading.Event()

    def slow() -> None:
        for _ in range(6):
            never.wait(HANG_SECONDS / 4)
            impatient.step("step")

    assert order(impatient.run([slow])) == "0" * 7


@pytest.mark.parametrize("then", ["steps", "takes a lock", "raises"])
def test_a_thread_that_was_left_behind_disturbs_no_later_run(
    impatient: Scheduler, then: str
) -> None:
    wake = threading.Event()
    left: list[threading.Thread] = []
    lock = impatient.new_lock()

    def is_stuck() -> None:
        left.append(threading.current_thread())
        assert wake.wait(TIMEOUT_SECONDS)
        if then == "steps":
            impatient.step("late")
        elif then == "takes a lock":
            lock.acquire()
        else:
            raise ValueError("late")

    def wakes() -> None:
        impatient.step("one")
        wake.set()
        left[0].join(TIMEOUT_SECONDS)
        assert not left[0].is_alive()
        impatient.step("two")

    with pytest.raises(Hung, match="in is_stuck"):
        impatient.run([is_stuck])
    run = impatient.run([wakes, *in_letters(impatient, ".")])
    assert order(run) == "00011"
    assert [step.what for step in run.steps] == ["start", "one", "two", "start", "step"]
    assert not lock.locked
