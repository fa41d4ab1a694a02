"""List what the fraud rules flagged."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import PageQuery
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import answers, takes_query
from wallet_app.api.outgoing.answers import Alerts
from wallet_app.api.outgoing.paging import page_answer
from wallet_app.services.json_forms import Alert

blueprint = Blueprint("fraud", __name__)


@blueprint.get("/fraud/alerts")
@takes_query(PageQuery())
@answers(200, examples.ALERTS, Link="The pages around this one.")
def list_alerts(query: dict[str, Any]) -> Response:
    """List the movements that a fraud rule flagged, newest first

    The latest 10,000 are kept. One that was kept back has the `approvalId` that it
    waits for.
    """
    page = service().list_alerts(**query)
    return page_answer(Alerts, page, alerts=list(map(Alert.of, page.rows)))
