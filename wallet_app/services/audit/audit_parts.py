"""What an audit asks of transactions that belong together: the two sides of a transfer,
the movements of a payment, and all that was spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from uuid_utils import UUID

from wallet_app.domain.spending import SpendingCounters
from wallet_app.domain.transactions import OUTGOING, Transaction, TransactionType
from wallet_app.services.audit.audit_report import AuditReport
from wallet_app.services.payments.payment import BankAnswer, PaymentSnapshot

TRANSFERS = frozenset({TransactionType.TRANSFER_IN, TransactionType.TRANSFER_OUT})


class Transfers:
    """Matches the two sides of each transfer, and the two currencies of an exchange."""

    def __init__(self, of_house: AbstractSet[str], report: AuditReport) -> None:
        self._of_house = of_house
        self._report = report
        self._one_sided: dict[tuple[UUID | None, str], Transaction] = {}
        self._exchanged: dict[UUID | None, Transaction] = {}

    def match(self, transaction: Transaction) -> None:
        key = transaction.reference_id, transaction.currency
        other = self._one_sided.pop(key, None)
        if other is None:
            self._one_sided[key] = transaction
        elif not _is_transfer(other, transaction):
            self._report.add_problem_of(
                transaction, "does not match its transfer's other side"
            )
        elif not self._of_house.isdisjoint((other.wallet_id, transaction.wallet_id)):
            if self._exchanged.pop(transaction.reference_id, None) is None:
                self._exchanged[transaction.reference_id] = transaction

    def check_all_matched(self) -> None:
        for transaction in self._one_sided.values():
            self._report.add_problem_of(
                transaction, "is one side of a transfer without the other"
            )
        for transaction in self._exchanged.values():
            self._report.add_problem_of(
                transaction, "is in one currency of an exchange without the other"
            )


def _is_transfer(one: Transaction, other: Transaction) -> bool:
    """Return whether two transactions are the two sides of one transfer."""
    return (
        one.change + other.change == 0
        and one.currency == other.currency
        and one.wallet_id != other.wallet_id
        and one.reference_id is not None
    )


class Spending:
    """Counts again, from its history, what a wallet has spent."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._spent = 0
        self._counters = SpendingCounters(zone)
        self._of_payments: dict[UUID, Transaction] = {}

    def count(self, transaction: Transaction) -> None:
        amount = transaction.amount
        if transaction.type in OUTGOING:
            self._counters = self._counters.at(transaction.created_at, self._spent)
            self._spent += amount
        if transaction.type in TRANSFERS or transaction.reference_id is None:
            return
        debit = self._of_payments.setdefault(transaction.reference_id, transaction)
        if debit is not transaction:
            self._counters = self._counters.refunded(debit.created_at, amount)
            self._spent -= amount

    def agrees(self, spent: int, counters: SpendingCounters) -> bool:
        """Return whether a wallet has counted the same."""
        counted = replace(self._counters, signals=counters.signals)
        return (spent, counters) == (self._spent, counted)


Booked = dict[tuple[str, str], list[int]]
"""What a wallet's transactions for a payment have changed, by the ids of both."""


def check_payments(
    payments: Sequence[PaymentSnapshot], booked: Booked, report: AuditReport
) -> None:
    """Check what each payment has moved, and add up what is in flight."""
    for payment in payments:
        changes = tuple(booked.get((payment.wallet_id, payment.id), ()))
        if changes != payment.booked:
            report.add_problem(
                f"payment {payment.id} is {payment.status} and has moved "
                f"{_signed(changes)}, not {_signed(payment.booked)}",
                payment.wallet_id,
            )
        if payment.is_open:
            totals = report.currencies[payment.currency]
            if payment.booked:
                totals.withdrawals_in_flight += payment.amount
            elif payment.bank_answer is BankAnswer.PAID:
                totals.deposits_in_flight += payment.amount
    known = {(payment.wallet_id, payment.id) for payment in payments}
    for wallet_id, payment_id in booked:
        if (wallet_id, payment_id) not in known:
            report.add_problem(f"there is no payment {payment_id}", wallet_id)


def _signed(changes: Sequence[int]) -> str:
    return " ".join(f"{change:+}" for change in changes) or "nothing"
