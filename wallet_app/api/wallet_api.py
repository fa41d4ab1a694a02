"""The HTTP side: each view loads, calls the service, and dumps.

Nothing here knows what a lock is, or looks into the store.
"""

from __future__ import annotations

from flask import Flask, request
from werkzeug.exceptions import NotFound

from wallet_app.api.current_service import bind
from wallet_app.api.incoming import body, idempotency_header, origins, path_ids
from wallet_app.api.openapi.description import describe
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

BLUEPRINTS = {
    wallet_views.blueprint: "Wallets and what they hold.",
    money_views.blueprint: "Movements of money.",
    history_views.blueprint: "What happened to a wallet.",
    freeze_views.blueprint: "Wallets that are stopped.",
    limit_views.blueprint: "How much may leave a wallet.",
    exchange_views.blueprint: "Money in other currencies.",
    fraud_views.blueprint: "What looked like fraud.",
    approval_views.blueprint: "Movements that wait.",
    payment_views.blueprint: "Money from and to a bank.",
    webhook_views.blueprint: "Events, sent to receivers.",
    operation_views.blueprint: "The service as a whole.",
}
"""The features, each as the API description introduces it."""


def _refuse_doubled_slash() -> None:
    """Raise NotFound for `//wallet/...`: routing leaves out all leading slashes."""
    if request.environ.get("PATH_INFO", "").startswith("//"):
        raise NotFound()


def serve(app: Flask, service: WalletService) -> None:
    """Answer with this service from now on."""
    service.idempotency.on_replay = idempotency_header.mark_replayed
    bind(app, service)


def register(
    app: Flask, service: WalletService, allowed_hosts: tuple[str, ...] = ()
) -> None:
    """Add every endpoint to the app."""
    app.config["MAX_CONTENT_LENGTH"] = body.READ_BYTES_MAX
    app.url_map.merge_slashes = False  # a doubled slash is a 404, not a redirect
    app.before_request(_refuse_doubled_slash)
    path_ids.register(app)
    serve(app, service)
    origins.register(app, allowed_hosts)
    problems.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    tags = {blueprint.name: text for blueprint, text in BLUEPRINTS.items()}
    operation_views.register_docs(app, lambda: describe(app, tags))
