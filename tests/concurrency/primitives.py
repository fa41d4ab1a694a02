"""What `threading` offers, under the scheduler.

Waiting is a switch point, and a thread that waits for ever is in a deadlock. Time does
not pass: a wait with a time-out ends when no thread could run otherwise.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from tests.concurrency import scheduler as scheduling
from tests.concurrency.scheduler import Key, Scheduler, Site, Waitable

scheduling.UNSHOWN.add(__file__)


TICK_SECONDS = 1e-6


class Clock:
    """What time it is for the threads of a run. Sleeping, and waiting in vain, makes it
    later; so does each look at it, because two times are the same nowhere else."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def read(self) -> float:
        self.seconds += TICK_SECONDS
        return self.seconds


class Primitive:
    """Something that belongs to a scheduler, and goes by its clock."""

    scheduler: ClassVar[Scheduler]
    clock: ClassVar[Clock]

    def _wait(self, event: Waitable, timeout: float | None) -> bool:
        """Return whether this came, or the time was up."""
        frame = sys._getframe()
        came = self.scheduler.wait("wait", event, frame, timeout is not None)
        if not came and timeout is not None:
            self.clock.seconds += timeout
        return came


class Lock(Primitive):
    """`threading.Lock`"""

    def __init__(self) -> None:
        self.lock = scheduling.Lock(self.scheduler, "a lock")

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        is_taken = self.lock.acquire(blocking, timeout)
        if not is_taken and timeout > 0:
            self.clock.seconds += timeout
        return is_taken

    def release(self) -> None:
        self.lock.release()

    def locked(self) -> bool:
        self.scheduler.happened("look", self.lock)
        return self.lock.locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()


class RLock(Lock):
    """`threading.RLock`"""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not self.is_owned() and not super().acquire(blocking, timeout):
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


class Signal:
    """What a thread waits for until another one gives it."""

    holder: int | None = None
    site: Site | None = None

    def __init__(self, name: str, scheduler: Scheduler) -> None:
        self.name = name
        self.key = scheduler.new_key()
        self.locked = True


class Condition(Primitive):
    """`threading.Condition`"""

    def __init__(self, lock: Lock | None = None) -> None:
        self.lock = lock if lock is not None else self._new_lock()
        self.key = self.scheduler.new_key()
        self.acquire, self.release = self.lock.acquire, self.lock.release
        self._waiters: deque[Signal] = deque()

    def _new_lock(self) -> RLock:
        here = {"scheduler": self.scheduler, "clock": self.clock}
        bound: type[RLock] = type("RLock", (RLock,), here)
        return bound()

    def wait(self, timeout: float | None = None) -> bool:
        self._check()
        signal = Signal("a notify", self.scheduler)
        self._waiters.append(signal)
        self.scheduler.happened("begin to wait", self)
        depth = self.lock.depth if isinstance(self.lock, RLock) else 1
        for _ in range(depth):
            self.lock.release()
        try:
            return self._wait(signal, timeout)
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
        return self.lock.lock.name

    def _check(self) -> None:
        lock = self.lock.lock
        if not lock.locked or lock.holder != self.scheduler.thread:
            raise RuntimeError("cannot use a condition whose lock is not held")

    def __enter__(self) -> bool:
        return self.lock.acquire()

    def __exit__(self, *failure: object) -> None:
        self.lock.release()


class Event(Primitive):
    """`threading.Event`"""

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
        return self._wait(self._signal, timeout)


class Semaphore(Primitive):
    """`threading.Semaphore`"""

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
        if blocking:
            if not self._wait(self, timeout):
                return False
        else:
            self.scheduler.happened("look", self)
            if self.locked:
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


class Death(NamedTuple):
    """The end of a thread by an exception, which nobody else gets to see."""

    key: Key
    error: str


class Thread(Primitive):
    """`threading.Thread`: one more thread of the run."""

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
        if not self._started:
            raise RuntimeError("cannot join thread before it is started")
        self._wait(self._end, timeout)

    def is_alive(self) -> bool:
        self.scheduler.happened("look", self._end)
        return self._started and self._end.locked

    def _run(self) -> None:
        try:
            self.run()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - no run ends by it
            said = f"{type(error).__name__}: {error}"
            self.scheduler.happened("die", Death(self._end.key, said))
        finally:
            self._end.locked = False
            self.scheduler.happened("wake", self._end)


PRIMITIVES: tuple[type, ...] = (
    *(Lock, RLock, Condition, Event),
    *(Semaphore, BoundedSemaphore, Thread),
)
