"""The latest requests of every client, for the page. Those that follow each other and
differ in nothing but their body are one entry with a count: a storm is one line.
"""

from __future__ import annotations

import time
from collections import deque
from threading import Lock

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from wallet_app.services.json_forms import JsonObject, timestamp

ENTRIES_MAX = 100
BYTES_MAX = 4_000
"""Of one body, and of one answer."""

PAGE_HEADER = "Wallet-Page"
"""Who asks: the id of a visit to the page, or `quiet` for what it polls."""

QUIET = "quiet"


class Entry(JsonObject):
    key: int
    version: int
    method: str
    path: str
    page: str | None
    status: int
    replayed: bool
    type: str
    body: str
    answer: str
    milliseconds: int
    at: str
    count: int


class RequestLog:
    """Newest last. Versions grow with the time, also from one server to the next."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_MAX)
        self._version = time.time_ns() // 1_000_000

    def register(self, app: Flask) -> None:
        """Log what the API is asked for, except what the page polls."""
        app.before_request(self._begin)
        app.after_request(self._note)

    def since(self, version: int) -> list[Entry]:
        with self._lock:
            return [each for each in self._entries if each.version > version]

    def _begin(self) -> None:
        g.began_ns = time.monotonic_ns()

    def _note(self, response: Response) -> Response:
        page = request.headers.get(PAGE_HEADER)
        is_of_api = request.blueprint not in ("demo", "swagger_ui")
        if is_of_api and page != QUIET and "began_ns" in g:
            self._add(_entry(response, page))
        return response

    def _add(self, entry: Entry) -> None:
        with self._lock:
            self._version += 1
            entry.key = entry.version = self._version
            last = self._entries[-1] if self._entries else None
            if last is not None and _is_alike(last, entry):
                entry.key, entry.count = last.key, last.count + 1
                self._entries.pop()
            self._entries.append(entry)


def _entry(response: Response, page: str | None) -> Entry:
    answer = b"" if response.is_streamed else response.get_data()
    return Entry(
        key=0,
        version=0,
        method=request.method,
        path=request.full_path.rstrip("?"),
        page=page,
        status=response.status_code,
        replayed="Idempotent-Replayed" in response.headers,
        type=response.mimetype or "",
        body=_body(),
        answer=_text(answer),
        milliseconds=(time.monotonic_ns() - g.began_ns) // 1_000_000,
        at=timestamp(time.time_ns()),
        count=1,
    )


def _body() -> str:
    """Return the body, if it is short and an operation has read it."""
    length = request.content_length
    if request.url_rule is None or not length or length > BYTES_MAX:
        return ""
    try:
        return _text(request.get_data())
    except HTTPException:
        return ""


def _text(data: bytes) -> str:
    return data[:BYTES_MAX].decode(errors="replace")


def _is_alike(one: Entry, other: Entry) -> bool:
    return (one.method, one.path, one.status, one.page, one.replayed) == (
        other.method,
        other.path,
        other.status,
        other.page,
        other.replayed,
    )
