"""The wallet service: one process, wallets in memory, one lock for each wallet."""

from __future__ import annotations

import os

from flask import Flask

from wallet_app.api import wallet_api
from wallet_app.demo.demo import Demo
from wallet_app.server.one_ledger import admit
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings


def create_app(service: WalletService | None = None) -> Flask:
    """Return the app over a service; without one, over a new and empty ledger with
    the settings of the environment, whose work in the background begins.

    Raises SettingsError, and under gunicorn what makes it refuse a second ledger.
    """
    demo, settings = None, Settings()
    if service is None:
        admit()
        settings = Settings.from_environ(os.environ)
        demo = Demo(settings) if settings.demo else None
        service = demo.service if demo else WalletService(settings)
        service.background.start()
    app = Flask(__name__, static_folder=None)
    wallet_api.register(app, service, settings.allowed_hosts)
    if demo is not None:
        demo.register(app)
    return app
