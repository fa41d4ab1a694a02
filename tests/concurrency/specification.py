"""The contract of the service, as what each operation does when it runs alone.

Each operation is a pure function from one ledger to a result and the next ledger. No
lock, no thread and no rollback is in it, because a sequential ledger needs none. It
knows nothing of the product: how the service is asked is in `calls.py` and
`http_requests.py`.

Here is what changes wallets. Approvals, payments, webhooks and what only reads have
files of their own.
"""

from __future__ import annotations

import re
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar

from tests.concurrency.ledger import DOLLARS, Book, Kept, Ledger, Refusal, currency_of
from tests.concurrency.results import (
    CRASHED,
    Approval,
    Quoted,
    Refused,
    Result,
)

AMOUNT_MAX = 2**53 - 1
"""The largest balance: the largest integer that every JSON client reads exactly."""

HOUSE = "house"
"""Whose wallets are the liquidity wallets."""

RATE = 2
"""How many cents one paisa is: dollars are cheap here."""


@dataclass(frozen=True)
class Operation:
    """One request to the service.

    `key` is its Idempotency-Key. `faults` are the writes to a balance, counted from
    1 within the call, that fail: also those that put a balance back.
    """

    key: str | None = field(default=None, kw_only=True)
    faults: tuple[int, ...] = field(default=(), kw_only=True)

    writes: ClassVar[int] = 0
    """How many writes to a balance the operation needs to succeed."""

    of_workers: ClassVar[bool] = False
    """Whether the service's own workers do it: then it has no key, and cannot be asked
    for over HTTP, and it says itself what a crash leaves behind."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        """Return the result and the next ledger, or raise Refusal. `by` is the label
        that the operation leaves on what it records."""
        raise NotImplementedError

    def __str__(self) -> str:
        """As people write it: `deduct(asha, 60)`."""
        values = [str(getattr(self, each.name)) for each in self._fields(False)]
        name = re.sub("(?!^)([A-Z])", r"_\1", type(self).__name__).lower()
        text = f"{name}({', '.join(values)})"
        if self.key is not None:
            text += f" key={self.key}"
        if self.faults:
            text += f" crash at write {' and '.join(map(str, self.faults))}"
        return text

    def __repr__(self) -> str:
        """As the Python that makes it."""
        values = [repr(getattr(self, each.name)) for each in self._fields(False)]
        values += [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in self._fields(True)
            if getattr(self, each.name) != each.default
        ]
        return f"{type(self).__name__}({', '.join(values)})"

    def _fields(self, kw_only: bool) -> list[Field[Any]]:
        return [each for each in fields(self) if each.kw_only is kw_only]


def answer(ledger: Ledger, operation: Operation, by: str) -> tuple[Result, Ledger]:
    """Return what the service answers, and the ledger after that: the one place that
    says what keys, refusals and crashes mean."""
    request = replace(operation, key=None, faults=())
    for kept in ledger.kept:
        if kept.key == operation.key:
            same = kept.request == request
            return kept.result if same else Refused(KEY_REUSED), ledger
    try:
        result, after = operation.apply(ledger, by)
        waits = isinstance(result, Approval) or operation.of_workers
        writes = 0 if waits else operation.writes
    except Refusal as refusal:
        result, after, writes = refusal.result, ledger, refusal.writes
    if any(fault <= writes for fault in operation.faults):
        result, after = CRASHED, ledger
    if operation.key is not None and is_kept(result):
        after = after._replace(kept=after.kept | {Kept(operation.key, request, result)})
    return result, after


def is_kept(result: Result) -> bool:
    """Tell whether this is the one result that its idempotency key will ever have."""
    return result not in (CRASHED, *map(Refused, CONFLICTS))


CONFLICTS = ("wallet_exists", "approval_closed", "quote_used", "payment_not_parked")
"""Refusals that no key keeps."""


KEY_REUSED, KEY_IN_PROGRESS = "idempotency_key_reused", "idempotency_in_progress"


@dataclass(frozen=True, repr=False)
class Create(Operation):
    name: str
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        if self.name in dict(ledger.books):
            raise Refusal("wallet_exists")
        book = Book(currency_of(self.name))
        return book.snapshot(self.name), ledger.with_book(self.name, book)


@dataclass(frozen=True, repr=False)
class Add(Operation):
    wallet: str
    amount: int
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        check(None, ledger.book(self.wallet), self.amount)
        return ledger.move(self.wallet, "CREDIT", self.amount, by)


@dataclass(frozen=True, repr=False)
class Deduct(Operation):
    wallet: str
    amount: int
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)
        check(book, None, self.amount)
        if waits(book, self.amount):
            return ledger.wait(self.wallet, self, by)
        return self.approved(ledger, by)

    def approved(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        check(ledger.book(self.wallet), None, self.amount)
        return ledger.move(self.wallet, "DEBIT", -self.amount, by)


@dataclass(frozen=True, repr=False)
class Transfer(Operation):
    source: str
    target: str
    amount: int
    writes = 2

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        source, target = ledger.book(self.source), ledger.book(self.target)
        if self.source == self.target:
            raise Refusal("same_wallet")
        check(source, target, self.amount)
        if waits(source, self.amount):
            return ledger.wait(self.source, self, by)
        return self.approved(ledger, by)

    def approved(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        source, target = ledger.book(self.source), ledger.book(self.target)
        check(source, target, self.amount)
        sent, ledger = ledger.move(self.source, "TRANSFER_OUT", -self.amount, by)
        received, ledger = ledger.move(self.target, "TRANSFER_IN", self.amount, by)
        return (sent, received), ledger


@dataclass(frozen=True, repr=False)
class Freeze(Operation):
    """The reason is the label of the call, so that it shows which one froze it."""

    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)
        book = book._replace(frozen=by if book.frozen is None else book.frozen)
        return book.snapshot(self.wallet), ledger.with_book(self.wallet, book)


@dataclass(frozen=True, repr=False)
class Unfreeze(Operation):
    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)._replace(frozen=None)
        return book.snapshot(self.wallet), ledger.with_book(self.wallet, book)


@dataclass(frozen=True, repr=False)
class SetLimits(Operation):
    """None lets as much leave in a day as there is."""

    wallet: str
    daily: int | None
    threshold: int | None = None

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)
        book = book._replace(daily=self.daily, threshold=self.threshold)
        return book.usage(self.wallet), ledger.with_book(self.wallet, book)


@dataclass(frozen=True, repr=False)
class Quote(Operation):
    """Quotes what an amount of INR comes to in USD."""

    amount: int

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        quoted = Quoted(self.amount, self.amount * RATE)
        for name in (HOUSE, DOLLARS + HOUSE):
            if name not in dict(ledger.books):
                ledger = ledger.with_book(name, Book(currency_of(name)))
        return quoted, ledger._replace(quotes=ledger.quotes | {(by, quoted)})


@dataclass(frozen=True, repr=False)
class Exchange(Operation):
    """Transfers with a quote; `label` is that of the quote."""

    source: str
    target: str
    amount: int
    label: str
    writes = 4

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        source, target = ledger.book(self.source), ledger.book(self.target)
        quotes = dict(ledger.quotes)
        if self.label not in quotes:
            raise Refusal("quote_not_found")
        _refuse_frozen(source, target)
        quoted = quotes[self.label]
        if quoted is None:
            raise Refusal("quote_used")
        check(source, None, self.amount)
        quotes[self.label] = None
        ledger = ledger._replace(quotes=frozenset(quotes.items()))
        comes_to, house = quoted.to_amount, (HOUSE, DOLLARS + HOUSE)
        sent, ledger = ledger.move(self.source, "TRANSFER_OUT", -self.amount, by)
        _, ledger = ledger.move(house[0], "TRANSFER_IN", self.amount, by)
        _, ledger = ledger.move(house[1], "TRANSFER_OUT", -comes_to, by)
        received, ledger = ledger.move(self.target, "TRANSFER_IN", comes_to, by)
        return (sent, received), ledger


@dataclass(frozen=True, repr=False)
class Batch(Operation):
    """Adds, deducts and transfers, one after the other at one moment: all of them, or
    none if one is refused or would have to wait."""

    operations: tuple[Add | Deduct | Transfer, ...]

    @property
    def writes(self) -> int:  # type: ignore[override]  # it depends on the operations
        return sum(each.writes for each in self.operations)

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        results, before = [], ledger
        for index, operation in enumerate(self.operations):
            try:
                result, ledger = operation.apply(ledger, by)
                if isinstance(result, Approval):
                    raise Refusal("approval_required")
            except Refusal as refusal:
                made = sum(each.writes for each in self.operations[:index])
                restored = len({*ledger.balances} - {*before.balances})
                raise refusal.of(index, made + restored) from None
            results.append(result)
        return tuple(results), ledger

    def __str__(self) -> str:
        """As people write it: `batch(add(asha, 60), deduct(ravi, 60))`."""
        text = super().__str__().removeprefix(f"batch({self.operations}")
        return f"batch({', '.join(map(str, self.operations))}{text}"


def check(source: Book | None, target: Book | None, amount: int) -> None:
    """Refuse a movement for the first reason that the service has."""
    _refuse_frozen(source, target)
    if source is not None and source.balance < amount:
        raise Refusal("insufficient_funds", balance=source.balance, amount=amount)
    if target is not None and target.balance + amount > AMOUNT_MAX:
        raise Refusal("balance_overflow", amount=amount, maximum=AMOUNT_MAX)
    if source is not None and source.daily is not None:
        remaining = max(source.daily - source.spent, 0)
        if amount > remaining:
            used = {"used": source.spent, "remaining": remaining}
            raise Refusal("limit_exceeded", amount=amount, limit=source.daily, **used)


def _refuse_frozen(source: Book | None, target: Book | None) -> None:
    if any(book is not None and book.frozen is not None for book in (source, target)):
        raise Refusal("wallet_frozen")


def waits(source: Book, amount: int) -> bool:
    return source.threshold is not None and amount > source.threshold
