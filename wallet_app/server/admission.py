"""Whether gunicorn may start, and which of its workers holds the ledger: the first, as
long as it lives."""

from __future__ import annotations

import os
from typing import Any

from gunicorn.errors import AppImportError

from wallet_app.server.one_ledger import GUARD, WHY, SecondLedger
from wallet_app.settings import Settings, SettingsError

REFUSED_SETTINGS = {
    "preload_app": f"{WHY}, the one that serves. Start it without --preload.",
    "reload": f"{WHY}, and a reload would empty it. Start it without --reload.",
    "reuse_port": (
        f"{WHY}, and with --reuse-port a second server could share its address. "
        "Start it without."
    ),
    "is_ssl": "TLS is for a proxy before this server. Start it without --certfile.",
    "max_requests": (
        f"{WHY}, and --max-requests would replace it. Start it with --max-requests 0."
    ),
}
"""gunicorn's settings that must be off, and what to type instead."""


def refusal(cfg: Any) -> str | None:
    """Return why gunicorn must not start with its settings and the environment, or
    None if it may."""
    if cfg.workers != 1:
        return (
            f"{WHY}: {cfg.workers} workers would be {cfg.workers} different ledgers. "
            "Start one (--workers 1, and WEB_CONCURRENCY unset): any number of "
            "clients can connect to it."
        )
    for name, why in REFUSED_SETTINGS.items():
        if getattr(cfg, name):
            return why
    try:
        Settings.from_environ(os.environ)
    except SettingsError as error:
        return str(error)
    return None


def admit_worker(worker: Any) -> None:
    """Return in the worker that may hold the ledger.

    Raises AppImportError, with which gunicorn ends. In a second worker it waits until
    gunicorn stops it.
    """
    try:
        GUARD.hold(worker.log.error, worker.notify)
    except SecondLedger as refused:
        raise AppImportError(str(refused)) from None
    why = refusal(worker.cfg)
    if why is not None:
        raise AppImportError(why)
