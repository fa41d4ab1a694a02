"""The background: what is due is done in order, and nothing keeps another waiting."""

from __future__ import annotations

import atexit
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.ledgers import SECOND, START, BoundedLock, Clock
from wallet_app.services.background import (
    BUG_SECONDS,
    THREADS,
    Background,
    Health,
    Lane,
)

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

    def put(self, *items: Any, due: int = START) -> None:
        for item in items:
            self._background.put(self.lane, due, item)

    def _run(self, item: Any) -> int | None:
        due = self.do(item)
        self.done.append(item)
        return due

    def _failed(self, item: Any, error: BaseException) -> int | None:
        self.failed.append((item, error))
        return self.note()


class Naps(threading.Condition):
    """Where idle threads wait; it tells who has begun to, and that a stop has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.stopping = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.begun.release()
        return super().wait(timeout)

    def notify_all(self) -> None:
        self.stopping.set()
        super().notify_all()

    def until_all_nap(self) -> None:
        for _ in range(THREADS):
            assert self.begun.acquire(timeout=TIMEOUT_SECONDS)


@contextmanager
def started(background: Background) -> Iterator[Naps]:
    """Let threads work, and end them whatever comes."""
    naps = Naps()
    background._news = naps
    background.start()
    try:
        yield naps
    finally:
        background.stop(TIMEOUT_SECONDS)
        assert not any(thread.is_alive() for thread in background._threads)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def background(clock: Clock) -> Background:
    return Background(clock, BoundedLock)


def test_what_has_been_due_longest_is_done_first(background: Background) -> None:
    work = Work(background, "work")
    for ago in (3, 1, 4, 0, 2):
        work.put(ago, due=START - ago)
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
    work.put("soon", due=START + SECOND)
    work.put("later", due=START + 2 * SECOND)
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
    other.put("other", due=START)
    background.run_due()
    assert max(depths) == places
    assert sorted(full.done) == list(range(places + 2))


def test_what_says_when_it_is_due_again_is_done_again_then(
    background: Background, clock: Clock
) -> None:
    work = Work(background, "work")
    dues = iter([START + 5 * SECOND, START + 7 * SECOND, None])
    work.do = lambda item: next(dues)
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
    work.do = lambda item: START + SECOND if clock.now == START else None
    work.put("again")
    work.put("waits", due=START + SECOND)
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
    work.do, work.note = bug, lambda: START + 5 * SECOND
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
    removed.put("later", due=START + SECOND)
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
        return START

    removed.do = do
    removed.put("item")
    assert background.run_due() == 1
    assert background.health().oldest_due_at is None


def test_a_removed_lane_has_its_place_until_what_runs_there_has_ended(
    background: Background,
) -> None:
    seen: list[bool] = []

    def run(item: str) -> None:
        background.remove(lane)
        seen.append(background.has_place())

    lane: Lane[str] = Lane("all", THREADS, run, lambda item, error: None)
    background.add(lane)
    assert not background.has_place()
    background.put(lane, 0, "item")
    background.run_due()
    assert seen == [False]
    assert background.has_place()


def test_there_are_no_more_places_than_threads(background: Background) -> None:
    Work(background, "one", THREADS - 1)
    Work(background, "other")
    with pytest.raises(AssertionError):
        Work(background, "one too many")


def test_the_health_tells_what_waits_and_what_runs(
    background: Background, clock: Clock
) -> None:
    assert background.health() == Health(False, 0, 0, None, None, None)
    one, other = Work(background, "one"), Work(background, "other")
    one.put("now", due=START)
    one.put("soon", due=START + SECOND)
    other.put("later", due=START + 2 * SECOND)
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


def test_what_is_put_is_taken_up_at_once_by_a_thread_that_naps(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", LONG_NAP_SECONDS)
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    with started(background) as naps:
        naps.until_all_nap()
        work.put("item")
        background.wake()
        assert done.wait(TIMEOUT_SECONDS)


def test_as_many_threads_wake_as_there_is_something_for(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", LONG_NAP_SECONDS)
    gate = Gate()
    lanes = [Work(background, f"work {n}", places=2) for n in range(3)]
    with started(background) as naps:
        naps.until_all_nap()
        for n, work in enumerate(lanes):
            work.do = gate
            work.put((n, "one"), (n, "other"))
        background.wake()
        came = {gate.next() for _ in range(6)}  # each while the others are held up
        gate.opened.set()
    assert came == {(n, which) for n in range(3) for which in ("one", "other")}


def test_what_is_put_just_before_a_nap_is_not_slept_over(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", LONG_NAP_SECONDS)
    monkeypatch.setattr(f"{MODULE}.THREADS", 1)
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    first = itertools.count()

    class Interrupted(threading.Condition):
        def __enter__(self) -> bool:
            if next(first) == 0:  # the thread has found nothing, and is about to nap
                work.put("item")
                background.wake()
            return super().__enter__()

    background._news = Interrupted()
    background.start()
    try:
        assert done.wait(TIMEOUT_SECONDS)
    finally:
        background.stop()


def test_a_nap_ends_when_something_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", LONG_NAP_SECONDS)
    background = Background(time.time_ns, BoundedLock)
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    with started(background) as naps:
        naps.until_all_nap()
        work.put("item", due=time.time_ns() + SECOND // 20)
        background.wake()
        assert done.wait(TIMEOUT_SECONDS)


def test_a_clock_that_is_set_forward_is_seen_after_a_nap(
    background: Background, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.NAP_SECONDS", 0.05)
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    work.put("item", due=START + 3_600 * SECOND)
    with started(background) as naps:
        naps.until_all_nap()
        assert not done.is_set()
        clock.now += 3_600 * SECOND
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
        other.put("other")
        background.wake()
        assert {gate.next(), gate.next()} == {0, 1}
        background.wake()
        assert other_came.next() == "other"  # though four have been due longer
        assert gate.came.empty()
        gate.opened.set()
        assert {gate.next() for _ in range(4)} == {2, 3, 4, 5}
    assert most == 2
    assert sorted(work.done) == list(range(6))


def test_there_is_a_thread_for_every_place(background: Background) -> None:
    gate = Gate()
    lanes = [Work(background, f"work {n}", places=4) for n in range(THREADS // 4)]
    with started(background):
        for work in lanes:
            work.do = gate
            work.put(*range(5))
        for _ in range(THREADS):
            background.wake()
        for _ in range(THREADS):
            gate.next()
        health = background.health()
        assert (health.is_running, health.running) == (True, THREADS)
        assert health.queued == len(lanes)
        gate.opened.set()
        for _ in lanes:
            gate.next()
    assert all(len(work.done) == 5 for work in lanes)


def test_a_thread_outlives_a_bug(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.THREADS", 1)
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: bug(item) if item == "bad" else done.set()
    work.put("bad", "good")
    with started(background):
        background.wake()
        assert done.wait(TIMEOUT_SECONDS)


def test_a_stop_waits_for_what_runs_and_takes_nothing_more(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(background, "work")
    with started(background) as naps:
        gate = Gate()
        gate.opened = naps.stopping  # so it is let go on by the stop
        work.do = gate
        work.put("runs", "waits")
        background.wake()
        gate.next()
        background.stop(TIMEOUT_SECONDS)
        assert work.done == ["runs"]
        assert caplog.messages == ["Left undone at the stop: work: 1 queued, 0 running"]
        assert not any(thread.is_alive() for thread in background._threads)
        assert not background.health().is_running
    assert work.done == ["runs"]


def test_a_stop_waits_no_longer_than_it_may_and_tells_what_is_left_undone(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    work, other = Work(background, "work"), Work(background, "other")
    work.do = gate
    with started(background):
        work.put("hangs")
        other.put("later", due=START + SECOND)
        background.wake()
        gate.next()
        background.stop(seconds=0)
        assert work.done == []
        assert caplog.messages == [
            "Left undone at the stop: work: 0 queued, 1 running; "
            "other: 1 queued, 0 running"
        ]
        assert caplog.records[0].levelno == logging.WARNING
        gate.opened.set()
    assert work.done == ["hangs"]


def test_start_and_stop_leave_nothing_behind_and_nothing_to_say(
    background: Background,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", at_exit.append)
    monkeypatch.setattr(atexit, "unregister", at_exit.remove)
    threads = threading.active_count()
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    background.start()
    assert at_exit == [background.stop]
    work.put("item")
    background.wake()
    assert done.wait(TIMEOUT_SECONDS)
    background.stop(TIMEOUT_SECONDS)
    assert (threading.active_count(), at_exit) == (threads, [])
    assert caplog.messages == []


def test_a_stop_without_a_start_only_tells_what_is_left(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    background.stop()
    assert caplog.messages == []
    Work(background, "work").put("item")
    background.stop()
    assert caplog.messages == ["Left undone at the stop: work: 1 queued, 0 running"]
