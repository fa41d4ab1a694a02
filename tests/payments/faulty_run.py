"""One payment from the request to its end, in which chosen steps fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from unittest.mock import patch

from uuid_utils import UUID

from tests.ledgers import BoundedLock, Clock, Ids, balances, new_service, open_wallet
from tests.payments.paying import DEPOSIT, WITHDRAWAL
from wallet_app.gateways.bank import Answer, Direction, Order
from wallet_app.gateways.sandbox_bank import SandboxBank, Statement
from wallet_app.services.commit import OnCommits
from wallet_app.services.events import Event, EventType
from wallet_app.services.payments.payment import (
    BankAnswer,
    PaymentSnapshot,
    PaymentStatus,
)
from wallet_app.settings import Settings
from wallet_app.store import Wallet

ATTEMPTS_MAX = 3
ROUNDS_MAX = 60


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
        ask_for = {DEPOSIT: self.payments.deposit, WITHDRAWAL: self.payments.withdraw}[
            self.case.direction
        ]

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
