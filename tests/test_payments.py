"""Payments with the bank: the money comes out right whatever the bank answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.answers import NOBODY, assert_problem, post
from tests.ledgers import (
    SECOND,
    START,
    BoundedLock,
    Clock,
    Codes,
    Ids,
    Receivers,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app import create_app
from wallet_app.domain.errors.approval_errors import ApprovalClosed
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.payment_errors import (
    PaymentNotFound,
    PaymentNotParked,
    PaymentsExhausted,
)
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    FraudBlocked,
    InsufficientFunds,
    LimitExceeded,
    WalletFrozen,
    WalletNotFound,
)
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.gateways.bank import (
    Answer,
    BankTimeout,
    BankUnavailable,
    Declined,
    Direction,
    Order,
    Paid,
)
from wallet_app.gateways.sandbox_bank import SandboxBank, Statement
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import Event, EventType
from wallet_app.services.idempotency import Claim
from wallet_app.services.payments import payment_table
from wallet_app.services.payments.payment import (
    BankAnswer,
    PaymentSnapshot,
    PaymentStatus,
)
from wallet_app.services.payments.payments import UNEXPECTED
from wallet_app.services.service import full_jitter
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
        ask_for = {
            DEPOSIT: self.payments.deposit,
            WITHDRAWAL: self.payments.withdraw,
        }[direction]
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


# What becomes of a payment, for each account of the sandbox


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


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("account", SANDBOX)
def test_a_payment_goes_its_way_step_by_step_and_no_attempt_comes_early(
    account: str, direction: Direction
) -> None:
    paying = Paying()
    payment_id = paying.ask(direction, account)
    taken = 300 if direction is WITHDRAWAL else 0
    assert paying.payments.get(payment_id) == PaymentSnapshot(
        id=payment_id,
        wallet_id=paying.wallet_id,
        direction=direction,
        amount=300,
        currency="INR",
        bank_account=account,
        status=PaymentStatus.PENDING,
        bank_answer=BankAnswer.NONE,
        attempts=0,
        last_error=None,
        next_attempt_at=START,
        created_at=START,
        updated_at=START,
    )
    debit = [("DEBIT", 300)] if direction is WITHDRAWAL else []
    assert (paying.balance(), paying.in_flight()) == (1_000 - taken, (taken, 0))
    assert (paying.moved(payment_id), paying.bank.calls) == (debit, [])
    for attempts, step in enumerate(SANDBOX[account], 1):
        is_now = paying.run(payment_id)
        due = is_now.next_attempt_at
        wait = None if due is None else (due - paying.clock.now) / SECOND
        assert (is_now.status, is_now.bank_answer, is_now.last_error, wait) == step
        assert (is_now.attempts, is_now.updated_at) == (attempts, paying.clock.now)
        if due is None:
            break
        assert paying.moved(payment_id) == debit
        assert paying.in_flight() == (taken, 0)
        paying.clock.now = due - 1
        assert paying.run(payment_id) == is_now
        paying.clock.now = due
    assert attempts == len(SANDBOX[account])
    assert_ended_well(paying, is_now)
    paying.clock.now += DAY
    assert paying.run(payment_id) == is_now


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


@pytest.mark.parametrize("direction", Direction)
def test_after_a_time_out_the_bank_is_asked_what_it_has_done_before_it_is_asked_again(
    direction: Direction,
) -> None:
    bank = Telling(
        BankTimeout("late"),
        *(BankUnavailable("busy"), None, BankTimeout("late again")),
        *(None, BankUnavailable("busy")),
        *(None, Paid()),
    )
    paying = Paying(bank=bank)
    payment_id = paying.ask(direction)
    answers = []
    while paying.payments.get(payment_id).next_attempt_at is not None:
        is_now = paying.run(payment_id)
        answers.append((is_now.status, is_now.bank_answer, is_now.last_error))
        paying.clock.now = is_now.next_attempt_at or 0
    pending = "PENDING", "UNKNOWN"
    assert answers == [
        (*pending, "late"),
        (*pending, "busy"),
        (*pending, "late again"),
        (*pending, "busy"),
        ("SUCCEEDED", "PAID", None),
    ]
    calls = ["pay", "look_up", "look_up", "pay", "look_up", "pay", "look_up", "pay"]
    assert bank.calls == [(call, payment_id) for call in calls]


@pytest.mark.parametrize("direction", Direction)
def test_what_the_bank_has_done_unheard_counts_as_if_it_had_been_heard(
    direction: Direction,
) -> None:
    for answer, status in ((Paid(), "SUCCEEDED"), (Declined("no"), "FAILED")):
        paying = Paying(bank=Telling(BankTimeout("late"), answer))
        payment_id = paying.ask(direction)
        assert paying.run_on(payment_id).status == status
        back_or_in = (direction is DEPOSIT) is (status == "SUCCEEDED")
        moved = [("DEBIT", 300)] * (direction is WITHDRAWAL)
        moved += [("CREDIT", 300)] * back_or_in
        assert paying.moved(payment_id) == moved
        assert paying.in_flight() == (0, 0)


def test_nothing_is_given_back_for_as_long_as_the_bank_may_have_paid() -> None:
    paying = Paying(bank=Telling(*[BankTimeout("late")] * 2 * ATTEMPTS_MAX))
    payment_id = paying.ask(WITHDRAWAL)
    parked = paying.run_on(payment_id)
    assert (parked.status, parked.bank_answer) == ("PARKED", "UNKNOWN")
    assert paying.moved(payment_id) == [("DEBIT", 300)]
    assert paying.in_flight() == (300, 0)


def test_the_wait_doubles_up_to_an_hour() -> None:
    paying = Paying(Settings(payment_max_attempts=16))
    payment_id = paying.ask(WITHDRAWAL, "sandbox-down")
    waits = []
    for _ in range(15):
        due = paying.run(payment_id).next_attempt_at
        assert due is not None
        waits.append((due - paying.clock.now) // SECOND)
        paying.clock.now = due
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, *[3600] * 3]
    assert paying.run(payment_id).status == "PARKED"


def test_chance_shortens_each_wait_from_the_base_of_the_settings() -> None:
    asked: list[int] = []

    def jitter(longest: int) -> int:
        asked.append(longest)
        return longest // 3

    settings = Settings(payment_retry_base_seconds=90, payment_max_attempts=4)
    paying = Paying(settings, jitter=jitter)
    payment_id = paying.ask(DEPOSIT, "sandbox-down")
    paying.run(payment_id)
    assert paying.payments.get(payment_id).next_attempt_at == START + 30 * SECOND
    paying.run_on(payment_id)
    assert asked == [90 * SECOND, 180 * SECOND, 360 * SECOND]
    assert {full_jitter(2) for _ in range(200)} == {0, 1, 2}


def test_many_payments_go_their_ways_side_by_side_and_the_books_agree() -> None:
    paying = Paying()
    ids = [
        paying.ask(direction, account, amount)
        for amount, account in enumerate(SANDBOX, 1)
        for direction in Direction
    ]
    for payment_id in ids:
        paying.run_on(payment_id)
    ended = [paying.payments.get(payment_id) for payment_id in ids]
    assert paying.payments.all() == ended
    assert [each.status for each in ended if each.is_open] == ["PARKED"] * 2
    assert paying.in_flight() == (5, 0)
    assert paying.bank.statements()["INR"] == Statement(1 + 3 + 4, 1 + 3 + 4)
    assert paying.balance() == 1_000 - 5


def test_each_currency_has_its_own_books() -> None:
    paying = Paying()
    dollars = open_wallet(paying.service, 50, currency="USD")
    paying.payments.withdraw(dollars, 20, "sandbox-ok")
    paying.ask(DEPOSIT)
    paying.service.background.run_due()
    assert paying.bank.statements() == {
        "INR": Statement(paid_in=300),
        "USD": Statement(paid_out=20),
    }
    assert balances(paying.service, dollars) == [30]


class Overtaken(Telling):
    """While it is asked first, something else happens."""

    meanwhile: Callable[[str], object]

    def pay(self, order: Order) -> Answer:
        if not self.calls:
            self.calls.append(("overtaken", order.key))
            self.meanwhile(order.key)
        return super().pay(order)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("ends", [Paid(), Declined("no")], ids=repr)
@pytest.mark.parametrize(
    "late",
    [Paid(), Declined("late"), BankTimeout("late"), BankUnavailable("late")],
    ids=repr,
)
def test_an_answer_that_comes_late_or_again_changes_nothing(
    direction: Direction, ends: Answer, late: Said
) -> None:
    bank = Overtaken(ends, late)
    paying = Paying(bank=bank)
    payment_id, seen = paying.ask(direction), []

    def attempt(key: str) -> None:
        paying.payments.attempt(paying.payments.table.find(key))
        seen.append((paying.payments.get(key), paying.moved(key), paying.balance()))

    bank.meanwhile = attempt
    attempt(payment_id)
    attempt(payment_id)
    ended, *later = seen
    assert not ended[0].is_open
    assert later == [ended, ended]
    assert bank.says == []
    assert paying.service.audit().problems == []


@pytest.mark.parametrize("account", ["sandbox-down", "sandbox-ok"])
def test_a_clock_that_steps_back_does_not_turn_a_payment_back(account: str) -> None:
    paying = Paying(Settings(payment_max_attempts=1))
    payment_id = paying.ask(DEPOSIT, account)
    frozen(paying)
    paying.clock.now += HOUR
    latest = paying.run(payment_id).updated_at
    assert latest == paying.clock.now
    paying.clock.now -= HOUR
    assert paying.payments.retry(payment_id).updated_at == latest
    again = paying.run(payment_id)
    assert (again.status, again.attempts, again.updated_at) == ("PARKED", 2, latest)


def test_an_attempt_that_was_overtaken_waits_as_a_first_one_does() -> None:
    def fail_and_retry(key: str) -> None:
        payments.attempt(payments.table.find(key))
        payments.retry(key)

    bank = Overtaken(BankUnavailable("busy"), BankUnavailable("busy"), Paid())
    bank.meanwhile = fail_and_retry
    paying = Paying(Settings(payment_max_attempts=1), bank=bank)
    payments, payment_id = paying.payments, paying.ask(DEPOSIT)
    overtaken = payments.table.find(payment_id)
    assert payments.attempt(overtaken) == SECOND
    assert payments.get(payment_id).status == "PENDING"
    assert paying.run(payment_id).status == "SUCCEEDED"


@pytest.mark.parametrize("step", [-3_600, 86_400])
def test_no_step_of_the_wall_clock_moves_a_payment(step: int) -> None:
    monotonic = Clock()
    paying = Paying(bank=Telling(BankUnavailable("busy"), Paid()), monotonic=monotonic)
    payment_id, run_due = paying.ask(DEPOSIT), paying.service.background.run_due
    paying.clock.now += step * SECOND
    assert run_due() == 1
    busy = paying.payments.get(payment_id)
    assert busy.next_attempt_at == paying.clock.now + SECOND
    paying.clock.now += step * SECOND
    monotonic.now += SECOND - 1
    assert run_due() == 0
    monotonic.now += 1
    assert run_due() == 1
    assert paying.payments.get(payment_id).status == "SUCCEEDED"


def test_the_bank_is_asked_under_no_lock() -> None:
    held: set[BoundedLock] = set()

    class Noted(BoundedLock):
        def acquire(self) -> bool:
            held.add(self)
            return super().acquire()

        def release(self) -> None:
            super().release()
            held.discard(self)

    class Watching(Telling):
        def _say(self) -> Answer | None:
            assert not held
            return super()._say()

    bank = Watching(BankTimeout("late"), None, Declined("no"), Paid())
    paying = Paying(bank=bank, lock_factory=Noted)
    assert paying.run_on(paying.ask(WITHDRAWAL)).status == "FAILED"
    assert paying.run_on(paying.ask(DEPOSIT)).status == "SUCCEEDED"
    assert bank.says == []


# The rules that hold for whoever asks


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


@pytest.mark.parametrize(("direction", "prepare", "refusal"), REFUSED)
def test_a_payment_obeys_the_rules_and_what_they_refuse_opens_none(
    direction: Direction,
    prepare: Callable[[Paying], object],
    refusal: type[WalletError],
) -> None:
    paying = Paying()
    prepare(paying)
    with nothing_opens(paying), pytest.raises(refusal):
        paying.ask(direction)
    assert paying.service.background.run_due() == 0
    assert paying.bank.calls == []


@pytest.mark.parametrize(
    ("direction", "prepare"),
    [
        (WITHDRAWAL, limited(per_transaction=300, daily=300, monthly=300)),
        (WITHDRAWAL, lambda paying: paying.service.deduct(paying.wallet_id, 700)),
        (DEPOSIT, limited(per_transaction=0, daily=0, monthly=0)),
        (DEPOSIT, limited(approval_threshold=0)),
        (DEPOSIT, drained),
    ],
)
def test_what_the_rules_just_allow_is_paid(
    direction: Direction, prepare: Callable[[Paying], object]
) -> None:
    paying = Paying()
    prepare(paying)
    assert paying.run_on(paying.ask(direction)).status == "SUCCEEDED"


@pytest.mark.parametrize("direction", Direction)
def test_no_unknown_wallet_pays_or_is_paid(direction: Direction) -> None:
    paying = Paying()
    known, paying.wallet_id = paying.wallet_id, NOBODY
    with nothing_opens(paying), pytest.raises(WalletNotFound):
        paying.ask(direction)
    paying.wallet_id = known


def test_a_withdrawal_above_the_threshold_is_made_once_when_it_is_confirmed() -> None:
    paying = Paying()
    paying.service.set_limits(paying.wallet_id, Limits(approval_threshold=299))
    approvals = paying.service.approvals
    withdrawal = partial(paying.payments.withdraw, paying.wallet_id, 300, "sandbox-ok")
    with nothing_opens(paying):
        approval = approvals.run(withdrawal)
    assert isinstance(approval, ApprovalSnapshot)
    assert (approval.amount, approval.target_id) == (300, None)
    code = paying.codes.sent[approval.id]
    payment = approvals.confirm(approval.id, code)
    assert isinstance(payment, PaymentSnapshot)
    with nothing_opens(paying), pytest.raises(ApprovalClosed):
        approvals.confirm(approval.id, code)
    assert paying.run(payment.id).status == "SUCCEEDED"
    assert paying.moved(payment.id) == [("DEBIT", 300)]
    assert_both_books_agree(paying)


def test_a_fraud_rule_blocks_a_withdrawal() -> None:
    rules = Settings(fraud_rules=("velocity",), fraud_velocity_count=2)
    paying = Paying(rules)
    for _ in range(2):
        paying.ask(WITHDRAWAL, amount=1)
    withdrawal = partial(paying.payments.withdraw, paying.wallet_id, 1, "sandbox-ok")
    with nothing_opens(paying), pytest.raises(FraudBlocked):
        paying.service.approvals.run(withdrawal)
    assert [each.rule for each in paying.service.list_alerts().alerts] == ["velocity"]


def test_a_fraud_rule_sends_a_withdrawal_to_review() -> None:
    paying = Paying(Settings(fraud_rules=("drain",), fraud_drain_amount=500))
    withdrawal = partial(paying.payments.withdraw, paying.wallet_id, 900, "sandbox-ok")
    with nothing_opens(paying):
        approval = paying.service.approvals.run(withdrawal)
    assert isinstance(approval, ApprovalSnapshot)
    assert approval.reason == "drain"
    code = paying.codes.sent[approval.id]
    payment = paying.service.confirm_approval(approval.id, code)
    assert isinstance(payment, PaymentSnapshot)
    assert paying.run(payment.id).status == "SUCCEEDED"


# What the bank declines comes back


def test_what_comes_back_arrives_in_a_frozen_wallet() -> None:
    paying = Paying()
    payment_id = paying.ask(WITHDRAWAL, "sandbox-declines")
    frozen(paying)
    assert paying.run(payment_id).status == "FAILED"
    assert paying.moved(payment_id) == [("DEBIT", 300), ("CREDIT", 300)]
    assert_both_books_agree(paying)


class Day(NamedTuple):
    """When a withdrawal is made and when it comes back, in hours since the start of
    2026 in UTC; what counts then of what else was spent: today, and this month."""

    zone: str
    taken: float
    refunded: float
    today: int
    this_month: int


DAYS = {
    "the same day": Day("UTC", 10, 11, 100 + 50, 100 + 50),
    "the next day": Day("UTC", 23.5, 24, 50, 100 + 50),
    "a week later": Day("UTC", 23.5, 8 * 24, 50, 100 + 50),
    "across the month's end": Day("UTC", 31 * 24 - 0.5, 31 * 24, 50, 50),
    "two months later": Day("UTC", 10, 70 * 24, 50, 50),
    "midnight in India": Day("Asia/Kolkata", 18, 18.5, 50, 100 + 50),
    "midnight in London": Day("Asia/Kolkata", 23.5, 24.5, 100 + 50, 100 + 50),
    "the month's end in India": Day("Asia/Kolkata", 31 * 24 - 6, 31 * 24 - 5, 50, 50),
}


@pytest.mark.parametrize("spends_first", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("day", DAYS.values(), ids=DAYS)
def test_what_comes_back_was_spent_neither_today_nor_on_its_day(
    day: Day, spends_first: bool
) -> None:
    paying = Paying(Settings(time_zone=ZoneInfo(day.zone)), balance=10_000)
    deduct = partial(paying.service.deduct, paying.wallet_id)
    paying.clock.now = START + int(day.taken * HOUR)
    deduct(100)
    payment_id = paying.ask(WITHDRAWAL, "sandbox-declines")
    assert paying.usage() == (400, 400)
    paying.clock.now = START + int(day.refunded * HOUR)
    if spends_first:
        deduct(50)
    assert paying.run(payment_id).status == "FAILED"
    if not spends_first:
        assert paying.usage() == (day.today - 50, day.this_month - 50)
        deduct(50)
    assert paying.usage() == (day.today, day.this_month)
    paying.service.set_limits(paying.wallet_id, Limits(daily=500, monthly=600))
    left = min(500 - day.today, 600 - day.this_month)
    with nothing_moves(paying.service), pytest.raises(LimitExceeded):
        deduct(left + 1)
    deduct(left)
    assert_both_books_agree(paying)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deduct"), st.integers(1, 9)),
        st.tuples(st.just("withdraw"), st.integers(10, 99)),
        st.tuples(st.just("wait"), st.integers(1, 12)),
        st.tuples(st.just("month"), st.just(0)),
        st.tuples(st.just("answer"), st.just(0)),
    ),
    max_size=16,
)


@pytest.mark.slow
@given(
    steps=STEPS,
    zone=st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]),
    start=st.integers(0, 23),
)
@hypothesis_settings(max_examples=150)
def test_what_counts_is_what_was_spent_that_day_and_did_not_come_back(
    steps: Sequence[tuple[str, int]], zone: str, start: int
) -> None:
    paying = Paying(Settings(time_zone=ZoneInfo(zone)), balance=10_000)
    paying.clock.now += start * HOUR
    spent: list[tuple[int, int]] = []
    declined: list[tuple[int, int]] = []

    def counted(form: str) -> int:
        """Return what was spent on the day, or in the month, that it is now."""

        def local(at: int) -> str:
            moment = datetime.fromtimestamp(at // SECOND, UTC)
            return moment.astimezone(ZoneInfo(zone)).strftime(form)

        now = local(paying.clock.now)
        return sum(amount for at, amount in spent if local(at) == now)

    for name, value in steps:
        match name:
            case "deduct":
                paying.service.deduct(paying.wallet_id, value)
                spent.append((paying.clock.now, value))
            case "withdraw":
                paying.ask(WITHDRAWAL, "sandbox-declines", value)
                spent.append((paying.clock.now, value))
                declined.append(spent[-1])
            case "wait":
                paying.clock.now += value * HOUR
            case "month":
                paying.clock.now += 27 * DAY
            case _:
                paying.service.background.run_due()
                for each in declined:
                    spent.remove(each)
                declined.clear()
        assert paying.usage() == (counted("%Y-%m-%d"), counted("%Y-%m"))
        assert paying.service.audit().problems == []


def test_what_comes_back_is_no_arrival_and_was_never_sent() -> None:
    rules = Settings(fraud_rules=("drain", "spike"), fraud_drain_amount=500)
    paying = Paying(rules)
    paying.clock.now += 2 * HOUR
    wallet = paying.service.store.wallets[paying.wallet_id]
    before = wallet.counters.signals
    payment_id = paying.ask(WITHDRAWAL, "sandbox-declines", 900)
    assert wallet.counters.signals.sent_count == before.sent_count + 1
    assert paying.run(payment_id).status == "FAILED"
    assert wallet.counters.signals.sent_count == before.sent_count
    assert wallet.counters.signals.arrivals == before.arrivals
    paying.service.deduct(paying.wallet_id, 900)


def test_what_a_bank_pays_in_is_an_arrival() -> None:
    paying = Paying(Settings(fraud_rules=("drain",), fraud_drain_amount=500))
    paying.clock.now += 2 * HOUR
    paying.run(paying.ask(DEPOSIT, amount=900))
    withdrawal = partial(paying.payments.withdraw, paying.wallet_id, 900, "sandbox-ok")
    with nothing_opens(paying):
        assert isinstance(paying.service.approvals.run(withdrawal), ApprovalSnapshot)


Change = Callable[[Paying], object]


class Hindrance(NamedTuple):
    """What keeps the money of a payment from its wallet, and how that is mended."""

    direction: Direction
    account: str
    bank_answer: str
    code: str
    get_in_the_way: Change
    go_away: Change
    in_flight: tuple[int, int]
    ends: str


HINDRANCES = {
    "no room for what comes back": Hindrance(
        WITHDRAWAL,
        "sandbox-declines",
        "DECLINED",
        "balance_overflow",
        lambda paying: paying.service.add(paying.wallet_id, AMOUNT_MAX - 700),
        lambda paying: paying.service.deduct(paying.wallet_id, AMOUNT_MAX - 700),
        (300, 0),
        "FAILED",
    ),
    "no room for what was paid in": Hindrance(
        DEPOSIT,
        "sandbox-times-out",
        "PAID",
        "balance_overflow",
        lambda paying: paying.service.add(paying.wallet_id, AMOUNT_MAX - 1_000),
        lambda paying: paying.service.deduct(paying.wallet_id, AMOUNT_MAX - 1_000),
        (0, 300),
        "SUCCEEDED",
    ),
    "frozen meanwhile": Hindrance(
        DEPOSIT,
        "sandbox-ok",
        "PAID",
        "wallet_frozen",
        frozen,
        lambda paying: paying.service.unfreeze(paying.wallet_id),
        (0, 300),
        "SUCCEEDED",
    ),
}


@pytest.mark.parametrize("name", HINDRANCES)
def test_money_that_cannot_reach_its_wallet_waits_and_the_bank_is_asked_no_more(
    name: str,
) -> None:
    case, paying = HINDRANCES[name], Paying()
    payment_id = paying.ask(case.direction, case.account)
    case.get_in_the_way(paying)
    late = case.account == "sandbox-times-out"
    if late:
        paying.run(payment_id)
        paying.clock.now += SECOND
    with nothing_moves(paying.service):
        waits = paying.run(payment_id)
        assert (waits.status, waits.bank_answer) == ("PENDING", case.bank_answer)
        assert waits.last_error == case.code
        assert waits.next_attempt_at is not None
        assert paying.in_flight() == case.in_flight
        calls = list(paying.bank.calls)
        parked = paying.run_on(payment_id)
        assert (parked.status, parked.bank_answer) == ("PARKED", case.bank_answer)
        assert (parked.attempts, parked.last_error) == (ATTEMPTS_MAX, case.code)
        assert paying.in_flight() == case.in_flight
    case.go_away(paying)
    assert paying.run(payment_id) == parked
    paying.payments.retry(payment_id)
    ended = paying.run(payment_id)
    assert (ended.status, ended.bank_answer) == (case.ends, case.bank_answer)
    assert ended.attempts == ATTEMPTS_MAX + 1
    assert paying.bank.calls == calls
    assert_ended_well(paying, ended)


def test_money_reaches_its_wallet_by_itself_once_nothing_is_in_the_way() -> None:
    for case in HINDRANCES.values():
        paying = Paying()
        payment_id = paying.ask(case.direction, case.account)
        case.get_in_the_way(paying)
        for _ in range(3):
            paying.clock.now = paying.run(payment_id).next_attempt_at or 0
        case.go_away(paying)
        ended = paying.run(payment_id)
        assert (ended.status, ended.attempts) == (case.ends, 4)
        assert ended.last_error == (
            None if case.ends == "SUCCEEDED" else "the account does not take part"
        )
        assert_ended_well(paying, ended)


# Taken up again by hand


@pytest.mark.parametrize("direction", Direction)
def test_a_parked_payment_is_taken_up_again_with_the_same_key(
    direction: Direction,
) -> None:
    paying = Paying()
    payment_id = paying.ask(direction, "sandbox-down")
    parked = paying.run_on(payment_id)
    paying.clock.now += DAY
    with nothing_moves(paying.service):
        pending = paying.payments.retry(payment_id)
        assert (pending.status, pending.next_attempt_at) == (
            "PENDING",
            paying.clock.now,
        )
        assert pending.attempts == parked.attempts == ATTEMPTS_MAX
        assert pending.updated_at == paying.clock.now
        again = paying.run(payment_id)
        assert (again.status, again.attempts) == ("PENDING", ATTEMPTS_MAX + 1)
        assert again.next_attempt_at == paying.clock.now + SECOND
        parked = paying.run_on(payment_id)
        assert (parked.status, parked.attempts) == ("PARKED", 2 * ATTEMPTS_MAX)
    assert {order.key for order in paying.bank.orders} == {payment_id}


def test_a_payment_that_was_parked_unheard_is_looked_up_when_it_is_taken_up() -> None:
    silent: list[Said] = [BankTimeout("late")] * ATTEMPTS_MAX
    bank = Telling(*silent, Declined("no"))
    paying = Paying(bank=bank)
    payment_id = paying.ask(WITHDRAWAL)
    assert paying.run_on(payment_id).bank_answer == "UNKNOWN"
    paying.payments.retry(payment_id)
    assert paying.run(payment_id).status == "FAILED"
    assert bank.calls[-1] == ("look_up", payment_id)
    assert paying.moved(payment_id) == [("DEBIT", 300), ("CREDIT", 300)]


def test_only_a_parked_payment_is_taken_up_again() -> None:
    paying = Paying()
    pending = paying.ask(DEPOSIT, "sandbox-flaky")
    paying.run(pending)
    succeeded, failed = paying.ask(DEPOSIT), paying.ask(DEPOSIT, "nowhere")
    paying.run(failed)
    with nothing_opens(paying):
        for payment_id, status in (
            (pending, "PENDING"),
            (succeeded, "SUCCEEDED"),
            (failed, "FAILED"),
        ):
            with pytest.raises(PaymentNotParked) as refused:
                paying.payments.retry(payment_id)
            assert refused.value.values == {
                "payment_id": payment_id,
                "payment_status": status,
            }
        with pytest.raises(PaymentNotFound):
            paying.payments.retry(NOBODY)
        with pytest.raises(PaymentNotFound):
            paying.payments.get(NOBODY)


# How many there may be


Crowded = Callable[[int], Paying]


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Crowded:
    """Make a service that carries out so few payments at a time."""

    def paying(under_way_max: int) -> Paying:
        monkeypatch.setattr(payment_table, "UNDER_WAY_MAX", under_way_max)
        return Paying(Settings(payment_retry_base_seconds=1), new_id=Ids())

    return paying


@pytest.mark.parametrize("account", ["sandbox-ok", "sandbox-declines"])
@pytest.mark.parametrize("direction", Direction)
def test_more_payments_than_there_are_places_are_refused_until_one_ends(
    crowded: Crowded, direction: Direction, account: str
) -> None:
    paying = crowded(2)
    paying.run(paying.ask(direction, "sandbox-down", 1))
    ends = paying.ask(direction, account, 1)
    for other in Direction:
        with nothing_opens(paying), pytest.raises(PaymentsExhausted) as refused:
            paying.ask(other)
        assert refused.value.values == {"maximum": 2, "retry_after_seconds": 60}
    assert not paying.run(ends).is_open
    paying.ask(direction, amount=1)
    with nothing_opens(paying), pytest.raises(PaymentsExhausted):
        paying.ask(direction)


@pytest.mark.parametrize(("direction", "prepare", "refusal"), REFUSED)
def test_a_payment_that_is_refused_gives_its_place_back(
    crowded: Crowded,
    direction: Direction,
    prepare: Callable[[Paying], object],
    refusal: type[WalletError],
) -> None:
    paying = crowded(1)
    prepare(paying)
    for _ in range(2):
        with nothing_opens(paying), pytest.raises(refusal):
            paying.ask(direction)


def test_a_parked_payment_has_no_place_until_it_is_taken_up_again(
    crowded: Crowded,
) -> None:
    paying = crowded(1)
    parked = paying.ask(DEPOSIT, "sandbox-down")
    paying.run_on(parked)
    assert paying.payments.get(parked).status is PaymentStatus.PARKED
    ends = paying.ask(DEPOSIT)
    with nothing_opens(paying), pytest.raises(PaymentsExhausted):
        paying.payments.retry(parked)
    assert paying.payments.get(parked).status is PaymentStatus.PARKED
    paying.run(ends)
    paying.payments.retry(parked)
    with nothing_opens(paying), pytest.raises(PaymentsExhausted):
        paying.ask(DEPOSIT)


def test_a_place_is_given_back_once(crowded: Crowded) -> None:
    paying = crowded(1)
    first = paying.ask(DEPOSIT)
    paying.run(first)
    paying.payments.attempt(paying.payments.table.find(first))
    paying.ask(DEPOSIT, "sandbox-down")
    with nothing_opens(paying), pytest.raises(PaymentsExhausted):
        paying.ask(DEPOSIT)


def test_a_withdrawal_that_waits_for_its_approval_has_no_place(
    crowded: Crowded,
) -> None:
    paying = crowded(1)
    paying.service.set_limits(paying.wallet_id, Limits(approval_threshold=0))
    withdrawal = partial(paying.payments.withdraw, paying.wallet_id, 1, "sandbox-down")
    asked = [paying.service.approvals.run(withdrawal) for _ in range(2)]
    one, other = (each for each in asked if isinstance(each, ApprovalSnapshot))
    confirm = paying.service.confirm_approval
    confirm(one.id, paying.codes.sent[one.id])
    with nothing_opens(paying), pytest.raises(PaymentsExhausted):
        confirm(other.id, paying.codes.sent[other.id])
    assert paying.service.get_approval(other.id) == other


# A bank that does what no bank may


@pytest.mark.parametrize("direction", Direction)
def test_an_error_that_nobody_expected_is_noted_and_the_payment_goes_on(
    direction: Direction, caplog: pytest.LogCaptureFixture
) -> None:
    bank = Telling(RuntimeError("secret"), RuntimeError("secret"), None, Paid())
    paying = Paying(bank=bank)
    http = create_app(paying.service).test_client()
    payment_id = paying.ask(direction)
    for attempts in (1, 2):
        is_now = paying.run(payment_id)
        assert (is_now.status, is_now.bank_answer) == ("PENDING", "UNKNOWN")
        assert (is_now.last_error, is_now.attempts) == (UNEXPECTED, attempts)
        assert is_now.next_attempt_at == paying.clock.now + attempts * SECOND
        health = paying.service.health()
        assert health.last_error == "payments: RuntimeError"
        assert (health.last_error_at, health.running) == (paying.clock.now, 0)
        for path in (f"/payments/{payment_id}", "/health"):
            shown = http.get(path)
            assert shown.status_code == 200
            assert "secret" not in shown.text and "Traceback" not in shown.text
        paying.clock.now = is_now.next_attempt_at
    assert paying.run(payment_id).status == "SUCCEEDED"
    assert [call for call, _ in bank.calls] == ["pay", "look_up", "look_up", "pay"]
    assert "secret" in caplog.text
    assert paying.in_flight() == (0, 0)


def test_a_bank_that_always_breaks_parks_its_payments_and_keeps_no_other_waiting() -> (
    None
):
    broken: list[Said] = [RuntimeError("broken")] * ATTEMPTS_MAX
    paying = Paying(bank=Telling(*broken, Paid()))
    payment_id = paying.ask(WITHDRAWAL)
    parked = paying.run_on(payment_id)
    assert (parked.status, parked.bank_answer) == ("PARKED", "UNKNOWN")
    assert paying.run(paying.ask(WITHDRAWAL)).status == "SUCCEEDED"


def test_what_was_answered_is_not_forgotten_for_an_error_that_comes_after() -> None:
    paying = Paying()
    broken: list[int] = []

    def jitter(longest: int) -> int:
        broken.append(longest)
        if len(broken) == 1:
            raise RuntimeError
        return longest

    paying = Paying(jitter=jitter)
    payment_id = paying.ask(DEPOSIT)
    frozen(paying)
    is_now = paying.run(payment_id)
    assert (is_now.status, is_now.bank_answer) == ("PENDING", "PAID")
    assert is_now.last_error == UNEXPECTED
    assert paying.in_flight() == (0, 300)
    paying.service.unfreeze(paying.wallet_id)
    assert paying.run_on(payment_id).status == "SUCCEEDED"
    assert paying.bank.calls == ["pay"]
    assert_both_books_agree(paying)


# Over HTTP, and what is told to webhooks


@pytest.fixture
def paying() -> Paying:
    return Paying()


@pytest.fixture
def http(paying: Paying) -> FlaskClient:
    return create_app(paying.service).test_client()


PATHS = {DEPOSIT: "/wallet/deposit", WITHDRAWAL: "/wallet/withdraw"}


def body_of(paying: Paying, **others: object) -> dict[str, object]:
    body = {"walletId": paying.wallet_id, "amount": 300, "bankAccount": "sandbox-ok"}
    return body | others


@pytest.mark.parametrize("direction", Direction)
def test_asking_answers_the_payment_and_where_it_can_be_followed(
    http: FlaskClient, paying: Paying, direction: Direction
) -> None:
    asked = post(http, PATHS[direction], body_of(paying))
    assert asked.status_code == 202
    payment = asked.get_json()
    assert payment == {
        "id": payment["id"],
        "walletId": paying.wallet_id,
        "direction": direction,
        "amount": 300,
        "currency": "INR",
        "bankAccount": "sandbox-ok",
        "status": "PENDING",
        "bankAnswer": "NONE",
        "attempts": 0,
        "lastError": None,
        "nextAttemptAt": "2026-01-01T00:00:00.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
    assert asked.location == f"/payments/{payment['id']}"
    assert http.get(asked.location).get_json() == payment
    paying.clock.now += SECOND
    paying.service.background.run_due()
    assert http.get(asked.location).get_json() == payment | {
        "status": "SUCCEEDED",
        "bankAnswer": "PAID",
        "attempts": 1,
        "nextAttemptAt": None,
        "updatedAt": "2026-01-01T00:00:01.000Z",
    }
    page = http.get(f"/wallet/{paying.wallet_id}/transactions").get_json()
    assert page["transactions"][0]["referenceId"] == payment["id"]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(
    "wrong",
    [
        *({"bankAccount": account} for account in ("", "x" * 65, "a\n", " a", "\n")),
        *({"bankAccount": account} for account in (42, None, ["a"], "a\0", "konto€")),
        *({"amount": amount} for amount in (0, -1, 5.0, "5", True, AMOUNT_MAX + 1)),
        {"walletId": "42"},
        {"category": "food"},
        {"currency": "INR"},
    ],
    ids=str,
)
def test_what_is_no_payment_opens_none(
    http: FlaskClient,
    paying: Paying,
    direction: Direction,
    wrong: dict[str, object],
) -> None:
    with nothing_opens(paying):
        response = post(http, PATHS[direction], body_of(paying, **wrong))
        problem = assert_problem(response, 400, "invalid_request")
    assert list(problem["errors"]) == list(wrong)
    for missing in body_of(paying):
        body = body_of(paying)
        del body[missing]
        with nothing_opens(paying):
            response = post(http, PATHS[direction], body)
            assert_problem(response, 400, "invalid_request")


@pytest.mark.parametrize("direction", Direction)
def test_a_request_with_a_key_opens_one_payment(
    http: FlaskClient, paying: Paying, direction: Direction
) -> None:
    key = {"Idempotency-Key": "k"}
    first = post(http, PATHS[direction], body_of(paying), **key)
    paying.service.background.run_due()
    with nothing_opens(paying):
        again = post(http, PATHS[direction], body_of(paying), **key)
        assert (again.status_code, again.data) == (202, first.data)
        assert again.location == first.location
        assert again.headers["Idempotent-Replayed"] == "true"
        response = post(http, PATHS[direction], body_of(paying, amount=1), **key)
        assert_problem(response, 422, "idempotency_key_reused")
    assert [each.id for each in paying.payments.all()] == [first.get_json()["id"]]


def test_a_withdrawal_that_waits_is_confirmed_over_http(
    http: FlaskClient, paying: Paying
) -> None:
    paying.service.set_limits(paying.wallet_id, Limits(approval_threshold=100))
    with nothing_opens(paying):
        asked = post(http, "/wallet/withdraw", body_of(paying))
    assert asked.status_code == 202
    id = asked.get_json()["approvalId"]
    assert asked.location == f"/approvals/{id}"
    otp, key = {"otp": paying.codes.sent[id]}, {"Idempotency-Key": "k"}
    confirmed = post(http, f"/approvals/{id}/confirm", otp, **key)
    assert confirmed.status_code == 202
    payment = confirmed.get_json()
    assert confirmed.location == f"/payments/{payment['id']}"
    assert http.get(confirmed.location).get_json() == payment
    with nothing_opens(paying):
        again = post(http, f"/approvals/{id}/confirm", otp, **key)
        assert (again.data, again.location) == (confirmed.data, confirmed.location)
        closed = post(http, f"/approvals/{id}/confirm", otp)
        assert_problem(closed, 409, "approval_closed")
    paying.service.background.run_due()
    assert http.get(confirmed.location).get_json()["status"] == "SUCCEEDED"


def test_taking_up_again_answers_the_payment_and_is_done_once_for_a_key(
    http: FlaskClient, paying: Paying
) -> None:
    asked = post(
        http, "/wallet/withdraw", body_of(paying, bankAccount="sandbox-down")
    ).get_json()
    path, key = f"/payments/{asked['id']}", {"Idempotency-Key": "k"}
    refused = assert_problem(
        http.post(f"{path}/retry", headers=key), 409, "payment_not_parked"
    )
    assert (refused["paymentId"], refused["paymentStatus"]) == (asked["id"], "PENDING")
    paying.run_on(asked["id"])
    parked = http.get(path).get_json()
    assert (parked["status"], parked["nextAttemptAt"]) == ("PARKED", None)
    taken_up = http.post(f"{path}/retry", headers=key)
    assert taken_up.status_code == 202
    assert taken_up.get_json() == parked | {
        "status": "PENDING",
        "nextAttemptAt": "2026-01-01T00:00:31.000Z",
    }
    paying.run_on(asked["id"])
    attempts = http.get(path).get_json()["attempts"]
    replayed = http.post(f"{path}/retry", headers=key)
    assert (replayed.status_code, replayed.data) == (202, taken_up.data)
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert paying.run(asked["id"]).attempts == attempts == 2 * ATTEMPTS_MAX
    with nothing_opens(paying):
        wrong = post(http, f"{path}/retry", {"force": True})
        assert_problem(wrong, 400, "invalid_request")


def test_a_path_that_names_no_payment_is_not_found(http: FlaskClient) -> None:
    for id, code in ((NOBODY, "payment_not_found"), ("42", "not_found")):
        assert_problem(http.get(f"/payments/{id}"), 404, code)
        assert_problem(http.post(f"/payments/{id}/retry"), 404, code)


def test_refusals_are_told_over_http_and_open_nothing(
    http: FlaskClient, paying: Paying
) -> None:
    for direction in Direction:
        response = post(http, PATHS[direction], body_of(paying, walletId=NOBODY))
        assert_problem(response, 404, "wallet_not_found")
    with nothing_opens(paying):
        poor = post(http, "/wallet/withdraw", body_of(paying, amount=1_001))
        problem = assert_problem(poor, 400, "insufficient_funds")
    assert (problem["balance"], problem["amount"]) == (1_000, 1_001)
    frozen(paying)
    for direction in Direction:
        with nothing_opens(paying):
            response = post(http, PATHS[direction], body_of(paying))
            assert_problem(response, 423, "wallet_frozen")


def test_too_many_payments_are_told_when_to_come_back(crowded: Crowded) -> None:
    paying = crowded(1)
    http, key = create_app(paying.service).test_client(), {"Idempotency-Key": "k"}
    post(http, "/wallet/deposit", body_of(paying))
    for direction in Direction:
        with nothing_opens(paying):
            response = post(http, PATHS[direction], body_of(paying), **key)
            assert_problem(response, 503, "payments_exhausted")
        assert response.headers["Retry-After"] == "60"
    paying.service.background.run_due()
    assert post(http, "/wallet/deposit", body_of(paying), **key).status_code == 202


def test_the_audit_and_the_bank_show_the_same_money(
    http: FlaskClient, paying: Paying
) -> None:
    ok = post(http, "/wallet/withdraw", body_of(paying)).get_json()
    totals = http.get("/audit").get_json()["currencies"]["INR"]
    assert (totals["withdrawalsInFlight"], totals["depositsInFlight"]) == (300, 0)
    paid = post(http, "/wallet/deposit", body_of(paying, amount=200)).get_json()
    frozen(paying)
    for payment in (ok, paid):
        paying.run(payment["id"])
    audit = http.get("/audit").get_json()
    totals = audit["currencies"]["INR"]
    assert audit["balanced"] and audit["problems"] == []
    assert (totals["withdrawalsInFlight"], totals["depositsInFlight"]) == (0, 200)
    assert (totals["credits"], totals["debits"]) == (1_000, 300)
    books = http.get("/sandbox-bank")
    assert books.status_code == 200
    assert "200" in books.text and "300" in books.text


def told(paying: Paying) -> list[tuple[str, str | None, str]]:
    """Return what the webhooks were told: of what, and what it was."""
    paying.service.background.run_due()
    messages = []
    for _, _, content in paying.receivers.posts:
        message = json.loads(content)
        data = message["data"]
        if message["type"].startswith("payment."):
            messages.append((message["type"], data["id"], data["status"]))
        else:
            messages.append((message["type"], data["referenceId"], data["type"]))
    return messages


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("account", SANDBOX)
def test_an_end_is_told_once_after_the_movement_that_made_it(
    http: FlaskClient, paying: Paying, account: str, direction: Direction
) -> None:
    paying.service.create_webhook("https://receiver.example/", list(EventType))
    asked = post(http, PATHS[direction], body_of(paying, bankAccount=account))
    id = asked.get_json()["id"]
    status = paying.run_on(id).status
    created = [("transaction.created", id, type) for type, _ in paying.moved(id)]
    ended = {
        "SUCCEEDED": [("payment.succeeded", id, "SUCCEEDED")],
        "FAILED": [("payment.failed", id, "FAILED")],
        "PARKED": [],
    }[status]
    assert told(paying) == created + ended
    paying.clock.now += DAY
    paying.payments.attempt(paying.payments.table.find(id))
    assert told(paying) == created + ended


def test_money_that_waits_for_its_wallet_is_told_when_it_arrives(
    http: FlaskClient, paying: Paying
) -> None:
    webhooks = paying.service.webhooks
    only = [EventType.PAYMENT_SUCCEEDED, EventType.TRANSACTION_CREATED]
    webhooks.create("https://receiver.example/", only)
    id = post(http, "/wallet/deposit", body_of(paying)).get_json()["id"]
    frozen(paying)
    paying.run_on(id)
    assert told(paying) == []
    http.post(f"/wallet/{paying.wallet_id}/unfreeze")
    http.post(f"/payments/{id}/retry")
    paying.run(id)
    assert told(paying) == [
        ("transaction.created", id, "CREDIT"),
        ("payment.succeeded", id, "SUCCEEDED"),
    ]


def test_nobody_sees_a_payment_before_the_commit_that_opens_it() -> None:
    service = new_service()
    wallet_id = open_wallet(service, 1_000)
    seen: list[object] = []

    class Looking(Claim):
        def prepare(self, outcome: object) -> tuple[object, tuple[Event, ...]]:
            seen.append(service.payments.all())
            return super().prepare(outcome)

    payment = service.payments.withdraw(
        wallet_id, 300, "sandbox-ok", (Looking("fingerprint"),)
    )
    assert seen == [[]]
    assert service.payments.all() == [payment]


class FaultyLock(BoundedLock):
    """A lock whose release fails once when it is to, after it has released."""

    is_faulty = False

    def release(self) -> None:
        super().release()
        if self.is_faulty:
            self.is_faulty = False
            raise MemoryError


@pytest.mark.parametrize("direction", [DEPOSIT, WITHDRAWAL])
def test_a_payment_that_committed_goes_on_though_its_wallet_fails_to_be_left(
    direction: Direction,
) -> None:
    locks: list[FaultyLock] = []

    def new_lock() -> FaultyLock:
        locks.append(FaultyLock())
        return locks[-1]

    paying = Paying(lock_factory=new_lock)
    locks[-1].is_faulty = True  # the wallet's
    with pytest.raises(MemoryError):
        paying.ask(direction)
    (payment,) = paying.payments.all()
    assert payment.status is PaymentStatus.PENDING
    assert paying.run(payment.id).status is PaymentStatus.SUCCEEDED
    assert paying.balance() == (1_300 if direction is DEPOSIT else 700)
    assert paying.service.audit().problems == []
