"""No bank makes or loses money: one that does its worst, found by Hypothesis."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.adversarial_bank import AdversarialBank, Fate
from tests.ledgers import SECOND, Clock, balances, made, new_service, open_wallet
from tests.payments.faulty_run import ATTEMPTS_MAX, ROUNDS_MAX
from tests.payments.paying import DEPOSIT, WITHDRAWAL
from wallet_app.domain.errors.wallet_errors import InsufficientFunds, WalletFrozen
from wallet_app.gateways.bank import Direction
from wallet_app.services.events import Event
from wallet_app.services.payments.payment import PaymentSnapshot, PaymentStatus
from wallet_app.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quiet")]


THOROUGH = settings.get_current_profile_name() == "thorough"
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
