"""A first storm: real clients, real threads, a real server; the books hold."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import urllib3

from tests.server import running

CLIENTS = 20
TIMEOUT_SECONDS = 20.0
STORM_SECONDS = 3.0

Answer = tuple[int, dict[str, Any]]


class Client:
    """Speaks to a server over as many connections as there are threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(
            maxsize=CLIENTS + 4, timeout=TIMEOUT_SECONDS, retries=False
        )

    def post(self, path: str, body: dict[str, object], **headers: str) -> Answer:
        answer = self._pool.request(
            "POST", self._url + path, json=body, headers=headers or None
        )
        return answer.status, answer.json()

    def get(self, path: str) -> dict[str, Any]:
        answer = self._pool.request("GET", self._url + path)
        assert answer.status == 200, answer.data
        body: dict[str, Any] = answer.json()
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
def client() -> Iterator[Client]:
    with running() as server:
        client = Client(server.url)
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


def test_of_twenty_who_deduct_a_whole_balance_one_succeeds(client: Client) -> None:
    wallet_id = client.open_wallet(1000)
    body: dict[str, object] = {"walletId": wallet_id, "amount": 1000}
    answers = all_at_once(lambda: client.post("/wallet/deduct", body))
    assert sorted(status for status, _ in answers) == [200] + [400] * (CLIENTS - 1)
    refused = [answer["code"] for status, answer in answers if status == 400]
    assert set(refused) == {"insufficient_funds"}
    assert client.get(f"/wallet/{wallet_id}")["balance"] == 0
    assert client.get(f"/wallet/{wallet_id}/transactions")["total"] == 2


def test_of_twenty_who_create_the_same_wallet_one_gets_it(client: Client) -> None:
    body: dict[str, object] = {"userId": str(uuid4())}
    answers = all_at_once(lambda: client.post("/wallet/create", body))
    assert sorted(status for status, _ in answers) == [201] + [409] * (CLIENTS - 1)
    assert len({answer["walletId"] for _, answer in answers}) == 1


def test_twenty_with_one_idempotency_key_have_one_effect(client: Client) -> None:
    wallet_id = client.open_wallet()
    body: dict[str, object] = {"walletId": wallet_id, "amount": 7}
    key = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
    answers = all_at_once(lambda: client.post("/wallet/add", body, **key))
    assert {status for status, _ in answers} <= {200, 409}
    succeeded = [
        answer["transaction"]["id"] for status, answer in answers if status == 200
    ]
    assert len(set(succeeded)) == 1
    assert {a["code"] for s, a in answers if s == 409} <= {"idempotency_in_progress"}
    assert client.get(f"/wallet/{wallet_id}")["balance"] == 7


def test_crossing_transfers_and_rings_keep_the_books_balanced_at_every_moment(
    client: Client,
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
