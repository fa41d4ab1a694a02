"""Bytes: requests as they are sent, and answers as they come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; the names of its headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def request(
    method: str,
    path: str,
    body: object = None,
    *,
    host: str = "localhost",
    headers: Mapping[str, str] | None = None,
    keep_alive: bool = True,
) -> bytes:
    """Return a valid request as it goes over the wire."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    if not keep_alive:
        lines.append("Connection: close")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def answers_in(data: bytes, is_closed: bool) -> tuple[list[Answer], bytes]:
    """Return the whole answers that a connection's bytes begin with, and the rest."""
    answers = []
    while data.startswith(b"HTTP/1."):
        head, separator, rest = data.partition(b"\r\n\r\n")
        if not separator:
            break
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        end = _end_of_body(status, headers, rest, is_closed)
        if end is None:
            break
        body, data = end
        answers.append(Answer(status, headers, body))
    return answers, data


def _end_of_body(
    status: int, headers: Mapping[str, str], rest: bytes, is_closed: bool
) -> tuple[bytes, bytes] | None:
    """Return a body and what follows it, or None if it is not complete."""
    if status < 200 or status in (204, 304):
        return b"", rest
    if headers.get("transfer-encoding") == "chunked":
        return _unchunked(rest)
    if "content-length" in headers:
        length = int(headers["content-length"])
        return (rest[:length], rest[length:]) if len(rest) >= length else None
    return (rest, b"") if is_closed else None


def _unchunked(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while b"\r\n" in rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        if len(rest) < size + 2:
            return None
        body, rest = body + rest[:size], rest[size + 2 :]
        if size == 0:
            return body, rest
    return None
