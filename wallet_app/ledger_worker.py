"""gunicorn's worker for a service whose memory is the ledger: there is only one.

A second worker would be a second, different ledger behind the same address. So
whatever starts one, it does not serve, and nothing recycles the first. It must
know nothing of wallets.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
import time
from typing import Any

from gunicorn import util
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker
from msgspec import json

WHY = "The wallets live in the memory of one process"

THREADS = 8
KEEPALIVE_SECONDS = 75
GC_THRESHOLD = (700, 10, 1_000_000)

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
    why = refusal(worker.cfg)
    if why is None and not isinstance(worker, SyncWorker | ThreadWorker):
        why = f"{WHY} and are locked for threads. Start it with --worker-class gthread."
    if why is None and "GUNICORN_PID" in os.environ:
        why = f"{WHY}: SIGUSR2 cannot hand them to a new one. The old one goes on."
    if why is not None:
        raise AppImportError(why)
    if worker.age > 1:
        _stand_by(worker, list(Arbiter.WORKERS))
    if not isinstance(worker, LedgerWorker):
        _replace(worker)


def _stand_by(worker: Any, older_pids: list[int]) -> None:
    """Wait without serving while an older worker, the ledger's, is there.

    To exit at once would make gunicorn start another, again and again. When the
    ledger has gone, the server must stop and not go on with an empty one.
    """
    if older_pids:
        worker.log.error("%s: this second worker does not serve.", WHY)
    while any(map(_is_running, older_pids)):
        worker.notify()
        time.sleep(1)
        if not worker.alive or os.getppid() != worker.ppid:
            sys.exit(0)
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


def _settle_memory() -> None:
    """Keep the garbage collector's pauses short, however long the histories grow.

    What was loaded stays, so it is never looked at again. Full collections are
    left out: they would visit every history, for cycles that requests do not
    leave behind.
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
    body = json.encode(
        {
            "type": "about:blank",
            "title": reason,
            "status": status,
            "detail": detail or reason,
            "code": reason.lower().replace(" ", "_"),
        }
    )
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode() + body)
