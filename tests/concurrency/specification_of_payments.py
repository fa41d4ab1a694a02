"""The part of the specification that carries payments through."""

from __future__ import annotations

from dataclasses import dataclass

from tests.concurrency.ledger import Ledger, Refusal
from tests.concurrency.results import CRASHED, NOBODY, Done, Payment, Result
from tests.concurrency.specification import Operation, check, waits


@dataclass(frozen=True, repr=False)
class Withdraw(Operation):
    wallet: str
    amount: int
    account: str
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)
        check(book, None, self.amount)
        if waits(book, self.amount):
            return ledger.wait(self.wallet, self, by)
        return self.approved(ledger, by)

    def approved(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        check(ledger.book(self.wallet), None, self.amount)
        _, ledger = ledger.move(self.wallet, "DEBIT", -self.amount, NOBODY)
        payment = Payment(self.wallet, "WITHDRAWAL", self.amount, "PENDING")
        return ledger.open(payment, self.account, by)


@dataclass(frozen=True, repr=False)
class Deposit(Operation):
    wallet: str
    amount: int
    account: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        check(None, ledger.book(self.wallet), self.amount)
        payment = Payment(self.wallet, "DEPOSIT", self.amount, "PENDING")
        return ledger.open(payment, self.account, by)


@dataclass(frozen=True, repr=False)
class GetPayment(Operation):
    """`label` is that of the call that made the payment."""

    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.carried(self.label).payment, ledger


@dataclass(frozen=True, repr=False)
class Retry(Operation):
    """Takes a parked payment up again."""

    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        if ledger.carried(self.label).payment.status != "PARKED":
            raise Refusal("payment_not_parked")
        ledger = ledger.with_status(self.label, "PENDING")
        return ledger.carried(self.label).payment, ledger


@dataclass(frozen=True, repr=False)
class Attempt(Operation):
    """A worker brings a payment one step on. Two at once are two workers that have
    picked one job."""

    label: str
    writes = 1
    of_workers = True

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        for half in self.halves:
            result, ledger = half.apply(ledger, by)
        return result, ledger

    @property
    def halves(self) -> tuple[Learn, Settle]:
        """What it does, one after the other, while others look: the bank is asked under
        no lock, and an audit sees what it has paid before the wallet has it."""
        return Learn(self.label), Settle(self.label, faults=self.faults)


@dataclass(frozen=True, repr=False)
class Learn(Attempt):
    """The first half of an attempt: what the bank has done is known."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        carried = ledger.carried(self.label)
        if carried.payment.is_open:
            ledger = ledger.with_carried(self.label, carried.asked())
        return Done(), ledger._replace(asked=ledger.asked | {by})


@dataclass(frozen=True, repr=False)
class Settle(Attempt):
    """The second half of an attempt: what the bank has done is booked. None says that
    the first half has not come yet."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        if by not in ledger.asked:
            return None, ledger
        ledger = ledger._replace(asked=ledger.asked - {by})
        payment, _, answered = carried = ledger.carried(self.label)
        if not payment.is_open:
            return Done(), ledger
        parked = ledger.with_status(self.label, "PARKED")
        if not carried.answered:
            return Done(), parked
        paid, deposit = answered == "PAID", payment.direction == "DEPOSIT"
        ended = ledger.with_status(self.label, "SUCCEEDED" if paid else "FAILED")
        if paid is not deposit:
            return Done(), ended
        book = ledger.book(payment.wallet)
        if not deposit:
            book = book._replace(frozen=None)  # what comes back, comes back
        try:
            check(None, book, payment.amount)
        except Refusal:
            return Done(), parked
        if 1 in self.faults:
            return CRASHED, parked
        return Done(), _arrived(ended, payment)


def _arrived(ledger: Ledger, payment: Payment) -> Ledger:
    """Return the ledger when a wallet has what was paid in, or not paid out."""
    _, ledger = ledger.move(payment.wallet, "CREDIT", payment.amount, NOBODY)
    if payment.direction == "DEPOSIT":
        return ledger
    book = ledger.book(payment.wallet)
    refunded = book.refunded + payment.amount
    return ledger.with_book(payment.wallet, book._replace(refunded=refunded))
