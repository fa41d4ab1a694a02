"""The bank, behind the two methods that a real one would be asked by; and a sandbox
that stands in for it, with books of its own.

It must not know the store. Amounts are minor units of the order's currency.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct


class Direction(StrEnum):
    DEPOSIT = "DEPOSIT"
    """From the bank account into the wallet."""

    WITHDRAWAL = "WITHDRAWAL"
    """From the wallet into the bank account."""


class Order(Struct, frozen=True, gc=False):
    """What the bank is asked to do. It does it once for each key, however often and by
    whomever it is asked with that key."""

    key: str
    direction: Direction
    account: str
    amount: int
    currency: str


class Paid(Struct, frozen=True, gc=False):
    """The bank has done what the order says."""


class Declined(Struct, frozen=True, gc=False):
    """The bank will never do what the order says, whoever asks."""

    reason: str


Answer = Paid | Declined
"""What is definite. It never changes for one key."""


class BankUnavailable(Exception):
    """The bank did not take the order. It can be asked again at any time."""


class BankTimeout(Exception):
    """The bank did not answer in time: whether it has paid is not known."""


class Bank(Protocol):
    """A bank. Both methods end within a bounded time, and raise BankUnavailable and
    BankTimeout, besides nothing."""

    def pay(self, order: Order) -> Answer:
        """Do what the order says, unless its key was seen before: then answer what was
        answered then."""
        ...

    def look_up(self, key: str) -> Answer | None:
        """Return what was answered to a key, or None if it was never seen. It may still
        be seen: an order can be on its way."""
        ...


@dataclass(slots=True)
class Statement:
    """What the bank has moved in one currency, in minor units."""

    paid_in: int = 0
    """Into wallets."""

    paid_out: int = 0
    """Out of wallets."""


class SandboxBank:
    """A bank that behaves in one way for each account, and keeps its own books. An
    account that it does not know is a definite refusal.

    Its books grow with its orders, as those of a bank do.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._asked: dict[str, int] = {}
        self._statements: dict[str, Statement] = {}

    def pay(self, order: Order) -> Answer:
        with self._lock:
            answer = self._answers.get(order.key)
            if answer is None:
                behave = ACCOUNTS.get(order.account, _unknown)
                times = self._asked[order.key] = self._asked.get(order.key, 0) + 1
                answer = self._answers[order.key] = behave(times)
                if isinstance(answer, Paid):
                    self._book(order)
                    if order.account == TIMES_OUT:
                        raise BankTimeout("the answer did not arrive")
            return answer

    def look_up(self, key: str) -> Answer | None:
        with self._lock:
            return self._answers.get(key)

    def statements(self) -> dict[str, Statement]:
        """Return what was moved, by currency."""
        with self._lock:
            return {
                currency: Statement(each.paid_in, each.paid_out)
                for currency, each in sorted(self._statements.items())
            }

    def _book(self, order: Order) -> None:
        statement = self._statements.setdefault(order.currency, Statement())
        if order.direction is Direction.DEPOSIT:
            statement.paid_in += order.amount
        else:
            statement.paid_out += order.amount


def _pays(times: int) -> Answer:
    return Paid()


def _declines(times: int) -> Answer:
    return Declined("the account does not take part")


def _flaky(times: int) -> Answer:
    if times <= 2:
        raise BankUnavailable("the bank is busy")
    return Paid()


def _down(times: int) -> Answer:
    raise BankUnavailable("the bank is closed")


def _unknown(times: int) -> Answer:
    return Declined("there is no such account")


TIMES_OUT = "sandbox-times-out"

ACCOUNTS: Mapping[str, Callable[[int], Answer]] = MappingProxyType(
    {
        "sandbox-ok": _pays,
        "sandbox-declines": _declines,
        "sandbox-flaky": _flaky,
        TIMES_OUT: _pays,
        "sandbox-down": _down,
    }
)
"""What the sandbox does for each account, by how often it was asked with one key: it
pays; refuses; is unavailable twice, then pays; pays, but the first answer never
arrives; is never available."""
