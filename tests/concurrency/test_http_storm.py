"""Storms over HTTP: real clients, real threads, a real server; the books hold, and
one order of the calls explains every answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from flask import Flask

from tests.concurrency.calls import SETTINGS
from tests.concurrency.client import HttpClient, read
from tests.concurrency.mutants import MUTANTS
from tests.concurrency.results import Report, Rest, Result, Totals
from tests.concurrency.specification import Operation
from tests.concurrency.specification_of_reads import (
    AtRest,
    Audit,
    Get,
    GetLimits,
    History,
)
from tests.concurrency.storm import (
    OF_MONEY,
    STORMED,
    WrongRound,
    storm,
    unsettled,
)
from tests.ledgers import passing_time
from tests.server import GUNICORN, running
from wallet_app import create_app
from wallet_app.services.service import WalletService

pytestmark = pytest.mark.server

CLIENTS = 20
TIMEOUT_SECONDS = 20.0
STORM_SECONDS = 2.0

SEED = 1
ROUNDS = 150
HUNT_ROUNDS_MAX = 2_000

Answer = tuple[int, dict[str, Any]]


class Connections:
    """Speaks to a server over as many connections as there are threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(
            maxsize=CLIENTS + 4, timeout=TIMEOUT_SECONDS, retries=False
        )

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, object] | None = None,
        key: str | None = None,
    ) -> Answer:
        status, answer = self.send(method, path, body, key)
        return status, read(answer)

    def send(
        self, method: str, path: str, body: dict[str, object] | None, key: str | None
    ) -> tuple[int, bytes]:
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = self._pool.request(
            method, self._url + path, json=body, headers=headers
        )
        return answer.status, answer.data

    def post(
        self, path: str, body: dict[str, object], key: str | None = None
    ) -> Answer:
        return self.ask("POST", path, body, key)

    def get(self, path: str) -> dict[str, Any]:
        status, body = self.ask("GET", path)
        assert status == 200, body
        return body

    def open_wallet(self, balance: int = 0) -> str:
        _, wallet = self.post("/wallet/create", {"userId": str(uuid4())})
        if balance:
            body = {"walletId": wallet["id"], "amount": balance}
            assert self.post("/wallet/add", body)[0] == 200
        return str(wallet["id"])

    def close(self) -> None:
        self._pool.clear()


@pytest.fixture(scope="module")
def client() -> Iterator[Connections]:
    with running() as server:
        client = Connections(server.url)
        yield client
        client.close()


def all_at_once(call: Callable[[], Answer]) -> list[Answer]:
    """Make the same call from twenty threads that start together."""
    gate = threading.Barrier(CLIENTS)

    def wait_and_call() -> Answer:
        gate.wait(TIMEOUT_SECONDS)
        return call()

    with ThreadPoolExecutor(CLIENTS) as threads:
        calls = [threads.submit(wait_and_call) for _ in range(CLIENTS)]
        return [each.result(TIMEOUT_SECONDS) for each in calls]


def test_of_twenty_who_deduct_a_whole_balance_one_succeeds(client: Connections) -> None:
    wallet_id = client.open_wallet(1000)
    body: dict[str, object] = {"walletId": wallet_id, "amount": 1000}
    answers = all_at_once(lambda: client.post("/wallet/deduct", body))
    assert sorted(status for status, _ in answers) == [200] + [400] * (CLIENTS - 1)
    refused = [answer["code"] for status, answer in answers if status == 400]
    assert set(refused) == {"insufficient_funds"}
    assert client.get(f"/wallet/{wallet_id}")["balance"] == 0
    assert client.get(f"/wallet/{wallet_id}/transactions")["total"] == 2


def test_of_twenty_who_create_the_same_wallet_one_gets_it(client: Connections) -> None:
    body: dict[str, object] = {"userId": str(uuid4())}
    answers = all_at_once(lambda: client.post("/wallet/create", body))
    assert sorted(status for status, _ in answers) == [201] + [409] * (CLIENTS - 1)
    assert len({answer["walletId"] for _, answer in answers}) == 1


def test_twenty_with_one_idempotency_key_have_one_effect(client: Connections) -> None:
    wallet_id = client.open_wallet()
    body: dict[str, object] = {"walletId": wallet_id, "amount": 7}
    key = str(uuid4())
    answers = all_at_once(lambda: client.post("/wallet/add", body, key))
    assert {status for status, _ in answers} <= {200, 409}
    succeeded = [
        answer["transaction"]["id"] for status, answer in answers if status == 200
    ]
    assert len(set(succeeded)) == 1
    assert {a["code"] for s, a in answers if s == 409} <= {"idempotency_in_progress"}
    assert client.get(f"/wallet/{wallet_id}")["balance"] == 7


