"""Writes requests as the command lines that make them."""

from __future__ import annotations

import shlex

from tests.judge.wire.answers import shown
from tests.judge.wire.client import Origin, Request

BODY_MAX = 700
"""A longer body is named by its length only."""

SECRET = "…"
"""In place of what headers of the adapter say: they may have passwords."""


def curl(origin: Origin, request: Request, secret: frozenset[str]) -> str:
    """Return a request as a curl command. Headers whose names are secret lose their
    values."""
    parts = ["curl"]
    if request.method not in ("GET", "POST") or (
        request.method == "POST" and request.body is None
    ):
        parts += ["-X", request.method]
    parts.append(f"http://{origin.authority}{request.target}")
    for name, value in request.headers:
        parts += ["-H", f"{name}: {SECRET if name.lower() in secret else value}"]
    if request.body is not None and len(request.body) > BODY_MAX:
        parts += ["--data-binary", f"@{len(request.body)}-bytes.json"]
    elif request.body is not None:
        parts += ["-d", request.body.decode("utf-8", "replace")]
    return shown(shlex.join(parts), most=1000)
