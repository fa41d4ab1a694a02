"""One client's connection: a request is read whole, run, and answered.

    waiting    for a request, or for its client to read an answer: holds no thread, and
               is the first to go where there are too many connections
    running    a complete request; nothing more is read meanwhile
    closing    answered for the last time; what still arrives is thrown away

Everything here happens on the event loop, in one thread, but for `call`.
"""

from __future__ import annotations

import socket
import time
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING
from wsgiref.handlers import format_date_time

from wallet_app.server.client import ClientSocket
from wallet_app.server.gateway import Answer, Stream, call, environ_of, problem
from wallet_app.server.reader import Refused, Request, RequestReader

if TYPE_CHECKING:
    from wallet_app.server.connections import Connections

FIRST_SECONDS = 10
"""For a new connection's first request: browsers open some that they may never use."""

KEEPALIVE_SECONDS = 75
"""Longer than the 60 seconds of usual proxies, so that they hang up first."""

HEAD_SECONDS = 10
REQUEST_SECONDS = 30
"""From the first byte of a request to the last of its head, and of its body: 1 MiB at
35 kB/s."""

UNREAD_SECONDS = 30
"""How long a client may take none of what it is sent."""

STREAM_SECONDS = 600
"""How long a stream may take: a million rows of CSV at 200 kB/s."""

LINGER_SECONDS = 2
"""How long a closing connection waits for its client to hang up, too, so that it can
read the answer (RFC 9112, section 9.6)."""

LINGER_BYTES_MAX = 2 * 1024 * 1024
"""What may arrive meanwhile: the rest of a body that was refused."""

RUN_SECONDS = 600
"""How long a request may run. Nothing ends it, but its connection is closed."""

SHORT_BODY_BYTES = 64 * 1024
"""A larger body takes milliseconds to load, and runs beside the event loop."""

RETRY = {"Retry-After": "1"}


class State(Enum):
    WAITING = auto()
    RUNNING = auto()
    CLOSING = auto()


UNREAD = Request("", "", (1, 1), [], b"", False)
"""Stands for a request that is refused before it is read."""


