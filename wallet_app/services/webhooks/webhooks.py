"""Webhooks: each is notified of the events that it asked for, at least once.

A webhook has queues of its own. So a slow or dead receiver delays only itself, and the
messages about one wallet are sent one at a time, in the order of commit; a retry may be
overtaken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from wallet_app.domain.clock import Clock, NewId
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.webhook_errors import (
    DeliveryNotFound,
    NotRedeliverable,
    RedeliveriesExhausted,
    TooManyWebhooks,
    WebhookNotFound,
    WebhooksExhausted,
)
from wallet_app.services.background import Background
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.events import Event, EventType, Outbox
from wallet_app.services.page import Page, page_of
from wallet_app.services.webhooks.deliveries import Deliveries, Transport
from wallet_app.services.webhooks.delivery_log import (
    DISABLED,
    FULL,
    DeliverySnapshot,
    Message,
)
from wallet_app.services.webhooks.standard_webhooks import key_of
from wallet_app.services.webhooks.webhook import (
    NewWebhook,
    Webhook,
    WebhookSnapshot,
    WebhookStatus,
)
from wallet_app.store import LockFactory

WEBHOOKS_MAX = 16
"""Each has threads, so that none can delay another, nor the bank."""

WEBHOOKS_MAX_OF_CALLER = 8
"""So that no caller has them all."""

REDELIVERIES_MAX = 10
"""How often one delivery can be repeated by hand."""


class Webhooks:
    """The webhooks there are, and the deliveries to each."""

    def __init__(
        self,
        clock: Clock,
        monotonic: Clock,
        new_id: NewId,
        new_secret: Callable[[], str],
        transport: Transport,
        background: Background,
        outbox: Outbox,
        retry_seconds: Sequence[int],
        jitter: Callable[[int], int],
        lock_factory: LockFactory,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._new_id = new_id
        self._new_secret = new_secret
        self._transport = transport
        self._background = background
        self._outbox = outbox
        self._creating = lock_factory()
        self._lock = lock_factory()
        self._webhooks: dict[str, Webhook] = {}
        self._message: Message | None = None
        """What is being queued, or could not be queued for every webhook."""
        self._deliveries = Deliveries(
            clock,
            monotonic,
            new_id,
            transport,
            background,
            retry_seconds,
            jitter,
            self._webhooks,
            self._lock,
        )
        outbox.listener = self._notify

    def create(
        self,
        url: str,
        events: Sequence[EventType],
        on_commit: OnCommits = (),
        caller: str | None = None,
    ) -> NewWebhook:
        """Evict a disabled webhook if all slots are taken. The outcome that is kept has
        no secret, so that no replay shows it."""
        self._transport.check(url)
        secret = self._new_secret()
        id = str(self._new_id())
        state = WebhookSnapshot(
            id, url, tuple(events), WebhookStatus.ACTIVE, self._clock()
        )
        queues = self._deliveries.new_queues(id, url)
        webhook = Webhook(state, key_of(secret), caller, queues)
        created = NewWebhook(state, secret)
        with self._creating:  # so that no other lock is held while threads start
            with self._lock:
                self._evictable(caller)
            self._background.add(*webhook.queues.all)
            try:
                self._register(webhook, replace(created, secret=None), on_commit)
            except BaseException:
                self._background.remove(*webhook.queues.all)
                raise
        return created

    def _register(
        self, webhook: Webhook, outcome: NewWebhook, on_commit: OnCommits
    ) -> None:
        """Add a webhook whose workers run, and evict one for it if all slots are
        taken."""
        webhook_id = webhook.state.id
        with self._lock:
            evicted = self._evictable(webhook.caller)
            if evicted is not None:  # it is disabled, so its queues are empty
                self._background.remove(*evicted.queues.all)
            self._webhooks[webhook_id] = webhook
            try:
                commit(on_commit, outcome)
            except BaseException:
                del self._webhooks[webhook_id]
                raise
            if evicted is not None:
                del self._webhooks[evicted.state.id]
            self._outbox.is_open = True

    def _evictable(self, caller: str | None) -> Webhook | None:
        """Return the webhook to evict for another one of a caller, or None.

        Raises TooManyWebhooks and WebhooksExhausted.
        """
        every = list(self._webhooks.values())
        theirs = [each for each in every if caller and each.caller == caller]
        if len(theirs) >= WEBHOOKS_MAX_OF_CALLER:
            return _first_disabled(theirs, TooManyWebhooks(WEBHOOKS_MAX_OF_CALLER))
        if len(every) >= WEBHOOKS_MAX:
            return _first_disabled(every, WebhooksExhausted(WEBHOOKS_MAX))
        return None

    def get(self, webhook_id: str) -> WebhookSnapshot:
        with self._lock:
            return self._find(webhook_id).state

    def all(self) -> list[WebhookSnapshot]:
        with self._lock:
            return [webhook.state for webhook in self._webhooks.values()]

    def delete(self, webhook_id: str) -> None:
        with self._lock:
            webhook = self._find(webhook_id)
            self._background.remove(*webhook.queues.all)  # after this nothing can fail
            del self._webhooks[webhook_id]
            self._outbox.is_open = bool(self._webhooks)

    def deliveries(
        self, webhook_id: str, limit: int = 20, page: int = 1
    ) -> Page[DeliverySnapshot]:
        with self._lock:
            log = self._find(webhook_id).log
            return page_of(log.newest_first(), len(log), limit, page)

    def redeliver(
        self, webhook_id: str, delivery_id: str, on_commit: OnCommits = ()
    ) -> DeliverySnapshot:
        """Deliver a message again that was received or given up."""
        now, monotonic_now = self._clock(), self._monotonic()
        with self._lock:
            webhook = self._find(webhook_id)
            delivery = webhook.log.get(delivery_id)
            if delivery is None:
                raise DeliveryNotFound(webhook_id, delivery_id)
            if delivery.is_pending:
                raise NotRedeliverable(delivery_id, "it is under way")
            if webhook.state.status is WebhookStatus.DISABLED:
                raise NotRedeliverable(delivery_id, DISABLED)
            if delivery.message is None:
                raise NotRedeliverable(delivery_id, "it had a code; have that resent")
            if delivery.redeliveries >= REDELIVERIES_MAX:
                raise RedeliveriesExhausted(delivery_id, REDELIVERIES_MAX)
            if webhook.log.is_full(monotonic_now):
                raise NotRedeliverable(delivery_id, FULL)
            before = delivery.snapshot()
            queue = webhook.queues.of(delivery.message.event)
            webhook.log.reopen(delivery, now)
            try:
                reopened = delivery.snapshot()
                put = partial(self._background.put, queue, 0, delivery)
                commit(on_commit, reopened, put)
            except BaseException:
                delivery.redeliveries -= 1
                webhook.log.end(delivery, before.last_error, before.updated_at)
                raise
        return reopened

    def _notify(self, event: Event) -> None:
        """Queue an event for every webhook that asked for it. The outbox calls this
        for one event after the other, and again if it failed: then the message has the
        same id, and a webhook that has it already does not get it twice."""
        message = self._message
        if message is None or message.event is not event:
            message = self._message = Message(f"msg_{self._new_id()}", event)
        now = self._clock()
        with self._lock:
            for webhook in self._webhooks.values():
                if webhook.asks_for(event) and webhook.queued_id != message.id:
                    self._deliveries.queue(webhook, message, now)
                    webhook.queued_id = message.id
        self._message = None  # it may have a code, and codes are not kept

    def _find(self, webhook_id: str) -> Webhook:
        """Raise WebhookNotFound if there is no such webhook."""
        webhook = self._webhooks.get(webhook_id)
        if webhook is None:
            raise WebhookNotFound(webhook_id)
        return webhook


def _first_disabled(webhooks: Sequence[Webhook], none: WalletError) -> Webhook:
    """Return the first that is disabled, or raise the refusal."""
    for webhook in webhooks:
        if webhook.state.status is WebhookStatus.DISABLED:
            return webhook
    raise none
