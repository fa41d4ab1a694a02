"""One client's connection: a request is read whole, run, and answered.

    waiting    for a request, or for its client to read an answer: holds no thread, and
               may be evicted where there are too many connections
    running    a complete request, or streaming its answer; nothing more is read
    closing    answered for the last time; what still arrives is thrown away

Everything here happens on the event loop, in one thread.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from wallet_app.gateways.addresses import caller_of
from wallet_app.server.client import ClientSocket
from wallet_app.server.exchange import RETRY, SEND_SECONDS, Exchange
from wallet_app.server.gateway import Answer, problem
from wallet_app.server.reader import Refused, RequestReader

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

LINGER_SECONDS = 2
"""How long a closing connection waits for its client to hang up, too, so that it can
read the answer (RFC 9112, section 9.6)."""

LINGER_BYTES_MAX = 2 * 1024 * 1024
"""What may arrive meanwhile: the rest of a body that was refused."""

RUN_SECONDS = 600
"""How long a request may run. Nothing ends it, but its connection is closed."""


class Connection:
    """A connection, from the moment it is accepted."""

    def __init__(
        self,
        connections: Connections,
        connected: socket.socket,
        client: object,
        server: object,
    ) -> None:
        self.connections = connections
        self.address = str(client[0]) if isinstance(client, tuple) else ""
        self.client = caller_of(self.address) or ""
        """The address that counts for shares."""
        self.server = server if isinstance(server, tuple) else (str(server), 0)
        self.deadline = connections.clock() + FIRST_SECONDS
        self._reader = RequestReader()
        self._begun_at = 0.0
        self._exchange: Exchange | None = None
        self._pipelined = b""
        self._closes = False
        self._lingered_bytes = 0
        self.socket = ClientSocket(connected, connections.loop, self)

    @property
    def _is_waiting(self) -> bool:
        return self._exchange is None and not self._closes

    # What happens on the socket

    def data_received(self, data: bytes) -> None:
        if self._is_waiting:
            self._read(data)
            return
        self._lingered_bytes += len(data)
        if self._lingered_bytes > LINGER_BYTES_MAX:
            self.socket.abort()

    def eof_received(self) -> None:
        self.socket.close()

    def all_sent(self) -> None:
        if self._exchange is not None:
            self._exchange.next_piece()
        elif self._is_waiting:
            self._next_request()

    def connection_lost(self) -> None:
        self.connections.remove(self)
        self._reader.close()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandon()

    # What the connections ask for

    def turn_away(self) -> None:
        """Refuse a new connection, of which there are too many."""
        self._refuse(problem(503, "Too many requests are under way.", **RETRY))

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request has arrived."""
        return self._reader.has_begun or bool(self._pipelined)

    def stop(self) -> None:
        """Close if nothing is under way. A request that runs has its own time."""
        if self._exchange is None or self._exchange.is_streaming:
            self.set_deadline(self.deadline)
        is_idle = not self.has_begun and not self.socket.unsent_bytes
        if self._is_waiting and is_idle:
            self.socket.close()

    def expire(self) -> None:
        """Refuse or close what a client has kept waiting past its deadline."""
        if self._is_waiting and self._reader.has_begun:
            self._refuse(problem(408))
        else:
            self.socket.abort()

    # What an exchange asks for

    def set_deadline(self, moment: float) -> None:
        """Expire at a moment on the clock, or when a stop ends what is under way."""
        self.deadline = min(moment, self.connections.ends_at)

    def note_held_bytes(self) -> None:
        count = len(self._pipelined) + self._reader.held_bytes
        count += self.socket.unsent_bytes
        if self._exchange is not None:
            count += len(self._exchange.request.body)
        self.connections.note_held_bytes(self, count)

    def finish(self, closes: bool) -> None:
        """Wait for the next request, or for the end of the connection."""
        self._exchange, self._closes = None, closes
        seconds = LINGER_SECONDS if closes else KEEPALIVE_SECONDS
        if self.socket.unsent_bytes and self.connections.keeps_alive:
            seconds = SEND_SECONDS
        self.deadline = self.connections.clock() + seconds
        self.connections.mark_waiting(self)
        self.note_held_bytes()
        if closes:
            self.socket.resume_reading()
            self.socket.end()
        elif self.socket.unsent_bytes:
            self.socket.pause_reading()  # one answer at a time waits to be read
        else:
            self._next_request()

    # Reading

    def _read(self, data: bytes) -> None:
        reader = self._reader
        had_begun, had_head = reader.has_begun, reader.has_head
        try:
            reader.feed(data)
        except Refused as refused:
            self._refuse(problem(refused.status, refused.detail))
            return
        if reader.is_complete:
            self._run()
            return
        if not had_begun:
            self._begun_at = self.connections.clock()
            self.set_deadline(self._begun_at + HEAD_SECONDS)
        if reader.has_head and not had_head:
            self.set_deadline(self._begun_at + REQUEST_SECONDS)
            if reader.awaits_continue:
                self.socket.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.note_held_bytes()

    def _refuse(self, answer: Answer) -> None:
        """Answer what will never reach the app, and close: nobody knows where the next
        request would begin."""
        self.socket.write(answer.head((1, 1), closes=True) + answer.body)
        self.finish(closes=True)

    def _run(self) -> None:
        request, self._pipelined = self._reader.take()
        self._exchange = Exchange(self, request)
        self.deadline = self.connections.clock() + RUN_SECONDS
        self.connections.mark_running(self)
        self._exchange.run()

    def _next_request(self) -> None:
        """Read on, first what was sent ahead: later than this call, so that a client
        which sends many requests at once takes turns with the others."""
        self.note_held_bytes()
        if self._pipelined:
            self.socket.pause_reading()
            self.connections.loop.call_soon(self._read_pipelined)
        else:
            self.socket.resume_reading()

    def _read_pipelined(self) -> None:
        data, self._pipelined = self._pipelined, b""
        if not self.socket.is_closed:
            self.socket.resume_reading()
            self._read(data)
