"""What a wallet remembers for the fraud rules, and how that is bounded."""

from __future__ import annotations

import threading

import pytest

from tests.flagging import BY, Watched
from tests.ledgers import (
    FULL,
    SECOND,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app.domain.errors.wallet_errors import FraudBlocked
from wallet_app.domain.fraud_signals import ARRIVALS_MAX, PAYEES_MAX, FraudSignals
from wallet_app.domain.spending import Limits
from wallet_app.services.movement import ApprovalRequired

TIMEOUT_SECONDS = 10


def test_velocity_blocks_one_too_many_in_a_minute_whoever_confirms() -> None:
    watched = Watched("velocity")
    for n in range(10):
        (watched.deduct if n % 2 else watched.transfer)(1)
    with nothing_moves(watched.service):
        for movement in (watched.deduct, watched.transfer):
            for approved in (False, True):
                with pytest.raises(FraudBlocked) as refused:
                    movement(1, approved=approved)
                assert refused.value.values["rule"] == "velocity"
    watched.clock.now += 60 * SECOND
    for _ in range(10):
        watched.deduct(1)


def test_a_window_that_a_wallet_has_left_stays_behind_whatever_the_clock_says() -> None:
    watched = Watched("velocity")
    for _ in range(10):
        watched.deduct(1)
    watched.clock.now += 60 * SECOND
    watched.service.add(watched.source, 1)
    watched.clock.now -= 60 * SECOND
    watched.deduct(1)


def test_what_arrives_and_what_is_refused_is_not_counted() -> None:
    watched = Watched("velocity", balance=10, velocity_count=2)
    for _ in range(5):
        watched.service.add(watched.source, 1)
        with pytest.raises(Exception, match="balance is"):
            watched.deduct(999)
    watched.deduct(1)
    watched.deduct(1)


def test_spike_compares_with_all_that_was_sent_before() -> None:
    watched = Watched("spike")
    for amount in (1, 2, 3, 4, 5):
        watched.deduct(amount)
    with nothing_moves(watched.service), pytest.raises(ApprovalRequired) as review:
        watched.deduct(31)
    assert review.value.reason == "spike"
    watched.deduct(30)


def test_a_payee_is_new_until_the_first_transfer() -> None:
    watched = Watched("new-payee", new_payee_amount=500)
    with nothing_moves(watched.service), pytest.raises(ApprovalRequired) as review:
        watched.transfer(500)
    assert (review.value.reason, review.value.target_id) == (
        "new-payee",
        watched.target,
    )
    watched.transfer(1)
    watched.transfer(500)
    watched.deduct(500)


def test_drain_looks_at_what_arrived_lately() -> None:
    watched = Watched("drain", balance=100_000)
    with nothing_moves(watched.service), pytest.raises(ApprovalRequired):
        watched.deduct(90_000)
    watched.deduct(89_999)
    watched.clock.now += 3_600 * SECOND
    watched.deduct(10_001)


def test_structuring_sees_the_third_amount_just_under_the_threshold() -> None:
    watched = Watched("structuring")
    watched.service.set_limits(watched.source, Limits(approval_threshold=1_000))
    for amount in (900, 899, 1_000):
        watched.deduct(amount)
    with nothing_moves(watched.service), pytest.raises(ApprovalRequired) as review:
        watched.deduct(950)
    assert review.value.reason == "structuring"
    with pytest.raises(ApprovalRequired) as review:
        watched.deduct(1_001)
    assert review.value.reason == "approval-threshold"


def test_what_is_remembered_is_bounded() -> None:
    past = FraudSignals()
    for n in range(PAYEES_MAX + 10):
        past = past.sent(BY, n, f"payee {n}", True)
        past = past.received(BY, n, 1)
    assert len(past.payees) == PAYEES_MAX
    assert next(iter(past.payees)) == "payee 10"
    assert list(past.payees)[-1] == f"payee {PAYEES_MAX + 9}"
    assert len(past.sent_times) == len(past.near_times) == 3
    assert len(past.arrivals) == ARRIVALS_MAX
    assert sum(amount for _, amount in past.arrivals) == PAYEES_MAX + 10
    assert past.arrivals[0][0] == PAYEES_MAX + 10 - ARRIVALS_MAX
    late = past.received(BY, 3_600 * SECOND + PAYEES_MAX, 7)
    assert sum(amount for _, amount in late.arrivals) == 9 + 7


def test_what_fails_is_not_remembered() -> None:
    watched = Watched("velocity,spike,new-payee,drain,structuring")

    with nothing_moves(watched.service):
        for movement in (watched.deduct, watched.transfer):
            with pytest.raises(RuntimeError):
                movement(5, on_commit=FULL)
    assert watched.signals().sent_count == 0
    assert watched.signals().payees == {}


def test_nothing_is_remembered_where_no_rule_is_to_know() -> None:
    service = new_service()
    source, target = open_wallet(service, 100), open_wallet(service)
    service.set_limits(source, Limits(daily=100))
    service.transfer(source, target, 1)
    assert service.store.wallets[source].counters.signals == FraudSignals()


def test_limits_and_a_freeze_leave_the_rules() -> None:
    watched = Watched("velocity", velocity_count=1)
    watched.service.set_limits(watched.source, Limits())
    watched.service.freeze(watched.source, "Card stolen")
    watched.service.unfreeze(watched.source)
    watched.deduct(1)
    with pytest.raises(FraudBlocked):
        watched.deduct(1)


def test_a_block_counts_for_more_than_a_review_and_then_the_first_rule_does() -> None:
    facts = {"velocity_count": 1, "new_payee_amount": 1, "drain_amount": 1}
    watched = Watched("new-payee,drain,velocity", **facts)
    with pytest.raises(ApprovalRequired) as review:
        watched.transfer(100_000)
    assert review.value.reason == "new-payee"
    watched.deduct(1)
    with pytest.raises(FraudBlocked):
        watched.transfer(99_999)


def test_spenders_at_the_same_time_never_pass_the_velocity() -> None:
    watched = Watched("velocity")
    start = threading.Barrier(8)
    blocked: list[object] = []

    def spend() -> None:
        start.wait(TIMEOUT_SECONDS)
        for _ in range(5):
            try:
                watched.deduct(1)
            except FraudBlocked as refusal:
                blocked.append(refusal)

    threads = [threading.Thread(target=spend, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert len(blocked) == 30
    assert balances(watched.service, watched.source) == [100_000 - 10]
