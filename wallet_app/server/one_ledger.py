"""One process holds the ledger: whatever starts a second one, it does not serve.

A second worker would be a second, different ledger behind the same address. This can
be imported where gunicorn is not installed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from wallet_app.settings import Settings, SettingsError

WHY = "The wallets live in the memory of one process"

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


def admit() -> None:
    """Let this process hold the ledger, or raise what makes gunicorn say why not.

    Called where the ledger is created.
    """
    software = os.environ.get("SERVER_SOFTWARE", "")  # gunicorn's children inherit it
    if software.startswith("gunicorn/") and "gunicorn.arbiter" in sys.modules:
        from wallet_app.server.bare_worker import admit_process

        admit_process()
