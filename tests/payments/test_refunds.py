"""What the bank declines is refunded, and does not count as spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.ledgers import SECOND, START, nothing_moves
from tests.payments.paying import (
    ATTEMPTS_MAX,
    DAY,
    DEPOSIT,
    HOUR,
    WITHDRAWAL,
    Paying,
    assert_both_books_agree,
    assert_ended_well,
    frozen,
    nothing_opens,
)
from wallet_app.domain.errors.wallet_errors import LimitExceeded
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.gateways.bank import Direction
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.settings import Settings


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
    "no room for the refund": Hindrance(
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
