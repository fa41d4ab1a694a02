"""Work that is due later, and is done beside the requests.

    lane    items of one kind, and the threads that work on them
    take    the item of a lane that has been due longest
    run     outside every lock; it returns when the item is due again, if it is

Each lane has threads of its own, so that a slow one delays no other. Waits are in
nanoseconds and measured by the monotonic clock: no step of the wall clock changes them.
"""

from __future__ import annotations

import atexit
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from wallet_app.domain.clock import SECOND, Clock
from wallet_app.domain.errors.webhook_errors import ThreadsExhausted
from wallet_app.store import LockFactory

THREADS_MAX = 4 + 5 * 16 * 2
"""Four for the bank, and five for each of 16 webhooks; 80 more for those of deleted
webhooks that still wait for their receivers."""

NAP_SECONDS = 5
"""The longest that a thread waits before it looks again. It is woken before, except if
there was no memory to do so."""

BUG_SECONDS = 60
"""When an item is tried again whose error could not even be noted."""

PAUSE_SECONDS = 0.1
"""How long a thread waits when memory ran out in it, or it met the like."""

STOP_SECONDS = 5
"""How long a stop waits for what is running. Requests in flight had their own time."""

T = TypeVar("T")

logger = logging.getLogger("wallet_app.background")


class Signal:
    """Wakes one thread that waits, or else the next one that would.

    A plain lock that is held while there is no news. `threading.Event` has a lock
    inside that stays held where memory runs out.
    """

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def set(self) -> None:
        try:
            if self._silent.locked():
                self._silent.release()
        except RuntimeError:
            pass  # Another thread has just done so.

    def wait(self, seconds: float) -> bool:
        """Wait for the signal, and consume it; return whether it came in time."""
        return self._silent.acquire(timeout=seconds)


