"""Any object is explored: what is wrong with it is found, and what is right holds."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.concurrency.explorer import (
    DEADLOCK,
    UNEXPLAINED,
    Call,
    Calls,
    Explored,
    History,
    Raised,
    explore,
)
from tests.concurrency.lanes import lanes

EXAMPLES = Path(__file__).parent / "subjects"
ADDS: list[Calls] = [[Call("add", 1)], [Call("add", 1)]]
READ = [Call("read")]


def explore_counter(threads: list[Calls] = ADDS, **how: Any) -> Explored:
    path = EXAMPLES / "counter.py"
    return explore(path, lambda module: module.Counter(), threads, final=READ, **how)


def explore_text(folder: Path, text: str, threads: list[Calls], **how: Any) -> Explored:
    path = folder / "subject.py"
    path.write_text(textwrap.dedent(text))
    return explore(path, lambda module: module.Subject(), threads, **how)


def test_a_counter_without_a_lock_loses_a_number() -> None:
    failure = explore_counter().failure
    assert failure is not None and failure.wrong == UNEXPLAINED
    assert failure.history.final == [1]


def test_a_lost_number_is_found_with_one_preemption_and_with_none_it_is_not() -> None:
    assert explore_counter(preemptions=0).held
    failure = explore_counter(preemptions=1).failure
    assert failure is not None and len(failure.preempted) == 1


def test_a_queue_that_looks_only_once_takes_what_is_not_there() -> None:
    found = explore(
        EXAMPLES / "bounded_queue.py",
        lambda module: module.BoundedQueue(1),
        [[Call("take")], [Call("take")], [Call("put", "a"), Call("put", "b")]],
    ).failure
    assert found is not None
    answers = [made.answer for made in found.history.made]
    assert Raised("IndexError", "pop from empty list") in answers


def test_a_cache_that_asks_before_it_locks_finds_nothing_there() -> None:
    def filled(module: Any) -> Any:
        cache = module.ExpiringCache(60)
        cache.put("a", 1)
        return cache

    calls: list[Calls] = [[Call("get", "a")], [Call("pass_time", 60)]]
    found = explore(EXAMPLES / "expiring_cache.py", filled, calls).failure
    assert found is not None
    assert Raised("KeyError", "'a'") in [made.answer for made in found.history.made]


LOCKED = """
    import threading

    class Subject:
        def __init__(self):
            self.value, self.lock = 0, threading.Lock()

        def add(self, number):
            with self.lock:
                self.value += number
                return self.value

        def read(self):
            with self.lock:
                return self.value
"""


def test_what_is_locked_holds_and_each_order_of_the_lock_is_tried(
    tmp_path: Path,
) -> None:
    explored = explore_text(tmp_path, LOCKED, ADDS, final=READ)
    assert explored.held and explored.schedules > 1


def test_calls_that_came_one_after_the_other_keep_that_order(tmp_path: Path) -> None:
    """The second read of one thread comes after the first, and may not be older."""
    stale = """
        class Subject:
            def __init__(self):
                self.value = self.copy = 0

            def set(self, value):
                self.value = value
                self.copy = value

            def read(self, copied):
                return self.copy if copied else self.value
    """
    threads: list[Calls] = [[Call("set", 5)], [Call("read", False), Call("read", True)]]
    failure = explore_text(tmp_path, stale, threads).failure
    assert failure is not None
    reads = [made.answer for made in failure.history.made if made.thread == 1]
    assert reads == [5, 0]


def test_a_deadlock_is_found(tmp_path: Path) -> None:
    crossing = """
        import threading

        class Subject:
            def __init__(self):
                self.locks = [threading.Lock(), threading.Lock()]

            def use(self, first, second):
                with self.locks[first], self.locks[second]:
                    pass
    """
    threads: list[Calls] = [[Call("use", 0, 1)], [Call("use", 1, 0)]]
    failure = explore_text(tmp_path, crossing, threads).failure
    assert failure is not None and failure.wrong == DEADLOCK
    assert failure.deadlock is not None and len(failure.deadlock.waiters) == 2


def test_a_lost_wake_up_is_a_deadlock(tmp_path: Path) -> None:
    lost = """
        import threading

        class Subject:
            def __init__(self):
                self.ready, self.changed = False, threading.Condition()

            def wait(self):
                if not self.ready:
                    with self.changed:
                        self.changed.wait()

            def open(self):
                self.ready = True
                with self.changed:
                    self.changed.notify()
    """
    failure = explore_text(tmp_path, lost, [[Call("wait")], [Call("open")]]).failure
    assert failure is not None and failure.deadlock is not None
    assert "waits for a notify" in str(failure.deadlock)


def test_a_check_of_ones_own_takes_the_place_of_the_orders() -> None:
    def never_two(history: History) -> str | None:
        return "there are two" if history.final == [2] else None

    failure = explore_counter(check=never_two).failure
    assert failure is not None and failure.wrong == "there are two"


def test_an_exploration_that_is_cut_short_has_not_held() -> None:
    path = EXAMPLES / "counter.py"
    reads: list[Calls] = [READ, READ]
    whole = explore(path, lambda module: module.Counter(), reads)
    assert whole.held
    assert not Explored(whole.schedules, False, None).held


def test_the_trace_has_the_lines_of_the_subject() -> None:
    failure = explore_counter(preemptions=1).failure
    assert failure is not None
    trace = lanes(failure, 80).plain
    assert trace.count("self.value += number") == 2
    assert trace.count("self.value = 1") == 2
    assert "here thread 0 is stopped, and thread 1 runs" in trace


@pytest.mark.parametrize("threads", [2, 3])
def test_as_many_threads_as_are_asked_for_call(tmp_path: Path, threads: int) -> None:
    adds: list[Calls] = [[Call("add", 1)]] * threads
    explored = explore_text(tmp_path, LOCKED, adds, final=READ)
    assert explored.held
    assert not explore_counter(adds).held
