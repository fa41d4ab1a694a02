"""Each server does what the catalogue says of it, as far as one call after the other
shows it: the races are the judge's to find."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.judge.servers.catalogue import ALL, RACES, THREADED
from tests.judge.servers.parts import PARTS
from tests.judge.servers.running import running

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Client:
    """One connection, which stays open."""

    connection: HTTPConnection

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        return self._ask("GET", path, None)

    def post(
        self, path: str, key: str | None = None, /, **fields: object
    ) -> tuple[int, dict[str, object]]:
        return self._ask("POST", path, json.dumps(fields), key)

    def _ask(
        self, method: str, path: str, body: str | None, key: str | None = None
    ) -> tuple[int, dict[str, object]]:
        headers = {} if key is None else {"Idempotency-Key": key}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def create(self) -> str:
        status, wallet = self.post("/wallet/create", userId=str(uuid4()))
        assert status == 201
        return str(wallet["id"])

    def add(self, wallet: str, amount: object) -> int:
        return self.post("/wallet/add", walletId=wallet, amount=amount)[0]

    def deduct(self, wallet: str, amount: object) -> int:
        return self.post("/wallet/deduct", walletId=wallet, amount=amount)[0]

    def transfer(self, source: str, target: str, amount: object) -> int:
        fields = {"fromWalletId": source, "toWalletId": target, "amount": amount}
        return self.post("/wallet/transfer", **fields)[0]

    def balance(self, wallet: str) -> object:
        return self.get(f"/wallet/{wallet}")[1]["balance"]


@contextmanager
def connected(url: str) -> Iterator[Client]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_SECONDS)
    try:
        yield Client(connection)
    finally:
        connection.close()


@contextmanager
def served(name: str) -> Iterator[Client]:
    """Serve from a thread of this process, which is quicker than a new one."""
    with PARTS[name].listening() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with connected(server.url) as client:
                yield client
        finally:
            server.shutdown()
            thread.join(TIMEOUT_SECONDS)


def walk(client: Client) -> None:
    """Do what a judge accepts a guess by: the sums must be those of the exercise."""
    one, other = client.create(), client.create()
    assert client.add(one, 7) in (200, 201, 202)
    assert client.balance(one) == 7
    assert client.add(one, 2) == 200
    assert client.deduct(one, 4) == 200
    assert client.transfer(one, other, 3) == 200
    assert (client.balance(one), client.balance(other)) == (2, 3)
    status, page = client.get(f"/wallet/{one}/transactions?limit=3&page=1")
    entries = page["transactions"]
    assert status == 200 and page["total"] == 4 and isinstance(entries, list)
    assert [entry["type"] for entry in entries] == ["TRANSFER_OUT", "DEBIT", "CREDIT"]
    assert [entry["balanceAfter"] for entry in entries] == [2, 5, 9]


def test_the_catalogue_names_what_is_served() -> None:
    assert [name for name, bug in ALL.items() if THREADED in bug.servers] == [*PARTS]


@pytest.mark.parametrize("name", ["right", *(bug.name for bug in RACES)])
def test_one_call_after_the_other_goes_right(name: str) -> None:
    with served(name) as client:
        walk(client)


@pytest.mark.parametrize(
    "amount", [0, -1, 1.5, 7.0, True, "7", None, [], 2**53, 10**400]
)
def test_a_bad_amount_is_refused_and_nothing_moves(amount: object) -> None:
    with served("right") as client:
        one, other = client.create(), client.create()
        client.add(one, 7)
        assert client.add(one, amount) == 400
        assert client.deduct(one, amount) == 400
        assert client.transfer(one, other, amount) == 400
        assert (client.balance(one), client.balance(other)) == (7, 0)


def test_what_the_exercise_refuses_is_refused() -> None:
    with served("right") as client:
        one, other = client.create(), client.create()
        client.add(one, 7)
        user = client.get(f"/wallet/{one}")[1]["userId"]
        assert client.post("/wallet/create", userId=user)[0] == 409
        assert client.post("/wallet/create")[0] == 400
        assert client.add(str(uuid4()), 1) == 404
        assert client.deduct(one, 8) == 400
        assert client.transfer(one, other, 8) == 400
        assert client.transfer(one, one, 1) == 400
        assert client.transfer(one, str(uuid4()), 1) == 404
        assert client.add(one, 2**53 - 1) == 400
        assert client.get(f"/wallet/{uuid4()}")[0] == 404
        assert client.get(f"/wallet/{one}/transactions?limit=0")[0] == 400
        assert client.get(f"/wallet/{one}/transactions?type=CREDIT")[1]["total"] == 1
        assert (client.balance(one), client.balance(other)) == (7, 0)


def test_a_key_has_one_effect() -> None:
    with served("right") as client:
        one = client.create()
        first = client.post("/wallet/add", "key", walletId=one, amount=7)
        assert client.post("/wallet/add", "key", walletId=one, amount=7) == first
        assert client.post("/wallet/add", "key", walletId=one, amount=8)[0] == 422
        assert client.balance(one) == 7


@pytest.mark.server
def test_a_server_of_its_own_ends_with_the_block() -> None:
    with running("right") as url, connected(url) as client:
        walk(client)
    with pytest.raises(OSError), connected(url) as client:
        client.create()
