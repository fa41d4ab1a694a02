"""What is told to the webhooks: events, in the order in which they came to be.

An event is put into the outbox under the locks of what it reports, as the last step
that can fail, so there is one exactly for what committed, in the order of commit for
each wallet. It is handed over after the locks opened.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
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

    __slots__ = ("is_open", "listener", "_put", "_next", "_lock")

    def __init__(self, lock_factory: LockFactory = threading.Lock) -> None:
        self.is_open = False
        self.listener: Callable[[Event], None] = lambda event: None
        self._put: deque[tuple[Event, ...]] = deque()
        self._next: deque[Event] = deque()
        self._lock = lock_factory()

    def put(self, *events: Event) -> None:
        """Report what happened together: all of it, or nothing if it fails. It takes
        no lock."""
        if self.is_open and events:
            self._put.append(events)

    def hand_over(self) -> None:
        """Give the listener all that was put, in order. Called under no wallet's lock.
        What the listener fails at stays, and is handed over the next time."""
        if not self._put and not self._next:
            return
        with self._lock:
            while self._next or self._put:
                if not self._next:
                    self._next = deque(self._put[0])
                    self._put.popleft()
                self.listener(self._next[0])
                self._next.popleft()


def created(transactions: Iterable[Transaction]) -> Iterator[Event]:
    """Return the events of transactions, in the order in which they were made."""
    return (
        Event(EventType.TRANSACTION_CREATED, each.created_at, each)
        for each in transactions
    )
