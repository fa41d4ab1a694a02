"""The scheduler's locks: one thread at a time is inside."""

from __future__ import annotations

import threading

import pytest

from tests.concurrency.letters import (
    assert_usable,
    explored,
    in_letters,
    order,
)
from tests.concurrency.scheduler import (
    Scheduler,
)


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
