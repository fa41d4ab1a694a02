"""One client of a storm: a connection of its own, over which it asks one thing at a
time."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Protocol

from wallet_app.demo.request_log import PAGE_HEADER, QUIET
from wallet_app.services.json_forms import Json

TIMEOUT_SECONDS = 10.0

NO_ANSWER = 0
"""The status of a request that was not answered."""


class Client(Protocol):
    """What the storm needs of a client."""

    def ask(
        self, method: str, path: str, body: Json | None = None
    ) -> tuple[int, Json]: ...
    def close(self) -> None: ...


class HttpClient:
    """A client over HTTP."""

    def __init__(self, address: tuple[str, int], host: str) -> None:
        self._connection = HTTPConnection(*address, timeout=TIMEOUT_SECONDS)
        self._headers = {
            "Host": host,
            "Content-Type": "application/json",
            PAGE_HEADER: QUIET,
        }

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """Return the status and the JSON of the answer; NO_ANSWER if none comes."""
        data = None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, path, data, self._headers)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, HTTPException, ValueError):
            self._connection.close()  # the next request opens another one
            return NO_ANSWER, {}

    def close(self) -> None:
        self._connection.close()
