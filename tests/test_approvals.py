"""Approvals: a movement waits for its code, and is then made once."""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.allocations import in_a_child, needs_failing_allocations, with_failing
from tests.answers import NOBODY, assert_problem, post
from tests.ledgers import (
    FULL,
    SECOND,
    START,
    BoundedLock,
    Clock,
    Codes,
    Ids,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app import create_app
from wallet_app.domain.errors.approval_errors import (
    ApprovalClosed,
    ApprovalExpired,
    ApprovalNotFound,
    ApprovalsExhausted,
    CodeInvalid,
    ResendsExhausted,
    TooManyApprovals,
    TooManyWrongCodes,
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
from wallet_app.services.approvals.approvals import Approvals
from wallet_app.services.approvals.codes import new_code
from wallet_app.settings import Settings
from wallet_app.store import ThreadLock

TTL_SECONDS = 300
TIMEOUT_SECONDS = 10
WRONG = "999999"


class Waiting:
    """A service with a wallet of 1,000 that needs an approval above 100."""

    def __init__(self, **injected: Any) -> None:
        self.clock, self.codes = Clock(), Codes()
        owned: dict[str, Any] = {
            "clock": self.clock,
            "new_code": self.codes,
            "send_code": self.codes.send,
        }
        self.service = new_service(**owned | injected)
        self.approvals = self.service.approvals
        self.source = open_wallet(self.service, 1_000)
        self.target = open_wallet(self.service)
        self.service.set_limits(self.source, Limits(approval_threshold=100))

    def deduct(self, amount: int, **kept: Any) -> object:
        command = partial(self.service.money.deduct, self.source, amount)
        return self.approvals.run(command, **kept)

    def transfer(self, amount: int) -> object:
        return self.service.transfer(self.source, self.target, amount, "rent", "May")

    def request(self, amount: int = 500) -> ApprovalSnapshot:
        """Ask for an approval and return it."""
        with nothing_moves(self.service):
            approval = self.deduct(amount)
        assert isinstance(approval, ApprovalSnapshot)
        return approval

    def confirm(self, approval: ApprovalSnapshot) -> object:
        return self.approvals.confirm(approval.id, self.codes.sent[approval.id])


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


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


Call = Callable[[], object]
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


class SmallTable:
    """A service that keeps two approvals."""

    def __init__(self) -> None:
        self.clock, self.codes = Clock(), Codes()
        self.service = new_service(Settings(approval_threshold=0), clock=self.clock)
        self.approvals = self.service.approvals = Approvals(
            self.clock,
            self.clock,
            Ids(),
            self.codes,
            self.codes.send,
            TTL_SECONDS,
            self.service.alerts,
            BoundedLock,
            kept_max=2,
        )

    def ask(self) -> str:
        command = partial(self.service.money.deduct, open_wallet(self.service, 5), 1)
        approval = self.approvals.run(command)
        assert isinstance(approval, ApprovalSnapshot)
        return approval.id

    def confirm(self, id: str, code: str | None = None) -> object:
        return self.approvals.confirm(id, code or self.codes.sent[id])


def test_approvals_are_bounded_and_none_that_waits_is_forgotten() -> None:
    small = SmallTable()
    first, second = small.ask(), small.ask()
    small.clock.now += 1
    one = open_wallet(small.service, 5)
    with nothing_moves(small.service), pytest.raises(ApprovalsExhausted) as refused:
        small.approvals.run(partial(small.service.money.deduct, one, 1))
    assert refused.value.values == {
        "maximum": 2,
        "retry_after_seconds": TTL_SECONDS,
    }
    small.clock.now += TTL_SECONDS * SECOND - 1
    assert small.approvals.get(second).status is ApprovalStatus.EXPIRED
    third = small.ask()
    with pytest.raises(ApprovalNotFound):
        small.approvals.get(first)
    assert small.approvals.get(second).status is ApprovalStatus.EXPIRED
    assert small.approvals.get(third).status is ApprovalStatus.PENDING
    assert len(small.approvals.table.wallets()) == 2


@pytest.mark.parametrize("how", ["confirmed", "cancelled", "rejected"])
def test_a_closed_approval_gives_its_slot_to_the_next_one(how: str) -> None:
    small = SmallTable()
    waiting, closed = small.ask(), small.ask()
    match how:
        case "confirmed":
            small.confirm(closed)
        case "cancelled":
            small.approvals.cancel(closed)
        case "rejected":
            for _ in range(5):
                with pytest.raises(CodeInvalid):
                    small.confirm(closed, WRONG)
    assert small.approvals.get(closed).status.lower() == how
    small.ask()
    with pytest.raises(ApprovalNotFound):
        small.approvals.get(closed)
    assert small.approvals.get(waiting).status is ApprovalStatus.PENDING
    with pytest.raises(ApprovalsExhausted):
        small.ask()


def test_an_old_approval_that_is_resent_waits_on_and_blocks_no_other() -> None:
    small = SmallTable()
    resent, expired = small.ask(), small.ask()
    small.clock.now += TTL_SECONDS * SECOND - 1
    small.approvals.resend(resent)
    small.clock.now += 1
    small.ask()
    with pytest.raises(ApprovalNotFound):
        small.approvals.get(expired)
    small.confirm(resent)


def test_nobody_can_guess_on_and_on(waiting: Waiting) -> None:
    """Not by approvals that are rejected, cancelled or expired, or sent again."""

    def guess(approval: ApprovalSnapshot) -> None:
        with pytest.raises(CodeInvalid):
            waiting.approvals.confirm(approval.id, WRONG)

    began = waiting.clock.now
    rejected, cancelled, expired = (waiting.request() for _ in range(3))
    for _ in range(5):
        guess(rejected)
    waiting.clock.now += 1
    for _ in range(4):
        guess(cancelled)
    waiting.approvals.cancel(cancelled.id)
    for _ in range(4):
        guess(expired)
    waiting.clock.now += TTL_SECONDS * SECOND
    last = waiting.request()
    guess(last)
    other = waiting.request()
    waiting.approvals.resend(last.id)
    guess(last)
    with nothing_moves(waiting.service), pytest.raises(TooManyWrongCodes) as refused:
        waiting.deduct(500)
    assert refused.value.values == {
        "wallet_id": waiting.source,
        "maximum": 15,
        "retry_after_seconds": 86_400 - TTL_SECONDS,
    }
    waiting.confirm(other)
    stranger = open_wallet(waiting.service, 1_000)
    waiting.service.set_limits(stranger, Limits(approval_threshold=0))
    waiting.service.deduct(stranger, 1)
    waiting.clock.now = began + 86_400 * SECOND - 1
    with pytest.raises(TooManyWrongCodes):
        waiting.deduct(500)
    waiting.clock.now += 1
    waiting.request()
    waiting.clock.now += 86_400 * SECOND
    waiting.request()
    assert waiting.approvals.table.guessed_wallets() == set()


def test_an_unknown_approval_is_not_found(waiting: Waiting) -> None:
    calls: list[Call] = [
        lambda: waiting.approvals.get(NOBODY),
        lambda: waiting.approvals.confirm(NOBODY, WRONG),
        lambda: waiting.approvals.cancel(NOBODY),
        lambda: waiting.approvals.resend(NOBODY),
    ]
    for call in calls:
        with pytest.raises(ApprovalNotFound):
            call()


# Codes


def test_codes_are_six_digits_made_by_chance() -> None:
    codes = {new_code() for _ in range(500)}
    assert all(len(code) == 6 and code.isdecimal() for code in codes)
    assert len(codes) > 450


def test_a_code_is_kept_nowhere() -> None:
    waiting = Waiting(new_code=lambda: "314159")
    approval = waiting.approvals.table.find(waiting.request().id)
    kept = repr([getattr(approval, slot) for slot in approval.__slots__])
    assert "314159" not in kept + repr(vars(waiting.approvals))
    twin = waiting.approvals.table.find(waiting.request().id)
    assert twin.digest != approval.digest, "equal codes can be told apart"
    other_process = Waiting(new_code=lambda: "314159")
    same_id = other_process.approvals.table.find(other_process.request().id)
    assert same_id.digest != approval.digest, "there is no key"


def test_codes_are_compared_in_constant_time(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval_id = waiting.request().id
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: False)
    with pytest.raises(CodeInvalid):
        waiting.approvals.confirm(approval_id, waiting.codes.sent[approval_id])


@pytest.mark.parametrize("channel", ["log", "webhook"])
def test_a_code_is_in_the_log_on_the_log_channel_only(
    caplog: pytest.LogCaptureFixture, channel: str
) -> None:
    caplog.set_level(logging.DEBUG)
    service = new_service(
        Settings(otp_channel=channel, approval_threshold=0),
        new_code=lambda: "314159",
        send_code=None,
    )
    approval = service.deduct(open_wallet(service, 5), 1)
    assert isinstance(approval, ApprovalSnapshot)
    shown = [line for line in caplog.messages if "314159" in line]
    assert len(shown) == (channel == "log")
    assert all(approval.id in line for line in shown)


def test_every_code_is_sent_before_a_later_one_can_be() -> None:
    held: list[bool] = []

    def send(approval: ApprovalSnapshot, code: str) -> None:
        lock = sending.approvals.table.find(approval.id).lock
        assert isinstance(lock, ThreadLock)
        held.append(lock.locked())

    sending = Waiting(lock_factory=ThreadLock, send_code=send)
    approval = sending.request()
    sending.approvals.resend(approval.id)
    assert held == [True, True]


def test_no_lock_of_a_wallet_is_held_while_a_code_is_sent() -> None:
    def send(approval: ApprovalSnapshot, code: str) -> None:
        sending.approvals.get(approval.id)
        sending.service.add(sending.source, 1)
        sending.service.audit()

    sending = Waiting(send_code=send)
    approval = sending.deduct(500)
    assert isinstance(approval, ApprovalSnapshot)
    sending.approvals.resend(approval.id)
    assert balances(sending.service, sending.source) == [1_002]


# Over HTTP


@pytest.fixture
def http(waiting: Waiting) -> FlaskClient:
    return create_app(waiting.service).test_client()


def requested(http: FlaskClient, waiting: Waiting, **headers: str) -> dict[str, Any]:
    """Ask for an approval over HTTP and return it."""
    body = {"walletId": waiting.source, "amount": 500}
    with nothing_moves(waiting.service):
        response = post(http, "/wallet/deduct", body, **headers)
    assert response.status_code == 202
    approval: dict[str, Any] = response.get_json()
    assert response.location == f"/approvals/{approval['approvalId']}"
    return approval


def test_a_deduct_that_waits_answers_its_approval(
    http: FlaskClient, waiting: Waiting
) -> None:
    approval = requested(http, waiting)
    assert approval == {
        "approvalId": approval["approvalId"],
        "walletId": waiting.source,
        "toWalletId": None,
        "amount": 500,
        "currency": "INR",
        "reason": "approval-threshold",
        "status": "PENDING",
        "attemptsLeft": 5,
        "resendsLeft": 3,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "expiresAt": "2026-01-01T00:05:00.000Z",
    }
    path = f"/approvals/{approval['approvalId']}"
    assert http.get(path).get_json() == approval


def test_confirming_a_transfer_answers_what_the_transfer_would_have(
    http: FlaskClient, waiting: Waiting
) -> None:
    pair = {"fromWalletId": waiting.source, "toWalletId": waiting.target}
    asked = post(http, "/wallet/transfer", pair | {"amount": 500})
    assert asked.status_code == 202
    id = asked.get_json()["approvalId"]
    assert asked.get_json()["toWalletId"] == waiting.target
    otp = {"otp": waiting.codes.sent[id]}
    confirmed = post(http, f"/approvals/{id}/confirm", otp)
    assert confirmed.status_code == 200
    answer = confirmed.get_json()
    assert set(answer) == {"referenceId", "from", "to"}
    assert answer["from"]["wallet"]["balance"] == 500
    assert answer["to"]["transaction"]["amount"] == 500
    assert http.get(f"/approvals/{id}").get_json()["status"] == "CONFIRMED"
    closed = assert_problem(
        post(http, f"/approvals/{id}/confirm", otp), 409, "approval_closed"
    )
    assert closed["approvalStatus"] == "CONFIRMED"


def test_wrong_codes_are_counted_down(http: FlaskClient, waiting: Waiting) -> None:
    path = f"/approvals/{requested(http, waiting)['approvalId']}/confirm"
    with nothing_moves(waiting.service):
        for left in (4, 3, 2, 1, 0):
            response = post(http, path, {"otp": WRONG})
            problem = assert_problem(response, 400, "otp_invalid")
            assert problem["attemptsLeft"] == left
        response = post(http, path, {"otp": WRONG})
        assert_problem(response, 409, "approval_closed")


@pytest.mark.parametrize(
    "body",
    [{}, {"otp": None}, {"otp": 123456}, {"otp": "12345"}, {"otp": "1234567"}]
    + [{"otp": "12345٦"}, {"otp": "123456\n"}, {"otp": "123456", "amount": 1}],
    ids=str,
)
def test_what_is_no_code_is_no_attempt(
    http: FlaskClient, waiting: Waiting, body: dict[str, object]
) -> None:
    approval = requested(http, waiting)
    path = f"/approvals/{approval['approvalId']}"
    with nothing_moves(waiting.service):
        assert_problem(post(http, f"{path}/confirm", body), 400, "invalid_request")
    assert http.get(path).get_json() == approval


def test_expired_and_cancelled_are_told_apart(
    http: FlaskClient, waiting: Waiting
) -> None:
    cancelled, expired = (requested(http, waiting)["approvalId"] for _ in range(2))
    response = http.post(f"/approvals/{cancelled}/cancel")
    assert (response.status_code, response.get_json()["status"]) == (200, "CANCELLED")
    waiting.clock.now += TTL_SECONDS * SECOND
    with nothing_moves(waiting.service):
        for id, status, code in (
            (cancelled, 409, "approval_closed"),
            (expired, 410, "approval_expired"),
        ):
            for call in ("confirm", "cancel", "resend"):
                body = {"otp": WRONG} if call == "confirm" else {}
                response = post(http, f"/approvals/{id}/{call}", body)
                assert_problem(response, status, code)
    assert http.get(f"/approvals/{expired}").get_json()["status"] == "EXPIRED"


def test_resend_answers_the_approval_and_is_bounded(
    http: FlaskClient, waiting: Waiting
) -> None:
    id = requested(http, waiting)["approvalId"]
    for left in (2, 1, 0):
        response = http.post(f"/approvals/{id}/resend")
        assert response.get_json()["resendsLeft"] == left
    response = http.post(f"/approvals/{id}/resend")
    assert_problem(response, 429, "too_many_resends")


def test_too_many_approvals_are_refused(http: FlaskClient, waiting: Waiting) -> None:
    for _ in range(5):
        requested(http, waiting)
    body, key = {"walletId": waiting.source, "amount": 500}, {"Idempotency-Key": "k"}
    with nothing_moves(waiting.service):
        response = post(http, "/wallet/deduct", body, **key)
        assert_problem(response, 429, "too_many_approvals")
    one, *_ = waiting.codes.sent
    http.post(f"/approvals/{one}/cancel")
    assert post(http, "/wallet/deduct", body, **key).status_code == 202


def test_a_wallet_whose_codes_are_guessed_is_told_when_that_is_over(
    http: FlaskClient, waiting: Waiting
) -> None:
    for number in range(3):
        http.environ_base["REMOTE_ADDR"] = f"203.0.113.{number}"
        path = f"/approvals/{requested(http, waiting)['approvalId']}/confirm"
        for _ in range(5):
            post(http, path, {"otp": WRONG})
    http.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    body = {"walletId": waiting.source, "amount": 500}
    with nothing_moves(waiting.service):
        response = post(http, "/wallet/deduct", body)
    assert_problem(response, 429, "too_many_wrong_codes")
    assert response.headers["Retry-After"] == "86400"


def test_a_request_with_a_key_asks_for_one_approval_and_a_confirmation_confirms_once(
    http: FlaskClient, waiting: Waiting
) -> None:
    key = {"Idempotency-Key": "ask"}
    approval = requested(http, waiting, **key)
    assert requested(http, waiting, **key) == approval
    assert len(waiting.codes.sent) == 1
    path = f"/approvals/{approval['approvalId']}/confirm"
    wrong = {"otp": WRONG}
    for _ in range(2):  # answered again, and not counted again
        problem = post(http, path, wrong, **{"Idempotency-Key": "wrong"}).get_json()
        assert problem["attemptsLeft"] == 4
    right = {"otp": waiting.codes.sent[approval["approvalId"]]}
    first = post(http, path, right, **{"Idempotency-Key": "right"})
    again = post(http, path, right, **{"Idempotency-Key": "right"})
    assert first.status_code == 200
    assert again.data == first.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert balances(waiting.service, waiting.source) == [500]


def test_no_answer_shows_a_code() -> None:
    waiting = Waiting(new_code=lambda: "314159")
    http = create_app(waiting.service).test_client()
    body = {"walletId": waiting.source, "amount": 500}
    asked = post(http, "/wallet/deduct", body)
    path = f"/approvals/{asked.get_json()['approvalId']}"
    for response in (
        asked,
        http.get(path),
        http.post(f"{path}/resend"),
        post(http, f"{path}/confirm", {"otp": WRONG}),
        http.post(f"{path}/cancel"),
    ):
        assert "314159" not in response.text + str(response.headers)


def test_a_path_that_names_no_approval_is_not_found(http: FlaskClient) -> None:
    for id, code in ((NOBODY, "approval_not_found"), ("42", "not_found")):
        path = f"/approvals/{id}"
        assert_problem(http.get(path), 404, code)
        for call in ("confirm", "cancel", "resend"):
            body = {"otp": WRONG} if call == "confirm" else {}
            assert_problem(post(http, f"{path}/{call}", body), 404, code)
