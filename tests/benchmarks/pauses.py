"""How long the garbage collector stops everything while a large ledger is stormed."""

from __future__ import annotations

import gc
import io
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from werkzeug.test import EnvironBuilder

from tests.benchmarks.conditions import in_fresh_process, settle_as_the_server
from tests.benchmarks.filled import fill, new_wallets, random_pairs
from tests.benchmarks.report import Row, Scale
from wallet_app import create_app
from wallet_app.services.service import WalletService

THREADS = 4
REQUESTS = 100
NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(slots=True)
class Storm:
    """What happened: answers by status, collections and pauses by generation."""

    seconds: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)
    collections: Counter[int] = field(default_factory=Counter)
    longest_milliseconds: list[float] = field(default_factory=lambda: [0.0] * 3)
    _began: float = 0.0

    def watch(self, phase: str, info: dict[str, int]) -> None:
        """Time a collection, as one of `gc.callbacks`. The clock is this thread's
        processor time: a collection gives no thread a turn, but its callbacks do."""
        if phase == "start":
            self._began = time.thread_time()
            return
        generation = info["generation"]
        self.collections[generation] += 1
        self.longest_milliseconds[generation] = max(
            self.longest_milliseconds[generation],
            (time.thread_time() - self._began) * 1000,
        )


def pause_rows(scale: Scale) -> list[Row]:
    """Pauses with a ledger that is filled in seconds."""
    return [pause_row(scale.transactions, scale.storm_seconds, milliseconds_max=10.0)]


def pause_row(transactions: int, seconds: float, milliseconds_max: float) -> Row:
    """The longest pause in a storm of requests on a large ledger."""
    storm = in_fresh_process(storm_on, transactions, seconds, True)
    longest = max(storm.longest_milliseconds)
    ran = "/".join(str(storm.collections[generation]) for generation in range(3))
    return Row(
        "longest pause of the garbage collector at "
        f"{transactions:,} transactions (collections 0/1/2: {ran})",
        f"{longest:.2f} ms",
        "",
        "",
        f"<= {milliseconds_max:.0f} ms",
        longest <= milliseconds_max,
    )


def storm_on(transactions: int, seconds: float, settled: bool) -> Storm:
    """Storm a large ledger through the WSGI app; if not `settled`, with Python's own
    settings for the collector."""
    service = WalletService()
    app = create_app(service)
    if settled:
        settle_as_the_server()
    ids = new_wallets(service)
    gc.collect(1)  # as on a server, where wallets grow old before histories grow long
    fill(service, ids, transactions)
    requests = _requests(ids)
    storm = Storm()
    gc.callbacks.append(storm.watch)
    began = time.perf_counter()
    threads = [
        threading.Thread(target=_send, args=(app, requests, began + seconds, storm))
        for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    storm.seconds = time.perf_counter() - began
    gc.callbacks.clear()
    assert set(storm.answers) == {200, 400, 404}, storm.answers
    return storm


def _requests(ids: list[str]) -> list[tuple[dict[str, Any], bytes]]:
    """Return transfers as WSGI has them; of twenty, two are refused."""
    bodies: list[dict[str, object]] = [
        {"fromWalletId": source, "toWalletId": target, "amount": 1}
        for source, target in random_pairs(ids, REQUESTS)
    ]
    for n in range(0, len(bodies), 20):
        bodies[n] |= {"amount": 0}
        bodies[n + 1] |= {"toWalletId": NOBODY}
    requests = []
    for each in bodies:
        body = json.dumps(each).encode()
        builder = EnvironBuilder(
            "/wallet/transfer",
            method="POST",
            data=body,
            content_type="application/json",
        )
        requests.append((builder.get_environ(), body))
    return requests


def _send(
    app: Any, requests: Iterable[tuple[dict[str, Any], bytes]], end: float, storm: Storm
) -> None:
    """Call the app as a server does, one request after the other."""
    statuses: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        statuses.append(status)

    for environ, body in itertools.cycle(requests):
        if time.perf_counter() > end:
            break
        answer = app(environ | {"wsgi.input": io.BytesIO(body)}, start_response)
        b"".join(answer)
        answer.close()
    storm.answers.update(int(status[:3]) for status in statuses)
