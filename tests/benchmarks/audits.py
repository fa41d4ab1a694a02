"""What an audit of a large ledger costs those who read and move money meanwhile."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.benchmarks.conditions import on_processor
from tests.benchmarks.load import Slice, drive, request_bytes
from tests.benchmarks.over_http import (
    CLIENTS_PROCESSOR,
    Runner,
    call,
    latencies,
    served,
)
from tests.benchmarks.report import Row, Scale, Table
from tests.benchmarks.tuning import VARIANT, transfers

CONNECTIONS = 8
TURNS = 3
RATIO_MAX = 3.0


def audit_rows(scale: Scale) -> list[Row]:
    """Transfers while one audit after the other runs, against transfers without."""
    during: list[Slice] = []
    without: list[Slice] = []
    with served(VARIANT) as server:
        runner = transfers(server.url)
        call(server.url, "POST", "/benchmark/fill", scale.transactions)
        for _ in range(TURNS):
            for audits, slices in ((False, without), (True, during)):
                slices.append(run_beside(runner, scale.storm_seconds, audits))
    (_, this), (_, reference) = latencies(during), latencies(without)
    return [
        Row(
            f"p99 of transfers during audits of {scale.transactions:,} transactions, "
            f"{CONNECTIONS} connections",
            f"{this:.2f} ms",
            f"{reference:.2f} ms",
            f"{this / reference:.3f}",
            f"<= {RATIO_MAX:.2f}",
            this / reference <= RATIO_MAX,
        )
    ]


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
            reads = [request_bytes("GET", f"/wallet/{wallet_id}") for wallet_id in ids]
            for name, audits in (("", False), (" during audits", True)):
                runner = Runner(server.url, reads)
                slice = run_beside(runner, scale.storm_seconds, audits)
                lines.append(
                    [
                        f"GET /wallet{name}, switching after {switch_seconds} s",
                        f"{slice.rate:,.0f}",
                        *(f"{each:.1f}" for each in latencies([slice])),
                        f"{alone:.2f}",
                    ]
                )
    headings = [f"{CONNECTIONS} connections", "/s", "p50 ms", "p99 ms"]
    return Table([*headings, "one audit alone, s"], lines)


def run_beside(runner: Runner, seconds: float, audits: bool) -> Slice:
    """Send requests for some seconds, with or without one audit after the other."""
    audit = [request_bytes("GET", "/audit")]
    with on_processor(CLIENTS_PROCESSOR), ThreadPoolExecutor(1) as auditor:
        if not audits:
            return runner.run(CONNECTIONS, seconds)
        auditing = auditor.submit(drive, runner.url, audit, 1, seconds)
        slice = runner.run(CONNECTIONS, seconds)
        auditing.result()
    return slice
