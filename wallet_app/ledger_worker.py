"""gunicorn's worker for a service whose memory is the ledger: there is only one.

A second worker would be a second, different ledger behind the same address. So
whatever starts one, it does not serve, and nothing recycles the first. It must
know nothing of wallets.
"""

from __future__ import annotations

import gc
import inspect
import logging
import os
import socket
import struct
import sys
import time
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker
from msgspec import json
from werkzeug.http import HTTP_STATUS_CODES

WHY = "The wallets live in the memory of one process"

THREADS = 32
"""More than 8 serve no faster, but it takes as many stalled clients to hold all."""

KEEPALIVE_SECONDS = 75
"""Longer than the 60 seconds of usual proxies, so that they hang up first; with a
new connection for each request there are a sixth fewer of them."""

STALL_SECONDS = 5
"""How long a client may send or read nothing within a request."""

GC_THRESHOLD = (700, 10, 1_000_000)
"""Python's own for young objects, and never for the oldest."""

LINGER_SECONDS = 0.1
"""How long a closing connection waits for its client to hang up too. gunicorn
waits for two seconds, on the thread that accepts for everyone."""

MOMENT_SECONDS = 0.5
MOMENTS_AFTER_THE_LEDGER = 4

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


def refusal(cfg: Any) -> str | None:
    """Return why these gunicorn settings would split or lose the ledger, if so."""
    if cfg.workers != 1:
        return (
            f"{WHY}: {cfg.workers} workers would be {cfg.workers} different ledgers. "
            "Start one (--workers 1, and WEB_CONCURRENCY unset); for more requests "
            "at once, raise --threads."
        )
    if cfg.preload_app:
        return f"{WHY}, the one that serves. Start it without --preload."
    if cfg.reload:
        return f"{WHY}, and a reload would empty it. Start it without --reload."
    if cfg.reuse_port:
        return (
            f"{WHY}, and with --reuse-port a second server could share its address. "
            "Start it without."
        )
    if cfg.max_requests:
        return (
            f"{WHY}, and --max-requests would replace it. "
            "Start it with --max-requests 0."
        )
    return None


def admit() -> None:
    """Let this process hold the ledger, or raise what makes gunicorn say why not.

    Called where the app is imported. Under gunicorn that is inside its worker (or,
    with --preload, its arbiter), which is found on the stack of calls. A worker
    that gunicorn started without this package's settings is made a LedgerWorker.
    """
    starter = _starter()
    if isinstance(starter, Arbiter):
        raise RuntimeError(refusal(starter.cfg))
    if isinstance(starter, Worker):
        _admit_worker(starter)


def _admit_worker(worker: Any) -> None:
    if worker.age > 1:
        _stand_by(worker, list(Arbiter.WORKERS))
    why = refusal(worker.cfg)
    if why is None and not isinstance(worker, SyncWorker | ThreadWorker):
        why = f"{WHY} and are locked for threads. Start it with --worker-class gthread."
    if why is None and "GUNICORN_PID" in os.environ:
        why = f"{WHY}: SIGUSR2 cannot hand them to a new one. The old one goes on."
    if why is not None:
        raise AppImportError(why)
    if not isinstance(worker, LedgerWorker):
        _replace(worker)


def _stand_by(worker: Any, older_pids: list[int]) -> None:
    """Wait without serving while an older worker, the ledger's, is there.

    To exit at once would make gunicorn start another, again and again. When the
    ledger has gone, the server must end and not go on with an empty one: gunicorn
    is given a moment to end it by itself, and is then made to.
    """
    if older_pids:
        worker.log.error("%s: this second worker does not serve.", WHY)
    moments = MOMENTS_AFTER_THE_LEDGER if older_pids else 0
    while moments > 0:
        worker.notify()
        time.sleep(MOMENT_SECONDS)
        if not worker.alive or os.getppid() != worker.ppid:
            sys.exit(0)
        if not any(map(_is_running, older_pids)):
            moments -= 1
    raise AppImportError(
        f"{WHY}, which has ended. Start the server again to begin a new ledger."
    )


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _replace(worker: Any) -> None:
    """Make a bare worker run as a LedgerWorker, on the same sockets."""
    cfg = worker.cfg
    cfg.set("threads", max(cfg.threads, THREADS))
    cfg.set("keepalive", max(cfg.keepalive, KEEPALIVE_SECONDS))
    successor = LedgerWorker(
        worker.age, worker.ppid, worker.sockets, worker.app, 0, cfg, worker.log
    )
    successor.pid, successor.tmp = worker.pid, worker.tmp
    worker.run = successor.init_process


def _starter() -> object:
    """Return the gunicorn process object that is importing the app, if any."""
    frame = inspect.currentframe()
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Worker | Arbiter):
            return owner
        frame = frame.f_back
    return None


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
    interpreter's lock between processors costs half again as much."""
    if sys.platform == "linux":
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})


def _write_problem(sock: Any, status: int, reason: str, detail: str) -> None:
    """Answer what gunicorn refuses before the app sees it as the app would."""
    phrase = HTTP_STATUS_CODES[status]  # gunicorn's own reason can be another's
    body = json.encode(
        {
            "type": "about:blank",
            "title": phrase,
            "status": status,
            "detail": detail or phrase,
            "code": phrase.lower().replace(" ", "_"),
        }
    )
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode() + body)
