"""One webhook: who is notified, and of what."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from wallet_app.domain.transactions import Transaction, WalletSnapshot
from wallet_app.services.alerts import Alert
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import Event, EventType
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.webhooks.delivery_log import Delivery, DeliveryLog
from wallet_app.services.work_queue import WorkQueue


class WebhookStatus(StrEnum):
    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class WebhookSnapshot(Struct, frozen=True, gc=False):
    """A webhook, without its secret. `created_at` is in nanoseconds since 1970, UTC."""

    id: str
    url: str
    events: tuple[EventType, ...]
    status: WebhookStatus
    created_at: int


class NewWebhook(Struct, frozen=True, gc=False):
    """A webhook with its secret, which is shown once: a replay has None."""

    webhook: WebhookSnapshot
    secret: str | None


class Queues(NamedTuple):
    """The queues of one webhook, each with one worker.

    The messages about a wallet go through one of `by_wallet`, so that they stay in
    order. Codes have a queue of their own, where no other message delays them.
    """

    by_wallet: tuple[WorkQueue[Delivery], ...]
    codes: WorkQueue[Delivery]

    @property
    def all(self) -> tuple[WorkQueue[Delivery], ...]:
        return (*self.by_wallet, self.codes)

    def of(self, event: Event) -> WorkQueue[Delivery]:
        """Return the queue that an event goes through."""
        if event.code is not None:
            return self.codes
        return self.by_wallet[hash(_wallet_of(event)) % len(self.by_wallet)]


@dataclass(slots=True, eq=False)
class Webhook:
    """A live webhook, changed only under the lock of the webhooks. `key` is that of the
    signatures, `queued_id` the id of the message that was queued last."""

    state: WebhookSnapshot
    key: bytes
    caller: str | None
    queues: Queues
    log: DeliveryLog = field(default_factory=DeliveryLog)
    queued_id: str | None = None

    def asks_for(self, event: Event) -> bool:
        """Return whether the webhook is to be notified of an event."""
        is_active = self.state.status is WebhookStatus.ACTIVE
        return is_active and event.type in self.state.events


def _wallet_of(event: Event) -> str:
    """Return the id of the wallet that an event is about."""
    match event.subject:
        case WalletSnapshot(id=wallet_id):
            return wallet_id
        case (
            Transaction(wallet_id=wallet_id)
            | PaymentSnapshot(wallet_id=wallet_id)
            | ApprovalSnapshot(wallet_id=wallet_id)
            | Alert(wallet_id=wallet_id)
        ):
            return wallet_id
    raise TypeError(f"no wallet in {type(event.subject).__name__}")
