"""All connections, and what they share: bounded room, a few threads, a few streams."""

from __future__ import annotations

import socket
import time
from asyncio import AbstractEventLoop
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import ParamSpec, TypeVar

from wallet_app.server.connection import Connection
from wallet_app.server.gateway import Answer, App
from wallet_app.server.reader import Request

THREADS = 4
"""For what may take long: audits, exports, long histories. One interpreter runs them
in turn, so more of them would not be faster."""

BESIDE_MAX = 500
"""Requests that wait for one of these threads, or have it."""

HELD_BYTES_MAX = 16 * 1024 * 1024
"""Of requests that are being read and answers that are, in all connections: sixteen of
the largest bodies, of which most requests have a thousandth."""

NEW_SHARE = 4
"""New connections that have not made a request yet are evicted before those that have,
as soon as they are more than one part in so many of all."""

PAUSE_SECONDS = 0.1
"""How long nothing is accepted where nothing can be, and nobody can be evicted."""

ACCEPTED_AT_ONCE = 50
"""Connections that are accepted before the loop looks at the others again."""

STREAMS_MAX = 16
"""Exports under way: each holds a piece of about 100 kB."""

STREAMS_MAX_OF_CLIENT = 8
"""So many of them for one address, which may read them slowly."""

P = ParamSpec("P")
T = TypeVar("T")

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
        self.keeps_alive = True
        self.log_access = log_access
        self.clock = clock
        self._connections_max = connections_max
        self._report = report
        self._open: set[Connection] = set()
        self._new: OrderedDict[Connection, None] = OrderedDict()
        self._kept: OrderedDict[Connection, None] = OrderedDict()
        self._streams: Counter[str] = Counter()
        self.beside_count = 0
        self._held_bytes: OrderedDict[Connection, int] = OrderedDict()
        self._held_bytes_total = 0
        self._pool = ThreadPoolExecutor(THREADS, "beside")
        all_started = Barrier(THREADS)
        # A thread that has to be made later may be refused by then.
        list(self._pool.map(lambda _: all_started.wait(), range(THREADS)))

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._open)

    def start_accepting(self, listener: socket.socket) -> None:
        """Accept what connects to a listening socket, until the connections stop."""
        if self.keeps_alive:
            self.loop.add_reader(listener, self.accept, listener)

    def accept(self, listener: socket.socket) -> None:
        """Take the new connections of a listening socket, some of them: the next time
        the loop looks there the rest is taken."""
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
        """Make room for a new connection and take it, or turn it away."""
        has_room = len(self._open) < self._connections_max or self._evict()
        try:
            connection = Connection(self, connected, client, server)
        except BaseException:
            connected.close()
            raise
        if has_room:
            self._open.add(connection)
            self._new[connection] = None
        else:
            self._report("connections were turned away: all others are in use")
            connection.turn_away()

    def _evict(self) -> bool:
        """Close a connection that has waited longest; return whether there was one."""
        are_many_new = len(self._new) * NEW_SHARE > self._connections_max
        queue = self._new if are_many_new or not self._kept else self._kept
        if not queue:
            return False
        connection, _ = queue.popitem(last=False)
        self._report("connections that waited longest were closed for new ones")
        connection.abort()
        return True

    def remove(self, connection: Connection) -> None:
        self._open.discard(connection)
        self.mark_running(connection)

    def note_held_bytes(self, connection: Connection, count: int) -> None:
        """Note what is kept for a connection of a request that is not complete, or of
        an answer that is not read. Where that is too much in all, the connection for
        which something has been kept longest is closed."""
        self._held_bytes_total += count - self._held_bytes.get(connection, 0)
        if count:
            self._held_bytes[connection] = count
        else:
            self._held_bytes.pop(connection, None)
        if self._held_bytes_total > HELD_BYTES_MAX:
            self._report("connections were closed that had sent or read too little")
            next(iter(self._held_bytes)).abort()

    def mark_running(self, connection: Connection) -> None:
        """Keep a connection from being evicted."""
        self._new.pop(connection, None)
        self._kept.pop(connection, None)
        self._held_bytes_total -= self._held_bytes.pop(connection, 0)

    def mark_waiting(self, connection: Connection) -> None:
        if connection in self._open:
            self._kept[connection] = None

    def run_beside(
        self,
        then: Callable[[T], None],
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> bool:
        """Call a function on another thread, and `then` with its result on the event
        loop. Return whether there was room for it. It must not raise."""
        if self.beside_count >= BESIDE_MAX:
            return False
        self.beside_count += 1
        future = self._pool.submit(function, *args, **kwargs)
        future.add_done_callback(partial(self._done_beside, then))
        return True

    def _done_beside(self, then: Callable[[T], None], future: Future[T]) -> None:
        self.loop.call_soon_threadsafe(self._go_on, then, future)

    def _go_on(self, then: Callable[[T], None], future: Future[T]) -> None:
        self.beside_count -= 1
        then(future.result())

    def acquire_stream(self, client: str) -> bool:
        """Count one stream more for an address, unless there are too many."""
        is_full = self._streams.total() >= STREAMS_MAX
        if is_full or self._streams[client] >= STREAMS_MAX_OF_CLIENT:
            return False
        self._streams[client] += 1
        return True

    def release_stream(self, client: str) -> None:
        self._streams[client] -= 1
        if not self._streams[client]:
            del self._streams[client]

    def expire(self) -> None:
        """Give up the connections whose deadline has passed. Called once a second."""
        now = self.clock()
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.expire()

    def stop(self, seconds: float) -> None:
        """Close what is idle, and give all that is under way these seconds to end."""
        self.keeps_alive = False
        deadline = self.clock() + seconds
        for connection in list(self._open):
            connection.stop(deadline)

    def close(self) -> None:
        """End everything at once."""
        for connection in list(self._open):
            connection.abort()
        self._pool.shutdown(wait=False, cancel_futures=True)
