"""The bank, behind the two methods that a real one would have.

It must not know the store. Amounts are in minor units of the order's currency.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from msgspec import Struct


class Direction(StrEnum):
    DEPOSIT = "DEPOSIT"
    """From the bank account into the wallet."""

    WITHDRAWAL = "WITHDRAWAL"
    """From the wallet into the bank account."""


class Order(Struct, frozen=True, gc=False):
    """What the bank is asked to do. It does so once for each key, however often it is
    asked with that key."""

    key: str
    direction: Direction
    account: str
    amount: int
    currency: str


class Paid(Struct, frozen=True, gc=False):
    """The bank has done what the order says."""


class Declined(Struct, frozen=True, gc=False):
    """The bank will never do what the order says."""

    reason: str


Answer = Paid | Declined
"""What is certain. It never changes for one key."""


class BankUnavailable(Exception):
    """The bank did not take the order. It can be asked again at any time."""


class BankTimeout(Exception):
    """The bank did not answer in time: whether it has paid is not known."""


class Bank(Protocol):
    """A bank. Both methods end within a bounded time, and raise only BankUnavailable
    and BankTimeout."""

    def pay(self, order: Order) -> Answer:
        """Do what the order says. A key that was seen before gets the answer that it
        got then."""
        ...

    def look_up(self, key: str) -> Answer | None:
        """Return what was answered to a key, or None if it was never seen. It may still
        be seen: an order can be on its way."""
        ...
