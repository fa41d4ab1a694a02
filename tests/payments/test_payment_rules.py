"""The rules that hold for every payment, for every caller."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.answers import NOBODY
from tests.payments.paying import (
    DEPOSIT,
    REFUSED,
    WITHDRAWAL,
    Paying,
    assert_both_books_agree,
    drained,
    limited,
    nothing_opens,
)
from wallet_app.domain.errors.approval_errors import ApprovalClosed
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.wallet_errors import FraudBlocked, WalletNotFound
from wallet_app.domain.spending import Limits
from wallet_app.gateways.bank import Direction
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.settings import Settings


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
    assert [each.rule for each in paying.service.list_alerts().rows] == ["velocity"]


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
