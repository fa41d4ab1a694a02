"""What becomes of a payment, attempt by attempt, for each account of the sandbox."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ledgers import SECOND, START, BoundedLock, Clock, balances, open_wallet
from tests.payments.paying import (
    ATTEMPTS_MAX,
    DAY,
    DEPOSIT,
    HOUR,
    SANDBOX,
    WITHDRAWAL,
    Paying,
    Said,
    Telling,
    assert_ended_well,
    frozen,
)
from wallet_app.gateways.bank import (
    Answer,
    BankTimeout,
    BankUnavailable,
    Declined,
    Direction,
    Order,
    Paid,
)
from wallet_app.gateways.sandbox_bank import Statement
from wallet_app.services.payments.payment import (
    BankAnswer,
    PaymentSnapshot,
    PaymentStatus,
)
from wallet_app.services.service import full_jitter
from wallet_app.settings import Settings


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
