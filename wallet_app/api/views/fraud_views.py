"""List what the fraud rules flagged."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import PageQuery
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import (
    answers,
    refuses,
    takes_query,
)
from wallet_app.api.outgoing.answers import Alerts, answer
from wallet_app.api.outgoing.paging import around, links, pages_of
from wallet_app.services.json_forms import Alert

blueprint = Blueprint("fraud", __name__)


@blueprint.get("/fraud/alerts")
@takes_query(PageQuery())
@answers(200, examples.ALERTS, Link="The pages around this one.")
@refuses()
def list_all(query: dict[str, Any]) -> Response:
    """List the movements that a fraud rule flagged, newest first

    The latest 10,000 are kept. One that was kept back has the `approvalId` that it
    waits for.
    """
    page = service().list_alerts(**query)
    total_pages = pages_of(page.total, page.limit)
    alerts = [Alert.of(alert) for alert in page.alerts]
    return answer(
        Alerts.of(page, alerts=alerts, total_pages=total_pages),
        Link=links(around(page.page, total_pages)),
    )
