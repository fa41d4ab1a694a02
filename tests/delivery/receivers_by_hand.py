"""Receivers on this machine that do with a connection whatever a test says, and
transports that find them by any name. Nothing leaves the machine."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from wallet_app.gateways.delivery import Transport, Undelivered
from wallet_app.gateways.delivery_connection import Reply

WAIT_SECONDS = 10.0
"""For what must happen: a test that waits so long has failed."""
SHORT_SECONDS = 0.2
"""For an attempt that must be ended by its bound."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

Behaviour = Callable[[socket.socket], None]
Requests = list[tuple[bytes, bytes]]


def no_resolve(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} was looked up")


def no_connect(address: tuple[str, int], seconds: float) -> socket.socket:
    raise AssertionError(f"{address} was connected to")


def here(attempt_seconds: float = WAIT_SECONDS) -> Transport:
    """Return a transport that finds every name on this machine."""
    return Transport(True, lambda *_: ["127.0.0.1"], attempt_seconds=attempt_seconds)


def post(
    transport: Transport,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"{}",
) -> Reply:
    """Send one request, and keep nothing open."""
    with closing(transport.sender(url)) as sender:
        return sender.post(headers or {}, body)


def why_not(transport: Transport, url: str) -> str:
    """Return why a webhook is not delivered, in words that are safe to show."""
    with pytest.raises(Undelivered) as refused:
        post(transport, url)
    words = str(refused.value)
    assert words
    for unsafe in ("object at 0x", "urllib3", "Error", "Errno", "<", "_"):
        assert unsafe not in words
    return words


@contextmanager
def receiving(behave: Behaviour) -> Iterator[int]:
    """Accept one connection in a thread, and yield the port. What the behaviour asserts
    fails the test."""

    def serve() -> None:
        connected, _ = listening.accept()
        with connected:
            connected.settimeout(WAIT_SECONDS)
            behave(connected)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(WAIT_SECONDS)
        with ThreadPoolExecutor(1) as pool:
            served = pool.submit(serve)
            yield listening.getsockname()[1]
            served.result(WAIT_SECONDS)


def read_request(connected: socket.socket) -> tuple[bytes, bytes]:
    """Read the head and the body of one request. Raises ValueError if none comes."""
    with connected.makefile("rb") as stream:
        lines = []
        while (line := stream.readline()) not in (b"\r\n", b""):
            lines.append(line)
        head = b"".join(lines)
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        return head, stream.read(int(length))


def answering(answer: bytes, requests: Requests | None = None) -> Behaviour:
    def behave(connected: socket.socket) -> None:
        request = read_request(connected)
        if requests is not None:
            requests.append(request)
        connected.sendall(answer)
        silent(connected)

    return behave


def silent(connected: socket.socket) -> None:
    """Wait until the sender has closed the connection."""
    with suppress(ConnectionError):
        while connected.recv(1_024):
            pass


def closed(connected: socket.socket) -> None:
    read_request(connected)


def dripping(start: bytes) -> Behaviour:
    """Answer with `start`, then with a byte now and then, until the sender leaves."""

    def behave(connected: socket.socket) -> None:
        read_request(connected)
        with suppress(ConnectionError):
            connected.sendall(start)
            connected.settimeout(0.05)
            for _ in range(int(WAIT_SECONDS / 0.05)):
                with suppress(TimeoutError):
                    if connected.recv(1) == b"":
                        return
                connected.sendall(b"x")
            raise AssertionError("the connection was never ended")

    return behave


class Keeping:
    """A receiver that gives its answers in turn, and notes on which connection each
    request came."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.came: list[int] = []
        self.closed: queue.Queue[int] = queue.Queue()
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(WAIT_SECONDS)
        self.port = self._listening.getsockname()[1]

    def connect(self, address: tuple[str, int], seconds: float) -> socket.socket:
        """Connect to it, and serve that connection in a thread."""
        connected = socket.create_connection(("127.0.0.1", self.port), seconds)
        accepted, _ = self._listening.accept()
        number, self.connections = self.connections, self.connections + 1
        threading.Thread(target=self._serve, args=(accepted, number)).start()
        return connected

    def _serve(self, accepted: socket.socket, number: int) -> None:
        with accepted:
            accepted.settimeout(WAIT_SECONDS)
            with suppress(ConnectionError, ValueError):
                while True:
                    read_request(accepted)
                    self.came.append(number)
                    answer = self.answers.pop(0) if self.answers else OK
                    accepted.sendall(answer)
                    if not answer or b"Connection: close" in answer:
                        break
        self.closed.put(number)

    def close(self) -> None:
        self._listening.close()
        for _ in range(self.connections):
            self.closed.get(timeout=WAIT_SECONDS)


def over_tls(certificate: Path, behave: Behaviour) -> Behaviour:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def behave_over_tls(connected: socket.socket) -> None:
        with (
            suppress(ssl.SSLError),
            context.wrap_socket(connected, server_side=True) as wrapped,
        ):
            behave(wrapped)

    return behave_over_tls
