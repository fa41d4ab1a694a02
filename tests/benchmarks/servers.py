"""The same app under another server, granian: what that is worth, and how many threads
it needs so that a long audit does not keep the others waiting."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from statistics import median

from tests.benchmarks.audits import run_beside
from tests.benchmarks.conditions import on_processor, processor_seconds
from tests.benchmarks.load import Slice
from tests.benchmarks.over_http import (
    CLIENTS_PROCESSOR,
    CONNECTIONS,
    call,
    compared,
    latencies,
    served,
)
from tests.benchmarks.report import Scale, Table
from tests.benchmarks.tuning import VARIANT, transfers
from tests.server import CONFIGURED, granian

AUDITED = 200_000
"""Transactions that each audit reads."""

SLICES, SLICE_SECONDS = 5, 3.0


def servers_table(scale: Scale) -> Table:
    """Transfers under gunicorn, and under granian with one thread and with four.

    Where others use the processors too, what a transfer costs them says more than how
    many were made.
    """
    commands = {
        "gunicorn": CONFIGURED,
        "granian, 1 thread": granian(threads=1),
        "granian, 4 threads": granian(threads=4),
    }
    lines = []
    with ExitStack() as stack:
        servers = [stack.enter_context(served(each)) for each in commands.values()]
        runners = [transfers(server.url) for server in servers]
        for connections in CONNECTIONS:
            slices: list[list[Slice]] = [[] for _ in servers]
            busy = [0.0 for _ in servers]
            for number in range(scale.rounds * len(servers)):
                n = number % len(servers)
                before = processor_seconds(servers[n].process.pid)
                with on_processor(CLIENTS_PROCESSOR):
                    slice = runners[n].run(connections, scale.slice_seconds)
                busy[n] += processor_seconds(servers[n].process.pid) - before
                slices[n].append(slice)
            rates = [[slice.rate for slice in its] for its in slices]
            costs = [
                seconds / sum(len(slice.seconds) for slice in its)
                for seconds, its in zip(busy, slices, strict=True)
            ]
            for n, name in enumerate(commands):
                what = f"{name}, {connections} connections"
                lines.append(
                    [
                        *compared(what, rates[n], slices[n], rates[0]),
                        f"{costs[n] * 1e6:.0f}",
                        f"{costs[0] / costs[n]:.2f}",
                    ]
                )
    headings = ["transfers", "/s", "ratio", "p50 ms", "p99 ms", "CPU us", "per CPU s"]
    return Table(headings, lines)


def long_reads_table(scale: Scale) -> Table:
    """Transfers on a large ledger, alone and while it is audited over and over."""
    app = VARIANT[-1]
    commands = {
        "gunicorn": VARIANT,
        "granian, 1 thread": granian(threads=1, app=app),
        "granian, 2 threads": granian(threads=2, app=app),
        "granian, 4 threads": granian(threads=4, app=app),
    }
    slices: dict[str, list[Slice]] = defaultdict(list)
    with ExitStack() as stack:
        runners = {}
        for name, command in commands.items():
            url = stack.enter_context(served(command)).url
            runners[name] = transfers(url)
            call(url, "POST", "/benchmark/fill", AUDITED)
        for _ in range(SLICES):
            for name, runner in runners.items():
                for what, audits in ((name, False), (f"{name}, during audits", True)):
                    slices[what].append(run_beside(runner, SLICE_SECONDS, audits))
    lines = []
    for name, its in slices.items():
        rate = median(slice.rate for slice in its)
        waits = (f"{each:.1f}" for each in latencies(its))
        lines.append([name, f"{rate:,.0f}", *waits])
    return Table(["transfers", "/s", "p50 ms", "p99 ms"], lines)
