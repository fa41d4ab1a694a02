"""What the server's processor, switching and connections are worth: tables that justify
`wallet_app/server/worker.py`."""

from __future__ import annotations

from contextlib import ExitStack

from tests.benchmarks.over_http import (
    CONNECTIONS,
    Runner,
    compared,
    posts,
    race,
    served,
    transfer_bodies,
)
from tests.benchmarks.report import Scale, Table
from tests.server import CONFIGURED, GUNICORN

VARIANT = (
    *GUNICORN,
    "-c",
    "python:wallet_app.server.gunicorn_settings",
    "tests.benchmarks.variants:app",
)


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


def _compare(names: list[str], runners: list[Runner], scale: Scale) -> Table:
    """Race the servers at each number of connections; the first is the reference."""
    lines = []
    for connections in CONNECTIONS:
        slices = race(runners, connections, scale.rounds, scale.slice_seconds)
        rates = [[slice.rate for slice in its] for its in slices]
        for name, its, mine in zip(names, slices, rates, strict=True):
            what = f"{name}, {connections} connections"
            lines.append(compared(what, mine, its, rates[0]))
    return Table(["transfers", "/s", "ratio", "p50 ms", "p99 ms"], lines)
