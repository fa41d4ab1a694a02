"""No fault, and no bank, makes or loses money: a fault at every step of a payment,
found by enumeration; and a bank that does its worst, found by Hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from uuid_utils import UUID

from tests.adversarial_bank import AdversarialBank, Fate
from tests.ledgers import (
    SECOND,
    BoundedLock,
    Clock,
    Ids,
    balances,
    made,
    new_service,
    nothing_logged,
    open_wallet,
)
from wallet_app.domain.errors.wallet_errors import InsufficientFunds, WalletFrozen
from wallet_app.gateways.bank import Answer, Direction, Order
from wallet_app.gateways.sandbox_bank import SandboxBank, Statement
from wallet_app.services.background import BUG_SECONDS
from wallet_app.services.commit import OnCommits
from wallet_app.services.events import Event, EventType
from wallet_app.services.payments import payment_table
from wallet_app.services.payments.payment import (
    BankAnswer,
    PaymentSnapshot,
    PaymentStatus,
)
from wallet_app.settings import Settings
from wallet_app.store import Wallet

pytestmark = pytest.mark.slow

THOROUGH = settings.get_current_profile_name() == "thorough"
DEPOSIT, WITHDRAWAL = Direction.DEPOSIT, Direction.WITHDRAWAL
ATTEMPTS_MAX = 3
ROUNDS_MAX = 60
POINTS_MAX = 1_000


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with nothing_logged():
        yield


# A fault at every step


class Fault(Exception):
    """What goes wrong at the worst moment."""


class Faults:
    """Counts the points at which something can go wrong, and strikes at some."""

    def __init__(self, *strikes: int) -> None:
        self.strikes = strikes
        self.is_on = False
        self.met: list[str] = []
        self.struck: list[str] = []

    def point(self, what: str) -> None:
        if self.is_on:
            self.met.append(what)
            if len(self.met) in self.strikes:
                self.struck.append(what)
                raise Fault(what)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Count, and strike, in this block only."""
        self.is_on = True
        try:
            yield
        finally:
            self.is_on = False


class FaultyBank(SandboxBank):
    """The sandbox bank behind a connection that breaks: before a call has reached it,
    or after it has done what was asked."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self.faults = faults

    def pay(self, order: Order) -> Answer:
        self.faults.point("before pay")
        answer = super().pay(order)
        self.faults.point("after pay")
        return answer

    def look_up(self, key: str) -> Answer | None:
        self.faults.point("before look-up")
        answer = super().look_up(key)
        self.faults.point("after look-up")
        return answer


class FaultyBalance:
    """Stands in for the slot of the wallet's balance, whose writes can fail."""

    def __init__(self, slot: Any, faults: Faults) -> None:
        self.slot, self.faults = slot, faults

    def __get__(self, wallet: Wallet, owner: type[Wallet]) -> int:
        balance: int = self.slot.__get__(wallet, owner)
        return balance

    def __set__(self, wallet: Wallet, balance: int) -> None:
        if self.faults.is_on:
            change = balance - self.slot.__get__(wallet, Wallet)
            self.faults.point("debit" if change < 0 else "credit")
        self.slot.__set__(wallet, balance)


class Case(NamedTuple):
    """A payment, and whether its wallet is frozen while the bank is asked."""

    direction: Direction
    account: str
    is_frozen: bool = False


def fails(on_commit: OnCommits) -> None:
    raise Fault("at once")


