"""Workers: one wakes for each item that is due, and no error ends them."""

from __future__ import annotations

import atexit
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.background.work import (
    TIMEOUT_SECONDS,
    Gate,
    Watched,
    Work,
    new_queue,
    started,
)
from tests.ledgers import SECOND, BoundedLock
from wallet_app.domain.errors.webhook_errors import ThreadsExhausted
from wallet_app.services.background import THREADS_MAX, Background
from wallet_app.services.work_queue import Signal

NAP_SECONDS = "wallet_app.services.work_queue.NAP_SECONDS"


@pytest.fixture
def long_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a test time out before a worker wakes by itself."""
    monkeypatch.setattr(NAP_SECONDS, 60)


@pytest.mark.usefixtures("long_naps")
def test_an_item_is_run_at_once_by_a_worker_that_waits(background: Background) -> None:
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    with started(background, work):
        work.put("item")
        assert done.wait(TIMEOUT_SECONDS)


@pytest.mark.usefixtures("long_naps")
def test_as_many_workers_wake_as_there_are_items(background: Background) -> None:
    gate = Gate()
    queues = [Work(background, f"work {n}", workers=2) for n in range(3)]
    with started(background, *queues):
        for n, work in enumerate(queues):
            work.do = gate
            work.put((n, "one"), (n, "other"))
        came = {gate.next() for _ in range(6)}  # each while the others are held up
        gate.opened.set()
    assert came == {(n, which) for n in range(3) for which in ("one", "other")}


@pytest.mark.usefixtures("long_naps")
def test_an_item_that_is_put_just_before_a_nap_ends_it(background: Background) -> None:
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    first = itertools.count()

    class Interrupted(Signal):
        def wait(self, seconds: float) -> bool:
            if next(first) == 0:  # the worker has found nothing, and is about to wait
                work.put("item")
            return super().wait(seconds)

    work.signal = Interrupted()
    with started(background):
        assert done.wait(TIMEOUT_SECONDS)


@pytest.mark.usefixtures("long_naps")
def test_a_worker_that_takes_one_of_two_items_wakes_another_for_the_second(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, gate = Work(background, "work", workers=2), Gate()
    work.do = gate
    with started(background, work):
        with monkeypatch.context() as patched:
            patched.setattr(work.signal, "set", lambda: None)
            work.put("one", "other")
        work.signal.set()  # once for both
        assert {gate.next(), gate.next()} == {"one", "other"}
        gate.opened.set()
    assert work.errors == [], "one waited until the other had ended"


@pytest.mark.usefixtures("long_naps")
def test_a_nap_ends_when_something_is_due() -> None:
    background = Background(time.time_ns, time.monotonic_ns, BoundedLock)
    work, done = Work(background, "work"), threading.Event()
    work.do = lambda item: done.set()
    with started(background, work):
        work.put("item", wait=SECOND // 20)
        assert done.wait(TIMEOUT_SECONDS)


def test_a_queue_has_as_many_workers_as_it_asks_for_and_no_more(
    background: Background,
) -> None:
    gate, other_came = Gate(), Gate()
    work, other = Work(background, "work", workers=2), Work(background, "other")
    running: list[int] = []

    def do(item: Any) -> None:
        running.append(work.running)
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
    assert max(running) == 2
    assert sorted(work.done) == list(range(6))


def test_a_queue_that_is_added_later_has_workers_and_a_removed_one_has_none(
    background: Background,
) -> None:
    with started(background):
        before = threading.active_count()
        work, done, idle = Work(background, "work", workers=3), Gate(), Gate()
        work.do, work.idle = done, lambda: idle("idle")
        done.opened.set()
        idle.opened.set()
        threads = list(work.threads)
        work.put("item")
        assert done.next() == "item"
        background.remove(work)
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)
            assert idle.next() == "idle"  # what they kept open is closed
        assert threading.active_count() == before
        assert work.threads == []
        Work(background, "another", THREADS_MAX)


def test_a_worker_that_has_had_nothing_to_do_for_a_while_is_idle(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NAP_SECONDS, 0.01)
    work, idle = Work(background, "work"), threading.Event()
    work.idle = idle.set
    with started(background, work):
        assert idle.wait(TIMEOUT_SECONDS)


@pytest.mark.parametrize("started_before", [0, 1, 2])
def test_queues_without_a_thread_are_refused_and_leave_nothing_behind(
    background: Background, monkeypatch: pytest.MonkeyPatch, started_before: int
) -> None:
    start, left = threading.Thread.start, itertools.count()

    def limited(thread: threading.Thread) -> None:
        if next(left) == started_before:
            raise RuntimeError("can't start new thread")
        start(thread)

    with started(background):
        before = set(threading.enumerate())
        with monkeypatch.context() as patched, pytest.raises(ThreadsExhausted):
            patched.setattr(threading.Thread, "start", limited)
            background.add(*map(new_queue, "abc"))
        for thread in set(threading.enumerate()) - before:
            thread.join(TIMEOUT_SECONDS)
        assert set(threading.enumerate()) == before
        assert background.queues == ()
        background.add(new_queue("all", THREADS_MAX))


class Panic(BaseException):
    """What is no Exception, as an extension in Rust raises it."""


@pytest.mark.parametrize("error", [ValueError, MemoryError, Panic])
def test_no_error_ends_a_worker_or_loses_its_item(
    background: Background,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    monkeypatch.setattr("wallet_app.services.background.PAUSE_SECONDS", 0)
    work, done = Work(background, "work"), threading.Event()

    def do(item: Any) -> None:
        if item == "bad" and not work.errors:
            raise error
        if item == "good":
            done.set()

    work.do, work.note = do, lambda: 0
    with started(background):
        work.put("bad", "good")
        assert done.wait(TIMEOUT_SECONDS)
    assert sorted(work.done) == ["bad", "good"]
    assert [item for item, _ in work.errors] == ["bad"]


# Stops


def test_a_stop_waits_for_what_runs_and_starts_nothing_more(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    work, gate = Work(background, "work"), Gate()
    work.do = gate

    class Opening(Watched):
        def set(self) -> None:
            super().set()
            if not background.health().is_running:
                gate.opened.set()  # so the stop itself lets the item go on

    with started(background):
        work.put("runs", "waits")
        gate.next()
        work.signal = Opening()
        background.stop(TIMEOUT_SECONDS)
        assert caplog.messages == ["Left undone at the stop: work: 1 queued, 0 running"]
        assert work.threads == []
        assert not background.health().is_running
    assert work.done == ["runs"]


def test_a_stop_waits_no_longer_than_it_may_and_reports_what_is_left_undone_once(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    work, other, gate = Work(background, "work"), Work(background, "other"), Gate()
    work.do = gate
    with started(background):
        work.put("hangs")
        other.put("later", wait=SECOND)
        gate.next()
        for _ in range(2):
            background.stop(seconds=0)
        assert work.done == []
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert record.getMessage() == (
            "Left undone at the stop: work: 0 queued, 1 running; "
            "other: 1 queued, 0 running"
        )
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
