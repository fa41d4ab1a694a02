"""The audit: proves on the live data that the books are right.

It holds every wallet for as long as it takes to note each balance and the length
of each history, then reads without a lock: what it noted never changes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from msgspec.structs import replace
from uuid_utils import UUID

from wallet_app.domain import (
    AMOUNT_MAX,
    OUTGOING,
    Transaction,
    TransactionType,
    WalletSnapshot,
)
from wallet_app.spending import Memory
from wallet_app.store import Store, Wallet

PROBLEMS_MAX = 100
"""Problems that one report lists. More of them tell nothing new."""


@dataclass(slots=True)
class CurrencyTotals:
    """Sums in minor units of one currency; `credits` and `debits` are what came
    from outside and went there."""

    balances: int = 0
    credits: int = 0
    debits: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not hold, and where."""

    detail: str
    wallet_id: str | None = None
    transaction_id: UUID | None = None


@dataclass(slots=True)
class AuditReport:
    """What was read, and what was found that does not hold."""

    wallets: int = 0
    transactions: int = 0
    currencies: defaultdict[str, CurrencyTotals] = field(
        default_factory=lambda: defaultdict(CurrencyTotals)
    )
    problems: list[Problem] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        return not self.problems


class Audit:
    """Checks every wallet against its history, and all of them together."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self) -> AuditReport:
        """Take one consistent snapshot of everything, and prove it."""
        with self._store.all_locked() as wallets:
            books = [_note(wallet) for wallet in wallets]
        report = AuditReport()
        for problem in _problems(books, report):
            if len(report.problems) < PROBLEMS_MAX:
                report.problems.append(problem)
        return report


class Book(NamedTuple):
    """A wallet as it was noted under its lock."""

    wallet: WalletSnapshot
    balance_min: int
    spent: int
    memory: Memory
    history: list[Transaction]
    length: int


def _note(wallet: Wallet) -> Book:
    return Book(
        wallet.snapshot(),
        wallet.balance_min,
        wallet.spent,
        wallet.memory,
        wallet.history,
        len(wallet.history),
    )


def _problems(books: list[Book], report: AuditReport) -> Iterator[Problem]:
    """Yield what does not hold, and add up the report on the way."""
    one_sided: dict[tuple[UUID | None, str], Transaction] = {}
    exchanged: dict[UUID | None, Transaction] = {}
    of_house = {book.wallet.id for book in books if book.balance_min < 0}
    for book in books:
        wallet, history, length = book.wallet, book.history, book.length
        report.wallets += 1
        report.transactions += length
        totals = report.currencies[wallet.currency]
        totals.balances += wallet.balance
        balance = spent = 0
        memory = Memory(book.memory.zone)
        previous: Transaction | None = None
        for transaction in islice(history, length):
            yield from _transaction_problems(book, previous, transaction)
            balance += transaction.change
            previous = transaction
            if transaction.type in OUTGOING:
                memory = memory.at(transaction.created_at, spent)
                spent += transaction.amount
            if transaction.type is TransactionType.CREDIT:
                totals.credits += transaction.amount
            elif transaction.type is TransactionType.DEBIT:
                totals.debits += transaction.amount
            else:
                key = transaction.reference_id, transaction.currency
                other = one_sided.pop(key, None)
                if other is None:
                    one_sided[key] = transaction
                elif not _is_transfer(other, transaction):
                    yield _at(transaction, "does not match its transfer's other side")
                elif not of_house.isdisjoint((other.wallet_id, transaction.wallet_id)):
                    if exchanged.pop(transaction.reference_id, None) is None:
                        exchanged[transaction.reference_id] = transaction
        yield from _wallet_problems(book, previous, balance)
        if (book.spent, book.memory) != (spent, replace(memory, past=book.memory.past)):
            yield Problem("counts for its limits what it did not spend", wallet.id)
    for transaction in one_sided.values():
        yield _at(transaction, "is one side of a transfer without the other")
    for transaction in exchanged.values():
        yield _at(transaction, "is in one currency of an exchange without the other")
    for currency, totals in report.currencies.items():
        if totals.balances != totals.credits - totals.debits:
            yield Problem(
                f"the balances in {currency} are {totals.balances}, but credits "
                f"less debits are {totals.credits - totals.debits}"
            )


def _transaction_problems(
    book: Book, previous: Transaction | None, transaction: Transaction
) -> Iterator[Problem]:
    """One transaction: it belongs here, and follows from the one before."""
    wallet = book.wallet
    before = previous.balance_after if previous else 0
    if transaction.balance_after != before + transaction.change:
        yield _at(
            transaction,
            f"says balanceAfter {transaction.balance_after}, but "
            f"{before} {transaction.change:+} is {before + transaction.change}",
        )
    if not 1 <= transaction.amount <= AMOUNT_MAX:
        yield _at(transaction, f"has the amount {transaction.amount}")
    if not book.balance_min <= transaction.balance_after <= AMOUNT_MAX:
        yield _at(transaction, f"left the balance {transaction.balance_after}")
    if transaction.wallet_id != wallet.id or transaction.currency != wallet.currency:
        yield _at(transaction, "stands in the wrong history", wallet.id)
    if transaction.created_at < (previous or wallet).created_at:
        yield _at(transaction, "is older than what came before it")


def _wallet_problems(
    book: Book, last: Transaction | None, total: int
) -> Iterator[Problem]:
    """One wallet: it agrees with its history."""
    wallet, balance = book.wallet, book.wallet.balance
    if not book.balance_min <= balance <= AMOUNT_MAX:
        yield Problem(f"the balance is {balance}", wallet.id)
    if balance != total:
        yield Problem(
            f"the balance is {balance}, but the transactions add up to {total}",
            wallet.id,
        )
    if balance != (last.balance_after if last else 0):
        yield Problem(
            f"the balance is {balance}, which is not the last balanceAfter",
            wallet.id,
            last.id if last else None,
        )


def _is_transfer(one: Transaction, other: Transaction) -> bool:
    """Tell whether two transactions are the two sides of one transfer."""
    return (
        one.change + other.change == 0
        and one.currency == other.currency
        and one.wallet_id != other.wallet_id
        and one.reference_id is not None
    )


def _at(transaction: Transaction, what: str, wallet_id: str | None = None) -> Problem:
    return Problem(
        f"transaction {what}", wallet_id or transaction.wallet_id, transaction.id
    )
