"""The audit: proves on the live data that the books are right.

It holds every wallet for as long as it takes to note each balance and the length
of each history, then reads without a lock: what it noted never changes again.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from wallet_app.domain.spending import SpendingCounters
from wallet_app.domain.transactions import AMOUNT_MAX, Transaction, WalletSnapshot
from wallet_app.services.audit.audit_parts import (
    TRANSFERS,
    Booked,
    Spending,
    Transfers,
    payment_problems,
)
from wallet_app.services.audit.audit_report import (
    PROBLEMS_MAX,
    AuditReport,
    Problem,
    at,
)
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.payments.payments import Payments
from wallet_app.store import LockFactory, Store, Wallet


class Audit:
    """Checks every wallet against its history, every payment against what it has
    moved, and all of them together."""

    def __init__(
        self,
        store: Store,
        payments: Payments,
        lock_factory: LockFactory = threading.Lock,
    ) -> None:
        self._store = store
        self._payments = payments
        self._turn = lock_factory()
        self._started = 0
        self._latest: tuple[int, AuditReport] | None = None

    def run(self) -> AuditReport:
        """Take one consistent snapshot of everything, and prove it.

        One audit runs at a time. Of those who ask while it runs, the first to have the
        turn runs the next one and the others share its report, so that every report is
        of a moment after it was asked for.
        """
        asked_after = self._started
        with self._turn:
            if self._latest is not None and self._latest[0] > asked_after:
                return self._latest[1]
            self._started += 1
            report = self._prove()
            self._latest = self._started, report
        return report

    def _prove(self) -> AuditReport:
        with self._store.all_locked() as wallets:
            books = [_note(wallet) for wallet in wallets]
            payments = self._payments.all()
        report = AuditReport()
        for problem in _problems(books, payments, report):
            if len(report.problems) < PROBLEMS_MAX:
                report.problems.append(problem)
        return report


class Book(NamedTuple):
    """A wallet as it was noted under its lock."""

    wallet: WalletSnapshot
    balance_min: int
    spent: int
    counters: SpendingCounters
    history: list[Transaction]
    length: int


def _note(wallet: Wallet) -> Book:
    return Book(
        wallet.snapshot(),
        wallet.balance_min,
        wallet.spent,
        wallet.counters,
        wallet.history,
        len(wallet.history),
    )


def _problems(
    books: list[Book], payments: Sequence[PaymentSnapshot], report: AuditReport
) -> Iterator[Problem]:
    """Yield what does not hold, and add up the report on the way."""
    transfers = Transfers({book.wallet.id for book in books if book.balance_min < 0})
    booked: Booked = defaultdict(list)
    for book in books:
        wallet, history, length = book.wallet, book.history, book.length
        report.wallets += 1
        report.transactions += length
        totals = report.currencies[wallet.currency]
        totals.balances += wallet.balance
        balance, spending = 0, Spending(book.counters.zone)
        previous: Transaction | None = None
        for transaction in islice(history, length):
            yield from _transaction_problems(book, previous, transaction)
            balance += transaction.change
            previous = transaction
            spending.count(transaction)
            if transaction.type in TRANSFERS:
                yield from transfers.match(transaction)
                continue
            totals.add(transaction)
            if transaction.reference_id is not None:
                payment = wallet.id, str(transaction.reference_id)
                booked[payment].append(transaction.change)
        yield from _wallet_problems(book, previous, balance)
        if not spending.agrees(book.spent, book.counters):
            yield Problem("counts for its limits what it did not spend", wallet.id)
    yield from transfers.unmatched()
    yield from payment_problems(payments, booked, report)
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
        yield at(
            transaction,
            f"says balanceAfter {transaction.balance_after}, but "
            f"{before} {transaction.change:+} is {before + transaction.change}",
        )
    if not 1 <= transaction.amount <= AMOUNT_MAX:
        yield at(transaction, f"has the amount {transaction.amount}")
    if not book.balance_min <= transaction.balance_after <= AMOUNT_MAX:
        yield at(transaction, f"left the balance {transaction.balance_after}")
    if transaction.wallet_id != wallet.id or transaction.currency != wallet.currency:
        yield at(transaction, "stands in the wrong history", wallet.id)
    if transaction.created_at < (previous or wallet).created_at:
        yield at(transaction, "is older than what came before it")


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
