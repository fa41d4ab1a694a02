"""The conditions of a measurement: whose processor, whose collector, whose memory."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

from wallet_app.server import worker

P = ParamSpec("P")
T = TypeVar("T")


def in_fresh_process(measure: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a process of its own, which nothing before has touched."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *args, **kwargs).result()


def settle_as_the_server() -> None:
    """Give this process the collector's settings of the server's worker, and its one
    processor. Called when all is imported, as in the worker."""
    worker.settle_memory()
    worker.settle_processor()


@contextmanager
def on_processor(number: int) -> Iterator[None]:
    """Run on one processor; what is started meanwhile stays there. Numbers past the
    last one mean the last. Where processes cannot be pinned, this does nothing."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    processors = sorted(before)
    os.sched_setaffinity(0, {processors[min(number, len(processors) - 1)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def resident_bytes() -> int:
    """Return the memory that this process holds. Without Linux's /proc it is the
    most that it ever held, in the unit of macOS."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def processor_seconds(pid: int) -> float:
    """Return how long a process and its children have run so far, by Linux's /proc."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            if str(pid) in (stat.parent.name, fields[1]):
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
