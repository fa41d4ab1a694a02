"""gunicorn without this package's settings, as in `gunicorn wsgi:app`: its worker loads
the app, and then a LedgerWorker serves in its place."""

from __future__ import annotations

import signal
import sys
from typing import Any

from gunicorn.errors import AppImportError
from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker

from wallet_app.server.admission import REFUSED_SETTINGS, admit_worker
from wallet_app.server.one_ledger import WHY
from wallet_app.server.worker import LedgerWorker


def admit_process() -> None:
    """Return in the process of a worker that may hold the ledger.

    Raises what gunicorn ends with: RuntimeError in its first process, which loads the
    app if it is started with --preload, AppImportError in a worker.
    """
    if LedgerWorker.is_admitted:
        return
    on_sigterm = signal.getsignal(signal.SIGTERM)
    if on_sigterm is signal.SIG_DFL:  # the first process, which handles it later
        raise RuntimeError(REFUSED_SETTINGS["preload_app"])
    worker = getattr(on_sigterm, "__self__", None)
    if not isinstance(worker, SyncWorker | ThreadWorker):
        raise AppImportError(
            f"{WHY}, which has its own worker. Start it without --worker-class."
        )
    admit_worker(worker)
    _serve_in_place_of(worker)


def _serve_in_place_of(worker: Any) -> None:
    """Have a LedgerWorker serve on a worker's sockets as soon as the app is loaded."""
    cfg = worker.cfg
    configured = cfg.post_worker_init

    def serve(worker: Any) -> None:
        cfg.set("post_worker_init", configured)
        successor = LedgerWorker(
            worker.age, worker.ppid, worker.sockets, worker.app, 0, cfg, worker.log
        )
        successor.pid, successor.tmp = worker.pid, worker.tmp
        successor.init_process()
        sys.exit(0)

    cfg.set("post_worker_init", serve)
