"""Prove the books, report that the service lives, describe the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response, request
from flask_swagger_ui import get_swaggerui_blueprint
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from wallet_app.api.current_service import service
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import answers, refuses
from wallet_app.api.outgoing.answers import (
    Audit,
    Background,
    Health,
    Statement,
    Statements,
    answer,
)

blueprint = Blueprint("operations", __name__)


@blueprint.get("/audit")
@answers(200, examples.AUDIT)
def audit_books() -> Response:
    """Prove the books on the live data

    Every wallet agrees with its history, every transfer has both its sides, every
    payment has moved what its status says, and in every currency the balances are the
    credits less the debits. Money in flight is what the bank and the wallets do not
    agree on yet.
    """
    return answer(Audit.from_report(service().audit()))


@blueprint.get("/health")
@answers(200, examples.HEALTH)
def get_health() -> Response:
    """Report that the service answers, and how its background is

    Payments and deliveries that wait for their time are queued there.
    """
    return answer(Health("ok", Background.of(service().health())))


@blueprint.get("/sandbox-bank")
@answers(200, examples.STATEMENTS)
@refuses(NotFound)
def get_sandbox_bank() -> Response:
    """Show the sandbox bank's own books

    What it has paid into wallets and out of them, by currency. Where a real bank takes
    its place there is no such thing.
    """
    statements = service().get_statements()
    if statements is None:
        raise NotFound()
    return answer(
        Statements({name: Statement.of(each) for name, each in statements.items()})
    )


def register_docs(app: Flask, describe: Callable[[], dict[str, Any]]) -> None:
    """Serve the API description at /openapi.json, made once, and for people at /docs,
    from files on this machine."""

    @cache
    def description() -> bytes:
        return json.dumps(describe(), indent=2).encode() + b"\n"

    def openapi() -> BaseResponse:
        response = Response(description(), mimetype="application/json")
        response.add_etag()
        return response.make_conditional(request)

    app.add_url_rule("/openapi.json", view_func=openapi)
    app.register_blueprint(
        get_swaggerui_blueprint(
            "/docs", "/openapi.json", config={"app_name": "Wallet service"}
        )
    )
    # Without this, /docs would answer with a redirect to /docs/.
    app.add_url_rule("/docs", view_func=app.view_functions["swagger_ui.show"])
