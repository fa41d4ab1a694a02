"""Parked payments are taken up again by hand."""

from __future__ import annotations

import pytest

from tests.answers import NOBODY
from tests.ledgers import SECOND, nothing_moves
from tests.payments.paying import (
    ATTEMPTS_MAX,
    DAY,
    DEPOSIT,
    WITHDRAWAL,
    Paying,
    Said,
    Telling,
    nothing_opens,
)
from wallet_app.domain.errors.payment_errors import PaymentNotFound, PaymentNotParked
from wallet_app.gateways.bank import BankTimeout, Declined, Direction


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
