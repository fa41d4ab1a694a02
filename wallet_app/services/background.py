"""Work that is due at a time, and is done beside the requests.

    lane    what is due, of one kind: so much of it at once, and no more
    take    the one that has been due longest, in a lane that has a free place
    run     outside every lock; it says when it is due again, if it is

Each lane has its own places, and there are threads for all of them, so that one that
is slow keeps nobody but itself waiting. Times are nanoseconds since 1970, UTC.
"""

from __future__ import annotations

import atexit
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct

from wallet_app.domain import Clock
from wallet_app.store import LockFactory

THREADS = 20
"""Places in all lanes together: the bank has four, and each of 16 webhooks has one."""

NAP_SECONDS = 1
"""The longest that a thread waits before it looks at the clock again, which may have
been set."""

BUG_SECONDS = 60
"""When an item is tried again whose error could not even be noted."""

NO_MEMORY_SECONDS = 0.01
"""How long a thread waits for memory to queue an item again, each time."""

STOP_SECONDS = 5
"""How long a stop waits for what is running. Requests in flight had their own time."""

SECOND = 1_000_000_000

T = TypeVar("T")

logger = logging.getLogger("wallet_app.background")


class Lane(Generic[T]):
    """Items that are due, each by itself. `run` does what an item asks for; `failed`
    notes an error that nobody expected. Both return when it is due again, or None."""

    def __init__(
        self,
        name: str,
        places: int,
        run: Callable[[T], int | None],
        failed: Callable[[T, BaseException], int | None],
    ) -> None:
        self.name = name
        self.run = run
        self.failed = failed
        self.places = places
        self.running = 0
        self.is_removed = False
        self.queue: list[tuple[int, int, T]] = []


class Health(Struct, frozen=True):
    """How the background is: `queued` waits for its time or for a place."""

    is_running: bool
    queued: int
    running: int
    oldest_due_at: int | None
    last_error: str | None
    last_error_at: int | None


