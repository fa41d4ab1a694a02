"""Deliveries: a message is sent to a webhook until it is received or given up.

A message is sent under no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from wallet_app.domain.clock import SECOND, Clock, NewId
from wallet_app.gateways.delivery import Undelivered
from wallet_app.gateways.delivery_connection import Reply
from wallet_app.services.background import Background
from wallet_app.services.json_forms import event_bytes
from wallet_app.services.webhooks.delivery_log import (
    DISABLED,
    FULL,
    Delivery,
    Message,
)
from wallet_app.services.webhooks.standard_webhooks import headers_of, retry_after_ns
from wallet_app.services.webhooks.webhook import Queues, Webhook, WebhookStatus
from wallet_app.services.work_queue import WorkQueue
from wallet_app.store import Lock

WALLET_QUEUES = 4
"""Messages that are sent to one receiver at the same time, each about another wallet:
while one waits for its answer, the others go on."""

SUPERSEDED = "a newer code was sent"
EXPIRED = "the code has expired"
UNEXPECTED = "unexpected error"

GONE = 410
"""A receiver with this answer wants no more messages."""


class Sender(Protocol):
    """Sends messages to one URL, one after the other. `post` raises Undelivered;
    `close` closes what is open between messages."""

    def post(self, headers: Mapping[str, str], body: bytes) -> Reply: ...
    def close(self) -> None: ...


class Transport(Protocol):
    """Where messages are sent. `check` raises UrlNotAllowed."""

    def check(self, url: str) -> None: ...
    def sender(self, url: str) -> Sender: ...


class Deliveries:
    """Sends messages, and notes the outcome under the lock of the webhooks."""

    def __init__(
        self,
        clock: Clock,
        monotonic: Clock,
        new_id: NewId,
        transport: Transport,
        background: Background,
        retry_seconds: Sequence[int],
        jitter: Callable[[int], int],
        webhooks: Mapping[str, Webhook],
        lock: Lock,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._new_id = new_id
        self._transport = transport
        self._background = background
        self._delays = [seconds * SECOND for seconds in retry_seconds]
        self._jitter = jitter
        self._webhooks = webhooks
        self._lock = lock

    def new_queues(self, webhook_id: str, url: str) -> Queues:
        """Return queues for a webhook. They refer to its id alone, so that a deleted
        webhook is freed at once."""
        name = f"webhook {webhook_id}"

        def new_queue(name: str) -> WorkQueue[Delivery]:
            sender = self._transport.sender(url)
            return WorkQueue(
                name,
                1,
                partial(self._attempt, webhook_id, sender),
                partial(self._failed, webhook_id),
                sender.close,
            )

        by_wallet = tuple(new_queue(name) for _ in range(WALLET_QUEUES))
        return Queues(by_wallet, new_queue(f"{name} codes"))

    def queue(self, webhook: Webhook, message: Message, now: int) -> None:
        """Queue a message for a held webhook, behind all that came before in its
        queue."""
        event, log = message.event, webhook.log
        delivery = Delivery(
            str(self._new_id()), message, message.id, event.type, now, now, None
        )
        approval = delivery.approval
        if approval is None:
            is_full = log.is_full(self._monotonic())
        else:
            is_full = log.is_full_of_codes
            superseded = log.pending_code(approval.id)
            if superseded is not None:
                log.end(superseded, SUPERSEDED, now)
        log.add(delivery)
        try:
            if is_full:
                log.end(delivery, FULL, now)
                return
            wait = self._jitter(self._delays[0])
            wait = self._background.append(webhook.queues.of(event), wait, delivery)
            delivery.next_attempt_at = now + wait
        except BaseException:
            log.discard(delivery)
            raise

    def _attempt(
        self, webhook_id: str, sender: Sender, delivery: Delivery
    ) -> int | None:
        """Send a message once; return after how many nanoseconds it is sent again."""
        now, monotonic_now = self._clock(), self._monotonic()
        with self._lock:
            webhook, message = self._webhooks.get(webhook_id), delivery.message
            if webhook is None or message is None or not delivery.is_pending:
                return None
            if webhook.state.status is WebhookStatus.DISABLED:
                webhook.log.end(delivery, DISABLED, now)
                return None
            approval = delivery.approval
            if approval is not None and monotonic_now >= approval.monotonic_expiry:
                webhook.log.end(delivery, EXPIRED, now)
                return None
        body = event_bytes(message.event)
        headers = headers_of(message.id, body, webhook.key, now)
        try:
            reply = sender.post(headers, body)
        except Undelivered as error:
            return self._note(webhook, delivery, None, str(error))
        why = None if 200 <= reply.status < 300 else f"the answer was {reply.status}"
        return self._note(webhook, delivery, reply, why)

    def _note(
        self,
        webhook: Webhook,
        delivery: Delivery,
        reply: Reply | None,
        why: str | None,
    ) -> int | None:
        """Note the outcome of an attempt; `why` is None if it was received. A delivery
        that ended meanwhile, because a newer code was sent or the webhook was disabled,
        stays ended."""
        now, monotonic_now = self._clock(), self._monotonic()
        with self._lock:
            now, is_pending = max(now, delivery.updated_at), delivery.is_pending
            delivery.answer = reply.status if reply else None
            delivery.attempts += 1
            delivery.tries += 1
            if why is None:
                webhook.log.received_at = monotonic_now
            if not is_pending:
                return None
            delivery.last_error, delivery.updated_at = why, now
            if reply is not None and reply.status == GONE:
                self._disable(webhook, delivery, why, now)
                return None
            if why is None or delivery.tries >= len(self._delays):
                webhook.log.end(delivery, why, now)
                return None
            wait = self._backoff(delivery.tries, reply, now)
            delivery.next_attempt_at = now + wait
            return wait

    def _backoff(self, tries: int, reply: Reply | None, now: int) -> int:
        """Return the wait after so many tries: at least what the receiver asks for, as
        far as that is no longer than the longest delay."""
        wait = self._jitter(self._delays[tries])
        if reply is not None and reply.retry_after is not None:
            asked_for = retry_after_ns(reply.retry_after, now)
            wait = max(wait, min(asked_for, max(self._delays)))
        return wait

    def _disable(
        self, webhook: Webhook, delivery: Delivery, why: str | None, now: int
    ) -> None:
        """Send nothing more there, and end this delivery and all that wait. If that
        fails half-way, the others end when they are due."""
        webhook.state = replace(webhook.state, status=WebhookStatus.DISABLED)
        webhook.log.end(delivery, why, now)
        webhook.log.end_all(DISABLED, now)
        self._background.clear(*webhook.queues.all)

    def _failed(
        self, webhook_id: str, delivery: Delivery, error: BaseException
    ) -> int | None:
        """Note an unexpected error; the log has the rest."""
        with self._lock:
            webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            return None
        return self._note(webhook, delivery, None, UNEXPECTED)
