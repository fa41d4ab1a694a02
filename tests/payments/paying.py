"""A service with a bank, and wallets whose payments it pays or declines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

from tests.ledgers import (
    SECOND,
    Clock,
    Codes,
    Receivers,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    InsufficientFunds,
    LimitExceeded,
    WalletFrozen,
)
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.gateways.bank import Answer, Direction, Order
from wallet_app.gateways.sandbox_bank import SandboxBank, Statement
from wallet_app.services.payments.payment import PaymentSnapshot, PaymentStatus
from wallet_app.settings import Settings

HOUR = 3600 * SECOND
DAY = 24 * HOUR
DEPOSIT, WITHDRAWAL = Direction.DEPOSIT, Direction.WITHDRAWAL
ATTEMPTS_MAX = Settings().payment_max_attempts
Said = Answer | Exception | None


class Counted(SandboxBank):
    """The sandbox bank, which counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.orders: list[Order] = []

    def pay(self, order: Order) -> Answer:
        self.calls.append("pay")
        self.orders.append(order)
        return super().pay(order)

    def look_up(self, key: str) -> Answer | None:
        self.calls.append("look_up")
        return super().look_up(key)


class Telling:
    """A bank that says what it is told to say, in turn, whatever it is asked."""

    def __init__(self, *says: Said) -> None:
        self.says = list(says)
        self.calls: list[tuple[str, str]] = []

    def pay(self, order: Order) -> Answer:
        self.calls.append(("pay", order.key))
        said = self._say()
        assert said is not None
        return said

    def look_up(self, key: str) -> Answer | None:
        self.calls.append(("look_up", key))
        return self._say()

    def _say(self) -> Answer | None:
        said = self.says.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


class Paying:
    """A service with a bank, and a wallet of 1,000 in it."""

    def __init__(
        self,
        settings: Settings = Settings(),
        bank: Telling | None = None,
        balance: int = 1_000,
        **injected: Any,
    ) -> None:
        self.clock, self.bank, self.codes = Clock(), Counted(), Codes()
        self.receivers = Receivers()
        self.service = new_service(
            settings,
            clock=self.clock,
            bank=bank or self.bank,
            new_code=self.codes,
            send_code=self.codes.send,
            transport=self.receivers,
            **injected,
        )
        self.payments = self.service.payments
        self.wallet_id = open_wallet(self.service, balance)

    def ask(
        self, direction: Direction, account: str = "sandbox-ok", amount: int = 300
    ) -> str:
        """Ask for a payment and return its id."""
        ask_for = {DEPOSIT: self.payments.deposit, WITHDRAWAL: self.payments.withdraw}[
            direction
        ]
        return ask_for(self.wallet_id, amount, account).id

    def run(self, payment_id: str) -> PaymentSnapshot:
        """Make the attempts that are due, and return what the payment is then."""
        self.service.background.run_due()
        return self.payments.get(payment_id)

    def run_on(self, payment_id: str) -> PaymentSnapshot:
        """Make attempt after attempt, each when it is due, until none will come."""
        for _ in range(100):
            due = self.payments.get(payment_id).next_attempt_at
            if due is None:
                return self.payments.get(payment_id)
            self.clock.now = max(self.clock.now, due)
            self.run(payment_id)
        raise AssertionError("it does not end")

    def balance(self) -> int:
        return balances(self.service, self.wallet_id)[0]

    def moved(self, payment_id: str) -> list[tuple[str, int]]:
        """Return what the wallet's transactions for a payment say."""
        history = self.service.store.wallets[self.wallet_id].history
        return [
            (each.type, each.amount)
            for each in history
            if str(each.reference_id) == payment_id
        ]

    def in_flight(self) -> tuple[int, int]:
        """Return what is on its way out and in, by books that balance."""
        report = self.service.audit()
        assert report.problems == []
        totals = report.currencies["INR"]
        return totals.withdrawals_in_flight, totals.deposits_in_flight

    def usage(self) -> tuple[int, int]:
        usage = self.service.get_limits(self.wallet_id)
        return usage.spent_today, usage.spent_this_month


