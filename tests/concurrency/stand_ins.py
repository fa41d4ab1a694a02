"""Modules that stand in for those of the standard library, under one scheduler."""

from __future__ import annotations

import builtins
import importlib.util
import random
import threading
import time
import uuid
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.concurrency.primitives import PRIMITIVES, Clock
from tests.concurrency.scheduler import UNSHOWN, Scheduler


class StandIns:
    """What a subject gets when it imports `threading`, `queue`, `time`, `uuid` or
    `random`, and the builtins with which it does so. Ids are numbered in the order in
    which they are asked for, because addresses and random numbers differ from run to
    run."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._numbers = count(1)
        self._ids: dict[int, tuple[object, int]] = {}
        self._clock = Clock()
        self._random = random.Random(0)
        self._modules: dict[str, ModuleType | None] = {
            "threading": self._threading(),
            "time": self._time(),
            "uuid": _like(uuid, uuid4=lambda: uuid.UUID(int=next(self._numbers))),
            "random": _like(random, **_methods(self._random)),
            "_queue": None,  # so that `queue` does without it
            "concurrent.futures": None,  # whose threads are not the scheduler's
            "multiprocessing": None,
        }
        self.builtins = {
            **vars(builtins),
            "__import__": self._import,
            "id": self._id,
            "input": _input,
        }
        self._modules["queue"] = self._queue()

    def reset(self) -> None:
        """Begin the numbers again, those of chance too, and the time."""
        self._numbers = count(1)
        self._ids.clear()
        self._clock.seconds = 0.0
        self._random.seed(0)

    def _import(self, name: str, *how: Any) -> ModuleType:
        if how[3:] and how[3]:
            raise ImportError("the file is loaded alone, so a relative import fails")
        if name not in self._modules:
            return builtins.__import__(name, *how)
        module = self._modules[name]
        if module is None:
            raise ImportError(f"{name} does not run under the scheduler")
        return module

    def _id(self, thing: object) -> int:
        known = self._ids.get(id(thing))
        if known is None:  # the object is kept, so that its address is, too
            known = self._ids[id(thing)] = thing, next(self._numbers)
        return known[1]

    def _threading(self) -> ModuleType:
        here = {"scheduler": self._scheduler, "clock": self._clock}
        bound = {
            each.__name__: type(each.__name__, (each,), here) for each in PRIMITIVES
        }
        module = ModuleType("threading")
        vars(module).update(
            bound,
            local=threading.local,
            get_ident=self._thread,
            current_thread=lambda: SimpleNamespace(
                name=f"thread {self._thread()}", ident=self._thread()
            ),
        )
        return module

    def _thread(self) -> int | None:
        return self._scheduler.thread

    def _time(self) -> ModuleType:
        clock = self._clock

        def sleep(seconds: float) -> None:
            self._scheduler.step("sleep")
            clock.seconds += seconds

        def nanoseconds() -> int:
            return round(clock.read() * 1e9)

        seconds = dict.fromkeys(("time", "monotonic", "perf_counter"), clock.read)
        return _like(
            time, sleep=sleep, time_ns=nanoseconds, monotonic_ns=nanoseconds, **seconds
        )

    def _queue(self) -> ModuleType:
        """Return the standard library's `queue` with these builtins."""
        spec = importlib.util.find_spec("queue")
        assert spec is not None and spec.origin is not None
        UNSHOWN.add(spec.origin)
        module = ModuleType("queue")
        vars(module)["__builtins__"] = self.builtins
        text = Path(spec.origin).read_text("utf-8")
        code = compile(text, spec.origin, "exec", dont_inherit=True)
        exec(code, vars(module))
        return module


def _input(prompt: object = "") -> str:
    raise EOFError("nobody answers input()")


def _methods(owner: object) -> dict[str, object]:
    """Return the methods of an object that a module offers as its functions."""
    return {
        name: getattr(owner, name) for name in random.__all__ if hasattr(owner, name)
    }


def _like(module: ModuleType, **other: object) -> ModuleType:
    """Return a copy of a module in which some names are other things."""
    copy = ModuleType(module.__name__)
    vars(copy).update(vars(module), **other)
    return copy
