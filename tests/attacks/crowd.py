"""Connections: crowds of clients on one thread, and one request at a time. Nothing here
knows what an attack is."""

from __future__ import annotations

import resource
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from tests.attacks.target import NotJudged, Target
from tests.attacks.wire import Answer, answers_in, request

TIMEOUT_SECONDS = 20.0
RECEIVED_BYTES_MAX = 8 * 1024 * 1024
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER by which closing a connection resets it."""

TICK_SECONDS = 0.05


class Client:
    """One connection of a crowd: what it has still to send, and what it has heard."""

    def __init__(
        self, target: Target, data: bytes, is_reading: bool, source: str | None
    ) -> None:
        family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not is_reading:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.is_reading = is_reading
        self.pending = bytearray(data)
        self.has_spoken = bool(data)
        self.received = bytearray()
        self.is_closed = False
        """Whether the server has hung up."""
        self.opened_at = time.monotonic()
        self.heard_seconds: float | None = None
        try:
            if source is not None:
                self.socket.bind((source, 0))
            self.socket.connect_ex((target.host, target.port))
        except OSError as error:
            self.socket.close()
            raise NotJudged(f"cannot connect from {source}: {error}") from None

    @property
    def events(self) -> int:
        reading = selectors.EVENT_READ if self.is_reading else 0
        return reading | (selectors.EVENT_WRITE if self.pending else 0)

    def read_byte(self) -> None:
        """Read one byte of what is there, if anything is."""
        with suppress(OSError):
            self.received += self.socket.recv(1)

    @property
    def answers(self) -> list[Answer]:
        return answers_in(bytes(self.received), self.is_closed)[0]

    @property
    def is_served(self) -> bool:
        """Whether its first answer is a success."""
        return bool(self.answers) and self.answers[0].status == 200

    @property
    def rest(self) -> bytes:
        """What came and is no whole answer."""
        return answers_in(bytes(self.received), self.is_closed)[1]


class Crowd:
    """Many connections, looked after by one thread; closed with the block."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.clients: list[Client] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        self._selector.close()

    def open(
        self,
        count: int,
        data: bytes = b"",
        *,
        is_reading: bool = True,
        source: str | None = None,
    ) -> list[Client]:
        """Begin connections that send some bytes when they stand; do not wait."""
        opened = []
        for _ in range(count):
            client = Client(self.target, data, is_reading, source)
            self.clients.append(client)
            opened.append(client)
            self._watch(client)
        return opened

    def say(self, client: Client, data: bytes) -> None:
        """Send some bytes when the connection takes them."""
        if not client.is_closed:
            client.pending += data
            self._watch(client)

    def _watch(self, client: Client) -> None:
        known = client.socket in self._selector.get_map()
        if client.is_closed or not client.events:
            if known:
                self._selector.unregister(client.socket)
        elif known:
            self._selector.modify(client.socket, client.events, client)
        else:
            self._selector.register(client.socket, client.events, client)

    def tend(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Send and receive for some seconds, or until something is so."""
        deadline = time.monotonic() + seconds
        while not until() and (left := deadline - time.monotonic()) > 0:
            if not self._selector.get_map():
                time.sleep(min(left, TICK_SECONDS))
                continue
            for key, events in self._selector.select(min(left, TICK_SECONDS)):
                self._serve(key.data, events)

    def _serve(self, client: Client, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._receive(client)
            if events & selectors.EVENT_WRITE and not client.is_closed:
                del client.pending[: client.socket.send(client.pending[:262_144])]
                if not client.pending:
                    self._watch(client)
        except BlockingIOError:
            pass
        except OSError:
            self._end(client)

    def _receive(self, client: Client) -> None:
        data = client.socket.recv(262_144)
        if not data:
            self._end(client)
            return
        if client.heard_seconds is None:
            client.heard_seconds = time.monotonic() - client.opened_at
        assert len(client.received) < RECEIVED_BYTES_MAX, "an answer without an end"
        client.received += data

    def _end(self, client: Client) -> None:
        """Note that the server has hung up."""
        client.is_closed = True
        self._watch(client)
        client.socket.close()

    @property
    def open_clients(self) -> list[Client]:
        return [client for client in self.clients if not client.is_closed]

    def close(self, reset: bool = False) -> None:
        """Hang up all connections at once, and forget them."""
        for client in self.open_clients:
            if reset:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            if client.socket in self._selector.get_map():
                self._selector.unregister(client.socket)
            client.socket.close()
        self.clients = []


def exchange(
    target: Target, messages: Iterable[bytes], seconds: float, source: str | None = None
) -> list[Client]:
    """Send each message on a connection of its own, all at the same time; return the
    connections when all are closed by the server, or after some seconds."""
    with Crowd(target) as crowd:
        clients = [crowd.open(1, each, source=source)[0] for each in messages]
        crowd.tend(seconds, until=lambda: not crowd.open_clients)
        return clients


def ask(
    target: Target,
    method: str,
    path: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    source: str | None = None,
) -> Answer:
    """Make one valid request on a connection of its own and return the answer;
    raise ConnectionError if none came in time."""
    data = request(
        method, path, body, host=target.authority, headers=headers, keep_alive=False
    )
    with Crowd(target) as crowd:
        client = crowd.open(1, data, source=source)[0]
        crowd.tend(
            TIMEOUT_SECONDS, until=lambda: client.is_closed or bool(client.answers)
        )
        if not (client.is_closed or client.answers):
            raise ConnectionError(f"{method} {path}: no answer")
        answers = client.answers
    if not answers:
        raise ConnectionError(f"{method} {path}: closed without an answer")
    return answers[-1]


def raise_descriptor_limit(needed: int) -> None:
    """Let this process have so many descriptors; raise NotJudged if it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed and hard != resource.RLIM_INFINITY and hard < needed:
        raise NotJudged(f"this client may have {hard} descriptors, not {needed}")
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
