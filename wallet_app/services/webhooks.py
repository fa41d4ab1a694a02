"""Webhooks: what happened is told to whoever asked to be told, at least once.

A webhook has a lane of its own with one place. So its messages come one at a time, at
first in the order of commit, and a slow or dead receiver keeps only itself waiting.
"""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from wallet_app.domain import Clock, NewId
from wallet_app.errors import (
    DeliveryNotFound,
    NotRedeliverable,
    WebhookNotFound,
    WebhooksExhausted,
)
from wallet_app.services.background import THREADS, Background, Lane
from wallet_app.services.commit import Keeper, commit
from wallet_app.services.deliveries import Deliveries, Transport
from wallet_app.services.delivery_log import (
    DISABLED,
    DeliverySnapshot,
    DeliveryStatus,
    Message,
)
from wallet_app.services.events import Event, EventType, Outbox
from wallet_app.services.payments import AT_ONCE
from wallet_app.services.webhook import (
    NewWebhook,
    Webhook,
    WebhookSnapshot,
    WebhookStatus,
)
from wallet_app.store import LockFactory

WEBHOOKS_MAX = THREADS - AT_ONCE
"""Each has a thread, so that none can keep another waiting, nor the bank."""

SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""


class DeliveryPage(Struct, frozen=True):
    deliveries: list[DeliverySnapshot]
    page: int
    limit: int
    total: int


def new_secret() -> str:
    """Return a secret that nobody can guess."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


class Webhooks:
    """Keeps webhooks, and delivers to each what it asked for."""

    def __init__(
        self,
        clock: Clock,
        new_id: NewId,
        new_secret: Callable[[], str],
        transport: Transport,
        background: Background,
        outbox: Outbox,
        retry_seconds: Sequence[int],
        jitter: Callable[[int], int],
        lock_factory: LockFactory = threading.Lock,
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._new_secret = new_secret
        self._transport = transport
        self._background = background
        self._outbox = outbox
        self._lock = lock_factory()
        self._webhooks: dict[str, Webhook] = {}
        self._deliveries = Deliveries(
            clock, new_id, transport, background, retry_seconds, jitter, self._lock
        )
        outbox.listener = self._tell

    def create(
        self, url: str, events: Sequence[EventType], claim: Keeper | None = None
    ) -> NewWebhook:
        """Send these events to a URL from now on.

        Raises UrlNotAllowed and WebhooksExhausted.
        """
        self._transport.check(url)
        secret, now = self._new_secret(), self._clock()
        webhook = Webhook(
            WebhookSnapshot(
                str(self._new_id()), url, tuple(events), WebhookStatus.ACTIVE, now
            ),
            secret,
        )
        webhook.lane = Lane(
            f"webhook {webhook.now_is.id}",
            1,
            lambda delivery: self._deliveries.attempt(webhook, delivery),
            lambda delivery, error: self._deliveries.failed(webhook, delivery),
        )
        created = NewWebhook(webhook.now_is, secret)
        with self._lock:
            if not self._background.has_place():
                raise WebhooksExhausted(WEBHOOKS_MAX)
            self._webhooks[webhook.now_is.id] = webhook
            try:
                commit(claim, created, lambda: self._background.add(webhook.lane))
            except BaseException:
                del self._webhooks[webhook.now_is.id]
                raise
            self._outbox.is_open = True
        return created

    def get(self, webhook_id: str) -> WebhookSnapshot:
        """Raise WebhookNotFound where there is no such webhook."""
        with self._lock:
            return self._find(webhook_id).now_is

    def all(self) -> list[WebhookSnapshot]:
        """Return every webhook, oldest first."""
        with self._lock:
            return [webhook.now_is for webhook in self._webhooks.values()]

    def delete(self, webhook_id: str) -> None:
        """Send nothing more there, and forget what was sent.

        Raises WebhookNotFound.
        """
        with self._lock:
            webhook = self._find(webhook_id)
            self._background.remove(webhook.lane)
            webhook.is_deleted = True
            del self._webhooks[webhook_id]
            self._outbox.is_open = bool(self._webhooks)

    def deliveries(
        self, webhook_id: str, limit: int = 20, page: int = 1
    ) -> DeliveryPage:
        """Return one page, newest first.

        Raises WebhookNotFound.
        """
        start = (page - 1) * limit
        with self._lock:
            log = self._find(webhook_id).log
            return DeliveryPage(log.newest(start, start + limit), page, limit, len(log))

    def redeliver(
        self, webhook_id: str, delivery_id: str, claim: Keeper | None = None
    ) -> DeliverySnapshot:
        """Deliver a message again that has been delivered or given up, with the same
        id.

        Raises WebhookNotFound, DeliveryNotFound and NotRedeliverable.
        """
        with self._lock:
            webhook, now = self._find(webhook_id), self._clock()
            delivery = webhook.log.get(delivery_id)
            if delivery is None:
                raise DeliveryNotFound(webhook_id, delivery_id)
            if delivery.now_is.status is DeliveryStatus.PENDING:
                raise NotRedeliverable(delivery_id, "it is under way")
            if webhook.now_is.status is WebhookStatus.DISABLED:
                raise NotRedeliverable(delivery_id, DISABLED)
            if delivery.message is None:
                raise NotRedeliverable(delivery_id, "it had a code; have that resent")
            reopened = replace(
                delivery.now_is,
                status=DeliveryStatus.PENDING,
                next_attempt_at=now,
                updated_at=now,
            )
            commit(
                claim,
                reopened,
                lambda: self._background.put(webhook.lane, now, delivery),
            )
            webhook.log.reopen(delivery, reopened)
        self._background.wake()
        return reopened

    def _tell(self, event: Event) -> None:
        """Queue an event for every webhook that asked for it. The outbox calls this
        for one event after the other."""
        message = Message(f"msg_{self._new_id()}", event)
        now = self._clock()
        with self._lock:
            asked_for = [
                webhook
                for webhook in self._webhooks.values()
                if event.type in webhook.now_is.events
                and webhook.now_is.status is WebhookStatus.ACTIVE
            ]
            for webhook in asked_for:
                self._deliveries.queue(webhook, message, now)
        if asked_for:
            self._background.wake()

    def _find(self, webhook_id: str) -> Webhook:
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            raise WebhookNotFound(webhook_id)
        return webhook
