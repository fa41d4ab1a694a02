"""The server's event loop in a thread of the test, over real sockets on loopback, with
a WSGI app and a clock of the test's own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from wallet_app.server.connections import Connections
from wallet_app.server.gateway import App

TIMEOUT_SECONDS = 10.0

T = TypeVar("T")


class Seconds:
    """A monotonic clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class ServingLoop:
    """A server in this process."""

    def __init__(self, app: App, connections_max: int, listener: socket.socket) -> None:
        self.clock = Seconds()
        self.reports: list[str] = []
        self.failures: list[dict[str, Any]] = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, met: self.failures.append(met))
        self.connections = Connections(
            app, self.loop, connections_max, self.reports.append, clock=self.clock
        )
        self.listener = listener
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.listener.setblocking(False)
        self.connections.start_accepting(self.listener)
        self.loop.run_forever()
        self.connections.close()
        self.loop.close()
        self.listener.close()

    def on_loop(self, function: Callable[[], T]) -> T:
        """Return what a function returns on the event loop."""
        future: Future[T] = Future()
        self.loop.call_soon_threadsafe(lambda: future.set_result(function()))
        return future.result(TIMEOUT_SECONDS)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and the connections see it."""
        self.clock.now += seconds
        self.on_loop(self.connections.expire)

    def count(self) -> int:
        return self.on_loop(lambda: len(self.connections))

    def connect(self, client: str = "127.0.0.1") -> socket.socket:
        """Return a connection from an address of this machine."""
        return socket.create_connection(
            self.listener.getsockname(), TIMEOUT_SECONDS, (client, 0)
        )

    def exchange(self, *sent: bytes) -> bytes:
        """Return all that comes back until the server hangs up."""
        with self.connect() as connection:
            for each in sent:
                connection.sendall(each)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Read until the other side has hung up."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def serving(
    app: App, connections_max: int = 100, listener: socket.socket | None = None
) -> Iterator[ServingLoop]:
    """Serve an app until the block ends."""
    server = ServingLoop(app, connections_max, listener or socket.socket())
    server.thread.start()
    try:
        yield server
    finally:
        server.loop.call_soon_threadsafe(server.loop.stop)
        server.thread.join(TIMEOUT_SECONDS)
        assert not server.thread.is_alive()
