"""One process holds the ledger: whatever starts a second one, it does not serve.

A second worker would be a second, different ledger behind the same address. This
knows gunicorn, and nothing of wallets.
"""

from __future__ import annotations

import inspect
import os
import sys
import time
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker

from wallet_app.server.worker import LedgerWorker

WHY = "The wallets live in the memory of one process"

MOMENT_SECONDS = 0.5
MOMENTS_AFTER_THE_LEDGER = 4


def refusal(cfg: Any) -> str | None:
    """Return why these gunicorn settings would split or lose the ledger, if so."""
    if cfg.workers != 1:
        return (
            f"{WHY}: {cfg.workers} workers would be {cfg.workers} different ledgers. "
            "Start one (--workers 1, and WEB_CONCURRENCY unset): any number of "
            "clients can connect to it."
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
    if cfg.is_ssl:
        return "TLS is for a proxy before this server. Start it without --certfile."
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
    if why is None and not isinstance(worker, LedgerWorker | SyncWorker | ThreadWorker):
        why = f"{WHY}, which has a worker of its own. Start it without --worker-class."
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
        time.sleep(MOMENT_SECONDS)  # this process has nothing else to do
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
