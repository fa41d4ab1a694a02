"""A bank that keeps its promises, and does everything else that a bank can do: answers
get lost, orders arrive late or twice, and calls end in errors that nobody expects.

What it decides for a key is fixed once an order has been executed. The tests decide
what becomes of each call.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from wallet_app.gateways.bank import (
    Answer,
    BankTimeout,
    BankUnavailable,
    Declined,
    Direction,
    Order,
    Paid,
)


class Fate(Enum):
    """What becomes of a call."""

    HEARD = auto()
    """It is done and answered."""

    LOST_BEFORE = auto()
    """The order never arrives, and no answer comes."""

    LOST_AFTER = auto()
    """It is done, and the answer gets lost."""

    LATER = auto()
    """The order is on its way: no answer comes, and it is done when it arrives."""

    TWICE = auto()
    """It is done and answered, and the order arrives once more."""

    UNAVAILABLE = auto()

    BROKEN_BEFORE = auto()
    BROKEN_AFTER = auto()
    """An error that nobody expects, before it is done or after."""

    OVERTAKEN = auto()
    OVERTAKEN_AND_LOST = auto()
    """While the call is on its way, something else happens; then it is done and
    answered, or it never arrives."""


class AdversarialBank:
    """Pays from and to accounts whose names begin with `pays`, and declines for all
    others. Calls meet the fates that were put, in turn; then they are heard."""

    def __init__(self) -> None:
        self.fates: list[Fate] = []
        self.delayed: list[Order] = []
        self.answers: dict[str, Answer] = {}
        self.paid: dict[str, Order] = {}
        """What was paid, by key: its books."""

        self.meanwhile: Callable[[str], None] = lambda key: None
        """What happens to a payment that is overtaken."""

    def pay(self, order: Order) -> Answer:
        fate = self._next()
        if fate in (Fate.LATER, Fate.TWICE):
            self.delayed.append(order)
        self._before(fate, order.key)
        self.execute(order)
        self._after(fate)
        return self.answers[order.key]

    def look_up(self, key: str) -> Answer | None:
        fate = self._next()
        self._before(fate, key)
        self._after(fate)
        return self.answers.get(key)

    def execute(self, order: Order) -> None:
        """Do what an order says, once for its key."""
        if order.key in self.answers:
            return
        if order.account.startswith("pays"):
            self.answers[order.key] = Paid()
            self.paid[order.key] = order
        else:
            self.answers[order.key] = Declined("no")

    def moved(self, direction: Direction) -> int:
        """Return what was paid in one direction."""
        return sum(
            order.amount for order in self.paid.values() if order.direction is direction
        )

    def _next(self) -> Fate:
        return self.fates.pop(0) if self.fates else Fate.HEARD

    def _before(self, fate: Fate, key: str) -> None:
        match fate:
            case Fate.LOST_BEFORE | Fate.LATER:
                raise BankTimeout("no answer came")
            case Fate.UNAVAILABLE:
                raise BankUnavailable("the bank is busy")
            case Fate.BROKEN_BEFORE:
                raise RuntimeError("before")
            case Fate.OVERTAKEN:
                self.meanwhile(key)
            case Fate.OVERTAKEN_AND_LOST:
                self.meanwhile(key)
                raise BankTimeout("no answer came")

    def _after(self, fate: Fate) -> None:
        match fate:
            case Fate.LOST_AFTER:
                raise BankTimeout("the answer got lost")
            case Fate.BROKEN_AFTER:
                raise RuntimeError("after")
