"""A deadlock: the report says who waits where, and for whom."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType

from tests.concurrency.letters import (
    UNLIMITED,
    assert_usable,
    explored,
    in_letters,
    order,
)
from tests.concurrency.scheduler import (
    Scheduler,
)


def at(function: Callable[..., object], code: str) -> str:
    """Return where in a function of this file some code stands."""
    assert isinstance(function, FunctionType)
    lines, first = inspect.getsourcelines(function)
    (line,) = [number for number, line in enumerate(lines, first) if code in line]
    return f"{Path(__file__).name}:{line} in {function.__name__}"


def test_a_deadlock_says_who_waits_where_and_for_whom(scheduler: Scheduler) -> None:
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


def test_a_thread_that_waits_for_itself_is_reported_with_its_callers(
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


def test_a_lock_that_a_context_manager_takes_is_reported_where_that_is_entered(
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


def test_a_lock_of_a_thread_that_has_ended_is_reported(scheduler: Scheduler) -> None:
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


def test_a_lock_that_an_earlier_run_has_leaked_is_reported(
    scheduler: Scheduler,
) -> None:
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


def test_a_lock_that_was_taken_before_the_run_is_reported(scheduler: Scheduler) -> None:
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
