"""gunicorn's settings, as code:

    gunicorn -c python:wallet_app.server.gunicorn_settings wsgi:app

Each name that is a gunicorn setting is one. What each is worth was measured with
`python -m tests.benchmarks`.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import Any

from wallet_app.server.admission import refusal
from wallet_app.server.one_ledger import WHY
from wallet_app.settings import PREFIX, Settings

worker_class = "wallet_app.server.worker.LedgerWorker"

workers = 1
"""Always. WEB_CONCURRENCY is only gunicorn's default for this."""

worker_connections = 4_000
"""Clients connected at one time; fewer where the limit of descriptors is lower."""

timeout = 0
"""Never kill a worker that is busy: its memory is the ledger."""

graceful_timeout = 30
"""Seconds that requests in flight have to finish after SIGTERM."""

control_socket_disable = True
"""gunicorn's control socket can add workers and reload."""

REFUSED_SIGNALS = (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2)
"""By these gunicorn adds, replaces or stops workers while it runs."""


def on_starting(server: Any) -> None:
    """Stop before anything listens if the settings cannot be used."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # else it ends gunicorn
    why = refusal(server.cfg)
    if why is not None:
        raise RuntimeError(why)


def when_ready(server: Any) -> None:
    """Refuse signals that would touch the worker, and greet who tries the demo."""
    for number in REFUSED_SIGNALS:
        signal.signal(number, partial(_refuse_signal, server.log))
    if server.cfg.daemon:  # which has no terminal that could change its size
        signal.signal(signal.SIGWINCH, partial(_refuse_signal, server.log))
    if Settings.from_environ(os.environ).demo:
        greet(str(server.LISTENERS[0]))


def _refuse_signal(log: Any, number: int, frame: object) -> None:
    log.warning(
        "%s ignored. %s: to change it, stop it with SIGTERM and start it again.",
        signal.Signals(number).name,
        WHY,
    )


def greet(url: str) -> None:
    """Print what to try out. A stdout that is full or closed ends no server."""
    settings = "\n".join(
        f"  {name}={value}"
        for name, value in sorted(os.environ.items())
        if name.startswith(PREFIX)
    )
    greeting = f"""
The wallet service is ready. Open its page in a browser: {url}/
Its settings, except the defaults:

{settings}

Or create a wallet from a terminal:

  curl -s {url}/wallet/create -H 'Content-Type: application/json' \\
       -d '{{"userId": "3c1f8e52-7a4d-4b09-9e63-d5a0b2c4f718"}}'

All of the API: {url}/docs   Stop with Ctrl-C.
"""
    try:
        print(greeting, flush=True)
    except (OSError, ValueError):
        pass