class Run:
    """One payment of 300, with one slot for it, from the request to its end."""

    def __init__(self, case: Case, faults: Faults) -> None:
        self.case, self.faults, run = case, faults, self
        self.clock, ids = Clock(), Ids()
        self.held: list[BoundedLock] = []
        self.taken: list[BoundedLock] = []
        self.sure: list[BoundedLock] = []
        """Locks that never fail: those of the queue and of the keys. To put a job or a
        key back after a failure they must be had, as any real lock can. Before they
        take a job or a key, both ask the clock, and a fault there is the same."""

        class FaultyLock(BoundedLock):
            def acquire(self) -> bool:
                if self not in run.sure:
                    faults.point("second lock" if run.held else "lock")
                super().acquire()
                run.held.append(self)
                run.taken.append(self)
                return True

            def release(self) -> None:
                run.held.remove(self)
                super().release()

        def clock() -> int:
            faults.point("clock")
            return self.clock()

        def new_id() -> UUID:
            faults.point("id")
            return ids()

        def jitter(longest: int) -> int:
            faults.point("jitter")
            return longest

        self.bank = FaultyBank(faults)
        self.service = service = new_service(
            Settings(payment_retry_base_seconds=1, payment_max_attempts=ATTEMPTS_MAX),
            lock_factory=FaultyLock,
            clock=clock,
            new_id=new_id,
            bank=self.bank,
            jitter=jitter,
        )
        self.payments = service.payments
        self.sure = [
            self.lock_of(service.background.run_due),
            self.lock_of(lambda: service.idempotency.run("none", "", fails)),
        ]
        self.events: list[Event] = []
        service.outbox.listener = self.events.append
        service.outbox.is_open = True
        self.wallet_id = open_wallet(service, 1_000)

    def lock_of(self, call: Callable[[], object]) -> BoundedLock:
        """Return the one lock that a call takes."""
        self.taken.clear()
        with suppress(Fault):
            call()
        (lock,) = set(self.taken)
        return lock

    def request(self, key: str = "k") -> PaymentSnapshot:
        ask_for = {
            DEPOSIT: self.payments.deposit,
            WITHDRAWAL: self.payments.withdraw,
        }[self.case.direction]

        def command(on_commit: OnCommits) -> PaymentSnapshot:
            return ask_for(self.wallet_id, 300, self.case.account, on_commit)

        return self.service.idempotency.run(key, "withdraw 300", command)

    def drive(self) -> None:
        """Do what is due, when it is due, until nothing is queued."""
        for _ in range(ROUNDS_MAX):
            with suppress(Fault):  # then a thread would look again
                self.service.background.run_due()
            with self.quietly():
                health = self.service.health()
                self.assert_that_what_is_known_is_shown()
            if health.oldest_due_at is None:
                assert health.running == 0, "a slot of the queue is lost"
                return
            self.clock.now = max(self.clock.now, health.oldest_due_at)
        raise AssertionError("it does not end")

    def assert_that_what_is_known_is_shown(self) -> None:
        for each in self.opened():
            known = self.payments.table.find(each.id).answer is not None
            assert known is (each.bank_answer in (BankAnswer.PAID, BankAnswer.DECLINED))

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """What the test itself does is no point."""
        was_on, self.faults.is_on = self.faults.is_on, False
        yield
        self.faults.is_on = was_on

    def go(self) -> None:
        """Run the whole payment with faults."""
        with patch.object(
            Wallet, "balance", FaultyBalance(Wallet.__dict__["balance"], self.faults)
        ):
            with self.faults.on():
                with suppress(Fault):
                    self.request()
                if self.case.is_frozen:
                    with self.quietly():
                        self.service.freeze(self.wallet_id, "Card stolen")
                self.drive()
            self.assert_sound()

    def opened(self) -> list[PaymentSnapshot]:
        return self.payments.all()

    def assert_sound(self) -> None:
        """Assert that the books balance, and that no payment is forgotten."""
        report = self.service.audit()
        assert report.problems == []
        opened = self.opened()
        assert len(opened) <= 1
        change = balances(self.service, self.wallet_id)[0] - 1_000
        assert change == sum(sum(payment.booked) for payment in opened)
        for payment in opened:
            assert payment.status is not PaymentStatus.PENDING, "it is forgotten"
        if not any(payment.is_open for payment in opened):
            self.assert_both_books_agree(change)

    def assert_both_books_agree(self, change: int) -> None:
        paid = self.bank.statements().get("INR", Statement())
        assert paid.paid_in - paid.paid_out == change
        totals = self.service.audit().currencies["INR"]
        assert (totals.withdrawals_in_flight, totals.deposits_in_flight) == (0, 0)

    def finish(self) -> None:
        """Without further faults, bring to its end what can be."""
        self.service.unfreeze(self.wallet_id)
        opened = [payment.id for payment in self.opened()]
        asked_for = self.request()  # as a client does that has got no answer
        assert opened in ([], [asked_for.id])
        self.drive()
        for payment in self.opened():
            if payment.status is PaymentStatus.PARKED:
                self.payments.retry(payment.id)
        self.drive()
        self.assert_sound()
        self.assert_ended()

    def assert_ended(self) -> None:
        """Assert that the payment has ended as the bank says, was reported once, and
        has released its slot."""
        (payment,) = self.opened()
        ended = [
            each for each in self.events if isinstance(each.subject, type(payment))
        ]
        if self.case.account == "sandbox-down":
            assert (payment.status, ended) == (PaymentStatus.PARKED, [])
            self.request("another")
            return
        declined = self.case.account == "sandbox-declines"
        status = PaymentStatus.FAILED if declined else PaymentStatus.SUCCEEDED
        assert payment.status is status
        assert [each.subject for each in ended] == [payment]
        history = self.service.store.wallets[self.wallet_id].history
        created = [
            each.subject
            for each in self.events
            if each.type is EventType.TRANSACTION_CREATED
        ]
        assert created == history
        self.request("another")


CASES = [
    Case(direction, account, is_frozen)
    for direction in Direction
    for account, is_frozen in (
        ("sandbox-ok", False),
        ("sandbox-declines", False),
        ("sandbox-flaky", False),
        ("sandbox-times-out", False),
        ("sandbox-down", False),
        ("sandbox-ok", True),
        ("sandbox-declines", True),
    )
]


