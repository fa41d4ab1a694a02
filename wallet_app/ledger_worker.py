"""gunicorn's threaded worker, as a service whose memory is the ledger needs it:
never replaced, never stopped by a client, and with short pauses.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import struct
import sys
import threading
import time
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker
from msgspec import json
from werkzeug.http import HTTP_STATUS_CODES

from wallet_app.api.problems import MEDIA_TYPE, http_document

THREADS = 32
"""More than 8 serve no faster, but it takes as many stalled clients to hold all."""

KEEPALIVE_SECONDS = 75
"""Longer than the 60 seconds of usual proxies, so that they hang up first; with a
new connection for each request there are a sixth fewer of them."""

STALL_SECONDS = 5
"""How long a client may send or read nothing within a request. One that sends a
byte now and then holds its thread: towards clients who are not to be trusted, a
proxy that buffers requests belongs before this server."""

GC_THRESHOLD = (700, 10, 1_000_000)
"""Python's own for young objects, and never for the oldest."""

LINGER_SECONDS = 0.1
"""How long a closing connection waits for its client to hang up too. gunicorn
waits for two seconds, on the thread that accepts for everyone."""

_YEARS_AHEAD_SECONDS = 1e9


class LedgerWorker(ThreadWorker):
    """A threaded worker that nothing replaces."""

    def notify(self) -> None:
        """Tell the arbiter that all is well for decades, so that no time-out of
        its own can end a busy process and the wallets with it."""
        later = time.monotonic() + _YEARS_AHEAD_SECONDS
        os.utime(self.tmp.fileno(), (later, later))

    def run(self) -> None:
        util.write_error = _write_problem
        for listener in self.sockets:
            _give_up_on_stalled_clients(listener.sock)
        close = partial(util.close_graceful, timeout=LINGER_SECONDS)
        util.close_graceful = partial(self.tpool.submit, close)
        self.log.error_log.addFilter(_is_no_stalled_client)
        _settle_memory()
        _settle_processor()
        super().run()


def _give_up_on_stalled_clients(listener: socket.socket) -> None:
    """Bound each wait for a client; accepted connections inherit it."""
    seconds = struct.pack("ll", STALL_SECONDS, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)


def _is_no_stalled_client(record: logging.LogRecord) -> bool:
    """Tell gunicorn's errors from clients who were given up on."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


def _settle_memory() -> None:
    """Keep the garbage collector's pauses short, however long the histories grow.

    What was loaded stays, so it is never looked at again. Full collections are
    left out: they would visit every history, and requests leave no circles that
    live so long.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)


def _settle_processor() -> None:
    """Stay on one processor: only one thread runs Python at a time, and moving the
    interpreter's lock between processors costs half again as much. Threads that are
    started later stay there, too."""
    if sys.platform == "linux":
        processors = sorted(os.sched_getaffinity(0))
        own = {processors[os.getpid() % len(processors)]}
        os.sched_setaffinity(0, own)
        for thread in threading.enumerate():
            # This thread still has the id that it had before gunicorn forked.
            if thread is not threading.current_thread() and thread.native_id:
                os.sched_setaffinity(thread.native_id, own)


def _write_problem(sock: Any, status: int, reason: str, detail: str) -> None:
    """Answer what gunicorn refuses before the app sees it as the app would.

    gunicorn has logged its own reason and detail, which stay in the process.
    """
    body = json.encode(http_document(status))
    head = (
        f"HTTP/1.1 {status} {HTTP_STATUS_CODES[status]}\r\nConnection: close\r\n"
        f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode() + body)
