"""Allocations that fail, and a process of its own for them.

CPython's `_testcapi` lets chosen allocations of a process fail. Those of other threads
would count, too, so the trials run in a child process, which has one thread.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import pytest

try:
    import _testcapi  # type: ignore[import-not-found]  # typeshed has no stub of it
except ImportError:  # not every build of the interpreter has it
    MISSING = "this interpreter has no _testcapi"
else:
    # 3.12.1 and 3.13.0 do, in `min` with a key among others.
    CRASHES = sys.version_info >= (3, 12)
    MISSING = "this interpreter crashes without memory" if CRASHES else ""

needs_failing_allocations = pytest.mark.skipif(bool(MISSING), reason=MISSING)

PROBES = 200
"""Allocations that show whether the chosen one is still to come."""

TIMEOUT_SECONDS = 60


class Trial(NamedTuple):
    result: object
    """What was returned, or the exception that was raised."""

    struck: bool
    """Whether the first chosen allocation was met, and failed."""


def with_failing(n: int, times: int, act: Callable[[], object]) -> Trial:
    """Act, and let so many allocations fail after the first `n`, and no others."""
    # It also empties the free lists, so that no allocation hides behind them.
    gc.collect()
    result: object
    spares: list[object] = [None] * PROBES
    probes, left = iter(range(PROBES)), 0
    _testcapi.set_nomemory(n, n + times)
    try:
        try:
            result = act()
        except BaseException as error:  # noqa: BLE001 - the trial goes on, whatever it is
            result = error
        for index in probes:
            try:
                spares[index] = object()
            except MemoryError:
                left += 1
    finally:
        _testcapi.remove_mem_hooks()
    # Of many in a row, some may be left when the first has already ended the act.
    is_over = times > 1 and isinstance(result, BaseException)
    return Trial(result, struck=is_over or left == 0)


def in_a_child(work: Callable[[], Any]) -> Any:
    """Return what the work returns in a child process that has only this thread.

    Raises AssertionError with the traceback of the child if it fails there.
    """
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_send_result, args=(work, sending))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about other threads
        child.start()
    sending.close()
    try:
        assert receiving.poll(TIMEOUT_SECONDS), "the child process does not end"
        try:
            result, failure = receiving.recv()
        except EOFError:
            result, failure = None, "the child process has crashed"
    finally:
        child.kill()
        child.join()
    assert failure is None, failure
    return result


def _send_result(work: Callable[[], Any], sending: Connection) -> None:
    # A library in Rust panics without memory, and prints where.
    os.environ["RUST_BACKTRACE"] = "0"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    gc.disable()
    gc.freeze()
    try:
        sending.send((work(), None))
    except BaseException:  # noqa: BLE001 - the parent raises it
        sending.send((None, traceback.format_exc()))
