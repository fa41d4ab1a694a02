"""One webhook: who is told, of what, and how it is signed."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from standardwebhooks import Webhook as Signer

from wallet_app.services.background import Lane
from wallet_app.services.delivery_log import Delivery, DeliveryLog
from wallet_app.services.events import EventType


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
    """A webhook with its secret, which is told once."""

    webhook: WebhookSnapshot
    secret: str


class Webhook:
    """A webhook as it lives, changed only under the lock of the webhooks. No message is
    due before `latest_due`, for as long as an earlier one waits."""

    def __init__(self, snapshot: WebhookSnapshot, secret: str) -> None:
        self.now_is = snapshot
        self.signer = Signer(secret)
        self.log = DeliveryLog()
        self.latest_due = 0
        self.is_deleted = False
        self.lane: Lane[Delivery]
