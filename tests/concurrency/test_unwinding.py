"""A run that ends early: each thread is unwound, and the scheduler stays usable."""

from __future__ import annotations

import contextlib

import pytest

from tests.concurrency import scheduler as module
from tests.concurrency.letters import (
    Body,
    assert_usable,
    in_letters,
)
from tests.concurrency.scheduler import (
    Diverged,
    Endless,
    Lock,
    Schedule,
    Scheduler,
)


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
            except BaseException as failure:  # noqa: BLE001, as careless code does
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