@contextmanager
def nothing_opens(paying: Paying) -> Iterator[None]:
    """Assert that the block moves nothing, and opens no payment."""
    before, queued = paying.payments.all(), paying.service.health().queued
    with nothing_moves(paying.service):
        yield
    assert paying.payments.all() == before
    assert paying.service.health().queued == queued


def assert_both_books_agree(paying: Paying) -> None:
    """Assert that the bank has moved what the wallets have, to the last unit."""
    histories = [each.history for each in paying.service.store.wallets.values()]
    moved: dict[str, int] = {}
    for transaction in chain.from_iterable(histories):
        if transaction.reference_id is not None:
            key = str(transaction.reference_id)
            moved[key] = moved.get(key, 0) + transaction.change
    in_and_out = Statement(
        sum(change for change in moved.values() if change > 0),
        -sum(change for change in moved.values() if change < 0),
    )
    assert paying.bank.statements().get("INR", Statement()) == in_and_out
    assert paying.in_flight() == (0, 0)


class Step(NamedTuple):
    """What a payment is after an attempt, and when the next one is due."""

    status: str
    bank_answer: str
    last_error: str | None
    wait_seconds: int | None


BUSY, CLOSED = "the bank is busy", "the bank is closed"
PAYS = Step("SUCCEEDED", "PAID", None, None)
SANDBOX: dict[str, list[Step]] = {
    "sandbox-ok": [PAYS],
    "sandbox-declines": [
        Step("FAILED", "DECLINED", "the account does not take part", None)
    ],
    "sandbox-flaky": [
        Step("PENDING", "NONE", BUSY, 1),
        Step("PENDING", "NONE", BUSY, 2),
        PAYS,
    ],
    "sandbox-times-out": [
        Step("PENDING", "UNKNOWN", "the answer did not arrive", 1),
        PAYS,
    ],
    "sandbox-down": [
        *(Step("PENDING", "NONE", CLOSED, wait) for wait in (1, 2, 4, 8, 16)),
        Step("PARKED", "NONE", CLOSED, None),
    ],
    "somewhere else": [Step("FAILED", "DECLINED", "there is no such account", None)],
}


def assert_ended_well(paying: Paying, payment: PaymentSnapshot) -> None:
    """Assert that a payment has moved what its status says, in both books."""
    moved, balance = {
        (WITHDRAWAL, "SUCCEEDED"): ([("DEBIT", 300)], 700),
        (WITHDRAWAL, "FAILED"): ([("DEBIT", 300), ("CREDIT", 300)], 1_000),
        (WITHDRAWAL, "PARKED"): ([("DEBIT", 300)], 700),
        (DEPOSIT, "SUCCEEDED"): ([("CREDIT", 300)], 1_300),
        (DEPOSIT, "FAILED"): ([], 1_000),
        (DEPOSIT, "PARKED"): ([], 1_000),
    }[payment.direction, payment.status]
    assert (paying.moved(payment.id), paying.balance()) == (moved, balance)
    assert {order.key for order in paying.bank.orders} == {payment.id}
    assert set(paying.bank.orders) == {payment.order}
    if payment.status is not PaymentStatus.PARKED:
        assert_both_books_agree(paying)
    elif payment.direction is WITHDRAWAL:
        assert paying.in_flight() == (300, 0)


def drained(paying: Paying) -> None:
    paying.service.deduct(paying.wallet_id, 701)


def frozen(paying: Paying) -> None:
    paying.service.freeze(paying.wallet_id, "Card stolen")


def limited(**limits: int) -> Callable[[Paying], object]:
    return lambda paying: paying.service.set_limits(paying.wallet_id, Limits(**limits))


def filled(paying: Paying) -> None:
    paying.service.add(paying.wallet_id, AMOUNT_MAX - 1_299)


REFUSED: list[tuple[Direction, Callable[[Paying], object], type[WalletError]]] = [
    (WITHDRAWAL, drained, InsufficientFunds),
    (WITHDRAWAL, frozen, WalletFrozen),
    (WITHDRAWAL, limited(per_transaction=299), LimitExceeded),
    (WITHDRAWAL, limited(daily=299), LimitExceeded),
    (WITHDRAWAL, limited(monthly=299), LimitExceeded),
    (DEPOSIT, frozen, WalletFrozen),
    (DEPOSIT, filled, BalanceOverflow),
]
Crowded = Callable[[int], Paying]
