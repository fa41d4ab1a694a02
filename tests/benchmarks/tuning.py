"""What the server's processor, switching and connections are worth, and what an audit
costs those who read meanwhile: tables that justify `wallet_app/server/worker.py`."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median

from tests.benchmarks.conditions import on_processor
from tests.benchmarks.load import Slice, drive, request_bytes
from tests.benchmarks.over_http import (
    CLIENTS_PROCESSOR,
    CONNECTIONS,
    Runner,
    call,
    posts,
    race,
    served,
    transfer_bodies,
)
from tests.benchmarks.report import Scale, Table, median_ratio, percentile
from tests.server import CONFIGURED, GUNICORN

VARIANT = (
    *GUNICORN,
    "-c",
    "python:wallet_app.server.gunicorn_settings",
    "tests.benchmarks.variants:app",
)
READING_CONNECTIONS = 8


def processor_table(scale: Scale) -> Table:
    """The server on one processor, or wherever the system puts it."""
    with (
        served(VARIANT) as pinned,
        served(
            VARIANT, {"BENCHMARK_UNPINNED": "1"}, on_one_processor=False
        ) as unpinned,
    ):
        return _compare(
            ["on one processor", "on any processor"],
            [transfers(pinned.url), transfers(unpinned.url)],
            scale,
        )


def switching_table(scale: Scale) -> Table:
    """How soon Python lets another thread go on; its own default comes first."""
    choices = ("0.005", "0.001", "0.0005", "0.05")
    with ExitStack() as stack:
        runners = []
        for seconds in choices:
            environ = {"BENCHMARK_SWITCH_SECONDS": seconds}
            server = stack.enter_context(served(VARIANT, environ))
            runners.append(transfers(server.url))
        return _compare([f"after {each} s" for each in choices], runners, scale)


def keepalive_table(scale: Scale) -> Table:
    """Connections that stay open, or a new one for each request."""
    with served(CONFIGURED) as server:
        bodies = transfer_bodies(server.url)
        return _compare(
            ["keep-alive", "Connection: close"],
            [
                Runner(server.url, posts("/wallet/transfer", bodies)),
                Runner(server.url, posts("/wallet/transfer", bodies, False), False),
            ],
            scale,
        )


def transfers(url: str) -> Runner:
    return Runner(url, posts("/wallet/transfer", transfer_bodies(url)))


def _compare(
    names: list[str], runners: list[Runner], scale: Scale, reference: int = 0
) -> Table:
    """Race the servers at each number of connections."""
    lines = []
    for connections in CONNECTIONS:
        slices = race(runners, connections, scale.rounds, scale.slice_seconds)
        rates = [[slice.rate for slice in its] for its in slices]
        for name, its, mine in zip(names, slices, rates, strict=True):
            taken = [seconds for slice in its for seconds in slice.seconds]
            lines.append(
                [
                    f"{name}, {connections} connections",
                    f"{median(mine):,.0f}",
                    f"{median_ratio(mine, rates[reference]):.2f}",
                    *latencies(taken),
                ]
            )
    return Table(["transfers", "/s", "ratio", "p50 ms", "p99 ms"], lines)


def latencies(seconds: list[float]) -> list[str]:
    return [f"{percentile(seconds, percent) * 1000:.1f}" for percent in (50, 99)]


def audit_table(scale: Scale) -> Table:
    """Reading a wallet of a large ledger while it is audited over and over."""
    lines = []
    for switch_seconds in ("0.005", "0.001"):
        environ = {"BENCHMARK_SWITCH_SECONDS": switch_seconds}
        with served(VARIANT, environ) as server:
            ids = call(server.url, "POST", "/benchmark/fill", scale.transactions)
            began = time.perf_counter()
            call(server.url, "GET", "/audit")
            alone = time.perf_counter() - began
            for name, audits in (("", False), (" during audits", True)):
                slice = _reads(server.url, ids, scale.storm_seconds, audits)
                lines.append(
                    [
                        f"GET /wallet{name}, switching after {switch_seconds} s",
                        f"{slice.rate:,.0f}",
                        *latencies(slice.seconds),
                        f"{alone:.2f}",
                    ]
                )
    headings = [
        f"{READING_CONNECTIONS} connections",
        "/s",
        "p50 ms",
        "p99 ms",
        "one audit alone, s",
    ]
    return Table(headings, lines)


def _reads(url: str, ids: list[str], seconds: float, audits: bool) -> Slice:
    """Read wallets for some seconds, with or without an audit after the other."""
    reads = [request_bytes("GET", f"/wallet/{wallet_id}") for wallet_id in ids]
    audit = [request_bytes("GET", "/audit")]
    with on_processor(CLIENTS_PROCESSOR), ThreadPoolExecutor(1) as auditor:
        auditing = auditor.submit(drive, url, audit, 1, seconds) if audits else None
        slice = drive(url, reads, READING_CONNECTIONS, seconds)
        if auditing is not None:
            auditing.result()
    return slice
