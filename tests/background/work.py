"""Queues whose items do what the test says, and threads that are always ended."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from wallet_app.services.background import Background
from wallet_app.services.work_queue import Signal, WorkQueue

TIMEOUT_SECONDS = 10


class Work(WorkQueue[Any]):
    """A queue that notes what was done, and does with each item as the test says."""

    def __init__(self, background: Background, name: str, workers: int = 1) -> None:
        super().__init__(name, workers, self._run, self._failed)
        self.done: list[Any] = []
        self.errors: list[tuple[Any, BaseException]] = []
        self.do: Callable[[Any], int | None] = lambda item: None
        self.note: Callable[[], int | None] = lambda: None
        self._background = background
        background.add(self)

    def put(self, *items: Any, wait: int = 0) -> None:
        for item in items:
            self._background.put(self, wait, item)

    def _run(self, item: Any) -> int | None:
        wait = self.do(item)
        self.done.append(item)
        return wait

    def _failed(self, item: Any, error: BaseException) -> int | None:
        self.errors.append((item, error))
        return self.note()


def new_queue(name: str, workers: int = 1) -> WorkQueue[Any]:
    """Return a queue that nothing is put into."""
    return WorkQueue(name, workers, print, lambda item, error: None)


class Gate:
    """Where items wait until the test opens it."""

    def __init__(self) -> None:
        self.came: queue.Queue[Any] = queue.Queue()
        self.opened = threading.Event()

    def __call__(self, item: Any) -> None:
        self.came.put(item)
        assert self.opened.wait(TIMEOUT_SECONDS)

    def next(self) -> Any:
        return self.came.get(timeout=TIMEOUT_SECONDS)


class Watched(Signal):
    """Reports which workers have begun to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = threading.Semaphore(0)

    def wait(self, seconds: float) -> bool:
        self.waiting.release()
        return super().wait(seconds)


@contextmanager
def started(background: Background, *queues: WorkQueue[Any]) -> Iterator[None]:
    """Let workers work, and end them whatever happens. The block begins when every
    worker of these queues waits."""
    threads = threading.active_count()
    signals = [Watched() for _ in queues]
    for work, signal in zip(queues, signals, strict=True):
        work.signal = signal
    background.start()
    try:
        for work, signal in zip(queues, signals, strict=True):
            for _ in range(work.workers):
                assert signal.waiting.acquire(timeout=TIMEOUT_SECONDS)
        yield
    finally:
        background.stop(TIMEOUT_SECONDS)
        assert threading.active_count() == threads
