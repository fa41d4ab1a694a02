"""The watchdog: a thread that does not come to its next step."""

from __future__ import annotations

import threading
import time

import pytest

from tests.concurrency.letters import (
    HANG_SECONDS,
    TIMEOUT_SECONDS,
    assert_usable,
    in_letters,
    order,
)
from tests.concurrency.scheduler import (
    Hung,
    Scheduler,
)


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


def test_a_thread_that_does_not_wake_up_is_given_up(
    impatient: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has been handed the baton, and has not taken it."""
    with monkeypatch.context() as asleep:
        asleep.setattr(threading.Thread, "start", lambda thread: None)
        with pytest.raises(Hung):
            impatient.run(in_letters(impatient, "."))
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