class Background:
    """All lanes, and the threads that work on them.

    Without `start`, `run_due` does what is due in the thread of its caller: so tests
    own the time.
    """

    def __init__(self, clock: Clock, lock_factory: LockFactory = threading.Lock):
        self._clock = clock
        self._lock = lock_factory()
        self._lanes: list[Lane[Any]] = []
        self._numbers = itertools.count()
        self._last_error: tuple[str, int] | None = None
        self._threads: list[threading.Thread] = []
        self._news = threading.Condition()
        self._unannounced = 0
        self._stopping = False

    def add(self, lane: Lane[Any]) -> None:
        with self._lock:
            assert sum(each.places for each in self._lanes) + lane.places <= THREADS
            self._lanes.append(lane)

    def has_place(self) -> bool:
        """Tell whether one place more has a thread of its own."""
        with self._lock:
            return sum(each.places for each in self._lanes) < THREADS

    def remove(self, lane: Lane[Any]) -> None:
        """Forget a lane and what is queued in it. What is running ends by itself, and
        has its place until then."""
        with self._lock:
            lane.is_removed = True
            lane.queue.clear()
            self._forget_if_idle(lane)

    def clear(self, lane: Lane[Any]) -> None:
        """Forget what is queued in a lane."""
        with self._lock:
            lane.queue.clear()

    def put(self, lane: Lane[T], due: int, item: T) -> None:
        """Queue an item. Of those that are due at the same time, the first is first."""
        with self._lock:
            heapq.heappush(lane.queue, (due, next(self._numbers), item))
            if lane.running < lane.places:
                self._unannounced += 1

    def wake(self) -> None:
        """Tell as many threads as there was something put for. Who forgets it costs a
        nap; but to be woken for nothing costs as much as a request."""
        if not self._unannounced:
            return
        with self._lock:
            puts, self._unannounced = self._unannounced, 0
        with self._news:
            self._news.notify(puts)

    def run_due(self) -> int:
        """Do all that is due; return how much it was."""
        done = 0
        while (taken := self._take()) is not None:
            lane, item = taken
            self._run(lane, item)
            done += 1
        return done

    def health(self) -> Health:
        with self._lock:
            dues = [lane.queue[0][0] for lane in self._lanes if lane.queue]
            what, at = self._last_error or (None, None)
            return Health(
                any(thread.is_alive() for thread in self._threads),
                sum(len(lane.queue) for lane in self._lanes),
                sum(lane.running for lane in self._lanes),
                min(dues, default=None),
                what,
                at,
            )

    def start(self) -> None:
        """Begin to work, in the process that serves; stop when that ends."""
        self._threads = [
            threading.Thread(target=self._work, name=f"background-{n}", daemon=True)
            for n in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.stop)

    def stop(self, seconds: int = STOP_SECONDS) -> None:
        """Take nothing more, wait a while for what is running, and say in the log what
        is left undone."""
        with self._news:
            self._stopping = True
            self._news.notify_all()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        atexit.unregister(self.stop)
        with self._lock:
            left = [
                f"{lane.name}: {len(lane.queue)} queued, {lane.running} running"
                for lane in self._lanes
                if lane.queue or lane.running
            ]
        if left:
            logger.warning("Left undone at the stop: %s", "; ".join(left))

    def _work(self) -> None:
        while not self._stopping:
            taken = self._take()
            if taken is not None:
                lane, item = taken  # not `*taken`, for which there may be no memory
                self._run(lane, item)
                continue
            with self._news:
                if not self._stopping:
                    self._news.wait(self._nap())

    def _nap(self) -> float:
        """Return for how many seconds nothing can be taken. What waits for a place is
        taken by whoever frees it."""
        with self._lock:
            dues = [
                lane.queue[0][0]
                for lane in self._lanes
                if lane.queue and lane.running < lane.places
            ]
        if not dues:
            return NAP_SECONDS
        return min(max((min(dues) - self._clock()) / SECOND, 0), NAP_SECONDS)

    def _take(self) -> tuple[Lane[Any], Any] | None:
        """Take the item that has been due longest; its lane has one place less."""
        now = self._clock()
        with self._lock:
            free = [
                lane
                for lane in self._lanes
                if lane.queue and lane.queue[0][0] <= now and lane.running < lane.places
            ]
            if not free:
                return None
            lane = min(free, key=lambda lane: lane.queue[0][:2])
            taken = lane, lane.queue[0][2]  # what can fail comes first
            heapq.heappop(lane.queue)
            lane.running += 1
            return taken

    def _run(self, lane: Lane[Any], item: Any) -> None:
        due: int | None = None
        try:
            due = lane.run(item)
        except BaseException as error:  # noqa: B036 whatever it is, the thread goes on
            due = self._note(lane, item, error)
        finally:
            while not self._is_back(lane, item, due):
                time.sleep(NO_MEMORY_SECONDS)

    def _is_back(self, lane: Lane[Any], item: Any, due: int | None) -> bool:
        """Free the place of an item, and queue it again if it is due again. Return
        False if there was no memory for that, and nothing is done."""
        try:
            with self._lock:
                if due is not None and not lane.is_removed:
                    heapq.heappush(lane.queue, (due, next(self._numbers), item))
                lane.running -= 1
                if lane.is_removed:
                    self._forget_if_idle(lane)
        except MemoryError:
            return False
        return True

    def _forget_if_idle(self, lane: Lane[Any]) -> None:
        if not lane.running:
            self._lanes.remove(lane)

    def _note(self, lane: Lane[Any], item: Any, error: BaseException) -> int | None:
        """Record an error that nobody expected, and let its item go on if it can."""
        try:
            logger.error("A job of %s met a bug", lane.name, exc_info=error)
            now = self._clock()
            with self._lock:
                self._last_error = f"{lane.name}: {type(error).__name__}", now
            return lane.failed(item, error)
        except BaseException as worse:  # noqa: B036 and the item must not be lost
            due = self._clock() + BUG_SECONDS * SECOND
            logger.error("A job of %s could not note it", lane.name, exc_info=worse)
            return due
