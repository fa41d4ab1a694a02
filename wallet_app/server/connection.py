"""One client's connection: a request is read whole, run, and answered.

    waiting    for a request, or for its client to read an answer: holds no thread, and
               may be evicted where there are too many connections
    running    a complete request, or streaming its answer; nothing more is read
    closing    answered for the last time; what still arrives is thrown away

Everything here happens on the event loop, in one thread. `call` and `next_piece` may
run on another.
"""

from __future__ import annotations

import socket
import time
from enum import Enum, auto
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from wsgiref.handlers import format_date_time

from wallet_app.gateways.addresses import caller_of
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

SEND_SECONDS = 30
"""How long a client may leave an answer, or a piece of a stream, unread."""

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
"""A larger body takes milliseconds to load, and runs on a thread."""

RETRY = {"Retry-After": "1"}


class State(Enum):
    WAITING = auto()
    RUNNING = auto()
    CLOSING = auto()


NO_REQUEST = Request("", "", (1, 1), [], b"", False)
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
        self._address = str(client[0]) if isinstance(client, tuple) else ""
        self.client = caller_of(self._address) or ""
        """The address that counts for shares."""
        self._server = server if isinstance(server, tuple) else (str(server), 0)
        self._reader = RequestReader()
        self._state = State.WAITING
        self._request = NO_REQUEST
        self._begun_at = connections.clock()
        self._pipelined = b""
        self._closes = False
        self._lingered_bytes = 0
        self._stream: Stream | None = None
        self._stream_ends_at = 0.0
        self._is_chunked = False
        self._makes_piece = False
        self.deadline = self._begun_at + FIRST_SECONDS
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
        elif self._state is State.WAITING:
            self._next_request()

    def connection_lost(self) -> None:
        self._connections.remove(self)
        self._reader.close()
        if not self._makes_piece:  # else whatever makes it ends the stream
            self._end_stream()

    # What the connections ask for

    def abort(self) -> None:
        self._socket.abort()

    def fail(self) -> None:
        """Close after a failure that left no answer."""
        self._makes_piece = False
        self._socket.abort()
        self._end_stream()

    def turn_away(self) -> None:
        """Refuse a new connection, of which there are too many."""
        self._closes = True
        self._answer(problem(503, "Too many requests are under way.", **RETRY))

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request has arrived."""
        return self._reader.has_begun or bool(self._pipelined)

    def stop(self) -> None:
        """Close if nothing is under way. A request that runs has its own time."""
        is_running = self._state is State.RUNNING and self._stream is None
        if not is_running:
            self.deadline = min(self.deadline, self._connections.ends_at)
        is_idle = not self.has_begun and not self._socket.unsent_bytes
        if self._state is State.WAITING and is_idle:
            self._socket.close()

    def expire(self) -> None:
        """Refuse or close what a client has kept waiting past its deadline."""
        if self._state is State.WAITING and self._reader.has_begun:
            self._refuse(Refused(408))
        else:
            self._socket.abort()

    def _set_deadline(self, moment: float) -> None:
        """Expire at a moment on the clock, or when a stop ends what is under way."""
        self.deadline = min(moment, self._connections.ends_at)

    def _note_held_bytes(self) -> None:
        count = len(self._pipelined) + len(self._request.body)
        count += self._reader.held_bytes + self._socket.unsent_bytes
        self._connections.note_held_bytes(self, count)

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
        if not had_begun:
            self._begun_at = self._connections.clock()
            self._set_deadline(self._begun_at + HEAD_SECONDS)
        if reader.has_head and not had_head:
            self._set_deadline(self._begun_at + REQUEST_SECONDS)
            if reader.awaits_continue:
                self._socket.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._note_held_bytes()

    def _refuse(self, refused: Refused) -> None:
        """Answer what will never reach the app, and close: nobody knows where the next
        request would begin."""
        self._closes = True
        self._answer(problem(refused.status, refused.detail))

    # Running

    def _run(self) -> None:
        self._request, self._pipelined = self._reader.take()
        self._closes = not self._request.keep_alive
        self._state = State.RUNNING
        self._begun_at = self._connections.clock()
        self.deadline = self._begun_at + RUN_SECONDS
        self._connections.mark_running(self)
        try:
            environ = environ_of(self._request, self._server, self._address)
        except ValueError:
            self._refuse(Refused(400, "The target of the request is no URL."))
            return
        run = partial(call, self._connections.app, environ)
        if _is_short(self._request):
            self._answer(run())
        elif self._connections.threads.is_full_for(self.client):
            self._answer(problem(503, "Too many requests wait.", **RETRY))
        else:
            self._socket.pause_reading()
            self._note_held_bytes()
            self._connections.threads.run(self.client, run, self._answer, self.fail)

    def _answer(self, answer: Answer) -> None:
        """Write an answer, or begin to stream it."""
        if self._socket.is_closed:
            if answer.stream is not None:
                answer.stream.close()
            return
        if answer.stream and not self._connections.acquire_stream(self.client):
            answer.stream.close()
            answer = problem(503, "Too many streams are under way.", **RETRY)
        self._log_access(answer)
        self._closes = self._closes or not self._connections.keeps_alive
        if answer.stream is None:
            body = b"" if self._request.method == "HEAD" else answer.body
            self._socket.write(self._head_of(answer) + body)
            self._finish()
            return
        self._is_chunked = self._request.version >= (1, 1)
        self._closes = self._closes or not self._is_chunked
        self._socket.write(self._head_of(answer))
        self._stream = answer.stream
        self._stream_ends_at = self._connections.clock() + STREAM_SECONDS
        self._next_piece()

    def _log_access(self, answer: Answer) -> None:
        if self._request is not NO_REQUEST:
            seconds = self._connections.clock() - self._begun_at
            self._connections.log_access(self._request, self._address, answer, seconds)

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
        self._request = NO_REQUEST
        seconds = LINGER_SECONDS if self._closes else KEEPALIVE_SECONDS
        if self._socket.unsent_bytes and self._connections.keeps_alive:
            seconds = SEND_SECONDS
        self.deadline = self._connections.clock() + seconds
        self._connections.mark_waiting(self)
        self._note_held_bytes()
        if self._closes:
            self._socket.resume_reading()
            self._socket.end()
        elif self._socket.unsent_bytes:
            self._socket.pause_reading()  # one answer at a time waits to be read
        else:
            self._next_request()

    def _next_request(self) -> None:
        """Read on, first what was sent ahead: later than this call, so that a client
        which sends many requests at once takes turns with the others."""
        self._note_held_bytes()
        if self._pipelined:
            self._socket.pause_reading()
            self._connections.loop.call_soon(self._read_pipelined)
        else:
            self._socket.resume_reading()

    def _read_pipelined(self) -> None:
        data, self._pipelined = self._pipelined, b""
        if not self._socket.is_closed:
            self._socket.resume_reading()
            self._read(data)

    # Streaming

    def _next_piece(self) -> None:
        """Have the next piece made on a thread, if the client has read the last."""
        now = self._connections.clock()
        self._set_deadline(min(now + SEND_SECONDS, self._stream_ends_at))
        self._note_held_bytes()
        is_sent = not self._socket.unsent_bytes
        if self._stream is not None and is_sent and not self._makes_piece:
            self._makes_piece = True
            make, then = self._stream.next_piece, self._write_piece
            self._connections.threads.run(self.client, make, then, self.fail)

    def _write_piece(self, piece: bytes | None) -> None:
        """Write a piece; an empty one is the end, and None a failure."""
        self._makes_piece = False
        if piece is None or self._socket.is_closed:
            self.fail()
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
        stream, self._stream = self._stream, None
        if stream is not None:
            self._connections.release_stream(self.client)
            stream.close()


def _is_short(request: Request) -> bool:
    """Return whether a request takes well under a millisecond, and so is run at once.

    What only reads may read a whole history.
    """
    changes = request.method not in ("GET", "HEAD")
    return changes and len(request.body) <= SHORT_BODY_BYTES


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    """Return a time as HTTP writes it."""
    return format_date_time(seconds)
