"""Starts one of these servers in a process of its own, and ends it."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import markers
from tests.judge.servers import express
from tests.judge.servers.catalogue import EXPRESS, THREADED

PROJECT = Path(__file__).parents[3]
TIMEOUT_SECONDS = 20.0


@contextmanager
def running(name: str, on: str = THREADED) -> Iterator[str]:
    """Yield the address of a server; its standard input is what keeps it alive."""
    markers.expect("server")
    if on == EXPRESS:
        express.installed()  # which can take longer than a start
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.judge.servers", name, "--on", on),
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            yield _first_line(process)
        finally:
            _end(process)


def _first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], TIMEOUT_SECONDS)
    line = process.stdout.readline().decode().strip() if readable else ""
    assert line.startswith("http://"), f"no address, but {line!r}"
    return line


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
