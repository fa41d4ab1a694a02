"""An app that breaks the event loop under it, for the worker's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any


def interrupt() -> None:
    """Raise one of the two errors that asyncio lets out of its loop."""
    raise KeyboardInterrupt


def app(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/break":
        asyncio.get_running_loop().call_soon(interrupt)
    start("200 OK", [("Content-Length", "0")])
    return []
