"""The events that webhooks are notified of, in the order in which they came to be.

An event is put into the outbox under the locks of what it reports, as the last step
that can fail, so there is one exactly for what committed, in the order of commit for
each wallet. It is handed over after the locks opened.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from wallet_app.domain.transactions import Transaction
from wallet_app.store import LockFactory

logger = logging.getLogger("wallet_app.events")


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
    """Events that are not handed over yet. Each request hands over what it has put, so
    there are as many as requests are under way, except while there is no memory to
    hand them over.

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

        It comes after a commit, so it does not fail. Without memory the event stays,
        and is handed over the next time. Any other error of the listener is a bug, and
        would come again: the event is dropped.
        """
        if not self._put and not self._next:
            return
        try:
            with self._lock:
                while self._next or self._put:
                    self._hand_over_next()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - in Rust it is no MemoryError
            _report("An event is handed over later", error)

    def _hand_over_next(self) -> None:
        if not self._next:
            self._next = deque(self._put[0])
            self._put.popleft()
        try:
            self.listener(self._next[0])
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug must not stop the events behind this one
            _report("An event is dropped", error)
        self._next.popleft()


def _report(text: str, error: BaseException) -> None:
    """Log an error, unless there is no memory for that."""
    try:
        logger.error(text, exc_info=error)
    except MemoryError:
        pass


def created(transactions: Iterable[Transaction]) -> Iterator[Event]:
    """Return the events of transactions, in the order in which they were made."""
    return (
        Event(EventType.TRANSACTION_CREATED, each.created_at, each)
        for each in transactions
    )