@pytest.fixture
def one_payment_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slot that is not released show."""
    monkeypatch.setattr(payment_table, "UNDER_WAY_MAX", 1)


def points_of(case: Case) -> list[str]:
    """Return the points that a payment meets when nothing goes wrong."""
    faults = Faults()
    run = Run(case, faults)
    run.go()
    run.finish()
    return faults.met


@pytest.mark.usefixtures("one_payment_at_a_time")
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case)))
def test_a_fault_at_any_step_of_a_payment_makes_and_loses_nothing(case: Case) -> None:
    struck: list[str] = []
    for n in range(1, POINTS_MAX):
        faults = Faults(n)
        run = Run(case, faults)
        run.go()
        run.finish()
        if not faults.struck:
            break
        struck += faults.struck
    else:
        raise AssertionError("it does not end")
    assert struck == points_of(case)
    assert_every_phase_was_met(case, struck)


def assert_every_phase_was_met(case: Case, struck: list[str]) -> None:
    assert len(struck) >= 15
    assert {"clock", "id", "lock", "before pay"} <= set(struck)
    ask = struck.index("before pay")
    if case.direction is WITHDRAWAL:
        debit = struck.index("debit")
        assert {"clock", "id", "lock"} <= set(struck[:debit])
        assert "second lock" in struck[debit:ask]
    if case.account != "sandbox-down":
        answer = struck.index("after pay" if "after pay" in struck else "after look-up")
        assert {"clock", "lock"} <= set(struck[answer:])
    if case.account == "sandbox-times-out":
        assert {"before look-up", "after look-up", "jitter"} <= set(struck)
    declined = case.account == "sandbox-declines"
    books = declined is (case.direction is WITHDRAWAL)
    books &= case.account != "sandbox-down"
    books &= not case.is_frozen or case.direction is WITHDRAWAL
    assert ("credit" in struck) is books
    if books:
        credit = struck.index("credit")
        assert {"clock", "id", "lock"} <= set(struck[ask:credit])


@pytest.mark.usefixtures("one_payment_at_a_time")
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case)))
def test_two_faults_in_one_payment_make_and_lose_nothing(case: Case) -> None:
    pairs = 0
    for n in range(1, len(points_of(case)) + 1):
        for m in range(n + 1, POINTS_MAX):
            faults = Faults(n, m)
            run = Run(case, faults)
            run.go()
            run.finish()
            if len(faults.struck) < 2:
                break
            pairs += 1
        else:
            raise AssertionError("it does not end")
    assert pairs > 100


class FailingClock(Clock):
    """Fails once, at the read with the number `fails_at`."""

    fails_at = reads = 0

    def __call__(self) -> int:
        self.reads += 1
        if self.reads == self.fails_at:
            raise Fault("clock")
        return super().__call__()


def test_a_payment_whose_error_cannot_be_noted_is_not_lost() -> None:
    """The bank breaks, and then the clock, which the queue reads to note that."""
    clock, bank = FailingClock(), AdversarialBank()
    service = new_service(clock=clock, bank=bank)
    payment = service.payments.deposit(open_wallet(service), 300, "pays")
    bank.fates = [Fate.BROKEN_AFTER]
    clock.fails_at = clock.reads + 3  # after those that choose and take the payment
    service.background.run_due()
    assert clock.reads >= clock.fails_at
    assert service.payments.get(payment.id).status is PaymentStatus.PENDING
    clock.now += BUG_SECONDS * SECOND
    service.background.run_due()
    assert service.payments.get(payment.id).status is PaymentStatus.SUCCEEDED


# A bank that does its worst

FATES = st.lists(st.sampled_from(Fate), max_size=4)
ACCOUNTS = st.sampled_from(["pays", "declines"])
AMOUNTS = st.integers(1, 60)


class Adversity(RuleBasedStateMachine):
    """Payments of one wallet with an adversarial bank, one step at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.bank = Clock(), AdversarialBank()
        self.bank.meanwhile = self.overtake
        # Few attempts, so that payments are parked often.
        self.service = new_service(
            Settings(payment_max_attempts=ATTEMPTS_MAX),
            clock=self.clock,
            bank=self.bank,
        )
        self.payments = self.service.payments
        self.events: list[Event] = []
        self.service.outbox.listener = self.events.append
        self.service.outbox.is_open = True
        self.wallet_id = open_wallet(self.service, 100)
        self.others = 100
        """What was added and deducted, except by payments."""

    def overtake(self, key: str) -> None:
        """Attempt a payment while it is attempted, and take it up again."""
        self.payments.attempt(self.payments.table.find(key))
        self.retry_those(self.parked()[:1])

    def parked(self) -> list[PaymentSnapshot]:
        status = PaymentStatus.PARKED
        return [each for each in self.payments.all() if each.status is status]

    def retry_those(self, parked: Iterable[PaymentSnapshot]) -> None:
        for payment in parked:
            self.payments.retry(payment.id)

    @rule(amount=AMOUNTS, account=ACCOUNTS)
    def deposit(self, amount: int, account: str) -> None:
        with suppress(WalletFrozen):
            self.payments.deposit(self.wallet_id, amount, account)

    @rule(amount=AMOUNTS, account=ACCOUNTS)
    def withdraw(self, amount: int, account: str) -> None:
        with suppress(WalletFrozen, InsufficientFunds):
            self.payments.withdraw(self.wallet_id, amount, account)

    @rule(fates=FATES, seconds=st.integers(0, 40))
    def go_on(self, fates: list[Fate], seconds: int) -> None:
        self.bank.fates = fates
        self.clock.now += seconds * SECOND
        self.service.background.run_due()

    @rule()
    def freeze(self) -> None:
        self.service.freeze(self.wallet_id, "Under review")

    @rule()
    def unfreeze(self) -> None:
        self.service.unfreeze(self.wallet_id)

    @rule(amount=AMOUNTS)
    def add(self, amount: int) -> None:
        with suppress(WalletFrozen):
            self.others += self.service.add(self.wallet_id, amount).change

    @rule(amount=AMOUNTS)
    def deduct(self, amount: int) -> None:
        with suppress(WalletFrozen, InsufficientFunds):
            self.others += made(self.service.deduct(self.wallet_id, amount)).change

    @precondition(lambda self: self.parked())
    @rule()
    def retry(self) -> None:
        self.retry_those(self.parked())

    @precondition(lambda self: self.bank.delayed)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Let an order arrive that was on its way; others may overtake it."""
        delayed = self.bank.delayed
        self.bank.execute(delayed.pop(data.draw(st.integers(0, len(delayed) - 1))))

    @precondition(lambda self: self.payments.all())
    @rule(data=st.data(), fates=FATES)
    def attempt_again(self, data: st.DataObject, fates: list[Fate]) -> None:
        """Attempt a payment out of turn, twice."""
        every = self.payments.all()
        chosen = every[data.draw(st.integers(0, len(every) - 1))]
        self.bank.fates = fates
        for _ in range(2):
            with suppress(RuntimeError):
                self.payments.attempt(self.payments.table.find(chosen.id))

    @rule()
    def settle(self) -> None:
        """Let the bank behave for as long as it takes, then compare both books."""
        self.bank.fates = []
        self.service.unfreeze(self.wallet_id)
        for _ in range(ROUNDS_MAX):
            self.retry_those(self.parked())
            due = self.service.health().oldest_due_at
            if due is None:
                break
            self.clock.now = max(self.clock.now, due)
            self.service.background.run_due()
        while self.bank.delayed:
            self.bank.execute(self.bank.delayed.pop())
        self.both_books_agree()

    def both_books_agree(self) -> None:
        payments = self.payments.all()
        for each in payments:
            paid = each.id in self.bank.paid
            ended = PaymentStatus.SUCCEEDED if paid else PaymentStatus.FAILED
            assert each.status is ended
        for direction in Direction:
            assert self.bank.moved(direction) == sum(
                each.amount
                for each in payments
                if each.direction is direction
                and each.status is PaymentStatus.SUCCEEDED
            )
        moved = self.bank.moved(DEPOSIT) - self.bank.moved(WITHDRAWAL)
        assert balances(self.service, self.wallet_id) == [self.others + moved]
        assert self.service.get_limits(self.wallet_id).spent_today >= 0
        totals = self.service.audit().currencies["INR"]
        assert (totals.withdrawals_in_flight, totals.deposits_in_flight) == (0, 0)
        subjects = [each.subject for each in self.events]
        assert sorted(
            each.id for each in subjects if isinstance(each, PaymentSnapshot)
        ) == sorted(each.id for each in payments)
        assert self.payments.table.under_way == 0

    @invariant()
    def the_books_are_right(self) -> None:
        report = self.service.audit()
        assert report.problems == []
        balance = balances(self.service, self.wallet_id)[0]
        assert balance >= 0
        booked = sum(sum(each.booked) for each in self.payments.all())
        assert balance == self.others + booked

    @invariant()
    def what_ended_is_what_the_bank_did(self) -> None:
        for each in self.payments.all():
            if not each.is_open:
                succeeded = each.status is PaymentStatus.SUCCEEDED
                assert succeeded is (each.id in self.bank.paid)

    def teardown(self) -> None:
        self.settle()


# Explaining a failure takes three times as long as finding it, for state machines.
Adversity.TestCase.settings = settings(
    max_examples=1_000 if THOROUGH else 150,
    stateful_step_count=30,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
TestPaymentsWithAnAdversarialBank = Adversity.TestCase
