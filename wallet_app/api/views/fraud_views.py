"""List what the fraud rules flagged."""

from __future__ import annotations

from typing import Any

from flask import Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import PageQuery
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.answer_schemas import AlertPageAnswer
from wallet_app.api.openapi.blueprint import Blueprint, refuses
from wallet_app.api.outgoing.paging import numbered
from wallet_app.services.json_forms import alert_json

blueprint = Blueprint("fraud", __name__, description="What looked like fraud.")


@blueprint.get("/fraud/alerts")
@blueprint.takes_query(PageQuery())
@blueprint.answers(
    200, AlertPageAnswer, examples.ALERTS, Link="The pages around this one."
)
@refuses()
def alerts(query: dict[str, Any]) -> Response:
    """List the movements that a fraud rule flagged, newest first

    The latest 10,000 are kept. One that was kept back has the `approvalId` that it
    waits for.
    """
    page = service().list_alerts(**query)
    items = [alert_json(alert) for alert in page.alerts]
    return numbered("alerts", items, page.page, page.limit, page.total)
