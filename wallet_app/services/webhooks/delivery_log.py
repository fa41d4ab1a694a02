"""The deliveries to one webhook: what became of each, and how many are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from wallet_app.domain.clock import SECOND
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import Event, EventType

PENDING_MAX = 100_000
"""Deliveries that wait for one receiver, at about half a kilobyte each. One that comes
while the log is full is listed as failed, and can be redelivered by hand."""

UNRECEIVED_MAX = 10_000
"""The same while the receiver accepts nothing. A dead receiver must not hold as much
memory as a slow one."""

UNRECEIVED_SECONDS = 60
"""A receiver accepts nothing if it has received no message for so long, or none yet.
One failed attempt does not show that it is dead."""

CODES_MAX = 10_000
"""The same for codes, so that other deliveries leave no code unsent."""

ENDED_MAX = 1_000
"""Deliveries that have ended, and are still listed; then the oldest is evicted."""

FULL = "too many deliveries wait"
DISABLED = "the webhook is disabled"


class DeliveryStatus(StrEnum):
    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class Message(Struct, frozen=True, gc=False):
    """An event as it is sent, with an id that is the same for every webhook and at each
    attempt. Its bytes are made for each attempt, so that what waits needs no memory for
    them."""

    id: str
    event: Event


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


# gc=False is sound: it holds a message, and nothing that refers to it.
class Delivery(Struct, gc=False):
    """A live delivery, changed only under the lock of the webhooks. `tries` are the
    attempts since the event, or since the latest of `redeliveries` by hand."""

    id: str
    message: Message | None
    message_id: str
    type: EventType
    created_at: int
    updated_at: int
    next_attempt_at: int | None
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    tries: int = 0
    redeliveries: int = 0
    answer: int | None = None
    last_error: str | None = None

    @property
    def is_pending(self) -> bool:
        return self.status is DeliveryStatus.PENDING

    @property
    def approval(self) -> ApprovalSnapshot | None:
        """The approval whose code is delivered, or None if there is no code."""
        if self.message is None or self.message.event.code is None:
            return None
        subject = self.message.event.subject
        assert isinstance(subject, ApprovalSnapshot)
        return subject

    def snapshot(self) -> DeliverySnapshot:
        return DeliverySnapshot(
            self.id,
            self.message_id,
            self.type,
            self.status,
            self.attempts,
            self.answer,
            self.last_error,
            self.next_attempt_at,
            self.created_at,
            self.updated_at,
        )


class DeliveryLog:
    """The deliveries to one webhook, oldest first. It has no lock: its user locks
    around it."""

    def __init__(self) -> None:
        self.received_at: int | None = None
        """When the latest message was received, by the monotonic clock."""
        self._deliveries: dict[str, Delivery] = {}
        self._ended: deque[str] = deque()
        self._codes: dict[str, Delivery] = {}

    def __len__(self) -> int:
        return len(self._deliveries)

    def is_full(self, monotonic_now: int) -> bool:
        """Return whether no delivery without a code can be added."""
        pending = len(self._deliveries) - len(self._ended) - len(self._codes)
        since = monotonic_now - UNRECEIVED_SECONDS * SECOND
        is_receiving = self.received_at is not None and self.received_at > since
        size_max = PENDING_MAX if is_receiving else min(UNRECEIVED_MAX, PENDING_MAX)
        return pending >= size_max

    @property
    def is_full_of_codes(self) -> bool:
        return len(self._codes) >= CODES_MAX

    def add(self, delivery: Delivery) -> None:
        """Add a pending delivery. Of one approval only one code is pending."""
        self._deliveries[delivery.id] = delivery
        approval = delivery.approval
        if approval is not None:
            self._codes[approval.id] = delivery

    def discard(self, delivery: Delivery) -> None:
        """Forget a delivery that could not be queued. If it is in a queue nevertheless,
        it has no message to send."""
        self._deliveries.pop(delivery.id, None)
        self._forget_code(delivery)
        delivery.message = None

    def get(self, delivery_id: str) -> Delivery | None:
        return self._deliveries.get(delivery_id)

    def pending_code(self, approval_id: str) -> Delivery | None:
        """Return the pending delivery of an approval's code."""
        return self._codes.get(approval_id)

    def newest_first(self) -> Iterator[DeliverySnapshot]:
        return (each.snapshot() for each in reversed(self._deliveries.values()))

    def end(self, delivery: Delivery, why: str | None, now: int) -> None:
        """End a pending delivery as failed, or as succeeded if `why` is None: it is
        attempted again only by hand. One that has a code forgets its message, because
        codes are not kept."""
        self._ended.append(delivery.id)
        self._forget_code(delivery)
        status = DeliveryStatus.SUCCEEDED if why is None else DeliveryStatus.FAILED
        delivery.status, delivery.last_error = status, why
        delivery.next_attempt_at, delivery.updated_at = None, now
        if len(self._ended) > ENDED_MAX:
            self._deliveries.pop(self._ended.popleft(), None)

    def _forget_code(self, delivery: Delivery) -> None:
        approval = delivery.approval
        if approval is None:
            return
        if self._codes.get(approval.id) is delivery:
            del self._codes[approval.id]
        delivery.message = None

    def end_all(self, why: str, now: int) -> None:
        """End every pending delivery as failed."""
        for each in [each for each in self._deliveries.values() if each.is_pending]:
            self.end(each, why, now)

    def reopen(self, delivery: Delivery, now: int) -> None:
        """Make an ended delivery pending again."""
        pending, redeliveries = DeliveryStatus.PENDING, delivery.redeliveries + 1
        self._ended.remove(delivery.id)  # after this nothing needs memory
        delivery.status, delivery.redeliveries = pending, redeliveries
        delivery.next_attempt_at, delivery.updated_at = now, now
        delivery.tries = 0
