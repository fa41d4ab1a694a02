"""Where the threads of the service can be switched, and where faults strike.

The product has no hook for this. A balance is watched by putting a descriptor in
the place of the slot of `Wallet`; lines are watched with `sys.settrace`. Locks are
switch points by themselves: the service gets the scheduler's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol
from unittest.mock import patch

from tests.concurrency import mutants
from tests.concurrency.scheduler import Scheduler, site_of
from wallet_app import services, store
from wallet_app.services.work_queue import WorkQueue
from wallet_app.store import Wallet

UNDIVIDED = {WorkQueue.wake.__code__}
"""Functions in which no line is a switch point: they hold something that is no lock of
the scheduler's, so that another thread would wait for it for ever."""


class Crash(Exception):
    """What goes wrong at the worst moment."""


class Faults(Protocol):
    """Decides which writes fail."""

    def strikes(self) -> bool:
        """Count one more write of the running call, and return whether it fails."""
        ...


class WatchedBalance:
    """Stands in for the slot of the wallet's balance.

    Before each read and each write the scheduler may switch; a write may crash
    instead of being made.
    """

    def __init__(self, slot: Any, scheduler: Scheduler, faults: Faults) -> None:
        self._slot = slot
        self._scheduler = scheduler
        self._faults = faults

    def __get__(self, wallet: Wallet, owner: type[Wallet]) -> int:
        step = self._scheduler.step("read", wallet)
        balance: int = self._slot.__get__(wallet, owner)
        if step is not None:
            step.value, step.site = balance, site_of(sys._getframe(1))
        return balance

    def __set__(self, wallet: Wallet, balance: int) -> None:
        step = self._scheduler.step("write", wallet)
        if step is not None:
            step.value, step.site = balance, site_of(sys._getframe(1))
            if self._faults.strikes():
                step.what = "crash"
                raise Crash
        self._slot.__set__(wallet, balance)


@contextmanager
def watched_balances(scheduler: Scheduler, faults: Faults) -> Iterator[None]:
    """Make every touch of every wallet's balance a switch point."""
    slot = Wallet.__dict__["balance"]
    with patch.object(Wallet, "balance", WatchedBalance(slot, scheduler, faults)):
        yield


class Lines:
    """Makes each line of the service and the store a switch point."""

    def __init__(self, scheduler: Scheduler) -> None:
        folder = Path(services.__file__).parent
        self._files = {store.__file__, mutants.__file__} | {
            str(path) for path in folder.rglob("*.py")
        }
        self._scheduler = scheduler

    def traced(self, body: Callable[[], None]) -> Callable[[], None]:
        """Return a body that stops before each line; the thread's own tracing, as
        that of a coverage tool, goes on afterwards."""

        def run() -> None:
            before = sys.gettrace()
            sys.settrace(self._enter)
            try:
                body()
            finally:
                sys.settrace(before)

        return run

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code.co_filename in self._files and code not in UNDIVIDED:
            return self._line
        return None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self._scheduler.step("line", (frame.f_code.co_filename, frame.f_lineno))
        return self._line
