"""Real servers under load: the service against an echo, both on one processor and
the client on another."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Any

import urllib3

from tests.benchmarks.conditions import on_processor
from tests.benchmarks.filled import BALANCE, WALLETS, random_pairs
from tests.benchmarks.load import Slice, drive, request_bytes
from tests.benchmarks.report import Row, Scale, at_least, median_ratio, percentile
from tests.server import CONFIGURED, GUNICORN, Server, running

SERVERS_PROCESSOR, CLIENTS_PROCESSOR = 0, 1
CONNECTIONS = (8, 64)
BODIES = 500

ECHO = (
    *GUNICORN,
    "-c",
    "python:wallet_app.server.gunicorn_settings",
    "tests.benchmarks.echo:app",
)


@dataclass(frozen=True, slots=True)
class Runner:
    """A server and what it is asked."""

    url: str
    requests: list[bytes]
    keep_alive: bool = True

    def run(self, connections: int, seconds: float) -> Slice:
        return drive(
            self.url, self.requests, connections, seconds, keep_alive=self.keep_alive
        )


def http_rows(scale: Scale) -> list[Row]:
    """`POST /wallet/transfer` against a bare Flask app that echoes its JSON."""
    with served(CONFIGURED) as service, served(ECHO) as echo:
        bodies = transfer_bodies(service.url)
        runners = [
            Runner(service.url, posts("/wallet/transfer", bodies)),
            Runner(echo.url, posts("/echo", bodies)),
        ]
        rows = []
        for connections in CONNECTIONS:
            transfers, echoes = race(
                runners, connections, scale.rounds * 2, scale.slice_seconds
            )
            rows.append(
                at_least(
                    f"POST /wallet/transfer, {connections} connections, "
                    "against a Flask JSON echo",
                    "/s",
                    [slice.rate for slice in transfers],
                    [slice.rate for slice in echoes],
                    0.80,
                )
            )
        return rows


@contextmanager
def served(
    command: tuple[str, ...],
    environ: Mapping[str, str] | None = None,
    on_one_processor: bool = True,
) -> Iterator[Server]:
    """Run a server on the servers' processor, unless it may use them all."""
    with ExitStack() as stack:
        place = on_processor(SERVERS_PROCESSOR) if on_one_processor else nullcontext()
        with place:
            server = stack.enter_context(running(command, environ))
        yield server


def race(
    runners: list[Runner], connections: int, rounds: int, seconds: float
) -> tuple[list[Slice], ...]:
    """Let the servers take turns, in the other order each time; return the slices
    of each. The first turn only warms up. Short slices, many times over, are worth
    more than long ones: noise then meets both."""
    slices: tuple[list[Slice], ...] = tuple([] for _ in runners)
    turns = list(zip(runners, slices, strict=True))
    with on_processor(CLIENTS_PROCESSOR):
        for runner in runners:
            runner.run(connections, seconds)
        for _ in range(rounds):
            turns.reverse()
            for runner, its in turns:
                its.append(runner.run(connections, seconds))
    return slices


def compared(
    what: str, rates: list[float], slices: list[Slice], reference: list[float]
) -> list[str]:
    """Return a line: requests a second, their ratio to others, and latencies."""
    return [
        what,
        f"{median(rates):,.0f}",
        f"{median_ratio(rates, reference):.2f}",
        *(f"{each:.1f}" for each in latencies(slices)),
    ]


def latencies(slices: list[Slice]) -> tuple[float, float]:
    """Return the p50 and the p99 of all the requests, in milliseconds."""
    seconds = [each for slice in slices for each in slice.seconds]
    return percentile(seconds, 50) * 1000, percentile(seconds, 99) * 1000


def transfer_bodies(url: str) -> list[dict[str, Any]]:
    """Open wallets that can pay, and return transfers between them."""
    ids = []
    for _ in range(WALLETS):
        wallet = call(url, "POST", "/wallet/create", {"userId": str(uuid.uuid4())})
        call(url, "POST", "/wallet/add", {"walletId": wallet["id"], "amount": BALANCE})
        ids.append(wallet["id"])
    return [
        {"fromWalletId": source, "toWalletId": target, "amount": 1}
        for source, target in random_pairs(ids, BODIES)
    ]


def posts(
    path: str, bodies: list[dict[str, Any]], keep_alive: bool = True
) -> list[bytes]:
    return [request_bytes("POST", path, body, keep_alive) for body in bodies]


def call(url: str, method: str, path: str, body: object = None) -> Any:
    """Make one request apart from the load."""
    response = urllib3.request(method, url + path, json=body, timeout=60, retries=False)
    assert response.status < 300, response.data
    return json.loads(response.data)
