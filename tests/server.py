"""A real server for a test: started on a free port, stopped by its process id."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import urllib3

from tests import markers

PROJECT = Path(__file__).parent.parent
TIMEOUT_SECONDS = 20.0

GUNICORN = (sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0")
BARE = (*GUNICORN, "wsgi:app")
CONFIGURED = (*GUNICORN, "-c", "python:wallet_app.server.gunicorn_settings", "wsgi:app")
DEMO = (sys.executable, "wsgi.py", "--port", "0")


FRESH_CONNECTIONS = 50
"""So many that a second process on the same socket would get some of them."""

_LOCKS = tempfile.TemporaryDirectory()
"""Where the servers of this process lock what they hold."""

_LISTENING = re.compile(r"(?:Listening at:|Serving on|Uvicorn running on) (http://\S+)")


class Server:
    """A server process: its address, what it printed, and its end."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def printed(self) -> str:
        """All that the process has written to stdout and stderr so far."""
        return self._log.read_text()

    @property
    def url(self) -> str:
        match = _LISTENING.search(self.printed)
        assert match, self.printed
        return match.group(1)

    def wait_for(self, text: str) -> None:
        """Wait until the process has printed `text`."""
        self.wait_until(lambda: text in self.printed, text)

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not condition():
            ended = self.process.poll()
            assert ended is None, f"ended with {ended}:\n{self.printed}"
            assert time.monotonic() < deadline, f"no {what!r} in:\n{self.printed}"
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def wait(self) -> int:
        """Wait for the end of the process and return its exit status."""
        return self.process.wait(TIMEOUT_SECONDS)


def free_port() -> int:
    """Return a port for a server that cannot choose one and say which."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def granian(
    *options: str, port: int | None = None, threads: int = 1, app: str = "wsgi:app"
) -> tuple[str, ...]:
    """Return a command: granian listens only where it is told to."""
    command = (sys.executable, "-m", "granian", "--interface", "wsgi")
    where = ("--port", str(port or free_port()))
    return (*command, *where, "--blocking-threads", str(threads), *options, app)


@contextmanager
def started(
    command: tuple[str, ...], environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Start a server without waiting for it, and end it with the block."""
    markers.expect("server")
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WALLET_", "GUNICORN_")) and name != "WEB_CONCURRENCY"
    }
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=clean
                | {"PYTHONUNBUFFERED": "1", "TMPDIR": _LOCKS.name}
                | dict(environ or {}),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = Server(process, log)
        try:
            yield server
        finally:
            process.terminate()
            try:
                process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(TIMEOUT_SECONDS)
                raise


@contextmanager
def running(
    command: tuple[str, ...] = CONFIGURED, environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Start a server, wait until it answers, and stop it with the block."""
    with started(command, environ) as server:
        server.wait_until(lambda: _LISTENING.search(server.printed), "an address")
        server.wait_until(lambda: _is_healthy(server), "answer")
        yield server


def _is_healthy(server: Server) -> bool:
    """Some servers print where they listen before they do."""
    try:
        return ask("GET", f"{server.url}/health").status > 0
    except urllib3.exceptions.NewConnectionError:
        return False


def ask(
    method: str,
    url: str,
    body: Mapping[str, object] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> urllib3.BaseHTTPResponse:
    """Make one request on a connection of its own, which does not outlive it."""
    return urllib3.request(
        method,
        url,
        json=body,
        headers={"Connection": "close"},
        timeout=timeout_seconds,
        retries=False,
    )


def open_wallet(server: Server) -> str:
    """Create a wallet and return its address."""
    answer = ask("POST", f"{server.url}/wallet/create", {"userId": str(uuid4())})
    assert answer.status == 201
    return f"{server.url}/wallet/{answer.json()['id']}"


def assert_every_request_finds(wallet: str) -> None:
    statuses = [ask("GET", wallet).status for _ in range(FRESH_CONNECTIONS)]
    assert statuses == [200] * FRESH_CONNECTIONS
