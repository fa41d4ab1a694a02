"""Which of gunicorn's workers may hold the ledger: the first, as long as it lives."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError

from wallet_app.server.one_ledger import WHY, refusal

LOOK_SECONDS = 0.5
"""How often a second worker looks whether the first is there."""

LOOKS_AFTER_THE_LEDGER = 4
"""How often it looks again, for gunicorn to end by itself before it is made to."""


def admit_worker(worker: Any) -> None:
    """Return in the worker that may hold the ledger.

    Raises AppImportError, with which gunicorn ends, and SystemExit in a second worker
    when gunicorn has stopped it.
    """
    if worker.age > 1:
        _stand_by(worker, list(Arbiter.WORKERS))
        raise AppImportError(
            f"{WHY}, which has ended. Start the server again to begin a new ledger."
        )
    why = refusal(worker.cfg)
    if why is None and "GUNICORN_PID" in os.environ:
        why = f"{WHY}: SIGUSR2 cannot hand them to a new one. The old one goes on."
    if why is not None:
        raise AppImportError(why)


def _stand_by(worker: Any, older_pids: list[int]) -> None:
    """Wait without serving while an older worker, the ledger's, is there: if this one
    ended at once, gunicorn would start another, again and again."""
    if not older_pids:
        return
    worker.log.error("%s: this second worker does not serve.", WHY)
    looks = LOOKS_AFTER_THE_LEDGER
    while looks > 0:
        worker.notify()
        time.sleep(LOOK_SECONDS)  # this process has nothing else to do
        if not worker.alive or os.getppid() != worker.ppid:
            sys.exit(0)
        if not any(map(_is_running, older_pids)):
            looks -= 1


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
