"""All connections, and the bounds that they share: their number, memory and streams."""

from __future__ import annotations

import math
import socket
import time
from asyncio import AbstractEventLoop
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator

from wallet_app.server.connection import Connection
from wallet_app.server.gateway import Answer, App
from wallet_app.server.reader import Request
from wallet_app.server.threads import Threads

HELD_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of requests that are not answered and of answers that are not sent, in all
connections: sixteen of the largest bodies. Most have a thousandth of one."""

NEW_SHARE = 4
"""New connections that have not made a request yet are evicted before those that have,
as soon as they are more than one part in so many of all."""

PAUSE_SECONDS = 0.1
"""How long nothing is accepted after that failed and nothing could be evicted."""

ACCEPTED_AT_ONCE = 50
"""Connections that are accepted before the loop looks at the others again."""

STREAMS_MAX = 16
"""Exports under way: each holds a piece of about 100 kB."""

STREAMS_MAX_OF_CLIENT = 8
"""Of these for one address, which may read them slowly."""

LogAccess = Callable[[Request, str, Answer, float], None]
"""From a request, its client's address, its answer, and how many seconds it took."""


class Connections:
    """The connections of one process. All of this happens on its event loop."""

    def __init__(
        self,
        app: App,
        loop: AbstractEventLoop,
        connections_max: int,
        report: Callable[[str], None],
        log_access: LogAccess = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.loop = loop
        self.log_access = log_access
        self.clock = clock
        self.ends_at = math.inf
        """When a stop ends what clients keep under way."""
        self._connections_max = connections_max
        self._report = report
        self._open: set[Connection] = set()
        self._new: OrderedDict[Connection, None] = OrderedDict()
        self._kept: OrderedDict[Connection, None] = OrderedDict()
        self._held_bytes: dict[Connection, int] = {}
        self.held_bytes = 0
        """What is kept for all connections."""
        self._streams: Counter[str] = Counter()
        self.threads = Threads(loop)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._open)

    @property
    def keeps_alive(self) -> bool:
        """Whether connections go on after an answer: not during a stop."""
        return self.ends_at == math.inf

    # Accepting and evicting

    def start_accepting(self, listener: socket.socket) -> None:
        """Accept what connects to a listening socket, until the connections stop."""
        if self.keeps_alive:
            self.loop.add_reader(listener, self.accept, listener)

    def accept(self, listener: socket.socket) -> None:
        """Accept new connections of a listening socket, some of them: the rest is
        accepted the next time that the loop looks there."""
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connected, client = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # out of descriptors, or of memory
                self._report(f"no connection could be accepted: {error.strerror}")
                if not self._evict():
                    self._pause_accepting(listener)
                return
            self._add(connected, client, listener.getsockname())

    def _pause_accepting(self, listener: socket.socket) -> None:
        """Try again a moment later: the loop would look at once, again and again."""
        self.loop.remove_reader(listener)
        self.loop.call_later(PAUSE_SECONDS, self.start_accepting, listener)

    def _add(self, connected: socket.socket, client: object, server: object) -> None:
        """Take a new connection, evicting others for it, or turn it away."""
        while self._is_full and self._evict():
            pass
        is_accepted = not self._is_full
        try:
            connection = Connection(self, connected, client, server)
        except BaseException:
            connected.close()
            raise
        self._open.add(connection)
        if is_accepted:
            self._new[connection] = None
        else:
            self._report("connections were turned away: all others are in use")
            connection.turn_away()  # after which it can be evicted

    @property
    def _is_full(self) -> bool:
        """Those that are turned away count, too, while their clients read why."""
        return len(self._open) >= self._connections_max

    def _evict(self) -> bool:
        """Close a connection that has waited longest; return whether there was one."""
        are_many_new = len(self._new) * NEW_SHARE > self._connections_max
        queue = self._new if are_many_new or not self._kept else self._kept
        if not queue:
            return False
        connection, _ = queue.popitem(last=False)
        self._report("connections that waited longest were closed for new ones")
        connection.socket.abort()
        return True

    def remove(self, connection: Connection) -> None:
        self._open.discard(connection)
        self.mark_running(connection)
        self.held_bytes -= self._held_bytes.pop(connection, 0)

    def mark_running(self, connection: Connection) -> None:
        """Let a connection not be evicted."""
        self._new.pop(connection, None)
        self._kept.pop(connection, None)

    def mark_waiting(self, connection: Connection) -> None:
        if connection in self._open:
            self._kept[connection] = None

    def note_held_bytes(self, connection: Connection, count: int) -> None:
        """Set what is kept for a connection. If that is too much in all, the largest of
        those that wait are closed."""
        if connection not in self._open:
            return
        self.held_bytes += count - self._held_bytes.get(connection, 0)
        self._held_bytes[connection] = count
        while self.held_bytes > HELD_BYTES_MAX:
            waiting = [each for each in self._held_bytes if self._waits(each)]
            largest = max(waiting, key=self._held_bytes.__getitem__, default=None)
            if largest is None:
                return
            self._report("connections were closed: they held too many bytes")
            largest.socket.abort()

    def _waits(self, connection: Connection) -> bool:
        return connection in self._new or connection in self._kept

    # Streams

    def acquire_stream(self, client: str) -> bool:
        """Count one more stream for an address; return False if there are too many."""
        is_full = self._streams.total() >= STREAMS_MAX
        if is_full or self._streams[client] >= STREAMS_MAX_OF_CLIENT:
            return False
        self._streams[client] += 1
        return True

    def release_stream(self, client: str) -> None:
        self._streams[client] -= 1
        if not self._streams[client]:
            del self._streams[client]

    # Ending

    def expire(self) -> None:
        """Expire the connections whose deadline has passed. Called once a second."""
        now = self.clock()
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.expire()

    def stop(self, seconds: float) -> None:
        """Close what is idle, and give clients these seconds to send the rest of a
        request, or to read an answer."""
        self.ends_at = min(self.ends_at, self.clock() + seconds)
        for connection in list(self._open):
            connection.stop()

    def close(self) -> None:
        """End everything at once."""
        for connection in list(self._open):
            connection.socket.abort()
        self.threads.close()
