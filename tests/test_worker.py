"""The worker under gunicorn: what ends it, what it writes, what it keeps."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import urllib3

from tests.ledgers import new_service, open_wallet
from tests.server import CONFIGURED, GUNICORN, TIMEOUT_SECONDS, running
from tests.serving_loop import serving
from wallet_app import create_app

pytestmark = pytest.mark.server

BREAKING = (
    *GUNICORN,
    "-k",
    "wallet_app.server.worker.LedgerWorker",
    "tests.breaking_app:app",
)


def ask(method: str, url: str) -> int:
    return urllib3.request(method, url, timeout=TIMEOUT_SECONDS, retries=False).status


def test_a_failure_of_the_event_loop_itself_is_reported_once_and_ends_nothing() -> None:
    with running(BREAKING) as server:
        for _ in range(5):
            assert ask("POST", f"{server.url}/break") == 200
            assert ask("GET", server.url) == 200
        assert server.printed.count("the event loop failed") == 1
        assert server.printed.count("Booting worker") == 1


def test_the_access_log_has_a_line_for_each_request() -> None:
    command = (*CONFIGURED[:-1], "--access-logfile", "-", CONFIGURED[-1])
    with running(command) as server:
        ask("GET", f"{server.url}/wallet/x?a=b")
        server.wait_for("127.0.0.1 - - [")
        server.wait_for('"GET /wallet/x?a=b HTTP/1.1" 404')


def requests(description: dict[str, Any], wallet_id: str) -> Iterator[bytes]:
    """Yield each operation's example, and what is wrong with it in many ways."""
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            target = re.sub(
                r"\{\w+\}", str(uuid4()), path.replace("{walletId}", wallet_id)
            )
            content = operation.get("requestBody", {}).get("content", {})
            example = content.get("application/json", {}).get("example", {})
            body = json.dumps(example).encode()
            for sent, media_type in (
                (body, "application/json"),
                (body, "text/plain"),
                (b"{", "application/json"),
                (b'{"unknown": 1}', "application/json"),
            ):
                yield message(method, target, sent, media_type)
            yield message("patch", target, b"", "application/json")
            yield message(method, target + "?limit=0&page=x", body, "application/json")
    yield message("get", "/nowhere", b"", "")
    yield message("get", "/wallet/no-uuid", b"", "")


def message(method: str, target: str, body: bytes, media_type: str) -> bytes:
    head = (
        f"{method.upper()} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Idempotency-Key: {uuid4()}\r\nConnection: close\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_no_request_leaves_anything_for_the_garbage_collector() -> None:
    """The server never collects the oldest objects: a circle would stay for ever."""
    service = new_service()
    wallet_id = open_wallet(service, 1_000_000)
    app = create_app(service)
    description = app.test_client().get("/openapi.json").get_json()
    sent = list(requests(description, wallet_id))
    with serving(app) as server:
        for each in sent:  # what is made once is made now
            server.exchange(each)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for each in sent:
                server.exchange(each)
            gc.collect()
            assert [each for each in gc.garbage if not dies_young(each)] == []
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()


def dies_young(garbage: object) -> bool:
    """Tell whether something belongs to Werkzeug's routing: a function that calls
    itself, which is garbage after some microseconds, and so is collected young."""
    is_match = "StateMachineMatcher.match" in getattr(garbage, "__qualname__", "")
    return is_match or type(garbage).__name__ in ("cell", "tuple", "set")
