"""The service against what a user would write instead, and what else a client of many
transfers waits for: all in one run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median
from typing import Any

from tests.benchmarks.audits import audit_rows
from tests.benchmarks.in_process import batch_rows
from tests.benchmarks.load import Slice
from tests.benchmarks.over_http import (
    CONNECTIONS,
    Runner,
    compared,
    latencies,
    posts,
    race,
    served,
    transfer_bodies,
)
from tests.benchmarks.peers.conversation import conversation
from tests.benchmarks.peers.installed import EXPRESS, FASTAPI, FLASK, Peer, installed
from tests.benchmarks.report import Row, Scale, Table, at_least
from tests.server import CONFIGURED, Server, ask, granian

ON_GUNICORN, ON_GRANIAN = "this service, gunicorn", "this service, granian"
TARGETS = (
    (ON_GUNICORN, FLASK, 2.0),
    (ON_GRANIAN, FASTAPI, 1.0),
    (ON_GRANIAN, EXPRESS, 1.1),
)
"""How many times the peer's single transfers."""

BATCH = 1_000
BATCH_CONNECTIONS = CONNECTIONS[0]
BATCHES_LEAST = 8.0
P99_MOST = {8: 4.0, 64: 2.0}
"""How many times the p50, by the number of connections."""

Slices = Mapping[str, list[Slice]]


def peers_rows(scale: Scale) -> list[Row]:
    """Print the figures of each server, and return what the service must reach."""
    with installed() as peers, ExitStack() as stack:
        ours = {ON_GUNICORN: Peer(CONFIGURED), ON_GRANIAN: Peer(granian())}
        servers = {
            name: stack.enter_context(served(peer.command, peer.environ))
            for name, peer in (ours | peers).items()
        }
        rows = _rows(servers, list(peers), scale)
    return rows + batch_rows(scale) + audit_rows(scale)


def _rows(servers: Mapping[str, Server], peers: list[str], scale: Scale) -> list[Row]:
    _insist_on_the_same_answers(servers)
    bodies = {name: transfer_bodies(each.url) for name, each in servers.items()}
    singles = {
        name: Runner(each.url, posts("/wallet/transfer", bodies[name]))
        for name, each in servers.items()
    }
    batches = {
        _batches(name): _batch_runner(servers[name].url, bodies[name])
        for name in (ON_GUNICORN, ON_GRANIAN)
    }
    transfers: list[Row] = []
    batched: list[Row] = []
    waits: list[Row] = []
    for connections in CONNECTIONS:
        runners = singles | (batches if connections == BATCH_CONNECTIONS else {})
        raced = race(
            list(runners.values()), connections, scale.rounds * 2, scale.slice_seconds
        )
        slices = dict(zip(runners, raced))
        _print(slices, connections)
        transfers += _transfer_rows(slices, connections)
        if connections == BATCH_CONNECTIONS:
            batched += _batch_rows(slices, peers)
        waits.append(_wait_row(slices[ON_GUNICORN], connections))
    return transfers + batched + waits


def _insist_on_the_same_answers(servers: Mapping[str, Server]) -> None:
    """A peer that checks less would be faster."""

    def answers(server: Server) -> list[Any]:
        def post(path: str, body: Any) -> tuple[int, Any]:
            answer = ask("POST", server.url + path, body)
            return answer.status, answer.json()

        return conversation(post)

    ours = answers(servers[ON_GUNICORN])
    for name, server in servers.items():
        assert answers(server) == ours, name


def _batch_runner(url: str, bodies: list[dict[str, Any]]) -> Runner:
    operations = [{"type": "TRANSFER", **body} for body in bodies]
    operations *= BATCH // len(operations)
    return Runner(url, posts("/wallet/batch", [{"operations": operations}]))


def _batches(name: str) -> str:
    return f"{name}, batches of {BATCH:,}"


def _rates(slices: Slices, name: str) -> list[float]:
    """Return the transfers a second of each slice."""
    each = BATCH if name in (_batches(ON_GUNICORN), _batches(ON_GRANIAN)) else 1
    return [slice.rate * each for slice in slices[name]]


def _print(slices: Slices, connections: int) -> None:
    reference = _rates(slices, ON_GUNICORN)
    lines = [
        compared(name, _rates(slices, name), its, reference)
        for name, its in slices.items()
    ]
    headings = [f"transfers, {connections} connections", "/s", "ratio"]
    print(f"{Table([*headings, 'p50 ms', 'p99 ms'], lines)}\n", flush=True)


def _transfer_rows(slices: Slices, connections: int) -> list[Row]:
    return [
        at_least(
            f"single transfers, {connections} connections: {ours}, against {peer}",
            "/s",
            _rates(slices, ours),
            _rates(slices, peer),
            least,
        )
        for ours, peer, least in TARGETS
        if peer in slices
    ]


def _batch_rows(slices: Slices, peers: list[str]) -> list[Row]:
    fastest = max(peers, key=lambda name: median(_rates(slices, name)))
    return [
        at_least(
            f"transfers in {_batches(ours)}, against single ones of {fastest}",
            "/s",
            _rates(slices, _batches(ours)),
            _rates(slices, fastest),
            BATCHES_LEAST,
        )
        for ours in (ON_GUNICORN, ON_GRANIAN)
    ]


def _wait_row(slices: list[Slice], connections: int) -> Row:
    p50, p99 = latencies(slices)
    most = P99_MOST[connections]
    return Row(
        f"p99 of transfers on gunicorn, {connections} connections, against its p50",
        f"{p99:.2f} ms",
        f"{p50:.2f} ms",
        f"{p99 / p50:.3f}",
        f"<= {most:.2f}",
        p99 / p50 <= most,
    )