class Connection:
    """A connection, from the moment it is accepted."""

    def __init__(
        self,
        connections: Connections,
        connected: socket.socket,
        client: object,
        server: object,
    ) -> None:
        self._connections = connections
        self._client = str(client[0]) if isinstance(client, tuple) else ""
        self._server = server if isinstance(server, tuple) else (str(server), 0)
        self._reader = RequestReader()
        self._state = State.WAITING
        self._request = UNREAD
        self._unread = b""
        self._closes = False
        self._lingered_bytes = 0
        self._stream: Stream | None = None
        self._makes_piece = False
        self.deadline = connections.clock() + FIRST_SECONDS
        self._socket = ClientSocket(connected, connections.loop, self)

    # What happens on the socket

    def data_received(self, data: bytes) -> None:
        if self._state is State.WAITING:
            self._read(data)
            return
        self._lingered_bytes += len(data)
        if self._lingered_bytes > LINGER_BYTES_MAX:
            self._socket.abort()

    def eof_received(self) -> None:
        self._socket.close()

    def all_sent(self) -> None:
        if self._stream is not None:
            self._next_piece()

    def connection_lost(self) -> None:
        self._connections.remove(self)
        self._reader.close()
        if not self._makes_piece:  # else whatever makes it ends the stream
            self._end_stream()

    # What the connections ask for

    def abort(self) -> None:
        self._socket.abort()

    def turn_away(self) -> None:
        """Close a new connection that there is no room for."""
        self._closes, self._state = True, State.CLOSING
        answer = problem(503, "Too many requests are under way.", **RETRY)
        self._socket.write(self._head_of(answer) + answer.body)
        self._socket.close()

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request has arrived."""
        return self._reader.has_begun or bool(self._unread)

    def stop(self, deadline: float) -> None:
        """Close if nothing is under way; else have it end by the deadline. A request
        that runs has its own time."""
        is_running = self._state is State.RUNNING and self._stream is None
        self.deadline = self.deadline if is_running else min(self.deadline, deadline)
        unsent = self._socket.unsent_bytes
        if self._state is State.WAITING and not self.has_begun and not unsent:
            self._socket.close()

    def expire(self) -> None:
        """Give up a client that kept the connection waiting past its deadline."""
        if self._state is State.WAITING and self._reader.has_begun:
            self._refuse(Refused(408))
        else:
            self._socket.abort()

    # Reading

    def _read(self, data: bytes) -> None:
        reader = self._reader
        had_begun, had_head = reader.has_begun, reader.has_head
        try:
            reader.feed(data)
        except Refused as refused:
            self._refuse(refused)
            return
        if reader.is_complete:
            self._run()
            return
        self._connections.note_held_bytes(self, reader.held_bytes)
        if not had_begun:
            self._begun_at = self._connections.clock()
            self.deadline = self._begun_at + HEAD_SECONDS
        if reader.has_head and not had_head:
            self.deadline = self._begun_at + REQUEST_SECONDS
            if reader.awaits_continue:
                self._socket.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _refuse(self, refused: Refused) -> None:
        """Answer what will never reach the app, and close: nobody knows where the next
        request would begin."""
        self._closes = True
        self._begun_at = self._connections.clock()
        self._answer(problem(refused.status, refused.detail))

    # Running

    def _run(self) -> None:
        request, self._unread = self._reader.take()
        self._request = request
        self._closes = not request.keep_alive
        self._state = State.RUNNING
        self._begun_at = self._connections.clock()
        self.deadline = self._begun_at + RUN_SECONDS
        self._connections.mark_running(self)
        app = self._connections.app
        try:
            environ = environ_of(request, self._server, self._client)
        except ValueError:
            self._refuse(Refused(400, "The target of the request is no URL."))
            return
        if _is_short(request):
            self._answer_request(call(app, environ))
            return
        self._socket.pause_reading()
        run_beside = self._connections.run_beside
        if not run_beside(self._answer_request, call, app, environ):
            self._answer_request(problem(503, "Too many requests wait.", **RETRY))

    def _answer_request(self, answer: Answer) -> None:
        seconds = self._connections.clock() - self._begun_at
        self._connections.log_access(self._request, self._client, answer, seconds)
        self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        """Write an answer, or begin to stream it."""
        if self._socket.is_closed:
            if answer.stream is not None:
                answer.stream.close()
            return
        if answer.stream is not None and not self._connections.acquire_stream(
            self._client
        ):
            answer.stream.close()
            answer = problem(503, "Too many streams are under way.", **RETRY)
        self._closes = self._closes or not self._connections.keeps_alive
        if answer.stream is None:
            self._socket.write(self._head_of(answer) + answer.body)
            self._finish()
            return
        self._is_chunked = self._request.version >= (1, 1)
        self._closes = self._closes or not self._is_chunked
        self._socket.write(self._head_of(answer))
        self._stream = answer.stream
        self._stream_ends_at = self._connections.clock() + STREAM_SECONDS
        self._next_piece()

    def _head_of(self, answer: Answer) -> bytes:
        lines = [f"HTTP/1.1 {answer.status}", f"Date: {_date(int(time.time()))}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if answer.stream is not None and self._is_chunked:
            lines.append("Transfer-Encoding: chunked")
        if self._closes:
            lines.append("Connection: close")
        elif self._request.version < (1, 1):
            lines.append("Connection: keep-alive")
        return "\r\n".join((*lines, "", "")).encode("latin-1")

    def _finish(self) -> None:
        """Wait for the next request, or for the end of the connection."""
        self._state = State.CLOSING if self._closes else State.WAITING
        seconds = LINGER_SECONDS if self._closes else KEEPALIVE_SECONDS
        if self._socket.unsent_bytes:
            seconds = UNREAD_SECONDS
        self.deadline = self._connections.clock() + seconds
        self._connections.mark_waiting(self)
        self._connections.note_held_bytes(self, self._socket.unsent_bytes)
        if not self._closes and self._unread:
            self._socket.pause_reading()  # what is unread comes first
            self._connections.loop.call_soon(self._read_unread)
            return
        self._socket.resume_reading()
        if self._closes:
            self._socket.end()

    def _read_unread(self) -> None:
        """Read what came behind the last request; later than this call, so that a
        client which sends many at once takes turns with the others."""
        data, self._unread = self._unread, b""
        if not self._socket.is_closed:
            self._socket.resume_reading()
            self._read(data)

    # Streaming

    def _next_piece(self) -> None:
        """Have the next piece made beside the event loop, if the client has room."""
        now = self._connections.clock()
        self.deadline = min(now + UNREAD_SECONDS, self._stream_ends_at)
        if (
            self._stream is not None
            and not self._makes_piece
            and not self._socket.unsent_bytes
        ):
            self._makes_piece = True
            if not self._connections.run_beside(
                self._write_piece, self._stream.next_piece
            ):
                self._makes_piece = False
                self._socket.abort()

    def _write_piece(self, piece: bytes | None) -> None:
        """Write a piece; an empty one is the end, and None a failure."""
        self._makes_piece = False
        if piece is None or self._socket.is_closed:
            self._end_stream()
            self._socket.abort()
        elif piece:
            size = b"%x\r\n" % len(piece)
            self._socket.write(
                b"".join((size, piece, b"\r\n")) if self._is_chunked else piece
            )
            self._next_piece()
        else:
            self._end_stream()
            if self._is_chunked:
                self._socket.write(b"0\r\n\r\n")
            self._finish()

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
            self._connections.release_stream(self._client)


def _is_short(request: Request) -> bool:
    """Tell whether a request takes well under a millisecond, and so is run at once.

    What only reads may read a whole history.
    """
    changes = request.method not in ("GET", "HEAD")
    return changes and len(request.body) <= SHORT_BODY_BYTES


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    """Return a time as HTTP writes it."""
    return format_date_time(seconds)
