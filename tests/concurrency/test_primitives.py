"""What `threading` and `queue` do, they do under the scheduler."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.concurrency.scheduler import Run, Scheduler, explore
from tests.concurrency.stand_ins import StandIns

RUNS_MAX = 2_000


@pytest.fixture
def modules(scheduler: Scheduler) -> Any:
    """`threading`, `queue` and `time` as a subject gets them."""
    imported = StandIns(scheduler).builtins["__import__"]
    names = ("threading", "queue", "time")
    return SimpleNamespace(**{name: imported(name) for name in names})


def every_run(
    scheduler: Scheduler, bodies: Callable[[], list[Callable[[], object]]]
) -> list[Run]:
    """Make new bodies for each schedule with up to two preemptions, and run them."""
    runs = []
    for run in explore(lambda schedule: scheduler.run(bodies(), schedule), 2):
        runs.append(run)
        assert len(runs) < RUNS_MAX
    return runs


# One thread: the same with the real ones


def lock(threading: Any, queue: Any) -> object:
    lock = threading.Lock()
    seen = [lock.locked(), lock.acquire(), lock.locked()]
    seen += [lock.acquire(blocking=False), lock.acquire(timeout=0.001), lock.release()]
    with lock as entered:
        seen.append(entered)
    return [*seen, lock.acquire(False), lock.release()]


def lock_that_is_not_held(threading: Any, queue: Any) -> object:
    return threading.Lock().release()


def rlock(threading: Any, queue: Any) -> object:
    lock = threading.RLock()
    with lock, lock:
        taken = [lock.acquire(), lock.acquire(blocking=False), lock.acquire(timeout=1)]
        for _ in taken:
            lock.release()
    return taken


def rlock_that_is_not_held(threading: Any, queue: Any) -> object:
    return threading.RLock().release()


def wait_without_the_lock(threading: Any, queue: Any) -> object:
    return threading.Condition().wait(timeout=0.001)


def notify_without_the_lock(threading: Any, queue: Any) -> object:
    return threading.Condition().notify()


def condition(threading: Any, queue: Any) -> object:
    condition = threading.Condition(threading.Lock())
    with condition:
        waited = condition.wait(timeout=0.001), condition.wait_for(lambda: 5)
        condition.notify()
        condition.notify_all()
        return waited, condition.wait_for(lambda: 0, timeout=0.001)


def condition_in_a_held_rlock(threading: Any, queue: Any) -> object:
    lock = threading.RLock()
    condition = threading.Condition(lock)
    with lock, condition:
        waited = condition.wait(0.001)
    return waited, condition.acquire(), condition.release()


def event(threading: Any, queue: Any) -> object:
    event = threading.Event()
    seen = [event.is_set(), event.wait(0.001)]
    event.set()
    seen += [event.is_set(), event.wait(), event.wait(1)]
    event.clear()
    return [*seen, event.is_set()]


def semaphore(threading: Any, queue: Any) -> object:
    semaphore = threading.Semaphore(2)
    seen = [semaphore.acquire(), semaphore.acquire(timeout=1)]
    seen += [semaphore.acquire(blocking=False), semaphore.acquire(timeout=0.001)]
    semaphore.release(2)
    with semaphore:
        return [*seen, semaphore.acquire(blocking=False)]


def semaphore_below_zero(threading: Any, queue: Any) -> object:
    return threading.Semaphore(-1)


def bounded_semaphore(threading: Any, queue: Any) -> object:
    semaphore = threading.BoundedSemaphore(1)
    with semaphore:
        pass
    return semaphore.release()


def thread(threading: Any, queue: Any) -> object:
    seen: list[object] = []
    thread = threading.Thread(target=seen.append, args=(1,), name="worker")
    seen += [thread.name, thread.daemon, thread.is_alive()]
    thread.start()
    thread.join()
    return [*seen, thread.is_alive(), thread.join(timeout=1)]


def thread_of_a_subclass(threading: Any, queue: Any) -> object:
    class Worker(threading.Thread):  # type: ignore[misc]  # which one it is varies
        def __init__(self, number: int) -> None:
            super().__init__(daemon=True)
            self.number = number

        def run(self) -> None:
            self.number += 1

    worker = Worker(4)
    worker.start()
    worker.join()
    return worker.number, worker.daemon


def thread_that_is_started_twice(threading: Any, queue: Any) -> object:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    return thread.start()


def thread_that_is_joined_first(threading: Any, queue: Any) -> object:
    return threading.Thread(target=int).join()


def bounded_queue(threading: Any, queue: Any) -> object:
    items = queue.Queue(maxsize=1)
    items.put(1)
    seen = [items.full(), items.qsize()]
    with pytest.raises(queue.Full):
        items.put_nowait(2)
    with pytest.raises(queue.Full):
        items.put(2, timeout=0.001)
    seen += [items.get(), items.empty(), items.task_done(), items.join()]
    with pytest.raises(queue.Empty):
        items.get_nowait()
    with pytest.raises(queue.Empty):
        items.get(timeout=0.001)
    return seen


def other_queues(threading: Any, queue: Any) -> object:
    seen = []
    for kind in (queue.LifoQueue, queue.PriorityQueue, queue.SimpleQueue):
        items = kind()
        for each in (2, 1, 3):
            items.put(each)
        seen.append([items.get(), items.get_nowait(), items.get(timeout=1)])
        with pytest.raises(queue.Empty):
            items.get_nowait()
    return seen


ALIKE = [
    *(lock, lock_that_is_not_held, rlock, rlock_that_is_not_held, condition),
    *(wait_without_the_lock, notify_without_the_lock, condition_in_a_held_rlock, event),
    *(semaphore, semaphore_below_zero, bounded_semaphore, thread, thread_of_a_subclass),
    *(thread_that_is_started_twice, thread_that_is_joined_first, bounded_queue),
    other_queues,
]


@pytest.mark.parametrize("use", ALIKE, ids=lambda use: use.__name__)
def test_it_does_what_the_real_one_does(
    scheduler: Scheduler, modules: Any, use: Callable[[Any, Any], object]
) -> None:
    def done(threading: Any, queue: Any) -> object:
        try:
            return use(threading, queue)
        except (RuntimeError, ValueError) as error:
            return type(error)

    came_to: list[object] = []
    run = scheduler.run(
        [lambda: came_to.append(done(modules.threading, modules.queue))]
    )
    assert run.deadlock is None
    assert came_to == [done(threading, queue)]


# Locks


@pytest.mark.parametrize("kind", ["Lock", "RLock", "Semaphore"])
def test_what_is_only_tried_is_not_waited_for(
    scheduler: Scheduler, modules: Any, kind: str
) -> None:
    """Not even if it was free a moment before."""
    seen: set[bool] = set()

    def bodies() -> list[Callable[[], object]]:
        lock, ended = getattr(modules.threading, kind)(), modules.threading.Event()

        def keep() -> None:
            with lock:
                ended.wait()

        def attempt() -> None:
            is_taken = lock.acquire(blocking=False)
            seen.add(is_taken)
            if is_taken:
                lock.release()
            ended.set()

        return [keep, attempt]

    assert all(run.deadlock is None for run in every_run(scheduler, bodies))
    assert seen == {True, False}


def test_a_time_out_ends_only_when_nobody_could_run_otherwise(
    scheduler: Scheduler, modules: Any
) -> None:
    lock, never = modules.threading.Lock(), modules.threading.Lock()
    never.acquire()
    seen: list[object] = []

    def hold() -> None:
        with lock:
            for _ in range(3):
                scheduler.step("work")
            seen.append("released")

    def wait() -> None:
        seen.append(lock.acquire(timeout=0.001))
        seen.append(never.acquire(timeout=0.001))

    scheduler.run([hold, wait], {2: 1})
    assert seen == ["released", True, False]


def test_an_rlock_is_released_by_its_holder_only(
    scheduler: Scheduler, modules: Any
) -> None:
    lock = modules.threading.RLock()
    refused: list[bool] = []

    def hold() -> None:
        with lock:
            scheduler.step("work")

    def release() -> None:
        with pytest.raises(RuntimeError, match="un-acquired"):
            lock.release()
        refused.append(lock.acquire(blocking=False))

    scheduler.run([hold, release], {2: 1})
    assert refused == [False]


def test_an_rlock_is_free_after_as_many_releases(
    scheduler: Scheduler, modules: Any
) -> None:
    lock = modules.threading.RLock()
    seen: list[str] = []

    def hold() -> None:
        with lock:
            with lock:
                scheduler.step("work")
            scheduler.step("work")
            seen.append("released")

    def wait() -> None:
        with lock:
            seen.append("taken")

    scheduler.run([hold, wait], {2: 1})
    assert seen == ["released", "taken"]


# Conditions


@pytest.mark.parametrize(("notify", "woken"), [("notify", 1), ("notify_all", 2)])
def test_notify_wakes_one_and_notify_all_wakes_all(
    scheduler: Scheduler, modules: Any, notify: str, woken: int
) -> None:
    condition = modules.threading.Condition()
    seen: list[int] = []

    def wait(number: int) -> None:
        with condition:
            condition.wait()
            seen.append(number)

    def wake() -> None:
        with condition:
            getattr(condition, notify)()

    run = scheduler.run([lambda: wait(0), lambda: wait(1), wake])
    assert seen == [0, 1][:woken]
    waiters = [] if run.deadlock is None else run.deadlock.waiters
    assert [each.thread for each in waiters] == [0, 1][woken:]


def test_a_wake_up_that_is_lost_is_a_deadlock_that_names_the_waiter(
    scheduler: Scheduler, modules: Any
) -> None:
    def bodies() -> list[Callable[[], object]]:
        condition = modules.threading.Condition()

        def wait() -> None:
            with condition:
                condition.wait()

        def wake() -> None:
            with condition:
                condition.notify()

        return [wait, wake]

    deadlocks = {str(run.deadlock) for run in every_run(scheduler, bodies)}
    assert "None" in deadlocks
    [deadlock] = deadlocks - {"None"}
    assert deadlock.startswith("thread 0 waits for a notify at test_primitives.py:")
    assert "in wait" in deadlock


def test_wait_for_looks_again_after_each_wake_up(
    scheduler: Scheduler, modules: Any
) -> None:
    def bodies() -> list[Callable[[], object]]:
        condition = modules.threading.Condition()
        items: list[int] = []

        def take() -> None:
            with condition:
                condition.wait_for(lambda: items)
                items.pop()

        def give() -> None:
            with condition:
                items.append(1)
                condition.notify_all()

        return [take, take, give, give]

    run = scheduler.run(bodies())
    assert run.deadlock is None


def test_who_waits_has_given_its_lock_away_and_gets_it_back(
    scheduler: Scheduler, modules: Any
) -> None:
    lock = modules.threading.RLock()
    condition = modules.threading.Condition(lock)
    seen: list[str] = []

    def wait() -> None:
        with lock, condition:
            condition.wait()
            seen.append("back")
            scheduler.step("work")
            seen.append("left")

    def wake() -> None:
        with condition:
            condition.notify()
            seen.append("notified")
        with condition:
            seen.append("taken")

    scheduler.run([wait, wake], {4: 0})
    assert seen == ["notified", "back", "left", "taken"]


# Threads


def test_a_worker_that_waits_for_ever_does_not_keep_a_run_from_ending(
    scheduler: Scheduler, modules: Any
) -> None:
    def body() -> int:
        work, replies = modules.queue.Queue(), modules.queue.Queue()

        def serve() -> None:
            while True:
                replies.put(2 * work.get())

        modules.threading.Thread(target=serve, daemon=True).start()
        work.put(3)
        seen.append(replies.get())
        return 0

    seen: list[int] = []
    run = scheduler.run([body])
    assert seen == [6]
    assert run.deadlock is None


def test_a_worker_that_dies_takes_nobody_with_it(
    scheduler: Scheduler, modules: Any
) -> None:
    """As with `threading`, nobody hears of it: who waits for its answer does so."""

    def body() -> None:
        worker = modules.threading.Thread(target={"asha": 1}.pop, args=("nobody",))
        worker.start()
        worker.join()
        seen.append(worker.is_alive())
        modules.queue.Queue().get()

    seen: list[bool] = []
    run = scheduler.run([body])
    assert seen == [False]
    [died] = [step.subject for step in run.steps if step.what == "die"]
    assert died.error == "KeyError: 'nobody'"
    assert run.deadlock is not None
    [waiter] = run.deadlock.waiters
    assert waiter.thread == 0
    assert str(waiter.site).startswith("test_primitives.py")


def test_a_join_that_waits_for_ever_names_the_thread(
    scheduler: Scheduler, modules: Any
) -> None:
    event = modules.threading.Event()
    worker = modules.threading.Thread(target=event.wait, name="the worker")

    def body() -> None:
        worker.start()
        worker.join()

    deadlock = str(scheduler.run([body]).deadlock)
    assert "thread 0 waits for the end of the worker" in deadlock
    assert "thread 1 waits for an event" in deadlock


def test_threads_know_which_they_are(scheduler: Scheduler, modules: Any) -> None:
    seen: list[object] = []

    def body() -> None:
        current = modules.threading.current_thread()
        seen.append((modules.threading.get_ident(), current.ident, current.name))

    scheduler.run([body, body])
    assert seen == [(0, 0, "thread 0"), (1, 1, "thread 1")]


# Time


def test_a_time_out_in_minutes_takes_no_time_and_few_steps(
    scheduler: Scheduler, modules: Any
) -> None:
    """`queue` counts what is left of a time-out, so the clock must go on."""

    def body() -> None:
        with pytest.raises(modules.queue.Empty):
            modules.queue.Queue().get(timeout=600)

    assert len(scheduler.run([body]).steps) < 20


def test_the_clock_goes_on_where_a_thread_sleeps(
    scheduler: Scheduler, modules: Any
) -> None:
    time, seen = modules.time, []

    def body() -> None:
        before = time.monotonic()
        assert time.monotonic() > before
        time.sleep(30)
        seen.append(time.time() - before)
        seen.append(time.time_ns() / 1e9 - before)

    scheduler.run([body])
    assert seen == [pytest.approx(30, abs=0.1)] * 2


@pytest.mark.parametrize("name", ["concurrent.futures", "multiprocessing"])
def test_threads_that_are_not_the_scheduler_s_cannot_be_imported(
    scheduler: Scheduler, name: str
) -> None:
    imported: Callable[[str], ModuleType] = StandIns(scheduler).builtins["__import__"]
    with pytest.raises(ImportError, match=f"{name} does not run under the scheduler"):
        imported(name)
