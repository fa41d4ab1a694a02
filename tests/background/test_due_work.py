"""What is due is run in order, and nothing delays another queue."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.allocations import in_a_child, needs_failing_allocations, with_failing
from tests.background.work import Work, new_queue
from tests.ledgers import SECOND, START, BoundedLock, Clock, nothing_logged
from wallet_app.domain.errors.webhook_errors import ThreadsExhausted
from wallet_app.services.background import BUG_SECONDS, THREADS_MAX, Background, Health
from wallet_app.services.work_queue import WorkQueue
from wallet_app.store import ThreadLock

ALLOCATIONS_MAX = 150


def bug(item: Any) -> None:
    raise ValueError("the secret of a client")


def test_what_has_been_due_longest_is_run_first(background: Background) -> None:
    work = Work(background, "work")
    for ago in (3, 1, 4, 0, 2):
        work.put(ago, wait=-ago)
    assert background.run_due() == 5
    assert work.done == [4, 3, 2, 1, 0]


def test_of_items_that_are_due_at_the_same_time_the_first_is_first(
    background: Background,
) -> None:
    done: list[str] = []
    one, other = Work(background, "one"), Work(background, "other")
    one.do = other.do = done.append
    for work, item in ((other, "a"), (one, "b"), (one, "c"), (other, "d"), (one, "e")):
        work.put(item)
    background.run_due()
    assert done == ["a", "b", "c", "d", "e"]


def test_nothing_is_run_before_it_is_due(background: Background, clock: Clock) -> None:
    work = Work(background, "work")
    work.put("soon", wait=SECOND)
    work.put("later", wait=2 * SECOND)
    for step, done in (
        (SECOND - 1, []),
        (1, ["soon"]),
        (SECOND, ["soon", "later"]),
        (SECOND, ["soon", "later"]),
    ):
        clock.now += step
        background.run_due()
        assert work.done == done


def test_items_need_not_be_comparable(background: Background) -> None:
    Work(background, "work").put(object(), {}, None)
    assert background.run_due() == 3


def test_of_what_is_appended_nothing_is_due_before_what_came_earlier(
    background: Background, clock: Clock
) -> None:
    work = Work(background, "work")
    waits = [background.append(work, wait * SECOND, wait) for wait in (3, 1, 4, 2)]
    assert waits == [3 * SECOND, 3 * SECOND, 4 * SECOND, 4 * SECOND]
    clock.now += 4 * SECOND
    background.run_due()
    assert work.done == [3, 1, 4, 2]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_queue_whose_workers_are_busy_waits_and_delays_no_other(
    background: Background, workers: int
) -> None:
    busy, other = Work(background, "busy", workers), Work(background, "other")
    depths: list[int] = []

    def do(item: Any) -> None:
        depths.append(busy.running)
        background.run_due()  # as another thread would, meanwhile
        if len(depths) == workers:
            assert (busy.done, other.done) == ([], ["other"])

    busy.do = do
    busy.put(*range(workers + 2))
    other.put("other")
    background.run_due()
    assert max(depths) == workers
    assert sorted(busy.done) == list(range(workers + 2))


def test_an_item_that_is_due_again_is_run_again_then(
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


def test_an_item_that_is_due_again_is_behind_what_waited_for_that_time_already(
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


def test_the_health_reports_what_waits_and_what_runs(background: Background) -> None:
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


# Errors


def test_an_unexpected_error_is_reported_by_its_type_alone_and_the_queue_goes_on(
    background: Background, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work(background, "work")
    work.do = lambda item: bug(item) if item == "bad" else None
    work.put("bad", "good")
    clock.now += SECOND
    background.run_due()
    assert work.done == ["good"]
    [(item, error)] = work.errors
    assert (item, type(error)) == ("bad", ValueError)
    health = background.health()
    assert health == Health(False, 0, 0, None, "work: ValueError", clock.now)
    (record,) = caplog.records
    assert record.levelname == "ERROR" and record.exc_info is not None
    assert record.getMessage() == "A job of work met a bug"


def test_an_item_that_met_a_bug_is_run_again_when_its_queue_says_so(
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


@pytest.mark.slow  # and where coverage is measured, more is allocated
@needs_failing_allocations
def test_no_item_is_lost_when_any_single_allocation_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wallet_app.services.background.PAUSE_SECONDS", 0)

    def trials() -> int:
        return sum(map(failing_allocation, range(ALLOCATIONS_MAX)))

    with nothing_logged():
        assert in_a_child(trials) > 5


def failing_allocation(n: int) -> int:
    """Run and put while an allocation fails; return how often that was reported."""
    lock, clock, reported = ThreadLock(), Clock(), 0
    background = Background(clock, clock, lambda: lock)
    work = Work(background, "work")
    work.do = lambda item: SECOND  # it is due again, always
    work.note = lambda: SECOND
    work.put("first")
    for act in (background.run_due, partial(work.put, "second")):
        reported += isinstance(with_failing(n, 1, act).result, MemoryError)
    assert not lock.locked()
    assert work.running == 0
    assert "first" in {item for _, _, item in work.items}
    return reported


# Queues that are added and removed


def test_what_was_queued_in_a_removed_queue_is_not_run(
    background: Background, clock: Clock
) -> None:
    removed, other = Work(background, "removed"), Work(background, "other")
    removed.do = lambda item: background.remove(removed)
    removed.put("first", "second")
    removed.put("later", wait=SECOND)
    other.put("other")
    background.run_due()
    clock.now += SECOND
    background.run_due()
    assert (removed.done, other.done) == (["first"], ["other"])
    assert background.health().queued == 0


def test_an_item_that_runs_while_its_queue_is_removed_is_not_run_again(
    background: Background,
) -> None:
    removed = Work(background, "removed")

    def do(item: Any) -> int:
        background.remove(removed)
        return 0

    removed.do = do
    removed.put("item")
    assert background.run_due() == 1
    assert background.health().oldest_due_at is None


def test_a_removed_queue_counts_until_what_runs_there_has_ended(
    background: Background,
) -> None:
    other = new_queue("other")

    def run(item: str) -> None:
        background.remove(full)
        with pytest.raises(ThreadsExhausted):
            background.add(other)

    full: WorkQueue[str] = WorkQueue("full", THREADS_MAX, run, lambda *_: None)
    background.add(full)
    background.put(full, 0, "item")
    assert (background.run_due(), background.health().last_error) == (1, None)
    background.add(other)
    assert background.queues == (other,)


def test_queues_are_added_all_or_none(background: Background) -> None:
    Work(background, "one", THREADS_MAX - 1)
    queues = [new_queue(name) for name in ("a", "b")]
    with pytest.raises(ThreadsExhausted):
        background.add(*queues)
    background.add(queues[0])
