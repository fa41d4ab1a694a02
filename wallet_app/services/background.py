"""Work that is due later, and is done beside the requests.

Each queue has workers of its own, so that a slow one delays no other. An item is run
outside every lock. Waits are in nanoseconds and measured by the monotonic clock: no
step of the wall clock changes them.
"""

from __future__ import annotations

import atexit
import heapq
import itertools
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct

from wallet_app.domain.clock import SECOND, Clock
from wallet_app.domain.errors.webhook_errors import ThreadsExhausted
from wallet_app.services.work_queue import WorkQueue
from wallet_app.store import LockFactory

THREADS_MAX = 4 + 5 * 16 * 2
"""Four for the bank, and five for each of 16 webhooks; 80 more for those of deleted
webhooks that still wait for their receivers."""

BUG_SECONDS = 60
"""When an item is run again whose error could not even be noted."""

PAUSE_SECONDS = 0.1
"""How long a worker waits after an error that was not an item's, such as no memory."""

STOP_SECONDS = 5
"""How long a stop waits for what is running. Requests in flight had their own time."""

T = TypeVar("T")

logger = logging.getLogger("wallet_app.background")


class Health(Struct, frozen=True):
    """How the background is: `queued` waits for its time or for a worker. Times are in
    nanoseconds since 1970, UTC."""

    is_running: bool
    queued: int
    running: int
    oldest_due_at: int | None
    last_error: str | None
    last_error_at: int | None


