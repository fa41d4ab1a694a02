"""What the garbage collector's settings are worth, and what requests leave behind for
full collections, which those settings leave out."""

from __future__ import annotations

from tests.benchmarks.conditions import in_fresh_process, on_processor
from tests.benchmarks.load import drive, request_bytes
from tests.benchmarks.over_http import CLIENTS_PROCESSOR, call, served
from tests.benchmarks.pauses import NOBODY, storm_on
from tests.benchmarks.report import Scale, Table
from tests.benchmarks.tuning import VARIANT

CONNECTIONS = 8


def collector_table(scale: Scale) -> Table:
    """The collector's settings against Python's own, with a large ledger."""
    lines = []
    for name, settled in (("the server's", True), ("Python's own", False)):
        storm = in_fresh_process(
            storm_on, scale.transactions, scale.storm_seconds, settled
        )
        lines.append(
            [
                f"{name} settings, {scale.transactions:,} transactions",
                f"{sum(storm.answers.values()) / storm.seconds:,.0f}",
                *(f"{pause:.2f}" for pause in storm.longest_milliseconds),
                *(str(storm.collections[generation]) for generation in range(3)),
            ]
        )
    pauses = [f"longest {generation} ms" for generation in range(3)]
    counts = [f"runs {generation}" for generation in range(3)]
    return Table(["in process, 4 threads", "requests/s", *pauses, *counts], lines)


def garbage_table(scale: Scale) -> Table:
    """What requests leave behind that only a full collection would free."""
    lines = []
    with served(VARIANT) as server:
        ids = call(server.url, "POST", "/benchmark/fill", 0)
        for name, status, keep_alive, request in _kinds(ids):
            call(server.url, "GET", "/benchmark/objects")
            before = call(server.url, "GET", "/benchmark/objects")
            with on_processor(CLIENTS_PROCESSOR):
                slice = drive(
                    server.url,
                    [request],
                    CONNECTIONS,
                    scale.storm_seconds / 2,
                    status,
                    keep_alive,
                )
            after = call(server.url, "GET", "/benchmark/objects")
            count = len(slice.seconds)
            lines.append(
                [
                    name,
                    f"{count:,}",
                    f"{after['tracked'] - before['tracked']:,}",
                    f"{after['unreachable']:,}",
                    f"{after['unreachable'] / count:.3f}",
                ]
            )
    headings = ["requests", "count", "objects more", "unreachable", "of each"]
    return Table(headings, lines)


def _kinds(ids: list[str]) -> list[tuple[str, int, bool, bytes]]:
    """Return requests by what they are, with their status and keep-alive."""

    def transfer(keep_alive: bool = True, **changed: object) -> bytes:
        body = {"fromWalletId": ids[0], "toWalletId": ids[1], "amount": 1} | changed
        return request_bytes("POST", "/wallet/transfer", body, keep_alive)

    return [
        ("transfers", 200, True, transfer()),
        ("transfers, a connection for each", 200, False, transfer(False)),
        ("wallets read", 200, True, request_bytes("GET", f"/wallet/{ids[0]}")),
        ("400, no amount", 400, True, transfer(amount=None)),
        ("400, too little money", 400, True, transfer(amount=2**53 - 1)),
        ("404, no such wallet", 404, True, transfer(toWalletId=NOBODY)),
        ("404, no such path", 404, True, request_bytes("GET", "/nowhere")),
        ("405", 405, True, request_bytes("DELETE", "/wallet/transfer")),
    ]
