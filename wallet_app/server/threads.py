"""A few threads for what may take long: requests that read (audits, exports, long
histories) and bodies over 64 KiB. All else runs on the event loop."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

from msgspec import Struct

THREADS = 4
"""One interpreter runs them in turn, so more of them would not be faster."""

THREADS_MAX_OF_CLIENT = 3
"""Of these for one address: no audits of one client make every reader wait."""

QUEUE_MAX = 500
"""Calls that wait for a thread."""

QUEUE_MAX_OF_CLIENT = 250
"""Of these for one address."""


class Job(Struct):
    """A call to make on a thread, and what the event loop calls when it has ended."""

    client: str
    function: Callable[[], Any]
    then: Callable[[Any], None]
    fail: Callable[[], None]


class Threads:
    """The threads and the queue before them. Everything here happens on the event loop,
    except `_work`."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._queues: OrderedDict[str, deque[Job]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        for n in range(THREADS):  # started now: later memory may be short
            Thread(target=self._work, name=f"thread-{n}", daemon=True).start()

    @property
    def queued_count(self) -> int:
        """How many calls wait for a thread."""
        return sum(map(len, self._queues.values()))

    def is_full_for(self, client: str) -> bool:
        """Return whether an address must not ask for another call."""
        queued = len(self._queues.get(client, ()))
        return queued >= QUEUE_MAX_OF_CLIENT or self.queued_count >= QUEUE_MAX

    def run(
        self,
        client: str,
        function: Callable[[], Any],
        then: Callable[[Any], None],
        fail: Callable[[], None],
    ) -> None:
        """Call a function on a thread, then `then` with its result on the event loop,
        or `fail` if one of the two raises. Addresses take turns."""
        self._queues.setdefault(client, deque()).append(
            Job(client, function, then, fail)
        )
        self._start_jobs()

    def close(self) -> None:
        """End each thread after its present call."""
        for _ in range(THREADS):
            self._jobs.put(None)

    def _start_jobs(self) -> None:
        while self._running.total() < THREADS:
            client = next(filter(self._may_run, self._queues), None)
            if client is None:
                return
            queue = self._queues.pop(client)
            job = queue.popleft()
            if queue:
                self._queues[client] = queue  # behind the other addresses
            self._running[client] += 1
            self._jobs.put(job)

    def _may_run(self, client: str) -> bool:
        return self._running[client] < THREADS_MAX_OF_CLIENT

    def _work(self) -> None:
        """Make one call after the other."""
        while (job := self._jobs.get()) is not None:
            result, has_failed = None, False
            try:
                result = job.function()
            except BaseException:  # noqa: BLE001 - it ends this call only
                has_failed = True
            try:
                self._loop.call_soon_threadsafe(self._end_job, job, result, has_failed)
            except RuntimeError:  # the loop is closed
                return

    def _end_job(self, job: Job, result: Any, has_failed: bool) -> None:
        self._running[job.client] -= 1
        if not self._running[job.client]:
            del self._running[job.client]
        self._start_jobs()
        if has_failed:
            job.fail()
            return
        try:
            job.then(result)
        except BaseException:
            job.fail()
            raise
