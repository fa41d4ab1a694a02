"""Where the threads of the service can be switched, and where faults strike.

The product has no hook for this. A balance is watched by putting a descriptor in
the place of the slot of `Wallet`; lines are watched with `sys.settrace`. Locks are
switch points by themselves: the service gets the scheduler's.
"""

from __future__ import annotations

import ast
import dis
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol
from unittest.mock import patch

import wallet_app
from tests.concurrency import mutants
from tests.concurrency.scheduler import Scheduler, site_of
from wallet_app import services, store
from wallet_app.services.work_queue import WorkQueue
from wallet_app.store import Wallet

UNSEEN = frozenset(
    "LOAD_FAST STORE_FAST DELETE_FAST LOAD_CONST LOAD_GLOBAL BUILD_LIST BUILD_TUPLE "
    "UNPACK_SEQUENCE IS_OP RETURN_VALUE POP_TOP COPY SWAP PUSH_NULL KW_NAMES PRECALL "
    "NOP RESUME JUMP_FORWARD POP_JUMP_FORWARD_IF_NONE POP_JUMP_FORWARD_IF_NOT_NONE "
    "LOAD_ATTR LOAD_METHOD "
    # names in Python 3.12 and later
    "POP_JUMP_IF_NONE POP_JUMP_IF_NOT_NONE RETURN_CONST LOAD_FAST_CHECK "
    "LOAD_FAST_LOAD_FAST STORE_FAST_LOAD_FAST STORE_FAST_STORE_FAST".split()
)
"""Instructions of CPython that change nothing but the local variables of a call,
and use nothing that changes but the attributes in `changing_attributes`."""

UNDIVIDED = {WorkQueue.wake.__code__}
"""No switch inside these: they hold a lock that the scheduler does not control."""


Tracer = Callable[[FrameType, str, Any], Any]


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
    instead of being made. `step` is None between
    runs, while a run is given up, and in a thread that is not the scheduler's.
    """

    def __init__(self, slot: Any, scheduler: Scheduler, faults: Faults) -> None:
        self._slot = slot
        self._scheduler = scheduler
        self._faults = faults

    def __get__(self, wallet: Wallet, owner: type[Wallet]) -> int:
        step = self._scheduler.step("read", wallet)
        balance: int = self._slot.__get__(wallet, owner)  # which notes the touch
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
    """Makes the lines of the service and the store switch points.

    A line is no switch point if it uses only local variables, constants, and attributes
    that are set once: a switch before it has the effect of one before the next line.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._tracer_of = cache(self._new_tracer)
        changing_attributes()  # read now, because in a run it would look like a hang

    def traced(self, body: Callable[[], None]) -> Callable[[], None]:
        """Return a body that stops before these lines; the thread's own tracing, as
        that of a coverage tool, goes on afterwards."""

        def run() -> None:
            before = sys.gettrace()
            sys.settrace(self._enter)
            try:
                body()
            finally:
                sys.settrace(before)

        return run

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Tracer | None:
        code = frame.f_code
        if code.co_filename in watched_files() and code not in UNDIVIDED:
            return self._tracer_of(code)
        return None

    def _new_tracer(self, code: CodeType) -> Tracer:
        file, visible = code.co_filename, visible_lines(code)
        step = self._scheduler.step

        def trace(frame: FrameType, event: str, argument: Any) -> Tracer:
            if event == "line" and frame.f_lineno in visible:
                step("line", (file, frame.f_lineno))
            return trace

        return trace


@cache
def watched_files() -> frozenset[str]:
    """Return the files of the store, the services and the seeded bugs."""
    services_files = Path(services.__file__).parent.rglob("*.py")
    return frozenset({store.__file__, mutants.__file__, *map(str, services_files)})


@cache
def changing_attributes() -> frozenset[str]:
    """Return the names of the attributes that the product, or a seeded bug, sets
    outside an `__init__`."""
    product = Path(wallet_app.__file__).parent.rglob("*.py")
    return frozenset(
        node.attr
        for file in [Path(mutants.__file__), *product]
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef) and function.name != "__init__"
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    )


def visible_lines(code: CodeType) -> frozenset[int | None]:
    """Return the lines of a function that another thread can see, or be seen by."""
    return frozenset(
        instruction.positions.lineno
        for instruction in dis.get_instructions(code)
        if instruction.positions
        if instruction.opname not in UNSEEN
        or instruction.argval in changing_attributes()
    )
