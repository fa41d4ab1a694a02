"""Have events sent to a URL, and see what became of each."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from wallet_app.api.current_service import service
from wallet_app.api.incoming.idempotency_header import once
from wallet_app.api.incoming.request_schemas import EmptyBody, PageQuery, WebhookBody
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import (
    REPLAYED,
    answers,
    refuses,
    takes_command,
    takes_query,
)
from wallet_app.api.outgoing.answers import (
    Deliveries,
    Delivery,
    NewWebhook,
    Webhook,
    Webhooks,
    answer,
)
from wallet_app.api.outgoing.paging import around, links, pages_of
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

blueprint = Blueprint("webhooks", __name__)


@blueprint.post("/webhooks")
@takes_command(WebhookBody(), examples.WEBHOOK_BODY)
@answers(201, examples.NEW_WEBHOOK, Location="The webhook.", **REPLAYED)
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
    shown = NewWebhook.of(created.webhook, secret=created.secret)
    return answer(shown, 201, Location=location)


@blueprint.get("/webhooks")
@answers(200, examples.WEBHOOKS)
@refuses()
def list_all() -> Response:
    """List the webhooks, oldest first"""
    webhooks = service().list_webhooks()
    return answer(Webhooks([Webhook.of(webhook) for webhook in webhooks]))


@blueprint.get("/webhooks/<uuid:id>")
@answers(200, examples.WEBHOOK)
@refuses(WebhookNotFound, NotFound)
def get(id: UUID) -> Response:
    """Get a webhook"""
    return answer(Webhook.of(service().get_webhook(str(id))))


@blueprint.delete("/webhooks/<uuid:id>")
@answers(204)
@refuses(WebhookNotFound, NotFound)
def delete(id: UUID) -> Response:
    """Delete a webhook

    Nothing more is sent there, and its deliveries are forgotten.
    """
    service().delete_webhook(str(id))
    return Response(status=204)


@blueprint.get("/webhooks/<uuid:id>/deliveries")
@takes_query(PageQuery())
@answers(200, examples.DELIVERIES, Link="The pages around this one.")
@refuses(WebhookNotFound, NotFound)
def list_deliveries(query: dict[str, Any], id: UUID) -> Response:
    """List what was sent to a webhook, or is to be, newest first

    All that waits is listed, and the latest 1,000 that were delivered or given up.
    """
    page = service().list_deliveries(str(id), **query)
    total_pages = pages_of(page.total, page.limit)
    deliveries = [Delivery.of(delivery) for delivery in page.deliveries]
    return answer(
        Deliveries.of(page, deliveries=deliveries, total_pages=total_pages),
        Link=links(around(page.page, total_pages)),
    )


@blueprint.post("/webhooks/<uuid:id>/deliveries/<uuid:delivery_id>/redeliver")
@takes_command(EmptyBody(), {})
@answers(202, examples.REDELIVERED, **REPLAYED)
@refuses(
    WebhookNotFound, DeliveryNotFound, NotFound, NotRedeliverable, RedeliveriesExhausted
)
def redeliver(body: dict[str, Any], id: UUID, delivery_id: UUID) -> Response:
    """Deliver a message again

    With the same `webhook-id`, so that the receiver knows it, and 10 times at most. One
    that asked for an approval is not kept, because it had a code.
    """
    reopened = service().redeliver(str(id), str(delivery_id), **once())
    return answer(Delivery.of(reopened), 202)
