"""What all callers share is bounded for each of them, so that one cannot use up what
the others need."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.answers import assert_problem
from tests.ledgers import (
    SECOND,
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
    ApprovalsExhausted,
    CodeInvalid,
    TooManyApprovals,
    TooManyWrongCodes,
)
from wallet_app.domain.errors.exchange_errors import QuotesExhausted
from wallet_app.domain.errors.request_errors import IdempotencyKeysExhausted
from wallet_app.domain.spending import Limits
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.approvals.approvals import Approvals
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.idempotency import IdempotencyKeys
from wallet_app.services.quotes import Quotes
from wallet_app.settings import Settings

RATES = (("USD", "INR", Decimal("83.12")),)
TTL_SECONDS = 300
DAY_SECONDS = 86_400
WRONG = "999999"


# Keys, quotes and approvals


def test_one_caller_holds_at_most_a_quarter_of_the_keys() -> None:
    clock = Clock()
    keys = IdempotencyKeys(clock, 60, BoundedLock, keys_max=8)

    def answer(on_commit: OnCommits) -> str:
        commit(on_commit, "answer")
        return "answer"

    def not_run(on_commit: OnCommits) -> str:
        raise AssertionError("it was run")

    for key in ("one", "two"):
        keys.run(key, "", answer, caller="stranger")
    clock.now += 20 * SECOND
    with pytest.raises(IdempotencyKeysExhausted) as refused:
        keys.run("three", "", not_run, caller="stranger")
    assert refused.value.values == {"maximum": 2, "retry_after_seconds": 40}
    assert keys.run("one", "", not_run, caller="stranger") == "answer"
    for number in range(3):
        keys.run(f"other {number}", "", answer, caller=f"other {number}")
    for number in range(3):
        keys.run(f"nobody's {number}", "", answer)
    with pytest.raises(IdempotencyKeysExhausted):
        keys.run("a ninth", "", not_run)
    clock.now += 40 * SECOND
    keys.run("three", "", answer, caller="stranger")


def test_one_caller_holds_at_most_a_quarter_of_the_quotes() -> None:
    service, clock = new_service(), Clock()
    quotes = Quotes(
        service.store, clock, clock, Ids(), RATES, 60, BoundedLock, quotes_max=8
    )
    create = partial(quotes.create, "USD", "INR", 1)
    first, _ = create(caller="stranger"), create(caller="stranger")
    with nothing_moves(service), pytest.raises(QuotesExhausted) as refused:
        create(caller="stranger")
    assert refused.value.values == {"maximum": 2, "retry_after_seconds": 60}
    create(caller="other")
    create()
    quotes.release(first.id)
    create(caller="stranger")


def test_one_caller_holds_at_most_a_quarter_of_the_approvals() -> None:
    clock, codes = Clock(), Codes()
    service = new_service(Settings(approval_threshold=0), clock=clock)
    approvals = Approvals(
        clock,
        clock,
        Ids(),
        codes,
        codes.send,
        TTL_SECONDS,
        service.alerts,
        BoundedLock,
        kept_max=8,
    )

    def ask(caller: str | None) -> str:
        wallet_id = open_wallet(service, 5)
        with nothing_moves(service):
            approval = approvals.run(
                partial(service.money.deduct, wallet_id, 1), (), caller
            )
        assert isinstance(approval, ApprovalSnapshot)
        return approval.id

    first, _ = ask("stranger"), ask("stranger")
    with pytest.raises(ApprovalsExhausted) as refused:
        ask("stranger")
    assert refused.value.values == {"maximum": 2, "retry_after_seconds": TTL_SECONDS}
    ask("other")
    ask(None)
    approvals.cancel(first)
    ask("stranger")


# The approvals of one wallet


class Shared:
    """A wallet of 1,000 that needs an approval for everything, and its callers."""

    def __init__(self) -> None:
        self.clock, self.codes = Clock(), Codes()
        self.service = new_service(
            clock=self.clock, new_code=self.codes, send_code=self.codes.send
        )
        self.wallet = open_wallet(self.service, 1_000)
        self.service.set_limits(self.wallet, Limits(approval_threshold=0))

    def ask(self, caller: str | None) -> str:
        with nothing_moves(self.service):
            approval = self.service.deduct(self.wallet, 1, caller=caller)
        assert isinstance(approval, ApprovalSnapshot)
        return approval.id

    def guess(self, approval_id: str, caller: str | None, times: int) -> None:
        for _ in range(times):
            with nothing_moves(self.service), pytest.raises(CodeInvalid):
                self.service.confirm_approval(approval_id, WRONG, caller=caller)

    def confirm(self, approval_id: str, caller: str | None) -> object:
        code = self.codes.sent[approval_id]
        return self.service.confirm_approval(approval_id, code, caller=caller)


@pytest.fixture
def shared() -> Shared:
    return Shared()


def test_one_caller_has_at_most_five_approvals_that_wait_for_a_wallet(
    shared: Shared,
) -> None:
    first, *_ = [shared.ask("stranger") for _ in range(5)]
    with pytest.raises(TooManyApprovals) as refused:
        shared.ask("stranger")
    assert refused.value.values == {"wallet_id": shared.wallet, "maximum": 5}
    for _ in range(4):
        shared.ask("owner")
    shared.ask(None)
    with pytest.raises(TooManyApprovals) as refused:
        shared.ask("another")
    assert refused.value.values == {"wallet_id": shared.wallet, "maximum": 10}
    shared.confirm(first, "owner")
    shared.ask("stranger")


def test_one_caller_spends_at_most_five_wrong_codes_of_a_wallet(shared: Shared) -> None:
    approval, other = shared.ask("owner"), shared.ask("owner")
    shared.guess(approval, "stranger", 4)
    shared.clock.now += SECOND
    shared.guess(other, "stranger", 1)
    with nothing_moves(shared.service), pytest.raises(TooManyWrongCodes) as refused:
        shared.confirm(approval, "stranger")  # not even the right one
    assert refused.value.values == {
        "wallet_id": shared.wallet,
        "maximum": 5,
        "retry_after_seconds": DAY_SECONDS - 1,
    }
    with pytest.raises(TooManyWrongCodes):
        shared.ask("stranger")
    assert shared.service.approvals.get(approval).attempts_left == 1
    shared.confirm(approval, "owner")
    shared.ask("owner")
    assert balances(shared.service, shared.wallet) == [999]


def test_what_a_caller_spent_is_forgotten_after_a_day(shared: Shared) -> None:
    shared.guess(shared.ask("owner"), "stranger", 5)
    shared.clock.now += DAY_SECONDS * SECOND - 1
    with pytest.raises(TooManyWrongCodes):
        shared.ask("stranger")
    shared.clock.now += 1
    shared.ask("stranger")


def test_all_callers_together_spend_at_most_fifteen(shared: Shared) -> None:
    for caller in ("one", "two", "three"):
        shared.guess(shared.ask(caller), caller, 5)
    for newcomer in ("owner", None):
        with pytest.raises(TooManyWrongCodes) as refused:
            shared.ask(newcomer)
        assert refused.value.values["maximum"] == 15


def test_a_caller_that_others_followed_is_still_refused(shared: Shared) -> None:
    last, *others = [shared.ask("owner" if n % 2 else None) for n in range(8)]
    shared.guess(last, "stranger", 4)
    for caller in ("one", "two", "three", "four"):
        shared.guess(others.pop(), caller, 4)
    shared.guess(others.pop(), "stranger", 1)
    with nothing_moves(shared.service), pytest.raises(TooManyWrongCodes):
        shared.confirm(last, "stranger")


# Over HTTP


Send = Callable[..., TestResponse]


@pytest.fixture
def send(shared: Shared) -> Send:
    """Post from an address of a /64."""
    client: FlaskClient = create_app(shared.service).test_client()

    def post(address: str, path: str, body: dict[str, Any], **headers: str) -> Any:
        environ = {"REMOTE_ADDR": address}
        return client.post(path, json=body, headers=headers, environ_base=environ)

    return post


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/wallet/deduct", {"walletId": "wallet"}),
        ("/wallet/transfer", {"fromWalletId": "wallet", "toWalletId": "target"}),
        ("/wallet/withdraw", {"walletId": "wallet", "bankAccount": "sandbox-ok"}),
    ],
)
def test_each_movement_out_counts_for_its_address(
    shared: Shared, send: Send, path: str, fields: dict[str, str]
) -> None:
    target = open_wallet(shared.service)
    names = {"wallet": shared.wallet, "target": target}
    body = {name: names.get(value, value) for name, value in fields.items()}
    for number in range(5):
        response = send(f"2001:db8:1:2::{number}", path, body | {"amount": 1})
        assert response.status_code == 202
    with nothing_moves(shared.service):
        response = send("2001:db8:1:2::99", path, body | {"amount": 1})
    problem = assert_problem(response, 429, "too_many_approvals")
    assert problem["maximum"] == 5
    assert send("2001:db8:1:3::", path, body | {"amount": 1}).status_code == 202


def test_wrong_codes_count_for_their_address(shared: Shared, send: Send) -> None:
    one, two = shared.ask("203.0.113.1"), shared.ask("203.0.113.1")
    for _ in range(5):
        path = f"/approvals/{one}/confirm"
        assert_problem(send("203.0.113.2", path, {"otp": WRONG}), 400, "otp_invalid")
    path, right = f"/approvals/{two}/confirm", {"otp": shared.codes.sent[two]}
    with nothing_moves(shared.service):
        refused = send("203.0.113.2", path, right)
    assert_problem(refused, 429, "too_many_wrong_codes")
    assert refused.headers["Retry-After"] == str(DAY_SECONDS)
    assert send("203.0.113.1", path, right).status_code == 200


def test_keys_count_for_their_address(shared: Shared, send: Send) -> None:
    shared.service.idempotency = IdempotencyKeys(Clock(), 60, BoundedLock, keys_max=4)
    body = {"walletId": shared.wallet, "amount": 1}

    def add(address: str, key: str) -> TestResponse:
        return send(address, "/wallet/add", body, **{"Idempotency-Key": key})

    assert add("203.0.113.1", "one").status_code == 200
    with nothing_moves(shared.service):
        refused = add("203.0.113.1", "two")
    assert_problem(refused, 503, "idempotency_keys_exhausted")
    assert refused.headers["Retry-After"] == "60"
    assert add("203.0.113.2", "three").status_code == 200


def test_quotes_count_for_their_address(shared: Shared, send: Send) -> None:
    clock = Clock()
    shared.service.quotes = Quotes(
        shared.service.store, clock, clock, Ids(), RATES, 60, BoundedLock, quotes_max=4
    )
    body = {"fromCurrency": "USD", "toCurrency": "INR", "amount": 1}
    assert send("203.0.113.1", "/fx/quotes", body).status_code == 201
    refused = send("203.0.113.1", "/fx/quotes", body)
    assert_problem(refused, 503, "quotes_exhausted")
    assert refused.headers["Retry-After"] == "60"
    assert send("203.0.113.2", "/fx/quotes", body).status_code == 201
