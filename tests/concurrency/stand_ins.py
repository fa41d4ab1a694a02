"""Modules that stand in for those of the standard library, under one scheduler."""

from __future__ import annotations

import builtins
import importlib.util
import threading
import time
import uuid
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.concurrency.primitives import PRIMITIVES
from tests.concurrency.scheduler import Scheduler


class StandIns:
    """What a subject gets when it imports `threading`, `queue`, `time` or `uuid`, and
    the builtins with which it does so. Ids are numbered in the order in which they are
    asked for, because addresses and random numbers differ from run to run."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._numbers = count(1)
        self._ids: dict[int, tuple[object, int]] = {}
        self._modules: dict[str, ModuleType | None] = {
            "threading": self._threading(),
            "time": _like(time, sleep=lambda seconds: scheduler.step("sleep")),
            "uuid": _like(uuid, uuid4=lambda: uuid.UUID(int=next(self._numbers))),
            "_queue": None,  # so that `queue` does without it
        }
        self.builtins = {
            **vars(builtins),
            "__import__": self._import,
            "id": self._id,
        }
        self._modules["queue"] = self._queue()

    def reset(self) -> None:
        """Begin the numbers anew."""
        self._numbers = count(1)
        self._ids.clear()

    def _import(self, name: str, *how: Any) -> ModuleType:
        if name not in self._modules:
            return builtins.__import__(name, *how)
        module = self._modules[name]
        if module is None:
            raise ImportError(f"no module named {name}")
        return module

    def _id(self, thing: object) -> int:
        known = self._ids.get(id(thing))
        if known is None:  # the object is kept, so that its address is, too
            known = self._ids[id(thing)] = thing, next(self._numbers)
        return known[1]

    def _threading(self) -> ModuleType:
        bound = {
            each.__name__: type(each.__name__, (each,), {"scheduler": self._scheduler})
            for each in PRIMITIVES
        }
        module = ModuleType("threading")
        vars(module).update(bound, local=threading.local, get_ident=self._thread)
        return module

    def _thread(self) -> int | None:
        return self._scheduler.thread

    def _queue(self) -> ModuleType:
        """Return the standard library's `queue` with these builtins."""
        spec = importlib.util.find_spec("queue")
        assert spec is not None and spec.origin is not None
        module = ModuleType("queue")
        vars(module)["__builtins__"] = self.builtins
        code = compile(Path(spec.origin).read_text(), spec.origin, "exec")
        exec(code, vars(module))
        return module


def _like(module: ModuleType, **other: object) -> ModuleType:
    """Return a copy of a module in which some names are other things."""
    copy = ModuleType(module.__name__)
    vars(copy).update(vars(module), **other)
    return copy
