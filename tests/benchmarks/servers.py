"""The same app under another server, granian: what that is worth, and how many threads
it needs so that a long audit does not keep the others waiting."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median

from tests.benchmarks.conditions import on_processor, processor_seconds
from tests.benchmarks.load import Slice, drive, request_bytes
from tests.benchmarks.over_http import (
    CLIENTS_PROCESSOR,
    CONNECTIONS,
    Runner,
    call,
    served,
)
from tests.benchmarks.report import Scale, Table, median_ratio
from tests.benchmarks.tuning import VARIANT, latencies, transfers
from tests.server import CONFIGURED, granian

AUDITED = 200_000
"""Transactions that each audit reads."""

CONNECTIONS_BESIDE_AUDITS = 8
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
            rates: list[list[float]] = [[] for _ in servers]
            taken: list[list[float]] = [[] for _ in servers]
            busy = [0.0 for _ in servers]
            for number in range(scale.rounds * len(servers)):
                n = number % len(servers)
                before = processor_seconds(servers[n].process.pid)
                with on_processor(CLIENTS_PROCESSOR):
                    slice = runners[n].run(connections, scale.slice_seconds)
                busy[n] += processor_seconds(servers[n].process.pid) - before
                rates[n].append(slice.rate)
                taken[n] += slice.seconds
            costs = [its / len(of) for its, of in zip(busy, taken, strict=True)]
            for n, name in enumerate(commands):
                lines.append(
                    [
                        f"{name}, {connections} connections",
                        f"{median(rates[n]):,.0f}",
                        f"{median_ratio(rates[n], rates[0]):.2f}",
                        *latencies(taken[n]),
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
                slices[name].append(_beside_audits(runner, audits=False))
                slices[f"{name}, during audits"].append(_beside_audits(runner))
    lines = []
    for name, its in slices.items():
        taken = [seconds for slice in its for seconds in slice.seconds]
        rate = median(slice.rate for slice in its)
        lines.append([name, f"{rate:,.0f}", *latencies(taken)])
    return Table(["transfers", "/s", "p50 ms", "p99 ms"], lines)


def _beside_audits(runner: Runner, audits: bool = True) -> Slice:
    """Make transfers, with or without an audit after the other beside them."""
    audit = [request_bytes("GET", "/audit")]
    with on_processor(CLIENTS_PROCESSOR), ThreadPoolExecutor(1) as auditor:
        if audits:
            auditor.submit(drive, runner.url, audit, 1, SLICE_SECONDS)
        return runner.run(CONNECTIONS_BESIDE_AUDITS, SLICE_SECONDS)
