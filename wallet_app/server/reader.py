"""Reads requests from bytes, whole and bounded, before anything runs them.

Parsing is gunicorn's. What stands here are the bounds, and what this server also
refuses. It must not know sockets or the app.
"""

from __future__ import annotations

from gunicorn.asgi.parser import (
    LimitRequestHeaders,
    LimitRequestLine,
    PythonProtocol,
    UnsupportedTransferCoding,
)
from msgspec import Struct

from wallet_app.api.incoming.body import BODY_BYTES_MAX

REQUEST_LINE_BYTES_MAX = 4_094
"""gunicorn's own default; the longest of ours has some 300."""

HEAD_BYTES_MAX = 64 * 1024
"""All header lines together. Each has gunicorn's bound, 8,190 bytes, and there are a
hundred at most."""

CHUNKS_MAX = 10_000
"""Pieces of a chunked body: a million of one byte each would cost seconds."""

SINGLE = frozenset(
    (
        b"expect",
        b"idempotency-key",
        b"origin",
        b"sec-fetch-site",
        b"transfer-encoding",
    )
)
"""Headers that have one value. Of Host, Content-Type and Content-Length the parser
refuses a second one."""


class Refused(Exception):
    """A request that never reaches the app: the status, and why if the client can use
    that."""

    def __init__(self, status: int, detail: str | None = None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


class Request(Struct):
    """A complete request, as it came."""

    method: str
    target: str
    version: tuple[int, int]
    headers: list[tuple[str, str]]
    body: bytes
    keep_alive: bool


class RequestReader:
    """Reads the requests of one connection, one after the other."""

    def __init__(self) -> None:
        self._parser = PythonProtocol(
            on_headers_complete=self._on_head,
            on_body=self._on_body,
            on_message_complete=self._on_end,
            limit_request_line=REQUEST_LINE_BYTES_MAX,
        )
        self._start()

    def _start(self) -> None:
        self.is_complete = False
        self.awaits_continue = False
        """The client holds its body back until it is asked for it."""
        self.has_head = False
        self._head_bytes = 0
        self._body = bytearray()
        self._chunks = 0

    @property
    def has_begun(self) -> bool:
        """Whether any byte of a request that is not complete has arrived."""
        return self._head_bytes > 0 and not self.is_complete

    @property
    def held_bytes(self) -> int:
        """How much of a request that is not complete is kept."""
        return self._head_bytes + len(self._body)

    def feed(self, data: bytes) -> None:
        """Read on. Raises Refused."""
        try:
            if not self.has_head:
                self._head_bytes += len(data)
            self._parser.feed(data)
        except Refused:
            raise
        except LimitRequestLine:
            raise Refused(414) from None
        except LimitRequestHeaders:
            raise Refused(431) from None
        except UnsupportedTransferCoding:
            raise Refused(501) from None
        except Exception:  # noqa: BLE001 - every other error of the parser is a malformed request
            raise Refused(400, "The request is not valid HTTP/1.1.") from None
        if not self.has_head and self._head_bytes > HEAD_BYTES_MAX:
            raise Refused(431)

    def take(self) -> tuple[Request, bytes]:
        """Return the complete request, and what came behind it; begin the next one."""
        parser = self._parser
        assert self.is_complete
        request = Request(
            parser.method.decode("ascii"),
            parser.path.decode("ascii"),
            parser.http_version,
            [
                (name.decode("ascii"), value.decode("latin-1"))
                for name, value in parser.headers
            ],
            bytes(self._body),
            parser.should_keep_alive,
        )
        rest = parser.remaining()
        parser.reset()
        self._start()
        return request, rest

    def close(self) -> None:
        """Let go of the parser, which holds this reader too."""
        del self._parser

    def _on_head(self) -> bool:
        self.has_head = True
        headers = dict(self._parser.headers)
        size = sum(len(name) + len(value) for name, value in self._parser.headers)
        self._head_bytes = len(self._parser.path) + size
        if size > HEAD_BYTES_MAX:
            raise Refused(431)
        if self._parser.http_version >= (1, 1) and b"host" not in headers:
            raise Refused(400, "The request has no Host header.")
        if any(b"_" in name for name in headers):
            raise Refused(400, "A header name must not hold an underscore.")
        if len(headers) < len(self._parser.headers):
            names = [name for name, _ in self._parser.headers]
            for name in SINGLE.intersection(names):
                if names.count(name) > 1:
                    raise Refused(400, f"{name.decode()} is given more than once.")
        if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            raise Refused(501, "The only transfer coding is chunked.")
        if (self._parser.content_length or 0) > BODY_BYTES_MAX:
            raise Refused(413)
        expect = headers.get(b"expect")
        if expect is not None:
            if expect.lower() != b"100-continue":
                raise Refused(417)
            self.awaits_continue = self._parser.http_version >= (1, 1)
        return False

    def _on_body(self, piece: bytes) -> None:
        self._body += piece
        self._chunks += 1
        if len(self._body) > BODY_BYTES_MAX:
            raise Refused(413)
        if self._parser.is_chunked and self._chunks > CHUNKS_MAX:
            raise Refused(400, "The body has too many chunks.")

    def _on_end(self) -> None:
        self.is_complete = True