def test_crossing_transfers_and_rings_keep_the_books_balanced_at_every_moment(
    client: Connections,
) -> None:
    ring = [client.open_wallet(1000) for _ in range(3)]
    pairs = list(itertools.permutations(ring, 2))
    total_before = client.get("/audit")["currencies"]["INR"]["balances"]
    end = time.monotonic() + STORM_SECONDS
    moved = itertools.count()

    def transfer(number: int) -> None:
        for turn in itertools.count(number):
            source, target = pairs[turn % len(pairs)]
            body: dict[str, object] = {
                "fromWalletId": source,
                "toWalletId": target,
                "amount": turn % 300 + 1,
            }
            status, answer = client.post("/wallet/transfer", body)
            assert status == 200 or answer["code"] == "insufficient_funds"
            next(moved)
            if time.monotonic() > end:
                return

    audits = 0
    with ThreadPoolExecutor(CLIENTS) as threads:
        calls = [threads.submit(transfer, number) for number in range(CLIENTS)]
        while time.monotonic() < end:
            report = client.get("/audit")
            assert report["balanced"], report["problems"]
            assert report["currencies"]["INR"]["balances"] == total_before
            audits += 1
        for call in calls:
            call.result(TIMEOUT_SECONDS)
    assert audits > 3
    assert next(moved) > 100
    assert sum(client.get(f"/wallet/{each}")["balance"] for each in ring) == 3000


class NewLedger(HttpClient):
    """A ledger as if it were alone on the server: what was there before is left out
    of its audits. Only one is used at a time."""

    def __init__(self, client: Connections) -> None:
        super().__init__(client.send)
        self._before = Report((), 0, 0, ())
        self._before = self.ask(Audit(), "")

    def ask(self, operation: Operation, label: str) -> Result:
        if isinstance(operation, AtRest):
            return self._rest()
        value = super().ask(operation, label)
        return self._without_before(value) if isinstance(value, Report) else value

    def _rest(self) -> Rest:
        wallets = []
        for name in sorted(self._ids):
            page = self.ask(History(name), "")
            assert page.total <= History.limit
            wallet, usage = self.ask(Get(name), ""), self.ask(GetLimits(name), "")
            wallets.append((wallet, usage, page.entries[::-1]))
        return Rest(tuple(wallets))

    def _without_before(self, now: Report) -> Report:
        before = {each.currency: each for each in self._before.currencies}
        return Report(
            now.problems,
            now.wallets - self._before.wallets,
            now.transactions - self._before.transactions,
            tuple(_less(each, before.get(each.currency)) for each in now.currencies),
        )


def _less(now: Totals, before: Totals | None) -> Totals:
    if before is None:
        return now
    return Totals(
        now.currency,
        now.balances - before.balances,
        now.credits - before.credits,
        now.debits - before.debits,
        now.withdrawals_in_flight - before.withdrawals_in_flight,
        now.deposits_in_flight - before.deposits_in_flight,
    )


def unsettled_app(*mutants: str) -> Flask:
    """Return what gunicorn serves below: the app, in a process that switches threads
    often, and with bugs if any are named."""
    _FOR_EVER.enter_context(unsettled(SEED))
    for mutant in mutants:
        _FOR_EVER.enter_context(MUTANTS[mutant].planted())
    # A clock that never comes to midnight: what was spent today would be nothing then.
    clock = passing_time()
    return create_app(WalletService(SETTINGS, clock=clock, monotonic=clock))


_FOR_EVER = ExitStack()
"""Ends with the process."""


OUR_SERVER = (*GUNICORN, "-c", "python:wallet_app.server.gunicorn_settings")
"""It runs what moves money one request at a time, and what reads beside it."""

THREADED = (*GUNICORN, "-k", "gthread", "--threads", "32")
"""Here requests that move money run at the same time, too: only locks help."""


def storm_over_http(command: tuple[str, ...], rounds: int, *mutants: str) -> int:
    app = f"{__name__}:unsettled_app{mutants}"
    with running((*command, app)) as server:
        client = Connections(server.url)
        try:
            draws = OF_MONEY if mutants else STORMED
            return storm(lambda: NewLedger(client), SEED, rounds, draws)
        finally:
            client.close()


@pytest.mark.parametrize("command", [OUR_SERVER, THREADED], ids=["ours", "threaded"])
def test_whatever_clients_ask_at_once_could_have_happened_one_call_at_a_time(
    command: tuple[str, ...],
) -> None:
    assert storm_over_http(command, ROUNDS) > ROUNDS / 2, "one waited for the other"


@pytest.mark.parametrize("mutant", ["lost-update", "two-sections"])
def test_clients_find_a_bug_that_is_planted_in_the_server(mutant: str) -> None:
    with pytest.raises(WrongRound):
        storm_over_http(THREADED, HUNT_ROUNDS_MAX, mutant)
