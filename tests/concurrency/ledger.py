"""The state of the specification: an immutable ledger, and the ledgers that follow it.

Nothing here changes: each method returns a new ledger. It imports nothing of the
service, and nothing of the product.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple, Protocol

from tests.concurrency.results import (
    Approval,
    Entry,
    Payment,
    Quoted,
    Refused,
    Result,
    Snapshot,
    Usage,
    Webhook,
)

CURRENCY = "INR"
OUTGOING = ("DEBIT", "TRANSFER_OUT")

DOLLARS = "$"
"""The name of a wallet in USD begins with this: `$asha` is asha's."""

PAYS, DECLINES = "sandbox-ok", "sandbox-declines"
TIMES_OUT, DOWN = "sandbox-times-out", "sandbox-down"
"""Bank accounts: the bank pays; declines; pays, but its first answer never arrives; is
never available."""


def currency_of(name: str) -> str:
    """Return the currency of the wallet with this name."""
    return "USD" if name.startswith(DOLLARS) else CURRENCY


class Movement(Hashable, Protocol):
    """What can wait for an approval."""

    @property
    def amount(self) -> int: ...

    def approved(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        """Return the result and the next ledger once it needs no approval."""
        ...


class Book(NamedTuple):
    """A wallet: its history, oldest first, which gives the balance too, and what was
    spent, less what the bank has not paid: all of it on one day, because no test lasts
    until the next."""

    currency: str = CURRENCY
    history: tuple[Entry, ...] = ()
    frozen: str | None = None
    daily: int | None = None
    threshold: int | None = None
    refunded: int = 0

    @property
    def balance(self) -> int:
        return self.history[-1].balance_after if self.history else 0

    @property
    def spent(self) -> int:
        left = sum(each.amount for each in self.history if each.type in OUTGOING)
        return left - self.refunded

    def snapshot(self, name: str) -> Snapshot:
        return Snapshot(name, self.currency, self.balance, self.frozen)

    def usage(self, name: str) -> Usage:
        return Usage(name, self.daily, self.spent)


class Held(NamedTuple):
    """A movement that is kept back, and its approval."""

    movement: Movement
    approval: Approval

    def refuse_closed(self) -> None:
        if self.approval.status != "PENDING":
            raise Refusal("approval_closed")


class Kept(NamedTuple):
    """An idempotency key, the request that it came with, and what that answered."""

    key: str
    request: Hashable
    result: Result


class Carried(NamedTuple):
    """A payment as it is carried through: `answer` is what the bank is known to have
    done, "UNKNOWN" after a time-out, and None when it was not reached."""

    payment: Payment
    account: str
    answer: str | None = None

    @property
    def answered(self) -> bool:
        return self.answer in ("PAID", "DECLINED")

    def asked(self) -> Carried:
        """Return it when the bank was asked once more."""
        if self.answered or self.account == DOWN:
            return self
        if self.account == TIMES_OUT and self.answer is None:
            return self._replace(answer="UNKNOWN")
        declined = self.account == DECLINES
        return self._replace(answer="DECLINED" if declined else "PAID")


class Ledger(NamedTuple):
    """All that the service knows: the wallets by name, the keys, and by the labels of
    their calls the movements that were kept back, and the quotes: None when they are
    used; the payments, oldest first, the attempts that have asked the bank, and the
    webhooks, oldest first."""

    books: tuple[tuple[str, Book], ...] = ()
    kept: frozenset[Kept] = frozenset()
    held_back: frozenset[tuple[str, Held]] = frozenset()
    quotes: frozenset[tuple[str, Quoted | None]] = frozenset()
    payments: tuple[tuple[str, Carried], ...] = ()
    asked: frozenset[str] = frozenset()
    webhooks: tuple[Webhook, ...] = ()

    def book(self, name: str) -> Book:
        for each, book in self.books:
            if each == name:
                return book
        raise Refusal("wallet_not_found")

    @property
    def balances(self) -> list[tuple[str, int]]:
        return [(name, book.balance) for name, book in self.books]

    def with_book(self, name: str, book: Book) -> Ledger:
        others = [pair for pair in self.books if pair[0] != name]
        return self._replace(books=tuple(sorted([*others, (name, book)])))

    def wait(self, name: str, movement: Movement, by: str) -> tuple[Approval, Ledger]:
        approval = Approval(name, movement.amount)
        return approval, self.with_held(by, Held(movement, approval))

    def held(self, label: str) -> Held:
        """Return what a call had to wait for."""
        for each, held in self.held_back:
            if each == label:
                return held
        raise Refusal("approval_not_found")

    def with_held(self, label: str, held: Held) -> Ledger:
        others = [pair for pair in self.held_back if pair[0] != label]
        return self._replace(held_back=frozenset([*others, (label, held)]))

    def move(self, name: str, type: str, change: int, by: str) -> tuple[Entry, Ledger]:
        book = self.book(name)
        entry = Entry(name, type, abs(change), book.balance + change, by)
        return entry, self.with_book(
            name, book._replace(history=(*book.history, entry))
        )

    def open(self, payment: Payment, account: str, by: str) -> tuple[Payment, Ledger]:
        carried = by, Carried(payment, account)
        return payment, self._replace(payments=(*self.payments, carried))

    def webhook(self, label: str) -> Webhook:
        if Webhook(label) not in self.webhooks:
            raise Refusal("webhook_not_found")
        return Webhook(label)

    def carried(self, label: str) -> Carried:
        """Return the payment that was last made with a label."""
        for each, carried in self.payments[::-1]:
            if each == label:
                return carried
        raise Refusal("payment_not_found")

    def with_carried(self, label: str, carried: Carried) -> Ledger:
        last = max(i for i, (each, _) in enumerate(self.payments) if each == label)
        payments = list(self.payments)
        payments[last] = label, carried
        return self._replace(payments=tuple(payments))

    def with_status(self, label: str, status: str) -> Ledger:
        carried = self.carried(label)
        payment = carried.payment._replace(status=status)
        return self.with_carried(label, carried._replace(payment=payment))


class Refusal(Exception):
    """Raised where an operation refuses; the ledger stays what it was. `writes` are
    those to a balance that were made before, and to put balances back."""

    writes = 0

    def __init__(self, code: str, **numbers: int) -> None:
        self.result = Refused(code, tuple(sorted(numbers.items())))

    def of(self, operation: int, writes: int) -> Refusal:
        """Return the refusal of a batch for this one of its operations."""
        code, numbers = self.result
        refusal = Refusal(code, **dict(numbers), operation=operation)
        refusal.writes = writes
        return refusal
