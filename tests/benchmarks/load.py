"""A load generator: one thread, plain sockets, and every answer's status checked."""

from __future__ import annotations

import itertools
import json
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Slice:
    """What one slice of load came to."""

    rate: float
    seconds: list[float]


def request_bytes(
    method: str, path: str, body: object = None, keep_alive: bool = True
) -> bytes:
    """Return a request as it goes over the wire."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    if not keep_alive:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection:
    """One client, which sends its next request when the last is answered."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._address = address.hostname, address.port
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection(self._address, TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> None:
        self._received = bytearray()
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def reconnect(self) -> None:
        self.socket.close()
        self._connect()

    def answered(self, status: int) -> bool:
        """Read what is there; tell whether it is the whole of the answer, and
        insist on its status."""
        data = self.socket.recv(1_000_000)
        assert data, "the server closed the connection"
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._received[:end]).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(self._received) < end + 4 + length:
            return False
        assert head.startswith(b"http/1.1 %d " % status), self._received
        return True


def drive(
    url: str,
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
    status: int = 200,
    keep_alive: bool = True,
) -> Slice:
    """Send requests for some seconds, then wait for the answers still due."""
    clients = [Connection(url) for _ in range(connections)]
    following = itertools.cycle(requests)
    taken: list[float] = []
    began = time.perf_counter()
    end = began + seconds
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(next(following))
        for client in _answers(selector, status):
            now = time.perf_counter()
            taken.append(now - client.sent_at)
            if now > end or not keep_alive:
                selector.unregister(client.socket)
            if now > end:
                client.socket.close()
                continue
            if not keep_alive:
                client.reconnect()
                selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(next(following))
    return Slice(len(taken) / (time.perf_counter() - began), taken)


def _answers(selector: selectors.BaseSelector, status: int) -> Iterator[Connection]:
    """Yield each client that has its answer, while any is registered."""
    while selector.get_map():
        ready = selector.select(TIMEOUT_SECONDS)
        assert ready, f"no answer in {TIMEOUT_SECONDS} seconds"
        for key, _ in ready:
            if key.data.answered(status):
                yield key.data
