"""Asks a server from outside, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import urllib3

from tests.server import TIMEOUT_SECONDS, Server


class Api:
    """Asks a server, and insists on the status."""

    def __init__(self, server: Server) -> None:
        self._url = server.url

    def ask(
        self, method: str, path: str, status: int, body: dict[str, Any] | None = None
    ) -> Any:
        answer = urllib3.request(
            method,
            self._url + path,
            json=body,
            headers={"Connection": "close"},
            timeout=TIMEOUT_SECONDS,
            retries=False,
        )
        assert answer.status == status, answer.data
        return answer.json() if answer.data else None

    def get(self, path: str) -> Any:
        return self.ask("GET", path, 200)

    def post(self, path: str, status: int, **body: Any) -> Any:
        return self.ask("POST", path, status, body)

    def open_wallet(self, balance: int = 0) -> str:
        wallet = self.post("/wallet/create", 201, userId=str(uuid4()))
        if balance:
            self.post("/wallet/add", 200, walletId=wallet["id"], amount=balance)
        return str(wallet["id"])

    def pay(self, direction: str, wallet_id: str, amount: int, account: str) -> Any:
        return self.post(
            f"/wallet/{direction}",
            202,
            walletId=wallet_id,
            amount=amount,
            bankAccount=account,
        )

    def wait_for(self, path: str, enough: Callable[[Any], bool]) -> Any:
        """Ask again and again until the answer is enough, and return it."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not enough(answer := self.get(path)):
            assert time.monotonic() < deadline, answer
            time.sleep(0.02)
        return answer
