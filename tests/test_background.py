"""The background: what is due is done in order, and nothing keeps another waiting."""

from __future__ import annotations

import atexit
import importlib
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from tests.allocations import needs_failing_allocations
from tests.ledgers import SECOND, START, BoundedLock, Clock
from wallet_app.domain.errors.webhook_errors import ThreadsExhausted
from wallet_app.services.background import (
    BUG_SECONDS,
    THREADS_MAX,
    Background,
    Health,
    Lane,
    Signal,
)
from wallet_app.store import ThreadLock

MODULE = "wallet_app.services.background"
TIMEOUT_SECONDS = 10
LONG_NAP_SECONDS = 60
"""So long that a test fails before anybody wakes by himself."""


class Work:
    """A lane that notes what was done, and does as it is told with each item."""

    def __init__(self, background: Background, name: str, places: int = 1) -> None:
        self.done: list[Any] = []
        self.failed: list[tuple[Any, BaseException]] = []
        self.do: Callable[[Any], int | None] = lambda item: None
        self.note: Callable[[], int | None] = lambda: None
        self.lane: Lane[Any] = Lane(name, places, self._run, self._failed)
        self._background = background
        background.add(self.lane)

    def put(self, *items: Any, wait: int = 0) -> None:
        for item in items:
            self._background.put(self.lane, wait, item)

    def _run(self, item: Any) -> int | None:
        due = self.do(item)
        self.done.append(item)
        return due

    def _failed(self, item: Any, error: BaseException) -> int | None:
        self.failed.append((item, error))
        return self.note()


