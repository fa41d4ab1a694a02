"""A bank for trials: how it behaves depends on the account. It keeps its own books."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from wallet_app.gateways.bank import (
    Answer,
    BankTimeout,
    BankUnavailable,
    Declined,
    Direction,
    Order,
    Paid,
)


@dataclass(slots=True)
class Statement:
    """What the bank has moved in one currency, in minor units."""

    paid_in: int = 0
    """Into wallets."""

    paid_out: int = 0
    """Out of wallets."""


class SandboxBank:
    """A bank in memory. Its books grow with its orders, as those of a bank do.

    It stands for the world outside, so its lock is no lock of the service.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._attempts: dict[str, int] = {}
        self._statements: dict[str, Statement] = {}

    def pay(self, order: Order) -> Answer:
        with self._lock:
            answer = self._answers.get(order.key)
            if answer is None:
                attempts = self._attempts[order.key] = (
                    self._attempts.get(order.key, 0) + 1
                )
                answer = self._answers[order.key] = _decide(order.account, attempts)
                if isinstance(answer, Paid):
                    self._book(order)
                if order.account == "sandbox-times-out":
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


def _decide(account: str, attempts: int) -> Answer:
    """Return the answer to an order that came so many times, or raise
    BankUnavailable."""
    match account:
        case "sandbox-ok" | "sandbox-times-out":
            return Paid()
        case "sandbox-flaky" if attempts > 2:
            return Paid()
        case "sandbox-flaky":
            raise BankUnavailable("the bank is busy")
        case "sandbox-down":
            raise BankUnavailable("the bank is closed")
        case "sandbox-declines":
            return Declined("the account does not take part")
        case _:
            return Declined("there is no such account")
