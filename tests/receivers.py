"""Receivers of webhooks that run for real, on a free port of this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TIMEOUT_SECONDS = 20.0


@dataclass
class Received:
    """One message, as it came."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Keeps what comes, and gives its replies in turn; then 204. One that
    hangs answers when it is let go."""

    replies: list[int] = field(default_factory=list)
    hangs: bool = False
    messages: list[Received] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    connections: int = 0

    def wait_for(self, enough: Callable[[list[Received]], bool]) -> list[Received]:
        """Wait until what came is enough, and return it."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not enough(list(self.messages)):
            assert time.monotonic() < deadline, self.messages
            time.sleep(0.02)
        return list(self.messages)


@contextmanager
def receiving(*replies: int, hangs: bool = False) -> Iterator[Receiver]:
    """Run a receiver for as long as the block takes."""
    receiver = Receiver(list(replies), hangs)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # so that connections are kept

        def setup(self) -> None:
            super().setup()
            receiver.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.messages.append(Received(dict(self.headers), body))
            if receiver.hangs:
                receiver.let_go.wait(TIMEOUT_SECONDS)
            self.send_response(receiver.replies.pop(0) if receiver.replies else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_port}/wallets"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.let_go.set()
            server.shutdown()
            thread.join(TIMEOUT_SECONDS)