class News(Signal):
    """Where the threads of a lane wait; it reports who has begun to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)

    def wait(self, seconds: float) -> bool:
        self.begun.release()
        return super().wait(seconds)


@contextmanager
def started(background: Background, *lanes: Lane[Any]) -> Iterator[None]:
    """Let threads work, and end them whatever comes. Begin when every thread of the
    lanes waits."""
    threads = threading.active_count()
    news = [News() for _ in lanes]
    for lane, each in zip(lanes, news, strict=True):
        lane.news = each
    background.start()
    try:
        for lane, each in zip(lanes, news, strict=True):
            for _ in range(lane.places):
                assert each.begun.acquire(timeout=TIMEOUT_SECONDS)
        yield
    finally:
        background.stop(TIMEOUT_SECONDS)
        assert threading.active_count() == threads


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def background(clock: Clock) -> Background:
    return Background(clock, clock, BoundedLock)


def test_what_has_been_due_longest_is_done_first(background: Background) -> None:
    work = Work(background, "work")
    for ago in (3, 1, 4, 0, 2):
        work.put(ago, wait=-ago)
    assert background.run_due() == 5
    assert work.done == [4, 3, 2, 1, 0]


def test_of_those_that_are_due_at_the_same_time_the_first_is_first(
    background: Background,
) -> None:
    done: list[str] = []
    one, other = Work(background, "one"), Work(background, "other")
    one.do = other.do = done.append
    other.put("a")
    one.put("b", "c")
    other.put("d", "e")
    one.put("f")
    background.run_due()
    assert done == ["a", "b", "c", "d", "e", "f"]


def test_nothing_is_done_before_it_is_due(background: Background, clock: Clock) -> None:
    work = Work(background, "work")
    work.put("soon", wait=SECOND)
    work.put("later", wait=2 * SECOND)
    clock.now += SECOND - 1
    assert (background.run_due(), work.done) == (0, [])
    clock.now += 1
    assert (background.run_due(), work.done) == (1, ["soon"])
    clock.now += SECOND
    assert (background.run_due(), work.done) == (1, ["soon", "later"])
    clock.now += SECOND
    assert background.run_due() == 0


def test_items_need_not_be_comparable(background: Background) -> None:
    work = Work(background, "work")
    work.put(object(), {}, None)
    assert background.run_due() == 3


@pytest.mark.parametrize("places", [1, 3])
def test_a_full_lane_waits_and_keeps_no_other_waiting(
    background: Background, places: int
) -> None:
    full, other = Work(background, "full", places), Work(background, "other")
    depths: list[int] = []

    def do(item: Any) -> None:
        depths.append(full.lane.running)
        background.run_due()  # as another thread would, meanwhile
        if len(depths) == places:
            assert (full.done, other.done) == ([], ["other"])

    full.do = do
    full.put(*range(places + 2))
    other.put("other")
    background.run_due()
    assert max(depths) == places
    assert sorted(full.done) == list(range(places + 2))


def test_what_says_when_it_is_due_again_is_done_again_then(
    background: Background, clock: Clock
) -> None:
    work = Work(background, "work")
    waits = iter([5 * SECOND, 2 * SECOND, None])
    work.do = lambda item: next(waits)
    work.put("item")
    for now, times in ((0, 1), (4, 1), (5, 2), (6, 2), (7, 3), (1_000, 3)):
        clock.now = START + now * SECOND
        background.run_due()
        assert len(work.done) == times
    assert background.health().queued == 0


def test_what_is_due_again_is_behind_what_waited_for_that_time_already(
    background: Background, clock: Clock
) -> None:
    work = Work(background, "work")
    work.do = lambda item: SECOND if clock.now == START else None
    work.put("again")
    work.put("waits", wait=SECOND)
    background.run_due()
    clock.now += SECOND
    background.run_due()
    assert work.done == ["again", "waits", "again"]


def bug(item: Any) -> None:
    raise ValueError("the secret of a client")


def test_an_unexpected_error_is_told_by_its_type_alone_and_the_lane_goes_on(
    background: Background, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(background, "work")
    assert background.health().last_error is None
    work.do = lambda item: bug(item) if item == "bad" else None
    work.put("bad", "good")
    clock.now += SECOND
    background.run_due()
    assert work.done == ["good"]
    item, error = work.failed[0]
    assert (item, type(error), len(work.failed)) == ("bad", ValueError, 1)
    assert background.health() == Health(
        is_running=False,
        queued=0,
        running=0,
        oldest_due_at=None,
        last_error="work: ValueError",
        last_error_at=clock.now,
    )
    (record,) = caplog.records
    assert record.levelname == "ERROR" and record.exc_info is not None
    assert record.getMessage() == "A job of work met a bug"


def test_what_met_a_bug_is_done_again_when_its_lane_says_so(
    background: Background, clock: Clock
) -> None:
    work = Work(background, "work")
    work.do, work.note = bug, lambda: 5 * SECOND
    work.put("item")
    background.run_due()
    work.do = lambda item: None
    clock.now += 5 * SECOND - 1
    assert background.run_due() == 0
    clock.now += 1
    assert (background.run_due(), work.done) == (1, ["item"])


def test_an_item_whose_bug_cannot_even_be_noted_is_not_lost(
    background: Background, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(background, "work")
    work.do, work.note = bug, lambda: 1 // 0
    work.put("item")
    assert background.run_due() == 1
    assert background.health().last_error == "work: ValueError"
    assert background.health().oldest_due_at == START + BUG_SECONDS * SECOND
    assert caplog.messages[1] == "A job of work could not note it"
    work.do = lambda item: None
    clock.now += BUG_SECONDS * SECOND
    assert (background.run_due(), work.done) == (1, ["item"])


def test_what_was_queued_in_a_removed_lane_is_not_done(
    background: Background, clock: Clock
) -> None:
    removed, other = Work(background, "removed"), Work(background, "other")
    removed.do = lambda item: background.remove(removed.lane)
    removed.put("first", "second")
    removed.put("later", wait=SECOND)
    other.put("other")
    background.run_due()
    clock.now += SECOND
    background.run_due()
    assert (removed.done, other.done) == (["first"], ["other"])
    assert background.health().queued == 0


def test_what_runs_while_its_lane_is_removed_is_not_done_again(
    background: Background,
) -> None:
    removed = Work(background, "removed")

    def do(item: Any) -> int:
        background.remove(removed.lane)
        return 0

    removed.do = do
    removed.put("item")
    assert background.run_due() == 1
    assert background.health().oldest_due_at is None


def test_a_removed_lane_counts_until_what_runs_there_has_ended(
    background: Background,
) -> None:
    seen: list[bool] = []

    def run(item: str) -> None:
        background.remove(lane)
        with pytest.raises(ThreadsExhausted):
            background.add(other)
        seen.append(True)

    lane: Lane[str] = Lane("all", THREADS_MAX, run, lambda item, error: None)
    other: Lane[str] = Lane("other", 1, run, lambda item, error: None)
    background.add(lane)
    background.put(lane, 0, "item")
    background.run_due()
    assert seen == [True]
    background.add(other)


def test_lanes_are_added_all_or_none(background: Background) -> None:
    Work(background, "one", THREADS_MAX - 1)
    lanes: list[Lane[Any]] = [
        Lane(name, 1, print, lambda item, error: None) for name in ("a", "b")
    ]
    with pytest.raises(ThreadsExhausted):
        background.add(*lanes)
    background.add(lanes[0])


def test_of_what_is_appended_nothing_is_due_before_what_came_earlier(
    background: Background, clock: Clock
) -> None:
    work = Work(background, "work")
    waits = [background.append(work.lane, wait * SECOND, wait) for wait in (3, 1, 4, 2)]
    assert waits == [3 * SECOND, 3 * SECOND, 4 * SECOND, 4 * SECOND]
    clock.now += 4 * SECOND
    background.run_due()
    assert work.done == [3, 1, 4, 2]


@pytest.mark.parametrize("step", [-3_600, 86_400])
def test_no_step_of_the_wall_clock_moves_what_is_due(step: int) -> None:
    wall, monotonic = Clock(), Clock(5 * SECOND)
    background = Background(wall, monotonic, BoundedLock)
    work = Work(background, "work")
    work.do = lambda item: 10 * SECOND if len(work.done) == 0 else None
    work.put("item", wait=10 * SECOND)
    assert background.health().oldest_due_at == START + 10 * SECOND
    for times in (1, 2):
        wall.now += step * SECOND
        monotonic.now += 10 * SECOND - 1
        assert background.run_due() == 0
        monotonic.now += 1
        assert (background.run_due(), len(work.done)) == (1, times)


def test_the_health_tells_what_waits_and_what_runs(
    background: Background, clock: Clock
) -> None:
    assert background.health() == Health(False, 0, 0, None, None, None)
    one, other = Work(background, "one"), Work(background, "other")
    one.put("now")
    one.put("soon", wait=SECOND)
    other.put("later", wait=2 * SECOND)
    assert background.health() == Health(False, 3, 0, START, None, None)
    during: list[Health] = []
    one.do = lambda item: during.append(background.health())
    background.run_due()
    assert during == [Health(False, 2, 1, START + SECOND, None, None)]
    assert background.health() == Health(False, 2, 0, START + SECOND, None, None)


# With threads


class Gate:
    """Where items wait until the test lets them go on."""

    def __init__(self) -> None:
        self.came: queue.Queue[Any] = queue.Queue()
        self.opened = threading.Event()

    def __call__(self, item: Any) -> None:
        self.came.put(item)
        assert self.opened.wait(TIMEOUT_SECONDS)

    def next(self) -> Any:
        return self.came.get(timeout=TIMEOUT_SECONDS)


def test_what_is_put_is_taken_at_once_by_a_thread_that_waits(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", LONG_NAP_SECONDS)
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    with started(background, work.lane):
        work.put("item")
        assert done.wait(TIMEOUT_SECONDS)


def test_as_many_threads_wake_as_there_is_something_for(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", LONG_NAP_SECONDS)
    gate = Gate()
    lanes = [Work(background, f"work {n}", places=2) for n in range(3)]
    with started(background, *[work.lane for work in lanes]):
        for n, work in enumerate(lanes):
            work.do = gate
            work.put((n, "one"), (n, "other"))
        came = {gate.next() for _ in range(6)}  # each while the others are held up
        gate.opened.set()
    assert came == {(n, which) for n in range(3) for which in ("one", "other")}


def test_what_is_put_just_before_a_nap_is_not_slept_over(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", LONG_NAP_SECONDS)
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    first = itertools.count()

    class Interrupted(Signal):
        def wait(self, seconds: float) -> bool:
            if next(first) == 0:  # the thread has found nothing, and is about to wait
                work.put("item")
            return super().wait(seconds)

    work.lane.news = Interrupted()
    with started(background):
        assert done.wait(TIMEOUT_SECONDS)


def test_a_thread_that_takes_one_of_two_wakes_another_for_the_second(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", LONG_NAP_SECONDS)
    work, gate = Work(background, "work", places=2), Gate()
    work.do = gate

    with started(background, work.lane):
        with background._lock:  # so that nobody takes the first before the second
            background._push(work.lane, START, "one")
            background._push(work.lane, START, "other")
        work.lane.news.set()
        assert {gate.next(), gate.next()} == {"one", "other"}
        gate.opened.set()
    assert work.failed == [], "one waited until the other had ended"


def test_a_nap_ends_when_something_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", LONG_NAP_SECONDS)
    background = Background(time.time_ns, time.monotonic_ns, BoundedLock)
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    with started(background, work.lane):
        work.put("item", wait=SECOND // 20)
        assert done.wait(TIMEOUT_SECONDS)


def test_threads_fill_the_places_of_a_lane_and_no_more(background: Background) -> None:
    gate, other_came = Gate(), Gate()
    work, other = Work(background, "work", places=2), Work(background, "other")
    most, lock = 0, threading.Lock()

    def do(item: Any) -> None:
        nonlocal most
        with lock:
            most = max(most, work.lane.running)
        gate(item)

    work.do, other.do = do, other_came
    other_came.opened.set()
    with started(background):
        work.put(*range(6))
        assert {gate.next(), gate.next()} == {0, 1}
        other.put("other")
        assert other_came.next() == "other"  # though four have been due longer
        assert gate.came.empty()
        health = background.health()
        assert (health.is_running, health.running, health.queued) == (True, 2, 4)
        gate.opened.set()
        assert {gate.next() for _ in range(4)} == {2, 3, 4, 5}
    assert most == 2
    assert sorted(work.done) == list(range(6))


def test_a_lane_that_is_added_later_has_threads_and_a_removed_one_has_none(
    background: Background,
) -> None:
    with started(background):
        before = threading.active_count()
        work, done, idle = Work(background, "work", places=3), Gate(), Gate()
        work.do = done
        done.opened.set()
        idle.opened.set()
        work.lane.idle = lambda: idle("idle")
        threads = list(work.lane.threads)
        work.put("item")
        assert done.next() == "item"
        background.remove(work.lane)
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)
            assert idle.next() == "idle"  # what they kept open is closed
        assert threading.active_count() == before
        assert work.lane.threads == []
        Work(background, "another", THREADS_MAX)


def test_a_thread_that_has_nothing_to_do_for_a_while_says_so(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", 0.01)
    work, idle = Work(background, "work"), threading.Event()
    work.lane.idle = idle.set
    with started(background, work.lane):
        assert idle.wait(TIMEOUT_SECONDS)


@pytest.mark.parametrize("started_before", [0, 1, 2])
def test_lanes_without_a_thread_are_refused_and_leave_nothing_behind(
    background: Background, monkeypatch: pytest.MonkeyPatch, started_before: int
) -> None:
    start, left = threading.Thread.start, itertools.count()

    def limited(thread: threading.Thread) -> None:
        if next(left) == started_before:
            raise RuntimeError("can't start new thread")
        start(thread)

    with started(background):
        before = set(threading.enumerate())
        lanes: list[Lane[Any]] = [
            Lane(name, 1, print, lambda item, error: None) for name in "abc"
        ]
        with monkeypatch.context() as patched, pytest.raises(ThreadsExhausted):
            patched.setattr(threading.Thread, "start", limited)
            background.add(*lanes)
        for thread in set(threading.enumerate()) - before:
            thread.join(TIMEOUT_SECONDS)
        assert set(threading.enumerate()) == before
        assert background._lanes == {}
        background.add(Lane("all", THREADS_MAX, print, lambda item, error: None))


class Panic(BaseException):
    """What is no Exception, as an extension in Rust raises it."""


@pytest.mark.parametrize("error", [ValueError, MemoryError, Panic])
def test_a_thread_outlives_any_error_and_its_item_is_not_lost(
    background: Background,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    monkeypatch.setattr(f"{MODULE}.PAUSE_SECONDS", 0)
    work, done = Work(background, "work"), threading.Event()

    def do(item: Any) -> None:
        if item == "bad" and not work.failed:
            raise error
        if item == "good":
            done.set()

    work.do, work.note = do, lambda: 0
    with started(background):
        work.put("bad", "good")
        assert done.wait(TIMEOUT_SECONDS)
    assert work.done == ["good", "bad"] or work.done == ["bad", "good"]
    assert [item for item, _ in work.failed] == ["bad"]


# SpendingCounters

ALLOCATIONS_MAX = 150
TESTCAPI = "_testcapi"


@needs_failing_allocations
def test_no_item_is_lost_when_any_single_allocation_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{MODULE}.PAUSE_SECONDS", 0)
    logging.disable(logging.CRITICAL)
    try:
        failed = sum(map(failing_allocation, range(ALLOCATIONS_MAX)))
    finally:
        logging.disable(logging.NOTSET)
    assert failed > 5


def failing_allocation(n: int) -> int:
    """Run and put while an allocation fails; return how often that was reported."""
    testcapi: Any = importlib.import_module(TESTCAPI)
    lock, clock, reported = ThreadLock(), Clock(), 0
    background = Background(clock, clock, lambda: lock)
    work = Work(background, "work")
    work.do = lambda item: SECOND  # it is due again, always
    work.note = lambda: SECOND
    work.put("first")
    for act in (background.run_due, partial(work.put, "second")):
        testcapi.set_nomemory(n, n + 1)
        try:
            act()
        except MemoryError:
            reported += 1
        finally:
            testcapi.remove_mem_hooks()
    assert not lock.locked()
    assert work.lane.running == 0
    assert "first" in {item for _, _, item in work.lane.queue}
    return reported


# Stops


def test_a_stop_waits_for_what_runs_and_takes_nothing_more(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    work, gate = Work(background, "work"), Gate()
    work.do = gate
    with started(background, work.lane):

        class Opening(News):
            def set(self) -> None:
                super().set()
                if background._stopping:
                    gate.opened.set()  # so it is let go on by the stop

        work.lane.news.__class__ = Opening
        work.put("runs", "waits")
        gate.next()
        background.stop(TIMEOUT_SECONDS)
        assert work.done == ["runs"]
        assert caplog.messages == ["Left undone at the stop: work: 1 queued, 0 running"]
        assert work.lane.threads == []
        assert not background.health().is_running
    assert work.done == ["runs"]


def test_a_stop_waits_no_longer_than_it_may_and_reports_what_is_left_undone_once(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    work, other = Work(background, "work"), Work(background, "other")
    work.do = gate
    with started(background):
        work.put("hangs")
        other.put("later", wait=SECOND)
        gate.next()
        for _ in range(2):
            background.stop(seconds=0)
        assert work.done == []
        assert caplog.messages == [
            "Left undone at the stop: work: 0 queued, 1 running; "
            "other: 1 queued, 0 running"
        ]
        assert caplog.records[0].levelno == logging.WARNING
        gate.opened.set()
    assert work.done == ["hangs"]


def test_start_and_stop_leave_nothing_behind_and_nothing_to_report(
    background: Background,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(atexit, "unregister", lambda stop: at_exit.clear())
    threads = threading.active_count()
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    background.start()
    assert at_exit == [background.stop]
    work.put("item")
    assert done.wait(TIMEOUT_SECONDS)
    for _ in range(2):
        background.stop(TIMEOUT_SECONDS)
        assert (threading.active_count(), at_exit) == (threads, [])
    assert caplog.messages == []


def test_a_stop_without_a_start_only_reports_what_is_left(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    Work(background, "work").put("item")
    background.stop()
    assert caplog.messages == ["Left undone at the stop: work: 1 queued, 0 running"]
