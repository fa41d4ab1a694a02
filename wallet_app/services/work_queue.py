"""A queue of work that is due at some time, and how its workers are woken.

`Background` has the lock that protects it. Times are those of the monotonic clock, in
nanoseconds.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from wallet_app.domain.clock import SECOND

NAP_SECONDS = 5
"""The longest that a worker waits before it looks again. It is woken before, except if
there was no memory to do so."""

T = TypeVar("T")


class Signal:
    """Wakes one thread that waits, or else the next one that would.

    A plain lock that is held while there is no signal. `threading.Event` has a lock
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


class WorkQueue(Generic[T]):
    """Items that are due, and the most `workers` that run one at the same time.

    `run` does what an item asks for; `failed` notes an unexpected error. Both return
    after how many nanoseconds the item is due again, or None. `idle` is called by a
    worker that has had nothing to do for a while, and when it ends.
    """

    def __init__(
        self,
        name: str,
        workers: int,
        run: Callable[[T], int | None],
        failed: Callable[[T, BaseException], int | None],
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.workers = workers
        self.run = run
        self.failed = failed
        self.idle = idle
        self.items: list[tuple[int, int, T]] = []
        """A heap of when an item is due, its number and the item."""
        self.latest_due = 0
        self.running = 0
        self.threads: list[threading.Thread] = []
        self.signal = Signal()
        self.is_removed = False

    @property
    def is_over(self) -> bool:
        return self.is_removed and not self.running and not self.threads

    def has_due(self, now: int) -> bool:
        """Return whether an item is due and a worker is free for it."""
        items = self.items
        return bool(items) and items[0][0] <= now and self.running < self.workers

    def push(self, due: int, number: int, item: T) -> None:
        """Of the items that are due at the same time, the lowest number is first."""
        heapq.heappush(self.items, (due, number, item))

    def seconds_until_due(self, now: int) -> float:
        """Return how long a worker can wait."""
        if not self.items:
            return NAP_SECONDS
        return min(max((self.items[0][0] - now) / SECOND, 0), NAP_SECONDS)

    def wake(self) -> None:
        """Wake a worker that waits. Those that run look by themselves."""
        try:
            if self.running < self.workers:
                self.signal.set()
        except MemoryError:
            pass  # They look again after a nap.
