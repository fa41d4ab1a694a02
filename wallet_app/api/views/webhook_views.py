"""Have events sent to a URL, and see what became of each."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import EmptyBody, PageQuery, WebhookBody
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import (
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
from wallet_app.api.outgoing.paging import page_answer
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
@takes_command(WebhookBody())
@answers(201, examples.NEW_WEBHOOK, Location="The webhook.")
@refuses(UrlNotAllowed, WebhooksExhausted, TooManyWebhooks, ThreadsExhausted)
def create_webhook(command: dict[str, Any]) -> Response:
    """Have events sent to a URL

    By Standard Webhooks 1.0: each message has the headers `webhook-id` (the same at
    each attempt), `webhook-timestamp` and `webhook-signature`, and the body `{type,
    timestamp, data}`. It is delivered at least once: 2xx is success, 410 disables the
    webhook, anything else is tried again later. The answer has the secret of the
    signatures, and no later one does: a replay has null in its place.
    """
    created = service().create_webhook(**command)
    location = f"/webhooks/{created.webhook.id}"
    shown = NewWebhook.of(created.webhook, secret=created.secret)
    return answer(shown, 201, Location=location)


@blueprint.get("/webhooks")
@answers(200, examples.WEBHOOKS)
def list_webhooks() -> Response:
    """List the webhooks, oldest first

    Without their secrets.
    """
    webhooks = service().list_webhooks()
    return answer(Webhooks([Webhook.of(webhook) for webhook in webhooks]))


@blueprint.get("/webhooks/<uuid:webhook_id>")
@answers(200, examples.WEBHOOK)
@refuses(WebhookNotFound)
def get_webhook(webhook_id: str) -> Response:
    """Get a webhook

    Without its secret.
    """
    return answer(Webhook.of(service().get_webhook(webhook_id)))


@blueprint.delete("/webhooks/<uuid:webhook_id>")
@answers(204)
@refuses(WebhookNotFound)
def delete_webhook(webhook_id: str) -> Response:
    """Delete a webhook

    Nothing more is sent there, and its deliveries are forgotten.
    """
    service().delete_webhook(webhook_id)
    return Response(status=204)


@blueprint.get("/webhooks/<uuid:webhook_id>/deliveries")
@takes_query(PageQuery())
@answers(200, examples.DELIVERIES, Link="The pages around this one.")
@refuses(WebhookNotFound)
def list_deliveries(query: dict[str, Any], webhook_id: str) -> Response:
    """List what was sent to a webhook, or is to be, newest first

    All that waits is listed, and the latest 1,000 that were delivered or given up.
    """
    page = service().list_deliveries(webhook_id, **query)
    deliveries = list(map(Delivery.of, page.rows))
    return page_answer(Deliveries, page, deliveries=deliveries)


@blueprint.post("/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/redeliver")
@takes_command(EmptyBody())
@answers(202, examples.REDELIVERED)
@refuses(WebhookNotFound, DeliveryNotFound, NotRedeliverable, RedeliveriesExhausted)
def redeliver(command: dict[str, Any], webhook_id: str, delivery_id: str) -> Response:
    """Deliver a message again

    With the same `webhook-id`, so that the receiver knows it, and 10 times at most. One
    that asked for an approval is not kept, because it had a code.
    """
    reopened = service().redeliver(webhook_id, delivery_id, **command)
    return answer(Delivery.of(reopened), 202)
