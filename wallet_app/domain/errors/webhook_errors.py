"""Refusals of webhooks and of their deliveries."""

from __future__ import annotations

from wallet_app.domain.errors.example_values import DELIVERY_ID, WEBHOOK_ID
from wallet_app.domain.errors.families import (
    Conflict,
    Exhausted,
    Invalid,
    NotFound,
    TooMany,
    internal,
    member,
)


class WebhookNotFound(NotFound):
    """No webhook has this id."""

    code, title = "webhook_not_found", "Webhook not found"
    message = "There is no webhook {webhook_id}."
    webhook_id: str = member(WEBHOOK_ID)


class WebhooksExhausted(Conflict):
    """There are as many webhooks as there may be."""

    code, title = "too_many_webhooks", "Too many webhooks"
    message = "There are {maximum} webhooks already. Delete one of them first."
    maximum: int = member(16)


class TooManyWebhooks(Conflict):
    """One caller has as many webhooks as one may have."""

    code, title = "too_many_webhooks_of_caller", "Too many webhooks"
    message = "You have {maximum} webhooks already. Delete one of them first."
    maximum: int = member(8)


class ThreadsExhausted(Exhausted):
    """The system has no thread for a new receiver of webhooks now."""

    code, title = "threads_exhausted", "Too many threads"
    message = "There is no thread for another webhook now. Nothing was done."
    retry_after_seconds: int = member(10, default=10)


class DeliveryNotFound(NotFound):
    """The webhook has no delivery with this id, or it is no longer kept."""

    code, title = "delivery_not_found", "Delivery not found"
    message = "Webhook {webhook_id} has no delivery {delivery_id}."
    webhook_id: str = member(WEBHOOK_ID)
    delivery_id: str = member(DELIVERY_ID)


class NotRedeliverable(Conflict):
    """The delivery cannot be retried by hand, or not now."""

    code, title = "not_redeliverable", "Not redeliverable"
    message = "It is not delivered again: {why}."
    delivery_id: str = member(DELIVERY_ID)
    why: str = internal("it is under way")


class RedeliveriesExhausted(TooMany):
    """The delivery was retried by hand as often as it may be."""

    code, title = "too_many_redeliveries", "Too many redeliveries"
    message = "A delivery is made again {maximum} times at most."
    delivery_id: str = member(DELIVERY_ID)
    maximum: int = member(10)


class UrlNotAllowed(Invalid):
    """Webhooks cannot be sent to this URL, or must not be: its address is private."""

    code, title = "url_not_allowed", "URL not allowed"
    message = "Webhooks are not sent there: {why}."
    why: str = internal("the address 10.0.0.1 is not public")
