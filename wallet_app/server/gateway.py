"""WSGI (PEP 3333): a request becomes an environ, and what the app returns an answer."""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.handlers import format_date_time

from msgspec import Struct
from werkzeug.http import HTTP_STATUS_CODES

from wallet_app.api.outgoing.problems import MEDIA_TYPE, http_document
from wallet_app.server.reader import Request
from wallet_app.services.json_forms import json_line

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

logger = logging.getLogger("wallet_app.server")


class Stream:
    """The pieces of an answer, made one by one. `close` lets the app clean up."""

    def __init__(self, produced: Iterable[bytes]) -> None:
        self._pieces = iter(produced)
        self.close: Callable[[], object] = getattr(produced, "close", lambda: None)

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def next_piece(self) -> bytes | None:
        """Return the next piece, nothing at the end, or None if the app fails."""
        try:
            return next(filter(None, self._pieces), b"")
        except BaseException as error:  # it ends this stream only
            logger.error("A stream met a bug", exc_info=error)
            return None


class Answer(Struct):
    """What the app has answered: whole, or as a stream whose length is not known."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    stream: Stream | None = None

    def head(self, version: tuple[int, int], closes: bool) -> bytes:
        """Return the head for a client that speaks this version of HTTP. A stream is
        sent in chunks if that knows them, and else ends with the connection."""
        lines = [f"HTTP/1.1 {self.status}", f"Date: {_date(int(time.time()))}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.stream is not None and version >= (1, 1):
            lines.append("Transfer-Encoding: chunked")
        if closes:
            lines.append("Connection: close")
        elif version < (1, 1):
            lines.append("Connection: keep-alive")
        return "\r\n".join((*lines, "", "")).encode("latin-1")


def environ_of(
    request: Request, server: tuple[object, ...], client: str
) -> dict[str, Any]:
    """Return the WSGI environ of a request. The values of a repeated header are joined
    by commas (RFC 9110, section 5.3)."""
    authority, path, query = _target_parts(request.target)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": request.target,
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": "HTTP/%d.%d" % request.version,
        "REMOTE_ADDR": client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if authority:  # it is what counts then (RFC 9112, section 3.2.2)
        environ["HTTP_HOST"] = authority
    # The body is whole by now, however it came.
    if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:
        environ["CONTENT_LENGTH"] = str(len(request.body))
    return environ


def _target_parts(target: str) -> tuple[str, str, str]:
    """Return the host, if it is named, the path and the query of a request's target.

    Raises ValueError for what is no URL.
    """
    if target.startswith("/"):
        path, _, query = target.partition("?")
        return "", path, query
    parts = urlsplit(target)
    return parts.netloc, parts.path or "/", parts.query


def call(app: App, environ: dict[str, Any]) -> Answer:
    """Return what the app answers. Whatever it raises ends this request only."""
    started: list[Any] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], failure: object = None
    ) -> None:
        started[:] = status, headers

    try:
        produced = app(environ, start_response)
        status, headers = started
        if _is_stream(environ["REQUEST_METHOD"], status, headers):
            return Answer(status, headers, b"", Stream(produced))
        with closing(Stream(produced)) as body:
            return Answer(status, headers, b"".join(body))
    except BaseException as error:  # it ends this request only
        logger.error("A request met a bug", exc_info=error)
        return problem(500)


def _is_stream(method: str, status: str, headers: list[tuple[str, str]]) -> bool:
    """Return whether an answer has a body of unknown length (RFC 9110, section 6.4)."""
    if method == "HEAD" or status[:3] in ("204", "304"):
        return False
    return all(name.lower() != "content-length" for name, _ in headers)


def problem(status: int, detail: str | None = None, **headers: str) -> Answer:
    """Return a problem document of the server's own."""
    body = json_line(http_document(status, detail))
    described = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body))}
    return Answer(
        f"{status} {HTTP_STATUS_CODES[status]}", [*(described | headers).items()], body
    )


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    """Return a time as HTTP writes it."""
    return format_date_time(seconds)
