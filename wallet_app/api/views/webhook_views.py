"""Have events sent to a URL, and see what became of each."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from werkzeug.exceptions import NotFound

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import EmptyBody, PageQuery, WebhookBody
from wallet_app.api.incoming.requests import once
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.answer_schemas import (
    DeliveryAnswer,
    DeliveryPageAnswer,
    NewWebhookAnswer,
    WebhookAnswer,
    WebhooksAnswer,
)
from wallet_app.api.openapi.blueprint import REPLAYED, Blueprint, refuses
from wallet_app.api.outgoing.answers import (
    answer,
    delivery_json,
    new_webhook_json,
    webhook_json,
)
from wallet_app.api.outgoing.paging import numbered
from wallet_app.domain.errors.webhook_errors import (
    DeliveryNotFound,
    NotRedeliverable,
    RedeliveriesExhausted,
    ThreadsExhausted,
    TooManyWebhooks,
    UrlNotAllowed,
    WebhookNotFound,
    WebhooksExhausted,
)

blueprint = Blueprint("webhooks", __name__, description="Events, sent to receivers.")


@blueprint.post("/webhooks")
@blueprint.takes_command(WebhookBody(), examples.WEBHOOK_BODY)
@blueprint.answers(
    201, NewWebhookAnswer, examples.NEW_WEBHOOK, Location="The webhook.", **REPLAYED
)
@refuses(UrlNotAllowed, WebhooksExhausted, TooManyWebhooks, ThreadsExhausted)
def create(body: dict[str, Any]) -> Response:
    """Have events sent to a URL

    By Standard Webhooks 1.0: each message has the headers `webhook-id` (the same at
    each attempt), `webhook-timestamp` and `webhook-signature`, and the body `{type,
    timestamp, data}`. It is delivered at least once: 2xx is success, 410 disables the
    webhook, anything else is tried again later. The answer has the secret of the
    signatures, and no later one does: a replay has null in its place.
    """
    created = service().create_webhook(**body, **once())
    location = f"/webhooks/{created.webhook.id}"
    return answer(new_webhook_json(created), 201, Location=location)


@blueprint.get("/webhooks")
@blueprint.answers(200, WebhooksAnswer, examples.WEBHOOKS)
@refuses()
def list_all() -> Response:
    """List the webhooks, oldest first"""
    webhooks = service().list_webhooks()
    return answer({"webhooks": [webhook_json(webhook) for webhook in webhooks]})


@blueprint.get("/webhooks/<uuid:id>")
@blueprint.answers(200, WebhookAnswer, examples.WEBHOOK)
@refuses(WebhookNotFound, NotFound)
def get(id: UUID) -> Response:
    """Get a webhook"""
    return answer(webhook_json(service().get_webhook(str(id))))


@blueprint.delete("/webhooks/<uuid:id>")
@blueprint.answers_nothing()
@refuses(WebhookNotFound, NotFound)
def delete(id: UUID) -> Response:
    """Delete a webhook

    Nothing more is sent there, and its deliveries are forgotten.
    """
    service().delete_webhook(str(id))
    return Response(status=204)


@blueprint.get("/webhooks/<uuid:id>/deliveries")
@blueprint.takes_query(PageQuery())
@blueprint.answers(
    200, DeliveryPageAnswer, examples.DELIVERIES, Link="The pages around this one."
)
@refuses(WebhookNotFound, NotFound)
def deliveries(query: dict[str, Any], id: UUID) -> Response:
    """List what was sent to a webhook, or is to be, newest first

    All that waits is listed, and the latest 1,000 that were delivered or given up.
    """
    page = service().list_deliveries(str(id), **query)
    items = [delivery_json(each) for each in page.deliveries]
    return numbered("deliveries", items, page.page, page.limit, page.total)


@blueprint.post("/webhooks/<uuid:id>/deliveries/<uuid:delivery_id>/redeliver")
@blueprint.takes_command(EmptyBody(), {})
@blueprint.answers(202, DeliveryAnswer, examples.REDELIVERED, **REPLAYED)
@refuses(
    WebhookNotFound, DeliveryNotFound, NotFound, NotRedeliverable, RedeliveriesExhausted
)
def redeliver(body: dict[str, Any], id: UUID, delivery_id: UUID) -> Response:
    """Deliver a message again

    With the same `webhook-id`, so that the receiver knows it, and 10 times at most. One
    that asked for an approval is not kept, because it had a code.
    """
    reopened = service().redeliver(str(id), str(delivery_id), **once())
    return answer(delivery_json(reopened), 202)
