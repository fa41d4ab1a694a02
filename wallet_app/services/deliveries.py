"""Deliveries: a message is sent to a webhook until it is received, or given up.

Follows Standard Webhooks 1.0. The receiver is asked under no lock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from wallet_app.delivery import Reply, Undelivered
from wallet_app.domain import Clock, NewId
from wallet_app.services.approval import ApprovalSnapshot
from wallet_app.services.background import SECOND, Background
from wallet_app.services.delivery_log import (
    CROWDED,
    DISABLED,
    Delivery,
    DeliverySnapshot,
    DeliveryStatus,
    Message,
)
from wallet_app.services.json_forms import event_bytes
from wallet_app.services.webhook import Webhook, WebhookStatus
from wallet_app.store import Lock

SUPERSEDED = "a newer code was sent"
EXPIRED = "the code has expired"

GONE = 410
"""A receiver that answers this wants no more."""


class Transport(Protocol):
    """Whoever sends messages. `check` raises UrlNotAllowed, `post` Undelivered."""

    def check(self, url: str) -> None: ...
    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply: ...


class Deliveries:
    """Sends messages, and notes what came of it under the lock of the webhooks."""

    def __init__(
        self,
        clock: Clock,
        new_id: NewId,
        transport: Transport,
        background: Background,
        retry_seconds: Sequence[int],
        jitter: Callable[[int], int],
        lock: Lock,
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._transport = transport
        self._background = background
        self._delays = [seconds * SECOND for seconds in retry_seconds]
        self._jitter = jitter
        self._lock = lock

    def queue(self, webhook: Webhook, message: Message, now: int) -> None:
        """Queue a message for a held webhook. None is due before one that came earlier
        and still waits, whatever chance and the clock say."""
        due = now + self._jitter(self._delays[0])
        if webhook.log.is_waiting:
            due = max(due, webhook.latest_due)
        snapshot = DeliverySnapshot(
            id=str(self._new_id()),
            message_id=message.id,
            type=message.event.type,
            status=DeliveryStatus.PENDING,
            attempts=0,
            answer=None,
            last_error=None,
            next_attempt_at=due,
            created_at=now,
            updated_at=now,
        )
        delivery = Delivery(message, snapshot)
        if message.event.code is not None:
            self._supersede(webhook, message.event.subject, now)
        crowded = webhook.log.is_crowded
        webhook.log.add(delivery)
        if crowded:
            self._end(webhook, delivery, CROWDED, now)
            return
        webhook.latest_due = due
        self._background.put(webhook.lane, due, delivery)

    def _supersede(self, webhook: Webhook, subject: Struct, now: int) -> None:
        """End what waits for a held webhook with an earlier code of an approval."""
        assert isinstance(subject, ApprovalSnapshot)
        for waiting in webhook.log.pending():
            earlier = waiting.message and waiting.message.event.subject
            if isinstance(earlier, ApprovalSnapshot) and earlier.id == subject.id:
                self._end(webhook, waiting, SUPERSEDED, now)

    def attempt(self, webhook: Webhook, delivery: Delivery) -> int | None:
        """Send a message once; return when it is to be sent again."""
        with self._lock:
            message = delivery.message
            pending = delivery.now_is.status is DeliveryStatus.PENDING
            if not pending or message is None or webhook.is_deleted:
                return None
            subject, now = message.event.subject, self._clock()
            if isinstance(subject, ApprovalSnapshot) and now >= subject.expires_at:
                self._end(webhook, delivery, EXPIRED, now)
                return None
        headers, body = self._signed(webhook, message)
        try:
            reply = self._transport.post(webhook.now_is.url, headers, body)
        except Undelivered as error:
            return self._note(webhook, delivery, None, str(error))
        why = None if 200 <= reply.status < 300 else f"the answer was {reply.status}"
        return self._note(webhook, delivery, reply, why)

    def _signed(
        self, webhook: Webhook, message: Message
    ) -> tuple[dict[str, str], bytes]:
        """Return a message's headers for an attempt that is made now, and its body."""
        if message.body is None:
            message.body = event_bytes(message.event)
        moment = datetime.fromtimestamp(self._clock() // SECOND, UTC)
        signature = webhook.signer.sign(message.id, moment, message.body.decode())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": signature,
        }
        return headers, message.body

    def _note(
        self,
        webhook: Webhook,
        delivery: Delivery,
        reply: Reply | None,
        why: str | None,
    ) -> int | None:
        """Note what came of an attempt: `why` is None where it was received."""
        with self._lock:
            now = max(self._clock(), delivery.now_is.updated_at)
            attempts = delivery.now_is.attempts + 1
            delivery.tries += 1
            delivery.now_is = replace(
                delivery.now_is,
                attempts=attempts,
                answer=reply.status if reply else None,
                last_error=why,
                updated_at=now,
            )
            if why is None:
                webhook.log.end(delivery, DeliveryStatus.SUCCEEDED, now)
                return None
            if reply is not None and reply.status == GONE:
                self._disable(webhook, delivery, now)
                return None
            return self._later(webhook, delivery, reply, now)

    def _later(
        self, webhook: Webhook, delivery: Delivery, reply: Reply | None, now: int
    ) -> int | None:
        """Return when a held delivery is tried again; give up after the last delay."""
        if delivery.tries >= len(self._delays):
            webhook.log.end(delivery, DeliveryStatus.FAILED, now)
            return None
        wait = self._jitter(self._delays[delivery.tries])
        if reply is not None and reply.retry_after is not None:
            asked_for = _wait_asked_for(reply.retry_after, now)
            wait = max(wait, min(asked_for, max(self._delays)))
        delivery.now_is = replace(delivery.now_is, next_attempt_at=now + wait)
        return now + wait

    def _disable(self, webhook: Webhook, delivery: Delivery, now: int) -> None:
        """Send nothing more there: neither this delivery nor any other that waits."""
        webhook.now_is = replace(webhook.now_is, status=WebhookStatus.DISABLED)
        for waiting in webhook.log.pending():
            why = delivery.now_is.last_error if waiting is delivery else DISABLED
            self._end(webhook, waiting, why, now)
        self._background.clear(webhook.lane)

    def _end(
        self, webhook: Webhook, delivery: Delivery, why: str | None, now: int
    ) -> None:
        """Give up a delivery of a held webhook."""
        delivery.now_is = replace(delivery.now_is, last_error=why)
        webhook.log.end(delivery, DeliveryStatus.FAILED, now)

    def failed(self, webhook: Webhook, delivery: Delivery) -> int | None:
        """Note an error that nobody expected; the log has the rest."""
        return self._note(webhook, delivery, None, "unexpected error")


def _wait_asked_for(retry_after: str, now: int) -> int:
    """Return how long a receiver asks to be left alone, in nanoseconds: so many
    seconds, or until a date (RFC 9110, section 10.2.3). What is neither asks for
    nothing."""
    if re.fullmatch("[0-9]+", retry_after):
        return int(retry_after[:12]) * SECOND
    try:
        until = parsedate_to_datetime(retry_after)
        seconds = int(until.replace(tzinfo=until.tzinfo or UTC).timestamp())
    except (ValueError, OverflowError):
        return 0
    return max(seconds * SECOND - now, 0)
