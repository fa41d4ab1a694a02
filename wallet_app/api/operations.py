"""Prove the books, tell that the service lives, describe the API."""

from __future__ import annotations

from flask import Flask, Response
from flask_swagger_ui import get_swaggerui_blueprint

from wallet_app.api import examples
from wallet_app.api.answers import answer, audit_json
from wallet_app.api.blueprint import Blueprint, refuses
from wallet_app.api.answer_schemas import (
    AuditAnswer,
    HealthAnswer,
)
from wallet_app.api.service import service

blueprint = Blueprint("operations", __name__, description="The service as a whole.")


@blueprint.get("/audit")
@blueprint.answers(200, AuditAnswer, examples.AUDIT)
@refuses()
def audit() -> Response:
    """Prove the books on the live data

    Every wallet agrees with its history, every transfer has both its sides, and in
    every currency the balances are the credits less the debits.
    """
    return answer(audit_json(service().audit.run()))


@blueprint.get("/health")
@blueprint.answers(200, HealthAnswer, examples.HEALTH)
@refuses()
def health() -> Response:
    """Tell that the service answers"""
    return answer({"status": "ok"})


def register_docs(app: Flask) -> None:
    """Serve the API description for people at /docs, from files on this machine."""
    app.register_blueprint(
        get_swaggerui_blueprint(
            "/docs", "/openapi.json", config={"app_name": "Wallet service"}
        )
    )
    # Without this, /docs would answer with a redirect to /docs/.
    app.add_url_rule("/docs", view_func=app.view_functions["swagger_ui.show"])
