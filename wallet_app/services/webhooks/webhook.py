"""One webhook: who is notified, and of what."""

from __future__ import annotations

import base64
from enum import StrEnum

from msgspec import Struct

from wallet_app.domain.transactions import Transaction, WalletSnapshot
from wallet_app.services.alerts import Alert
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.background import Lane
from wallet_app.services.events import Event, EventType
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.webhooks.delivery_log import Delivery, DeliveryLog

PREFIX = "whsec_"
"""Standard Webhooks: what a secret begins with; the rest is base64."""


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


class Webhook:
    """A live webhook, changed only under the lock of the webhooks.

    The messages about a wallet go through one of the lanes `by_wallet`, so that they
    stay in order. Codes have a lane of their own, where no other message delays them.
    Nothing here is referred to by a lane: a deleted webhook is freed at once.
    """

    __slots__ = (
        "state",
        "key",
        "log",
        "caller",
        "by_wallet",
        "codes",
        "queued_id",
        "__weakref__",
    )

    def __init__(
        self,
        snapshot: WebhookSnapshot,
        secret: str,
        caller: str | None,
        by_wallet: tuple[Lane[Delivery], ...],
        codes: Lane[Delivery],
    ) -> None:
        self.state = snapshot
        self.key = base64.b64decode(secret.removeprefix(PREFIX))
        self.log = DeliveryLog()
        self.caller = caller
        self.by_wallet = by_wallet
        self.codes = codes
        self.queued_id: str | None = None
        """The id of the message that was queued last."""

    @property
    def lanes(self) -> tuple[Lane[Delivery], ...]:
        return (*self.by_wallet, self.codes)

    def asks_for(self, event: Event) -> bool:
        """Return whether the webhook is to be notified of an event."""
        is_active = self.state.status is WebhookStatus.ACTIVE
        return is_active and event.type in self.state.events

    def lane_of(self, event: Event) -> Lane[Delivery]:
        """Return the lane that an event goes through."""
        if event.code is not None:
            return self.codes
        return self.by_wallet[hash(_wallet_of(event)) % len(self.by_wallet)]


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
