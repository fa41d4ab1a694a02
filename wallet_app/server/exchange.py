"""One request and its answer, from the moment that the request is complete.

Everything here happens on the event loop. `call` and `next_piece` may run on another
thread.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from wallet_app.server.gateway import Answer, Stream, call, environ_of, problem
from wallet_app.server.reader import Request

if TYPE_CHECKING:
    from wallet_app.server.connection import Connection

SEND_SECONDS = 30
"""How long a client may leave an answer, or a piece of a stream, unread."""

STREAM_SECONDS = 600
"""How long a stream may take: a million rows of CSV at 200 kB/s."""

SHORT_BODY_BYTES = 64 * 1024
"""A larger body takes milliseconds to load, and runs on a thread."""

RETRY = {"Retry-After": "1"}


class Exchange:
    """A request that runs, or whose answer is streamed."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self.request = request
        self._connection = connection
        self._connections = connection.connections
        self._begun_at = self._connections.clock()
        self._closes = not request.keep_alive
        self._stream: Stream | None = None
        self._stream_ends_at = 0.0
        self._makes_piece = False

    @property
    def is_streaming(self) -> bool:
        return self._stream is not None

    def run(self) -> None:
        """Run the request, on a thread if that may take long, and answer it."""
        connection, threads = self._connection, self._connections.threads
        try:
            environ = environ_of(self.request, connection.server, connection.address)
        except ValueError:
            self._closes = True
            self._answer(problem(400, "The target of the request is no URL."))
            return
        run = partial(call, self._connections.app, environ)
        if _is_short(self.request):
            self._answer(run())
        elif threads.is_full_for(connection.client):
            self._answer(problem(503, "Too many requests wait.", **RETRY))
        else:
            connection.socket.pause_reading()
            connection.note_held_bytes()
            threads.run(connection.client, run, self._answer, self._fail)

    def next_piece(self) -> None:
        """Have the next piece made on a thread, if the client has read the last."""
        if self._stream is None:
            return
        connection, threads = self._connection, self._connections.threads
        ends_at = self._connections.clock() + SEND_SECONDS
        connection.set_deadline(min(ends_at, self._stream_ends_at))
        connection.note_held_bytes()
        if connection.socket.unsent_bytes or self._makes_piece:
            return
        self._makes_piece = True
        make = self._stream.next_piece
        threads.run(connection.client, make, self._write_piece, self._fail)

    def abandon(self) -> None:
        """Let the app clean up: the connection is lost."""
        if not self._makes_piece:  # else whatever makes it ends the stream
            self._end_stream()

    def _fail(self) -> None:
        """Close the connection after a failure that left no answer."""
        self._makes_piece = False
        self._connection.socket.abort()
        self._end_stream()

    def _answer(self, answer: Answer) -> None:
        """Write an answer, or begin to stream it."""
        connection = self._connection
        if connection.socket.is_closed:
            if answer.stream is not None:
                answer.stream.close()
            return
        if answer.stream and not self._connections.acquire_stream(connection.client):
            answer.stream.close()
            answer = problem(503, "Too many streams are under way.", **RETRY)
        seconds = self._connections.clock() - self._begun_at
        self._connections.log_access(self.request, connection.address, answer, seconds)
        self._closes = self._closes or not self._connections.keeps_alive
        if answer.stream is not None and not self._is_chunked:
            self._closes = True
        head = answer.head(self.request.version, self._closes)
        if answer.stream is None:
            body = b"" if self.request.method == "HEAD" else answer.body
            connection.socket.write(head + body)
            connection.finish(self._closes)
            return
        connection.socket.write(head)
        self._stream = answer.stream
        self._stream_ends_at = self._connections.clock() + STREAM_SECONDS
        self.next_piece()

    @property
    def _is_chunked(self) -> bool:
        """Whether a stream is sent in chunks: older clients read until the end."""
        return self.request.version >= (1, 1)

    def _write_piece(self, piece: bytes | None) -> None:
        """Write a piece; an empty one is the end, and None a failure."""
        socket = self._connection.socket
        self._makes_piece = False
        if piece is None or socket.is_closed:
            self._fail()
        elif piece:
            size = b"%x\r\n" % len(piece)
            socket.write(
                b"".join((size, piece, b"\r\n")) if self._is_chunked else piece
            )
            self.next_piece()
        else:
            self._end_stream()
            if self._is_chunked:
                socket.write(b"0\r\n\r\n")
            self._connection.finish(self._closes)

    def _end_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self._connections.release_stream(self._connection.client)
            stream.close()


def _is_short(request: Request) -> bool:
    """Return whether a request takes well under a millisecond, and so is run at once.

    What only reads may read a whole history.
    """
    changes = request.method not in ("GET", "HEAD")
    return changes and len(request.body) <= SHORT_BODY_BYTES
