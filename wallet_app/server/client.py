"""A client's socket on the event loop. Nothing here waits: what cannot be sent yet is
kept, and sent when the client has read more.

asyncio's transports do the same, but each of them refers to itself, so that only a full
garbage collection frees it, and those are rare in a process with long histories.
"""

from __future__ import annotations

import socket
from asyncio import AbstractEventLoop
from contextlib import suppress
from typing import Protocol

RECEIVE_BYTES = 64 * 1024


class Owner(Protocol):
    """What uses a client's socket, and is notified of what happens there."""

    def data_received(self, data: bytes) -> None: ...
    def eof_received(self) -> None: ...
    def all_sent(self) -> None: ...
    def connection_lost(self) -> None: ...


class ClientSocket:
    """A connected socket. After it is closed, every call does nothing."""

    def __init__(
        self, connected: socket.socket, loop: AbstractEventLoop, owner: Owner
    ) -> None:
        connected.setblocking(False)
        with suppress(OSError):  # there is no such option for a Unix socket
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._loop = loop
        self._owner: Owner | None = owner
        self._unsent = bytearray()
        self._is_reading = False
        self._ends = False
        self._closes = False
        self.resume_reading()

    @property
    def is_closed(self) -> bool:
        return self._owner is None

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the kernel has not accepted yet."""
        return len(self._unsent)

    def pause_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._socket)

    def resume_reading(self) -> None:
        if not self._is_reading and not self.is_closed:
            self._is_reading = True
            self._loop.add_reader(self._socket, self._on_readable)

    def write(self, data: bytes) -> None:
        """Send, or keep what cannot be sent yet."""
        if self.is_closed:
            return
        if not self._unsent:
            data = data[self._send(data) :]
            if not data or self.is_closed:
                return
            self._loop.add_writer(self._socket, self._on_writable)
        self._unsent += data

    def end(self) -> None:
        """Let the client see the end when all is sent; what it sends is still read."""
        self._ends = True
        self._end_if_all_sent()

    def close(self) -> None:
        """Close when all is sent."""
        self._closes = True
        self._end_if_all_sent()

    def abort(self) -> None:
        """Close now, whatever is not sent."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        self.pause_reading()
        self._loop.remove_writer(self._socket)
        self._unsent.clear()
        self._socket.close()
        owner.connection_lost()

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.abort()
            return 0

    def _end_if_all_sent(self) -> None:
        if self._unsent or self.is_closed:
            return
        if self._closes:
            self.abort()
        elif self._ends:
            with suppress(OSError):  # the client may have hung up
                self._socket.shutdown(socket.SHUT_WR)

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        assert self._owner is not None
        try:
            if data:
                self._owner.data_received(data)
            else:
                self.pause_reading()
                self._owner.eof_received()
        except BaseException:
            self.abort()  # a bug, or no memory: it ends this connection
            raise

    def _on_writable(self) -> None:
        del self._unsent[: self._send(self._unsent)]
        if self._unsent or self._owner is None:
            return
        self._loop.remove_writer(self._socket)
        self._end_if_all_sent()
        if not self.is_closed:
            self._owner.all_sent()
