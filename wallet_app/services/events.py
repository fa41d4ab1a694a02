"""What is told to the webhooks: events, in the order in which they came to be.

An event is put into the outbox as the last step under the locks of what it tells of,
so there is one exactly for what committed, in the order of commit for each wallet. It
is handed over after the locks opened.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from wallet_app.domain import Transaction
from wallet_app.store import LockFactory


class EventType(StrEnum):
    WALLET_CREATED = "wallet.created"
    WALLET_FROZEN = "wallet.frozen"
    WALLET_UNFROZEN = "wallet.unfrozen"
    TRANSACTION_CREATED = "transaction.created"
    APPROVAL_REQUESTED = "approval.requested"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_FAILED = "payment.failed"
    FRAUD_FLAGGED = "fraud.flagged"


class Event(Struct, frozen=True, gc=False):
    """Something that happened at a time, in nanoseconds since 1970, UTC, to a subject:
    a transaction, or a snapshot of something else. Only one that asks for an approval
    has its code."""

    type: EventType
    at: int
    subject: Struct
    code: str | None = None


class Outbox:
    """Events that are not handed over yet: so many of them as requests are under way,
    because each hands over what it has put.

    It is closed while nobody listens, and keeps nothing then.
    """

    __slots__ = ("is_open", "listener", "_events", "_lock")

    def __init__(self, lock_factory: LockFactory = threading.Lock) -> None:
        self.is_open = False
        self.listener: Callable[[Event], None] = lambda event: None
        self._events: deque[Event] = deque()
        self._lock = lock_factory()

    def put(self, event: Event) -> None:
        """Tell of something. It takes no lock, and cannot fail: nothing may come
        between what was done and its event."""
        if self.is_open:
            self._events.append(event)

    def transactions(self, *transactions: Transaction) -> None:
        """Tell of transactions, in the order in which they were made. It is for the
        caller to see that the outbox is open, which costs less than this call."""
        self._events.extend(
            [
                Event(EventType.TRANSACTION_CREATED, each.created_at, each)
                for each in transactions
            ]
        )

    def hand_over(self) -> None:
        """Give the listener all that was put, in order. Called under no wallet's
        lock."""
        if not self._events:
            return
        with self._lock:
            while self._events:
                self.listener(self._events.popleft())
