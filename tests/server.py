"""A real server for a test: started on a free port, stopped by its process id."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import urllib3

from tests import markers

PROJECT = Path(__file__).parent.parent
TIMEOUT_SECONDS = 20.0

GUNICORN = (sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0")
BARE = (*GUNICORN, "wsgi:app")
CONFIGURED = (*GUNICORN, "-c", "python:wallet_app.server.gunicorn_settings", "wsgi:app")
DEMO = (sys.executable, "wsgi.py", "--port", "0")

_LISTENING = re.compile(r"Listening at: (http://\S+) \((\d+)\)")


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
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while text not in self.printed:
            ended = self.process.poll()
            assert ended is None, f"ended with {ended}:\n{self.printed}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.printed}"
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def wait(self) -> int:
        """Wait for the end of the process and return its exit status."""
        return self.process.wait(TIMEOUT_SECONDS)


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
                env=clean | {"PYTHONUNBUFFERED": "1"} | dict(environ or {}),
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
        server.wait_for("Listening at:")
        urllib3.request(
            "GET",
            f"{server.url}/health",
            headers={"Connection": "close"},
            timeout=TIMEOUT_SECONDS,
            retries=False,
        )
        yield server
