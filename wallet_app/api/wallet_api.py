"""The HTTP side: each view loads, calls the service, and dumps.

Nothing here knows what a lock is, or looks into the store.
"""

from __future__ import annotations

import flask_smorest
from flask import Flask, request
from werkzeug.exceptions import NotFound

from wallet_app.api.current_service import bind
from wallet_app.api.incoming import origins, requests
from wallet_app.api.incoming.fields import Timestamp, UserId, UuidObject, UuidText
from wallet_app.api.outgoing import problems
from wallet_app.api.views import (
    approval_views,
    exchange_views,
    fraud_views,
    freeze_views,
    history_views,
    limit_views,
    money_views,
    operation_views,
    payment_views,
    wallet_views,
    webhook_views,
)
from wallet_app.services.service import WalletService

BLUEPRINTS = (
    wallet_views.blueprint,
    money_views.blueprint,
    history_views.blueprint,
    freeze_views.blueprint,
    limit_views.blueprint,
    exchange_views.blueprint,
    fraud_views.blueprint,
    approval_views.blueprint,
    payment_views.blueprint,
    webhook_views.blueprint,
    operation_views.blueprint,
)

CONFIG = {
    "API_TITLE": "Wallet service",
    "API_VERSION": "1",
    "OPENAPI_VERSION": "3.1.0",
    "API_SPEC_OPTIONS": {
        "info": {
            "description": "Wallets that are created, credited, debited and "
            "transferred between. Amounts are integers of minor units. Every error "
            "is a problem document (RFC 9457)."
        }
    },
    "MAX_CONTENT_LENGTH": requests.READ_BYTES_MAX,
}


class _Api(flask_smorest.Api):
    """The API description, without what flask-smorest would answer and describe of
    its own: `problems.py` alone answers errors, and each operation names them."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        pass

    def _register_responses(self) -> None:
        pass

    def _register_pagination_header(self) -> None:
        pass


def _refuse_doubled_slash() -> None:
    """Raise NotFound for `//wallet/...`: routing leaves out all leading slashes."""
    if request.environ.get("PATH_INFO", "").startswith("//"):
        raise NotFound()


def register(
    app: Flask, service: WalletService, allowed_hosts: tuple[str, ...] = ()
) -> None:
    """Add every endpoint to the app."""
    app.config.update(CONFIG)
    app.url_map.merge_slashes = False  # a doubled slash is a 404, not a redirect
    app.before_request(_refuse_doubled_slash)
    bind(app, service)
    service.idempotency.on_replay = requests.mark_replayed
    origins.register(app, allowed_hosts)
    problems.register(app)
    api = _Api(app)
    api.register_field(UuidText, "string", "uuid")
    api.register_field(UserId, "string", "uuid")
    api.register_field(UuidObject, "string", "uuid")
    api.register_field(Timestamp, "string", "date-time")
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    operation_views.register_docs(app, api.spec.to_dict)
