"""Approvals: a movement waits for its code, and is then made once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from tests.allocations import in_a_child, needs_failing_allocations, with_failing
from tests.approving import TTL_SECONDS, WRONG, Call, Waiting
from tests.ledgers import (
    FULL,
    SECOND,
    START,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app.domain.errors.approval_errors import (
    ApprovalClosed,
    ApprovalExpired,
    ApprovalNotFound,
    CodeInvalid,
    ResendsExhausted,
    TooManyApprovals,
)
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.wallet_errors import (
    InsufficientFunds,
    LimitExceeded,
    WalletFrozen,
)
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import Transaction
from wallet_app.services.approvals.approval import ApprovalSnapshot, ApprovalStatus
from wallet_app.services.approvals.approval_table import KEPT_SECONDS
from wallet_app.settings import Settings
from wallet_app.store import ThreadLock

TIMEOUT_SECONDS = 10


def test_what_is_above_the_threshold_waits_and_nothing_else_does(
    waiting: Waiting,
) -> None:
    assert isinstance(waiting.deduct(100), Transaction)
    with nothing_moves(waiting.service):
        approval = waiting.deduct(101)
    assert approval == ApprovalSnapshot(
        id=approval.id,  # type: ignore[attr-defined]
        wallet_id=waiting.source,
        target_id=None,
        amount=101,
        currency="INR",
        reason="approval-threshold",
        status=ApprovalStatus.PENDING,
        attempts_left=5,
        resends_left=3,
        created_at=START,
        expires_at=START + TTL_SECONDS * SECOND,
        monotonic_expiry=START + TTL_SECONDS * SECOND,
    )
    assert list(waiting.codes.sent) == [approval.id]
    assert waiting.approvals.get(approval.id) == approval


def test_the_threshold_of_the_settings_holds_for_every_wallet() -> None:
    service = new_service(Settings(approval_threshold=0))
    waits = service.deduct(open_wallet(service, 5), 1)
    assert isinstance(waits, ApprovalSnapshot)


def test_what_arrives_needs_no_approval(waiting: Waiting) -> None:
    waiting.service.add(waiting.source, 500)
    waiting.service.money.transfer(waiting.source, waiting.target, 500, approved=True)
    waiting.service.transfer(waiting.target, waiting.source, 500)


def test_confirming_makes_the_movement_as_it_was_asked_for(waiting: Waiting) -> None:
    approval = waiting.transfer(500)
    assert isinstance(approval, ApprovalSnapshot)
    assert approval.target_id == waiting.target
    waiting.clock.now += SECOND
    moved = waiting.confirm(approval)
    assert isinstance(moved, tuple)
    sent, received = moved
    assert balances(waiting.service, waiting.source, waiting.target) == [500, 500]
    assert sent.reference_id == received.reference_id is not None
    assert (sent.amount, sent.category, sent.description) == (500, "rent", "May")
    assert sent.created_at == waiting.clock.now
    assert waiting.approvals.get(approval.id).status is ApprovalStatus.CONFIRMED
    with nothing_moves(waiting.service), pytest.raises(ApprovalClosed) as refused:
        waiting.confirm(approval)
    assert refused.value.values["approval_status"] == "CONFIRMED"


def test_a_refusal_comes_before_an_approval_is_asked_for(waiting: Waiting) -> None:
    waiting.service.set_limits(
        waiting.source, Limits(daily=2_000, approval_threshold=0)
    )
    with nothing_moves(waiting.service):
        with pytest.raises(InsufficientFunds):
            waiting.deduct(1_001)
        waiting.service.set_limits(
            waiting.source, Limits(daily=100, approval_threshold=100)
        )
        with pytest.raises(LimitExceeded):
            waiting.deduct(101)
        waiting.service.set_limits(
            waiting.source, Limits(daily=2_000, approval_threshold=0)
        )
    assert waiting.codes.sent == {}


Change = Callable[[Waiting], object]
IN_THE_WAY: dict[type[WalletError], tuple[Change, Change]] = {
    InsufficientFunds: (
        lambda w: [w.service.deduct(w.source, 100) for _ in range(6)],
        lambda w: w.service.add(w.source, 100),
    ),
    WalletFrozen: (
        lambda w: w.service.freeze(w.source, "Card stolen"),
        lambda w: w.service.unfreeze(w.source),
    ),
    LimitExceeded: (
        lambda w: w.service.set_limits(w.source, Limits(daily=499)),
        lambda w: w.service.set_limits(w.source, Limits(daily=500)),
    ),
}


@pytest.mark.parametrize("refusal", IN_THE_WAY)
def test_a_confirmed_movement_goes_by_the_rules_of_now_and_waits_if_refused(
    waiting: Waiting, refusal: type[WalletError]
) -> None:
    get_in_the_way, go_away = IN_THE_WAY[refusal]
    approval = waiting.request(500)
    get_in_the_way(waiting)
    with nothing_moves(waiting.service), pytest.raises(refusal):
        waiting.confirm(approval)
    assert waiting.approvals.get(approval.id) == approval
    go_away(waiting)
    assert isinstance(waiting.confirm(approval), Transaction)


def test_the_fifth_wrong_code_rejects_and_then_the_right_one_is_too_late(
    waiting: Waiting,
) -> None:
    approval = waiting.request()
    with nothing_moves(waiting.service):
        for left in (4, 3, 2, 1, 0):
            with pytest.raises(CodeInvalid) as refused:
                waiting.approvals.confirm(approval.id, WRONG)
            assert refused.value.values == {"attempts_left": left}
            assert waiting.approvals.get(approval.id).attempts_left == left
        assert waiting.approvals.get(approval.id).status is ApprovalStatus.REJECTED
        with pytest.raises(ApprovalClosed):
            waiting.confirm(approval)


def test_after_four_wrong_codes_the_right_one_still_counts(waiting: Waiting) -> None:
    approval = waiting.request()
    for _ in range(4):
        with pytest.raises(CodeInvalid):
            waiting.approvals.confirm(approval.id, WRONG)
    waiting.confirm(approval)
    assert balances(waiting.service, waiting.source) == [500]


def test_the_code_of_one_approval_confirms_no_other(waiting: Waiting) -> None:
    one, other = waiting.request(), waiting.request()
    with nothing_moves(waiting.service), pytest.raises(CodeInvalid):
        waiting.approvals.confirm(other.id, waiting.codes.sent[one.id])


def test_an_approval_can_be_confirmed_until_it_expires(waiting: Waiting) -> None:
    in_time, too_late = waiting.request(), waiting.request()
    waiting.clock.now = in_time.expires_at - 1
    waiting.confirm(in_time)
    waiting.clock.now += 1
    with nothing_moves(waiting.service):
        calls: list[Call] = [
            lambda: waiting.confirm(too_late),
            lambda: waiting.approvals.confirm(too_late.id, WRONG),
            lambda: waiting.approvals.cancel(too_late.id),
            lambda: waiting.approvals.resend(too_late.id),
        ]
        for late in calls:
            with pytest.raises(ApprovalExpired):
                late()
    expired = waiting.approvals.get(too_late.id)
    assert (expired.status, expired.attempts_left) == (ApprovalStatus.EXPIRED, 5)


def test_a_cancelled_approval_is_closed(waiting: Waiting) -> None:
    approval = waiting.request()
    cancelled = waiting.approvals.cancel(approval.id)
    assert cancelled.status is ApprovalStatus.CANCELLED
    assert waiting.approvals.get(approval.id) == cancelled
    with nothing_moves(waiting.service):
        calls: list[Call] = [
            lambda: waiting.confirm(approval),
            lambda: waiting.approvals.cancel(approval.id),
            lambda: waiting.approvals.resend(approval.id),
        ]
        for late in calls:
            with pytest.raises(ApprovalClosed):
                late()


def test_a_code_that_is_sent_again_is_a_new_one_and_alone_counts(
    waiting: Waiting,
) -> None:
    approval = waiting.request()
    first = waiting.codes.sent[approval.id]
    with pytest.raises(CodeInvalid):
        waiting.approvals.confirm(approval.id, WRONG)
    waiting.clock.now = approval.expires_at - 1
    resent = waiting.approvals.resend(approval.id)
    assert resent.expires_at == waiting.clock.now + TTL_SECONDS * SECOND
    assert (resent.attempts_left, resent.resends_left) == (4, 2)
    assert waiting.codes.sent[approval.id] != first
    waiting.clock.now = approval.expires_at
    with nothing_moves(waiting.service), pytest.raises(CodeInvalid):
        waiting.approvals.confirm(approval.id, first)
    waiting.confirm(approval)


def test_a_code_is_sent_again_three_times_and_no_more(waiting: Waiting) -> None:
    approval = waiting.request()
    for left in (2, 1, 0):
        assert waiting.approvals.resend(approval.id).resends_left == left
    last = dict(waiting.codes.sent)
    with pytest.raises(ResendsExhausted):
        waiting.approvals.resend(approval.id)
    assert waiting.codes.sent == last
    waiting.confirm(approval)


def test_ten_approvals_wait_for_one_wallet_and_no_more(waiting: Waiting) -> None:
    pending = [waiting.request(101) for _ in range(10)]
    with nothing_moves(waiting.service), pytest.raises(TooManyApprovals) as refused:
        waiting.deduct(101)
    assert refused.value.values == {"wallet_id": waiting.source, "maximum": 10}
    assert len(waiting.codes.sent) == 10
    other = open_wallet(waiting.service, 1_000)
    waiting.service.set_limits(other, Limits(approval_threshold=0))
    waiting.service.deduct(other, 1)
    waiting.approvals.cancel(pending[0].id)
    waiting.confirm(pending[1])
    for _ in range(5):
        with pytest.raises(CodeInvalid):
            waiting.approvals.confirm(pending[2].id, WRONG)
    for _ in range(3):
        waiting.request(101)
    with pytest.raises(TooManyApprovals):
        waiting.deduct(101)
    waiting.clock.now += TTL_SECONDS * SECOND
    for _ in range(10):
        waiting.request(101)


def test_twenty_who_confirm_at_the_same_time_move_the_money_once(
    waiting: Waiting,
) -> None:
    approval = waiting.request()
    start = threading.Barrier(20)
    answers: list[object] = []

    def confirm() -> None:
        start.wait(TIMEOUT_SECONDS)
        try:
            answers.append(waiting.confirm(approval))
        except ApprovalClosed as closed:
            answers.append(closed.code)

    threads = [threading.Thread(target=confirm, daemon=True) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert answers.count("approval_closed") == 19
    assert balances(waiting.service, waiting.source) == [500]
    assert waiting.service.audit().problems == []


def test_a_confirmation_whose_outcome_cannot_be_kept_leaves_no_trace(
    waiting: Waiting,
) -> None:
    approval = waiting.request()
    code = waiting.codes.sent[approval.id]
    with nothing_moves(waiting.service):
        calls: list[Call] = [
            lambda: waiting.approvals.confirm(approval.id, code, FULL),
            lambda: waiting.approvals.cancel(approval.id, FULL),
            lambda: waiting.approvals.resend(approval.id, FULL),
            lambda: waiting.deduct(500, on_commit=FULL),
        ]
        for call in calls:
            with pytest.raises(RuntimeError):
                call()
    assert waiting.codes.sent == {approval.id: code}
    assert waiting.approvals.get(approval.id) == approval
    waiting.confirm(approval)


def test_an_approval_that_cannot_be_kept_leaves_nothing_of_its_wallet(
    waiting: Waiting,
) -> None:
    with nothing_moves(waiting.service), pytest.raises(RuntimeError):
        waiting.deduct(500, on_commit=FULL)
    assert waiting.approvals.table.wallets() == set()
    assert len(waiting.approvals.table) == 0


@needs_failing_allocations
def test_an_approval_that_cannot_be_kept_is_removed_whatever_allocation_fails() -> None:
    def trials() -> tuple[int, list[int]]:
        failed, left = 0, []
        for n in range(150):
            waiting = Waiting(lock_factory=ThreadLock)
            trial = with_failing(n, 1, partial(waiting.deduct, 500, on_commit=FULL))
            failed += not isinstance(trial.result, RuntimeError)
            if waiting.approvals.table.wallets() or len(waiting.approvals.table):
                left.append(n)
        return failed, left

    failed, left = in_a_child(trials)
    assert failed > 5
    assert left == []


def test_an_approval_is_kept_for_a_day_and_then_forgotten(waiting: Waiting) -> None:
    approval = waiting.request()
    kept_seconds = KEPT_SECONDS + TTL_SECONDS
    waiting.clock.now += kept_seconds * SECOND - 1
    younger = waiting.request()
    assert waiting.approvals.get(approval.id).status is ApprovalStatus.EXPIRED
    waiting.clock.now += 1
    for _ in range(9):
        waiting.request()
    with pytest.raises(ApprovalNotFound):
        waiting.approvals.get(approval.id)
    with pytest.raises(TooManyApprovals):
        waiting.deduct(500)
    waiting.confirm(younger)
    waiting.clock.now += kept_seconds * SECOND
    other = open_wallet(waiting.service, 5)
    waiting.service.set_limits(other, Limits(approval_threshold=0))
    waiting.service.deduct(other, 1)
    assert waiting.approvals.table.wallets() == {other}
    assert len(waiting.approvals.table) == 1
