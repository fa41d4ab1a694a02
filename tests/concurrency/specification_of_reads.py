"""The part of the specification that reads, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tests.concurrency.ledger import DOLLARS, OUTGOING, Ledger, Refusal
from tests.concurrency.results import (
    HistoryPage,
    Report,
    Rest,
    Result,
    Snapshot,
    Summed,
    Totals,
)
from tests.concurrency.specification import HOUSE, Operation


@dataclass(frozen=True, repr=False)
class Get(Operation):
    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.book(self.wallet).snapshot(self.wallet), ledger


@dataclass(frozen=True, repr=False)
class ListWallets(Operation):
    """All wallets of one user, by currency."""

    user: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return _snapshots(ledger, self.user), ledger


@dataclass(frozen=True, repr=False)
class ListLiquidity(Operation):
    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return _snapshots(ledger, HOUSE), ledger


@dataclass(frozen=True, repr=False)
class History(Operation):
    """The latest transactions of a wallet, all on one page."""

    wallet: str
    limit: ClassVar[int] = 100

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        latest_first = ledger.book(self.wallet).history[::-1]
        return HistoryPage(latest_first[: self.limit], len(latest_first)), ledger


@dataclass(frozen=True, repr=False)
class GetTransaction(Operation):
    """The first transaction of a wallet that the call with this label has made."""

    wallet: str
    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = dict(ledger.books).get(self.wallet)
        for entry in book.history if book is not None else ():
            if entry.by == self.label:
                return entry, ledger
        raise Refusal("transaction_not_found")


@dataclass(frozen=True, repr=False)
class Export(Operation):
    """All transactions of a wallet, latest first."""

    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.book(self.wallet).history[::-1], ledger


@dataclass(frozen=True, repr=False)
class Summarize(Operation):
    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)
        sums: dict[str, list[int]] = {}
        for entry in book.history:
            sums.setdefault(entry.type, []).append(entry.amount)
        types = tuple((type, len(sums[type]), sum(sums[type])) for type in sorted(sums))
        outgoing = sum(amount for type, _, amount in types if type in OUTGOING)
        total = sum(amount for _, _, amount in types)
        return Summed(book.currency, types, total - outgoing, outgoing), ledger


@dataclass(frozen=True, repr=False)
class Audit(Operation):
    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        totals: dict[str, list[int]] = {}
        for _, book in ledger.books:
            sums = totals.setdefault(book.currency, [0] * 5)
            sums[0] += book.balance
            for entry in book.history:
                sums[1] += entry.amount * (entry.type == "CREDIT")
                sums[2] += entry.amount * (entry.type == "DEBIT")
        for _, (payment, _, answered) in ledger.payments:
            if payment.is_open:
                sums = totals[ledger.book(payment.wallet).currency]
                out = payment.direction == "WITHDRAWAL"
                sums[3] += payment.amount * out
                sums[4] += payment.amount * (not out and answered == "PAID")
        currencies = tuple(
            Totals(currency, *sums) for currency, sums in sorted(totals.items())
        )
        entries = sum(len(book.history) for _, book in ledger.books)
        return Report((), len(ledger.books), entries, currencies), ledger


@dataclass(frozen=True, repr=False)
class GetLimits(Operation):
    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.book(self.wallet).usage(self.wallet), ledger


@dataclass(frozen=True, repr=False)
class AtRest(Operation):
    """Everything there is, read when nothing runs: the last call of each history."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return (
            Rest(
                tuple(
                    (book.snapshot(name), book.usage(name), book.history)
                    for name, book in ledger.books
                ),
                tuple(sorted(carried.payment for _, carried in ledger.payments)),
            ),
            ledger,
        )

    def __str__(self) -> str:
        return "The wallets"


def _snapshots(ledger: Ledger, user: str) -> tuple[Snapshot, ...]:
    """Return a user's wallets, by currency: INR comes before USD."""
    books = dict(ledger.books)
    names = (user, DOLLARS + user)
    return tuple(books[name].snapshot(name) for name in names if name in books)
