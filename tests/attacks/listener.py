"""A healthy receiver of webhooks, which checks the order of each wallet's events."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.attacks.crowd import TIMEOUT_SECONDS

EVENTS = ("transaction.created", "approval.requested")
OUTGOING = ("DEBIT", "TRANSFER_OUT")
IDS_KEPT = 1_000
"""Ids of the latest messages: one that is delivered again comes soon."""

CODE_SECONDS_MAX = 10.0
POLL_SECONDS = 0.02


class Listener:
    """What came: how many events, what was out of order, the codes of approvals."""

    def __init__(self) -> None:
        self.url = ""
        self.transactions = 0
        self.problems: list[str] = []
        self.code_seconds_max = 0.0
        self._codes: dict[str, str] = {}
        self._balances: dict[str, int] = {}
        self._ids: dict[str, None] = {}
        self._lock = threading.Lock()

    def hear(self, message_id: str, body: bytes) -> None:
        """Take one message; drop one that came before: it comes at least once."""
        event = msgspec.json.decode(body)
        with self._lock:
            if message_id in self._ids:
                return
            self._ids[message_id] = None
            if len(self._ids) > IDS_KEPT:
                del self._ids[next(iter(self._ids))]
            if event["type"] == "approval.requested":
                self._codes[event["data"]["approvalId"]] = event["data"]["otp"]
            else:
                self._follow(event["data"])

    def _follow(self, data: dict[str, Any]) -> None:
        """Each balance has to follow from the one before, except for the first that
        is heard of a wallet."""
        self.transactions += 1
        amount = -data["amount"] if data["type"] in OUTGOING else data["amount"]
        wallet_id, after = data["walletId"], data["balanceAfter"]
        before = self._balances.get(wallet_id, after - amount)
        if before + amount != after:
            self.problems.append(f"{wallet_id}: {amount} from {before} to {after}")
        self._balances[wallet_id] = after

    def code(self, approval_id: str) -> str | None:
        """Wait for the code of an approval; return None if it does not come."""
        begun = time.monotonic()
        while (waited := time.monotonic() - begun) < CODE_SECONDS_MAX:
            with self._lock:
                if approval_id in self._codes:
                    self.code_seconds_max = max(self.code_seconds_max, waited)
                    return self._codes.pop(approval_id)
            time.sleep(POLL_SECONDS)
        return None


class _Connection(asyncio.Protocol):
    """Reads messages and answers each with 204: a tenth of the work of http.server."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").lower().split("\r\n")[1:]
            headers = dict(line.split(": ", 1) for line in lines)
            length = int(headers["content-length"])
            if len(rest) < length:
                return
            self._listener.hear(headers["webhook-id"], rest[:length])
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            self._received = rest[length:]


@contextmanager
def listening() -> Iterator[Listener]:
    """Run a receiver for as long as the block takes."""
    listener = Listener()
    loop = asyncio.new_event_loop()
    starting = loop.create_server(lambda: _Connection(listener), "127.0.0.1", 0)
    server = loop.run_until_complete(starting)
    port = server.sockets[0].getsockname()[1]
    listener.url = f"http://127.0.0.1:{port}/soak"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(TIMEOUT_SECONDS)
        loop.close()
