"""How many payments may be under way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.payments.paying import DEPOSIT, REFUSED, Crowded, Paying, nothing_opens
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.payment_errors import PaymentsExhausted
from wallet_app.domain.spending import Limits
from wallet_app.gateways.bank import Direction
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.payments.payment import PaymentStatus


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