class Background:
    """All queues, and the threads that work on them.

    Without `start` there are no threads, and `run_due` runs what is due in the thread
    of its caller: so tests own the time.
    """

    def __init__(
        self, clock: Clock, monotonic: Clock, lock_factory: LockFactory
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = lock_factory()
        # A dict, because to remove an item of a list can need memory.
        self._queues: dict[WorkQueue[Any], None] = {}
        self._numbers = itertools.count()
        self._last_error: tuple[str, int] | None = None
        self._is_started = False
        self._is_stopping = False
        self._is_reported = False

    @property
    def queues(self) -> tuple[WorkQueue[Any], ...]:
        """The queues that are worked on, and removed ones that still run an item."""
        with self._lock:
            return tuple(self._queues)

    def add(self, *queues: WorkQueue[Any]) -> None:
        """Work on these queues from now on, or on none of them.

        Raises ThreadsExhausted.
        """
        with self._lock:
            every = {**self._queues, **dict.fromkeys(queues)}
            if sum(queue.workers for queue in every) > THREADS_MAX:
                raise ThreadsExhausted()
            self._queues = every
            is_started = self._is_started
        if is_started:
            self._start_threads(queues)

    def remove(self, *queues: WorkQueue[Any]) -> None:
        """Forget queues and their items, or nothing without memory. What is running
        ends by itself."""
        self._empty(queues, is_removed=True)

    def clear(self, *queues: WorkQueue[Any]) -> None:
        """Forget the items of queues, or nothing without memory."""
        self._empty(queues, is_removed=False)

    def put(self, queue: WorkQueue[T], wait: int, item: T) -> None:
        """Queue an item that is due after `wait` nanoseconds."""
        due = self._monotonic() + wait
        with self._lock:
            queue.push(due, next(self._numbers), item)
        queue.wake()

    def append(self, queue: WorkQueue[T], wait: int, item: T) -> int:
        """Queue an item that is not due before any that was appended earlier; return
        after how many nanoseconds it is."""
        now = self._monotonic()
        with self._lock:
            due = max(now + wait, queue.latest_due)
            queue.push(due, next(self._numbers), item)
            queue.latest_due = due
        queue.wake()
        return due - now

    def run_due(self) -> int:
        """Run all that is due, what has been due longest first; return how much it
        was."""
        done = 0
        while (queue := self._next_queue()) is not None and self._run_next(queue):
            done += 1
        return done

    def health(self) -> Health:
        now, monotonic = self._clock(), self._monotonic()
        with self._lock:
            dues = [queue.items[0][0] for queue in self._queues if queue.items]
            what, at = self._last_error or (None, None)
            return Health(
                any(queue.threads for queue in self._queues) and not self._is_stopping,
                sum(len(queue.items) for queue in self._queues),
                sum(queue.running for queue in self._queues),
                now + min(dues) - monotonic if dues else None,
                what,
                at,
            )

    def start(self) -> None:
        """Begin to work, in the process that serves; stop when that ends."""
        with self._lock:
            self._is_started = True
            queues = tuple(self._queues)
        self._start_threads(queues)
        atexit.register(self.stop)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Run nothing more, wait a while for what is running, and log what is left
        undone. To stop again only waits again."""
        self._is_stopping = True
        with self._lock:
            queues = tuple(self._queues)
            threads = [thread for queue in queues for thread in queue.threads]
        for queue in queues:
            queue.signal.set()
        deadline = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        atexit.unregister(self.stop)
        with self._lock:
            left = [
                f"{queue.name}: {len(queue.items)} queued, {queue.running} running"
                for queue in self._queues
                if queue.items or queue.running
            ]
        if left and not self._is_reported:
            logger.warning("Left undone at the stop: %s", "; ".join(left))
        self._is_reported = True

    def _empty(self, queues: Sequence[WorkQueue[Any]], is_removed: bool) -> None:
        # The old items are freed after the lock has opened.
        emptied = [(queue, queue.items, list[Any]()) for queue in queues]
        with self._lock:
            for queue, _, items in emptied:  # from here nothing needs memory
                queue.items = items
                queue.is_removed = queue.is_removed or is_removed
                self._forget_if_over(queue)
                queue.wake()

    def _start_threads(self, queues: Sequence[WorkQueue[Any]]) -> None:
        try:
            for queue in queues:
                for n in range(queue.workers):
                    self._start_thread(queue, n)
        except (RuntimeError, MemoryError) as error:
            self.remove(*queues)
            raise ThreadsExhausted() from error

    def _start_thread(self, queue: WorkQueue[Any], n: int) -> None:
        thread = threading.Thread(
            target=self._work, args=(queue,), name=f"{queue.name} {n}", daemon=True
        )
        with self._lock:
            queue.threads.append(thread)
        try:
            thread.start()
        except BaseException:
            self._forget_thread(queue, thread)
            raise

    def _work(self, queue: WorkQueue[Any]) -> None:
        """Work on a queue until it is removed, or the background stops."""
        try:
            while self._work_once(queue):
                pass
            queue.signal.set()  # for the other workers of the queue
            queue.idle()
        finally:
            self._forget_thread(queue, threading.current_thread())

    def _work_once(self, queue: WorkQueue[Any]) -> bool:
        """Run what is due, or wait for it; return whether to go on."""
        try:
            if self._is_stopping or queue.is_removed:
                return False
            if not self._run_next(queue):
                now = self._monotonic()
                with self._lock:
                    seconds = queue.seconds_until_due(now)
                if not queue.signal.wait(seconds):
                    queue.idle()
        except BaseException as error:  # noqa: BLE001 - the thread must go on
            _report("A thread of %s met an error", queue, error)
            time.sleep(PAUSE_SECONDS)  # so that a bug does not spin
        return True

    def _next_queue(self) -> WorkQueue[Any] | None:
        """Return the queue whose first item has been due longest."""
        now = self._monotonic()
        with self._lock:
            queues = [queue for queue in self._queues if queue.has_due(now)]
            return min(queues, key=lambda queue: queue.items[0][:2], default=None)

    def _run_next(self, queue: WorkQueue[Any]) -> bool:
        """Run what has been due longest in a queue; return whether there was any.

        Between the two lines that are marked nothing can fail, because an item that
        was taken is in no queue: no memory is needed there.
        """
        now = self._monotonic()
        with self._lock:
            if not queue.has_due(now):
                return False
            taken = heapq.heappop(queue.items)  # from here
            queue.running += 1
        due: int | None = taken[0]
        try:  # to here
            if queue.items:
                queue.wake()  # a signal wakes one worker, and there is more
            wait = queue.run(taken[2])
            due = None if wait is None else self._monotonic() + wait
        except Exception as error:  # noqa: BLE001 - no error ends the thread
            due = self._note(queue, taken[2], error)
        except BaseException as error:
            due = self._note(queue, taken[2], error)
            raise
        finally:
            while True:
                try:
                    self._put_back(queue, due, taken[2])
                    break
                except MemoryError:
                    time.sleep(PAUSE_SECONDS)  # until there is memory again
        return True

    def _put_back(self, queue: WorkQueue[T], due: int | None, item: T) -> None:
        """Release the worker of an item that has run, and queue the item again if it
        is due."""
        with self._lock:
            if due is not None and not queue.is_removed:
                queue.push(due, next(self._numbers), item)
            queue.running -= 1
            self._forget_if_over(queue)

    def _forget_thread(self, queue: WorkQueue[Any], thread: threading.Thread) -> None:
        with self._lock:
            queue.threads.remove(thread)
            self._forget_if_over(queue)

    def _forget_if_over(self, queue: WorkQueue[Any]) -> None:
        if queue.is_over:
            self._queues.pop(queue, None)

    def _note(
        self, queue: WorkQueue[Any], item: Any, error: BaseException
    ) -> int | None:
        """Record an unexpected error; return when its item is due again, if it is."""
        _report("A job of %s met a bug", queue, error)
        try:
            now = self._clock()
            with self._lock:
                self._last_error = f"{queue.name}: {type(error).__name__}", now
            wait = queue.failed(item, error)
        except Exception as worse:  # noqa: BLE001 - the item must not be lost
            _report("A job of %s could not note it", queue, worse)
            wait = BUG_SECONDS * SECOND
        return None if wait is None else self._monotonic() + wait


def _report(text: str, queue: WorkQueue[Any], error: BaseException) -> None:
    """Log an error, unless there is no memory for that."""
    try:
        logger.error(text, queue.name, exc_info=error)
    except MemoryError:
        pass
