"""Installs the peers, each apart from the service and from the system."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.peers.versions import NODE, PYTHON
from tests.server import GUNICORN

TIMEOUT_SECONDS = 600
FLASK, FASTAPI, EXPRESS = "plain Flask, gunicorn", "FastAPI, uvicorn", "Express"


@dataclass(frozen=True, slots=True)
class Peer:
    """How a server is started."""

    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def installed() -> Iterator[dict[str, Peer]]:
    """Yield the peers by name, and print why one is left out. They are installed in
    the folder `BENCHMARK_PEERS`, or in one that does not outlive the block."""
    with ExitStack() as stack:
        folder = os.environ.get("BENCHMARK_PEERS") or stack.enter_context(
            tempfile.TemporaryDirectory()
        )
        peers = {FLASK: _flask()}
        for name, install in ((FASTAPI, _fastapi), (EXPRESS, _express)):
            try:
                peers[name] = install(Path(folder).absolute())
            except (OSError, subprocess.SubprocessError) as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
        yield peers


def _flask() -> Peer:
    app = "tests.benchmarks.peers.flask_peer:app"
    return Peer((*GUNICORN, "--threads", "4", app))


def _fastapi(folder: Path) -> Peer:
    python = str(folder / "python/bin/python")
    _run(sys.executable, "-m", "venv", str(folder / "python"))
    _run(python, "-m", "pip", "install", "-qq", *PYTHON)
    app = "tests.benchmarks.peers.fastapi_peer:app"
    return Peer((python, "-m", "uvicorn", "--port", "0", "--no-access-log", app))


def _express(folder: Path) -> Peer:
    _run("npm", "install", "--no-audit", "--prefix", str(folder / "node"), *NODE)
    script = Path(__file__).with_name("express_peer.cjs")
    modules = str(folder / "node/node_modules")
    environ = {"NODE_PATH": modules, "NODE_ENV": "production"}
    return Peer(("node", str(script)), environ)


def _run(*command: str) -> None:
    subprocess.run(
        command, check=True, timeout=TIMEOUT_SECONDS, stdout=subprocess.DEVNULL
    )
