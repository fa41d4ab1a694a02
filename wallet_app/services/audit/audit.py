"""The audit: proves on the live data that the books are right.

It holds every wallet for as long as it takes to note each balance and the length
of each history, then reads without a lock: what it noted never changes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from wallet_app.domain.spending import SpendingCounters
from wallet_app.domain.transactions import AMOUNT_MAX, Transaction, WalletSnapshot
from wallet_app.services.audit.audit_parts import (
    TRANSFERS,
    Booked,
    Spending,
    Transfers,
    check_payments,
)
from wallet_app.services.audit.audit_report import AuditReport
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.payments.payments import Payments
from wallet_app.store import LockFactory, Store, Wallet


class Audit:
    """Checks every wallet against its history, every payment against what it has
    moved, and all of them together."""

    def __init__(
        self, store: Store, payments: Payments, lock_factory: LockFactory
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
            with self._store.all_locked() as wallets:
                books = [note(wallet) for wallet in wallets]
                payments = self._payments.all()
            report = prove(books, payments)
            self._latest = self._started, report
        return report


class Book(NamedTuple):
    """A wallet as it was noted under its lock."""

    wallet: WalletSnapshot
    balance_min: int
    spent: int
    counters: SpendingCounters
    history: list[Transaction]
    length: int


def note(wallet: Wallet) -> Book:
    return Book(
        wallet.snapshot(),
        wallet.balance_min,
        wallet.spent,
        wallet.counters,
        wallet.history,
        len(wallet.history),
    )


def prove(books: Sequence[Book], payments: Sequence[PaymentSnapshot]) -> AuditReport:
    """Return what all of it adds up to, and what does not hold."""
    report = AuditReport()
    of_house = {book.wallet.id for book in books if book.balance_min < 0}
    transfers = Transfers(of_house, report)
    booked: Booked = defaultdict(list)
    for book in books:
        _read(book, report, transfers, booked)
    transfers.check_all_matched()
    check_payments(payments, booked, report)
    for currency, totals in report.currencies.items():
        if totals.balances != totals.credits - totals.debits:
            report.add_problem(
                f"the balances in {currency} are {totals.balances}, but credits "
                f"less debits are {totals.credits - totals.debits}"
            )
    return report


def _read(
    book: Book, report: AuditReport, transfers: Transfers, booked: Booked
) -> None:
    """Read one history: check each transaction, add up, and match transfers."""
    wallet = book.wallet
    report.wallets += 1
    report.transactions += book.length
    totals = report.currencies[wallet.currency]
    totals.balances += wallet.balance
    balance, spending = 0, Spending(book.counters.zone)
    last: Transaction | None = None
    for transaction in islice(book.history, book.length):
        _check_transaction(book, last, transaction, report)
        balance += transaction.change
        last = transaction
        spending.count(transaction)
        if transaction.type in TRANSFERS:
            transfers.match(transaction)
            continue
        totals.add(transaction)
        if transaction.reference_id is not None:
            payment = wallet.id, str(transaction.reference_id)
            booked[payment].append(transaction.change)
    _check_wallet(book, last, balance, report)
    if not spending.agrees(book.spent, book.counters):
        report.add_problem("counts for its limits what it did not spend", wallet.id)


def _check_transaction(
    book: Book, last: Transaction | None, transaction: Transaction, report: AuditReport
) -> None:
    """One transaction: it belongs here, and follows from the one before."""
    wallet = book.wallet
    before = last.balance_after if last else 0
    if transaction.balance_after != before + transaction.change:
        report.add_problem_of(
            transaction,
            f"says balanceAfter {transaction.balance_after}, but "
            f"{before} {transaction.change:+} is {before + transaction.change}",
        )
    if not 1 <= transaction.amount <= AMOUNT_MAX:
        report.add_problem_of(transaction, f"has the amount {transaction.amount}")
    if not book.balance_min <= transaction.balance_after <= AMOUNT_MAX:
        report.add_problem_of(
            transaction, f"left the balance {transaction.balance_after}"
        )
    if transaction.wallet_id != wallet.id or transaction.currency != wallet.currency:
        report.add_problem(
            "transaction stands in the wrong history", wallet.id, transaction.id
        )
    if transaction.created_at < (last or wallet).created_at:
        report.add_problem_of(transaction, "is older than what came before it")


def _check_wallet(
    book: Book, last: Transaction | None, total: int, report: AuditReport
) -> None:
    """One wallet: it agrees with its history."""
    wallet, balance = book.wallet, book.wallet.balance
    if not book.balance_min <= balance <= AMOUNT_MAX:
        report.add_problem(f"the balance is {balance}", wallet.id)
    if balance != total:
        report.add_problem(
            f"the balance is {balance}, but the transactions add up to {total}",
            wallet.id,
        )
    if balance != (last.balance_after if last else 0):
        report.add_problem(
            f"the balance is {balance}, which is not the last balanceAfter",
            wallet.id,
            last.id if last else None,
        )
