"""One connection to a receiver, which speaks HTTP/1.1 and is not trusted.

Of an answer it reads the head, and as much of the body as has come. Every wait ends
with the attempt, and everything that is read has a bound.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple

REUSED_SECONDS = 30
"""How long a connection is reused: then a change of the name's address is noticed."""
REQUESTS_MAX = 1_000
"""How many requests one connection carries: some servers close it after as many."""
IDLE_SECONDS = 1
"""How long a connection waits for its next request. Servers wait longer, so that few
of them are closed just when they are reused."""
INTERIM_MAX = 5
"""Answers of 1xx before the final one: from the servers before the receiver."""
LINE_BYTES_MAX = 65_536
HEADERS_MAX = 100
"""Of an answer, as in Python's own client."""
BODY_BYTES_MAX = 16_384
"""A longer body is not read: the connection is closed."""

STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\n")
HEADERS_READ = {"retry-after", "content-length", "transfer-encoding", "connection"}


class Reply(NamedTuple):
    """What the receiver answered. `retry_after` is the header as it came."""

    status: int
    retry_after: str | None


class NotHttp(Exception):
    """The answer is not HTTP, or has no end."""


class ClosedWithoutAnswer(ConnectionError):
    """The receiver closed the connection before its answer was complete."""


class Stale(Exception):
    """The receiver closed a reused connection before the first byte of an answer. It
    may have handled the request."""


class Connection:
    """HTTP/1.1 over a connected socket. An exchange ends by `ends_at`."""

    def __init__(
        self, connected: socket.socket, ends_at: float, monotonic: Callable[[], float]
    ) -> None:
        self.ends_at = ends_at
        self.can_persist = False
        """Whether the latest answer allows another request."""
        self._socket = connected
        self._monotonic = monotonic
        self._close_at = monotonic() + REUSED_SECONDS
        self._answered_at = 0.0
        self._requests = 0
        self._received = bytearray()
        self._body_left = 0

    def is_usable(self) -> bool:
        """Return whether another request can be sent."""
        now = self._monotonic()
        return (
            self._requests < REQUESTS_MAX
            and now < self._close_at
            and now < self._answered_at + IDLE_SECONDS
            and self._has_read_the_body()
        )

    def exchange(self, request: bytes) -> Reply:
        """Send a request and read the head of the answer.

        Raises OSError, NotHttp, and Stale where the receiver had closed the connection.
        """
        self._requests += 1
        try:
            self._send(request)
            self._receive()
        except (ConnectionError, ssl.SSLEOFError):
            if self._requests == 1:
                raise
            raise Stale from None
        reply = self._read_head()
        self._answered_at = self._monotonic()
        return reply

    def close(self) -> None:
        try:
            self._socket.close()
        except OSError:
            pass  # The receiver may have reset it.

    def _send(self, request: bytes) -> None:
        view = memoryview(request)
        while view:
            self._bound_the_wait()
            view = view[self._socket.send(view) :]

    def _receive(self) -> None:
        """Wait for some bytes of the answer."""
        self._bound_the_wait()
        received = self._socket.recv(BODY_BYTES_MAX)
        if not received:
            raise ClosedWithoutAnswer
        self._received += received

    def _bound_the_wait(self) -> None:
        seconds = self.ends_at - self._monotonic()
        if seconds <= 0:
            raise TimeoutError
        self._socket.settimeout(seconds)

    def _read_head(self) -> Reply:
        """Return the final answer, and skip the interim ones."""
        for _ in range(1 + INTERIM_MAX):
            match = STATUS_LINE.fullmatch(self._line())
            if match is None:
                raise NotHttp
            status, headers = int(match[2]), self._headers()
            if status >= 200 or status == 101:
                break
        else:
            raise NotHttp
        length = headers.get("content-length", "")
        if status in (204, 304):
            length = "0"
        self.can_persist = (
            match[1] == b"1"
            and status >= 200
            and "connection" not in headers
            and "transfer-encoding" not in headers
            and re.fullmatch("[0-9]{1,9}", length) is not None
            and int(length) <= BODY_BYTES_MAX
        )
        self._body_left = int(length) if self.can_persist else 0
        return Reply(status, headers.get("retry-after"))

    def _headers(self) -> dict[str, str]:
        """Return the headers that are used, by their names in lower case."""
        headers: dict[str, str] = {}
        for _ in range(HEADERS_MAX + 1):
            line = self._line().rstrip(b"\r\n")
            if not line:
                return headers
            name, _, value = line.decode("latin-1").partition(":")
            name, value = name.strip().lower(), value.strip()
            if name == "connection" and value.lower() == "keep-alive":
                continue
            if name in HEADERS_READ:
                before = headers.get(name)
                headers[name] = value if before is None else f"{before}, {value}"
        raise NotHttp

    def _line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > LINE_BYTES_MAX:
                raise NotHttp
            self._receive()
        line = bytes(self._received[: end + 1])
        del self._received[: end + 1]
        return line

    def _has_read_the_body(self) -> bool:
        """Read the body of the latest answer as far as it has come; return whether all
        of it has, and nothing else."""
        if len(self._received) < self._body_left:
            try:
                self._socket.settimeout(0)
                self._received += self._socket.recv(BODY_BYTES_MAX)
            except OSError:  # Nothing has come, or the receiver has gone.
                return False
        is_all = len(self._received) == self._body_left
        self._received.clear()
        return is_all
