"""What `threading` offers, under the scheduler.

Waiting is a switch point, and who waits for ever is in a deadlock. Time does not pass:
a wait with a time-out ends when no thread could run otherwise.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, ClassVar

from tests.concurrency import scheduler as scheduling
from tests.concurrency.scheduler import Scheduler, Site

scheduling.UNSHOWN.add(__file__)


class Lock(scheduling.Lock):
    """`threading.Lock`"""

    scheduler: ClassVar[Scheduler]

    def __init__(self) -> None:
        super().__init__(self.scheduler, "a lock")


class RLock:
    """`threading.RLock`"""

    scheduler: ClassVar[Scheduler]

    def __init__(self) -> None:
        self.lock = scheduling.Lock(self.scheduler, "a lock")
        self.depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not self.is_owned() and not self.lock.acquire(blocking, timeout):
            return False
        self.depth += 1
        return True

    def release(self) -> None:
        if not self.is_owned():
            raise RuntimeError("cannot release un-acquired lock")
        self.depth -= 1
        if not self.depth:
            self.lock.release()

    def is_owned(self) -> bool:
        return self.lock.locked and self.lock.holder == self.scheduler.thread

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()


class Signal:
    """What a thread waits for until another one gives it."""

    holder: int | None = None
    site: Site | None = None

    def __init__(self, name: str, scheduler: Scheduler) -> None:
        self.name = name
        self.key = scheduler.new_key()
        self.locked = True


class Condition:
    """`threading.Condition`"""

    scheduler: ClassVar[Scheduler]

    def __init__(self, lock: scheduling.Lock | RLock | None = None) -> None:
        self.lock = lock if lock is not None else self._new_lock()
        self.key = self.scheduler.new_key()
        self.acquire, self.release = self.lock.acquire, self.lock.release
        self._waiters: deque[Signal] = deque()

    def _new_lock(self) -> RLock:
        bound: type[RLock] = type("RLock", (RLock,), {"scheduler": self.scheduler})
        return bound()

    def wait(self, timeout: float | None = None) -> bool:
        self._check()
        signal = Signal("a notify", self.scheduler)
        self._waiters.append(signal)
        self.scheduler.happened("begin to wait", self)
        depth = self.lock.depth if isinstance(self.lock, RLock) else 1
        for _ in range(depth):
            self.lock.release()
        frame = sys._getframe(1)
        try:
            return self.scheduler.wait("wait", signal, frame, timeout is not None)
        finally:
            if signal in self._waiters:
                self._waiters.remove(signal)
            for _ in range(depth):
                self.lock.acquire()

    def wait_for(
        self, predicate: Callable[[], Any], timeout: float | None = None
    ) -> Any:
        while not (result := predicate()):
            if not self.wait(timeout):
                return predicate()
        return result

    def notify(self, n: int = 1) -> None:
        self._check()
        self.scheduler.happened("notify", self)
        for _ in range(min(n, len(self._waiters))):
            signal = self._waiters.popleft()
            signal.locked = False
            self.scheduler.happened("wake", signal)

    def notify_all(self) -> None:
        self.notify(len(self._waiters))

    @property
    def name(self) -> str:
        lock = self.lock.lock if isinstance(self.lock, RLock) else self.lock
        return lock.name

    def _check(self) -> None:
        lock = self.lock.lock if isinstance(self.lock, RLock) else self.lock
        if not lock.locked or lock.holder != self.scheduler.thread:
            raise RuntimeError("cannot use a condition whose lock is not held")

    def __enter__(self) -> bool:
        return self.lock.acquire()

    def __exit__(self, *failure: object) -> None:
        self.lock.release()


class Event:
    """`threading.Event`"""

    scheduler: ClassVar[Scheduler]

    def __init__(self) -> None:
        self._signal = Signal("an event", self.scheduler)

    def is_set(self) -> bool:
        self.scheduler.happened("look", self._signal)
        return not self._signal.locked

    def set(self) -> None:
        self._signal.locked = False
        self.scheduler.happened("set", self._signal)

    def clear(self) -> None:
        self._signal.locked = True
        self.scheduler.happened("clear", self._signal)

    def wait(self, timeout: float | None = None) -> bool:
        frame = sys._getframe(1)
        return self.scheduler.wait("wait", self._signal, frame, timeout is not None)


class Semaphore:
    """`threading.Semaphore`"""

    scheduler: ClassVar[Scheduler]
    holder: int | None = None
    site: Site | None = None

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self.name = "a semaphore"
        self.key = self.scheduler.new_key()
        self.value = self.value_max = value

    @property
    def locked(self) -> bool:
        return self.value == 0

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        if not blocking and self.locked:
            self.scheduler.happened("look", self)
            return False
        frame: FrameType = sys._getframe(1)
        if not self.scheduler.wait("wait", self, frame, timeout is not None):
            return False
        self.value -= 1
        return True

    def release(self, n: int = 1) -> None:
        self.value += n
        self.scheduler.happened("wake", self)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()


class BoundedSemaphore(Semaphore):
    """`threading.BoundedSemaphore`"""

    def release(self, n: int = 1) -> None:
        if self.value + n > self.value_max:
            raise ValueError("Semaphore released too many times")
        super().release(n)


class Thread:
    """`threading.Thread`: one more thread of the run."""

    scheduler: ClassVar[Scheduler]

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        self.name = name or "a thread"
        self.daemon = bool(daemon)
        self._target, self._args, self._kwargs = target, args, kwargs or {}
        self._started = False
        self._end = Signal(f"the end of {self.name}", self.scheduler)

    def start(self) -> None:
        if self._started:
            raise RuntimeError("threads can only be started once")
        self._started = True
        self.scheduler.spawn(self._run)

    def run(self) -> None:
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def join(self, timeout: float | None = None) -> None:
        frame = sys._getframe(1)
        self.scheduler.wait("wait", self._end, frame, timeout is not None)

    def is_alive(self) -> bool:
        return self._started and self._end.locked

    def _run(self) -> None:
        try:
            self.run()
        finally:
            self._end.locked = False
            self.scheduler.happened("wake", self._end)


PRIMITIVES: tuple[type, ...] = (
    *(Lock, RLock, Condition, Event),
    *(Semaphore, BoundedSemaphore, Thread),
)