class Lane(Generic[T]):
    """Items that are due, and at most `places` of them at once, each in a thread.

    `run` does what an item asks for; `failed` notes an unexpected error. Both return
    after how many nanoseconds the item is due again, or None. `idle` is called by a
    thread that has had nothing to do for a while, and when it ends.
    """

    def __init__(
        self,
        name: str,
        places: int,
        run: Callable[[T], int | None],
        failed: Callable[[T, BaseException], int | None],
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.places = places
        self.run = run
        self.failed = failed
        self.idle = idle
        self.running = 0
        self.is_removed = False
        self.latest_due = 0
        self.queue: list[tuple[int, int, T]] = []
        self.news = Signal()
        self.threads: list[threading.Thread] = []


class Health(Struct, frozen=True):
    """How the background is: `queued` waits for its time or for a thread. Times are in
    nanoseconds since 1970, UTC."""

    is_running: bool
    queued: int
    running: int
    oldest_due_at: int | None
    last_error: str | None
    last_error_at: int | None


class Background:
    """All lanes, and their threads.

    Without `start` there are no threads, and `run_due` does what is due in the thread
    of its caller: so tests own the time.
    """

    def __init__(
        self,
        clock: Clock,
        monotonic: Clock = time.monotonic_ns,
        lock_factory: LockFactory = threading.Lock,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = lock_factory()
        # A dict, because to forget an item of a list can need memory.
        self._lanes: dict[Lane[Any], None] = {}
        self._numbers = itertools.count()
        self._last_error: tuple[str, int] | None = None
        self._started = False
        self._stopping = False
        self._reported = False

    def add(self, *lanes: Lane[Any]) -> None:
        """Work on these lanes from now on, or on none of them.

        Raises ThreadsExhausted.
        """
        with self._lock:
            every = {**self._lanes, **dict.fromkeys(lanes)}
            if sum(lane.places for lane in every) > THREADS_MAX:
                raise ThreadsExhausted()
            self._lanes = every
            is_started = self._started
        if is_started:
            self._start_threads(lanes)

    def remove(self, *lanes: Lane[Any]) -> None:
        """Forget lanes and what is queued in them, or nothing without memory. What is
        running ends by itself."""
        queues: list[list[Any]] = [[] for _ in lanes]  # after these nothing can fail
        numbers, to_wake = iter(range(len(lanes))), iter(lanes)
        with self._lock:
            for n in numbers:
                lanes[n].queue, queues[n] = queues[n], lanes[n].queue
                lanes[n].is_removed = True
                self._forget_if_over(lanes[n])
        for lane in to_wake:
            self._wake(lane)

    def clear(self, *lanes: Lane[Any]) -> None:
        """Forget what is queued in lanes, or nothing without memory."""
        queues: list[list[Any]] = [[] for _ in lanes]
        numbers = iter(range(len(lanes)))
        with self._lock:
            for n in numbers:
                lanes[n].queue, queues[n] = queues[n], lanes[n].queue

    def put(self, lane: Lane[T], wait: int, item: T) -> None:
        """Queue an item that is due after `wait` nanoseconds."""
        due = self._monotonic() + wait
        with self._lock:
            self._push(lane, due, item)
        self._wake(lane)

    def append(self, lane: Lane[T], wait: int, item: T) -> int:
        """Queue an item that is not due before any that was appended earlier; return
        after how many nanoseconds it is."""
        now = self._monotonic()
        with self._lock:
            due = max(now + wait, lane.latest_due)
            wait = due - now
            self._push(lane, due, item)
            lane.latest_due = due
        self._wake(lane)
        return wait

    def run_due(self) -> int:
        """Do all that is due, what has been due longest first; return how much it
        was."""
        done = 0
        while (lane := self._next_lane()) is not None and self._run_next(lane):
            done += 1
        return done

    def health(self) -> Health:
        now, monotonic = self._clock(), self._monotonic()
        with self._lock:
            dues = [lane.queue[0][0] for lane in self._lanes if lane.queue]
            what, at = self._last_error or (None, None)
            return Health(
                any(lane.threads for lane in self._lanes) and not self._stopping,
                sum(len(lane.queue) for lane in self._lanes),
                sum(lane.running for lane in self._lanes),
                now + min(dues) - monotonic if dues else None,
                what,
                at,
            )

    def start(self) -> None:
        """Begin to work, in the process that serves; stop when that ends."""
        with self._lock:
            self._started = True
            lanes = list(self._lanes)
        self._start_threads(lanes)
        atexit.register(self.stop)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Take nothing more, wait a while for what is running, and report in the log
        what is left undone. To stop again only waits again."""
        self._stopping = True
        with self._lock:
            lanes = list(self._lanes)
            threads = [thread for lane in lanes for thread in lane.threads]
        for lane in lanes:
            lane.news.set()
        deadline = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        atexit.unregister(self.stop)
        with self._lock:
            left = [
                f"{lane.name}: {len(lane.queue)} queued, {lane.running} running"
                for lane in self._lanes
                if lane.queue or lane.running
            ]
        if left and not self._reported:
            logger.warning("Left undone at the stop: %s", "; ".join(left))
        self._reported = True

    def _start_threads(self, lanes: Sequence[Lane[Any]]) -> None:
        try:
            for lane in lanes:
                for n in range(lane.places):
                    self._start_thread(lane, n)
        except (RuntimeError, MemoryError) as error:
            self.remove(*lanes)
            raise ThreadsExhausted() from error

    def _start_thread(self, lane: Lane[Any], n: int) -> None:
        thread = threading.Thread(
            target=self._work, args=(lane,), name=f"{lane.name} {n}", daemon=True
        )
        with self._lock:
            lane.threads.append(thread)
        try:
            thread.start()
        except BaseException:
            with self._lock:
                lane.threads.remove(thread)
                self._forget_if_over(lane)
            raise

    def _work(self, lane: Lane[Any]) -> None:
        """Work on a lane until it is removed, or the background stops."""
        try:
            while self._work_once(lane):
                pass
            lane.news.set()  # for the other threads of the lane
            lane.idle()
        finally:
            with self._lock:
                lane.threads.remove(threading.current_thread())
                self._forget_if_over(lane)

    def _work_once(self, lane: Lane[Any]) -> bool:
        """Do what is due, or wait for it; return whether to go on."""
        try:
            if self._stopping or lane.is_removed:
                return False
            if not self._run_next(lane) and not lane.news.wait(self._nap(lane)):
                lane.idle()
        except BaseException as error:  # noqa: B036 - the thread must go on
            _report("A thread of %s met an error", lane, error)
            time.sleep(PAUSE_SECONDS)
        return True

    def _nap(self, lane: Lane[Any]) -> float:
        """Return for how many seconds nothing of a lane is due."""
        now = self._monotonic()
        with self._lock:
            if not lane.queue:
                return NAP_SECONDS
            return min(max((lane.queue[0][0] - now) / SECOND, 0), NAP_SECONDS)

    def _next_lane(self) -> Lane[Any] | None:
        """Return the lane whose first item has been due longest."""
        now = self._monotonic()
        with self._lock:
            lanes = [lane for lane in self._lanes if _has_due(lane, now)]
            return min(lanes, key=lambda lane: lane.queue[0][:2], default=None)

    def _run_next(self, lane: Lane[Any]) -> bool:
        """Do what has been due longest in a lane; return whether there was any.

        Between the two places that are marked, nothing can fail, because an item that
        was taken is in nobody's queue: no memory is needed there.
        """
        now = self._monotonic()
        with self._lock:
            if not _has_due(lane, now):
                return False
            taken = heapq.heappop(lane.queue)  # from here
            lane.running += 1
        due: int | None = taken[0]
        try:  # to here
            if lane.queue:
                self._wake(lane)  # a signal wakes one thread, and there is more
            wait = lane.run(taken[2])
            due = None if wait is None else self._monotonic() + wait
        except Exception as error:  # whatever it is, it must not end the thread
            due = self._note(lane, taken[2], error)
        except BaseException as error:
            due = self._note(lane, taken[2], error)
            raise
        finally:
            is_over = False
            while not is_over:
                try:
                    is_over = self._put_back(lane, due, taken[2])
                except MemoryError:
                    time.sleep(PAUSE_SECONDS)
        return True

    def _put_back(self, lane: Lane[T], due: int | None, item: T) -> bool:
        """Free the place of an item that has run, and queue it again if it is due."""
        with self._lock:
            if due is not None and not lane.is_removed:
                self._push(lane, due, item)
            lane.running -= 1
            self._forget_if_over(lane)
        return True

    def _push(self, lane: Lane[T], due: int, item: T) -> None:
        """Queue an item: of those that are due at the same time, the first is first."""
        heapq.heappush(lane.queue, (due, next(self._numbers), item))

    def _wake(self, lane: Lane[Any]) -> None:
        """Wake the threads of a lane that wait. Those that run look by themselves."""
        try:
            if lane.running < lane.places:
                lane.news.set()
        except MemoryError:
            pass  # They look again after a nap.

    def _forget_if_over(self, lane: Lane[Any]) -> None:
        if lane.is_removed and not lane.running and not lane.threads:
            self._lanes.pop(lane, None)

    def _note(self, lane: Lane[Any], item: Any, error: BaseException) -> int | None:
        """Record an unexpected error; return when its item is due again, if it is."""
        _report("A job of %s met a bug", lane, error)
        try:
            now = self._clock()
            with self._lock:
                self._last_error = f"{lane.name}: {type(error).__name__}", now
            wait = lane.failed(item, error)
        except Exception as worse:  # as above, and the item must not be lost
            _report("A job of %s could not note it", lane, worse)
            wait = BUG_SECONDS * SECOND
        return None if wait is None else self._monotonic() + wait


def _has_due(lane: Lane[Any], now: int) -> bool:
    queue = lane.queue
    return bool(queue) and queue[0][0] <= now and lane.running < lane.places


def _report(text: str, lane: Lane[Any], error: BaseException) -> None:
    """Log an error, unless there is no memory for that."""
    try:
        logger.error(text, lane.name, exc_info=error)
    except MemoryError:
        pass
