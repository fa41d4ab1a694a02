"""The wallet service: one process, wallets in memory, one lock for each wallet."""

from __future__ import annotations

import os

from flask import Flask

from wallet_app.api import wallet_api
from wallet_app.demo.demo import Demo
from wallet_app.server import one_ledger
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings


def create_app(service: WalletService | None = None) -> Flask:
    """Return the app over a service; without one, over a new and empty ledger with
    the settings of the environment, whose work in the background begins.

    Raises SettingsError, and SecondLedger or what makes gunicorn say the same.
    """
    demo, settings = None, Settings()
    holds_ledger = service is None
    if service is None:
        one_ledger.admit()
        settings = Settings.from_environ(os.environ)
        demo = Demo(settings) if settings.demo else None
        service = demo.service if demo else WalletService(settings)
        service.background.start()
    app = Flask(__name__, static_folder=None)
    if holds_ledger:
        app.before_request(one_ledger.GUARD.admit_request)
    wallet_api.register(app, service, settings.allowed_hosts)
    if demo is not None:
        demo.register(app)
    return app
