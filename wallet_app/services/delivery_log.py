"""What becomes of the messages to one webhook: each delivery, and how many are kept."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from wallet_app.services.events import Event, EventType

PENDING_MAX = 10_000
"""Deliveries that wait for one receiver. What comes while there are as many is not
sent by itself, but listed, and can be delivered by hand."""

ENDED_MAX = 1_000
"""Deliveries that have ended, and are still listed; then the first is forgotten."""

CROWDED = "too many deliveries wait"
DISABLED = "the webhook is disabled"


class DeliveryStatus(StrEnum):
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class Message(Struct, gc=False):
    """An event as it is sent: with an id that stays the same however often and to
    whomever, and the same bytes each time. They are made when they are first sent."""

    id: str
    event: Event
    body: bytes | None = None


class DeliverySnapshot(Struct, frozen=True, gc=False):
    """What a delivery was at one moment; times in nanoseconds since 1970, UTC. `answer`
    is the status of the latest answer, if any came."""

    id: str
    message_id: str
    type: EventType
    status: DeliveryStatus
    attempts: int
    answer: int | None
    last_error: str | None
    next_attempt_at: int | None
    created_at: int
    updated_at: int


class Delivery:
    """A delivery as it lives, changed only under the lock of the webhooks. `tries` are
    the attempts since the event, or since it was asked for by hand."""

    __slots__ = ("message", "now_is", "tries")

    def __init__(self, message: Message, snapshot: DeliverySnapshot) -> None:
        self.message: Message | None = message
        self.now_is = snapshot
        self.tries = 0


class DeliveryLog:
    """The deliveries to one webhook, oldest first. Whoever shares one locks around
    it."""

    def __init__(self) -> None:
        self._deliveries: dict[str, Delivery] = {}
        self._ended: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._deliveries)

    @property
    def is_waiting(self) -> bool:
        """Whether any delivery is pending."""
        return len(self._deliveries) > len(self._ended)

    @property
    def is_crowded(self) -> bool:
        return len(self._deliveries) - len(self._ended) >= PENDING_MAX

    def add(self, delivery: Delivery) -> None:
        self._deliveries[delivery.now_is.id] = delivery

    def get(self, delivery_id: str) -> Delivery | None:
        return self._deliveries.get(delivery_id)

    def pending(self) -> list[Delivery]:
        return [
            each
            for each in self._deliveries.values()
            if each.now_is.status is DeliveryStatus.PENDING
        ]

    def newest(self, start: int, stop: int) -> list[DeliverySnapshot]:
        """Return what the newest deliveries are, from one position to another."""
        newest = list(reversed(self._deliveries.values()))[start:stop]
        return [each.now_is for each in newest]

    def end(self, delivery: Delivery, status: DeliveryStatus, now: int) -> None:
        """Note that a delivery will not be attempted any more by itself. What carries a
        code is forgotten, all but that it was there: nobody keeps codes."""
        delivery.now_is = replace(
            delivery.now_is, status=status, next_attempt_at=None, updated_at=now
        )
        if delivery.message is not None and delivery.message.event.code is not None:
            delivery.message = None
        self._ended.append(delivery.now_is.id)
        if len(self._ended) > ENDED_MAX:
            del self._deliveries[self._ended.popleft()]

    def reopen(self, delivery: Delivery, reopened: DeliverySnapshot) -> None:
        """Note that an ended delivery is to be made again."""
        self._ended.remove(delivery.now_is.id)
        delivery.now_is, delivery.tries = reopened, 0
