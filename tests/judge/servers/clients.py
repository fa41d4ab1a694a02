"""What the tests of the servers speak to them with, one call after the other."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit
from uuid import uuid4

from tests.judge.servers.parts import PARTS

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Client:
    """One connection, which stays open."""

    connection: HTTPConnection

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        return self._json(self.ask("GET", path))

    def post(
        self, path: str, key: str | None = None, /, **fields: object
    ) -> tuple[int, dict[str, object]]:
        return self._json(self.ask("POST", path, json.dumps(fields), key))

    def ask(
        self, method: str, path: str, body: str | None = None, key: str | None = None
    ) -> tuple[int, str]:
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return response.status, response.read().decode()

    @staticmethod
    def _json(answer: tuple[int, str]) -> tuple[int, dict[str, object]]:
        return answer[0], json.loads(answer[1])

    def create(self) -> str:
        status, wallet = self.post("/wallet/create", userId=str(uuid4()))
        assert status in (200, 201)
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


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.005)
