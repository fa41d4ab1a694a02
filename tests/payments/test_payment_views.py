"""Payments over HTTP, and of what webhooks are notified."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient

from tests.answers import NOBODY, assert_problem, post
from tests.ledgers import SECOND, BoundedLock, new_service, open_wallet
from tests.payments.paying import (
    ATTEMPTS_MAX,
    DAY,
    DEPOSIT,
    SANDBOX,
    WITHDRAWAL,
    Crowded,
    Paying,
    frozen,
    nothing_opens,
)
from wallet_app import create_app
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.gateways.bank import Direction
from wallet_app.services.events import Event, EventType
from wallet_app.services.idempotency import Claim
from wallet_app.services.payments.payment import PaymentStatus

PATHS = {DEPOSIT: "/wallet/deposit", WITHDRAWAL: "/wallet/withdraw"}


def body_of(paying: Paying, **others: object) -> dict[str, object]:
    body = {"walletId": paying.wallet_id, "amount": 300, "bankAccount": "sandbox-ok"}
    return body | others


@pytest.mark.parametrize("direction", Direction)
def test_asking_answers_the_payment_and_where_it_can_be_followed(
    http: FlaskClient, paying: Paying, direction: Direction
) -> None:
    asked = post(http, PATHS[direction], body_of(paying))
    assert asked.status_code == 202
    payment = asked.get_json()
    assert payment == {
        "id": payment["id"],
        "walletId": paying.wallet_id,
        "direction": direction,
        "amount": 300,
        "currency": "INR",
        "bankAccount": "sandbox-ok",
        "status": "PENDING",
        "bankAnswer": "NONE",
        "attempts": 0,
        "lastError": None,
        "nextAttemptAt": "2026-01-01T00:00:00.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
    assert asked.location == f"/payments/{payment['id']}"
    assert http.get(asked.location).get_json() == payment
    paying.clock.now += SECOND
    paying.service.background.run_due()
    assert http.get(asked.location).get_json() == payment | {
        "status": "SUCCEEDED",
        "bankAnswer": "PAID",
        "attempts": 1,
        "nextAttemptAt": None,
        "updatedAt": "2026-01-01T00:00:01.000Z",
    }
    page = http.get(f"/wallet/{paying.wallet_id}/transactions").get_json()
    assert page["transactions"][0]["referenceId"] == payment["id"]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(
    "wrong",
    [
        *({"bankAccount": account} for account in ("", "x" * 65, "a\n", " a", "\n")),
        *({"bankAccount": account} for account in (42, None, ["a"], "a\0", "konto€")),
        *({"amount": amount} for amount in (0, -1, 5.0, "5", True, AMOUNT_MAX + 1)),
        {"walletId": "42"},
        {"category": "food"},
        {"currency": "INR"},
    ],
    ids=str,
)
def test_what_is_no_payment_opens_none(
    http: FlaskClient, paying: Paying, direction: Direction, wrong: dict[str, object]
) -> None:
    with nothing_opens(paying):
        response = post(http, PATHS[direction], body_of(paying, **wrong))
        problem = assert_problem(response, 400, "invalid_request")
    assert list(problem["errors"]) == list(wrong)
    for missing in body_of(paying):
        body = body_of(paying)
        del body[missing]
        with nothing_opens(paying):
            response = post(http, PATHS[direction], body)
            assert_problem(response, 400, "invalid_request")


@pytest.mark.parametrize("direction", Direction)
def test_a_request_with_a_key_opens_one_payment(
    http: FlaskClient, paying: Paying, direction: Direction
) -> None:
    key = {"Idempotency-Key": "k"}
    first = post(http, PATHS[direction], body_of(paying), **key)
    paying.service.background.run_due()
    with nothing_opens(paying):
        again = post(http, PATHS[direction], body_of(paying), **key)
        assert (again.status_code, again.data) == (202, first.data)
        assert again.location == first.location
        assert again.headers["Idempotent-Replayed"] == "true"
        response = post(http, PATHS[direction], body_of(paying, amount=1), **key)
        assert_problem(response, 422, "idempotency_key_reused")
    assert [each.id for each in paying.payments.all()] == [first.get_json()["id"]]


def test_a_withdrawal_that_waits_is_confirmed_over_http(
    http: FlaskClient, paying: Paying
) -> None:
    paying.service.set_limits(paying.wallet_id, Limits(approval_threshold=100))
    with nothing_opens(paying):
        asked = post(http, "/wallet/withdraw", body_of(paying))
    assert asked.status_code == 202
    id = asked.get_json()["approvalId"]
    assert asked.location == f"/approvals/{id}"
    otp, key = {"otp": paying.codes.sent[id]}, {"Idempotency-Key": "k"}
    confirmed = post(http, f"/approvals/{id}/confirm", otp, **key)
    assert confirmed.status_code == 202
    payment = confirmed.get_json()
    assert confirmed.location == f"/payments/{payment['id']}"
    assert http.get(confirmed.location).get_json() == payment
    with nothing_opens(paying):
        again = post(http, f"/approvals/{id}/confirm", otp, **key)
        assert (again.data, again.location) == (confirmed.data, confirmed.location)
        closed = post(http, f"/approvals/{id}/confirm", otp)
        assert_problem(closed, 409, "approval_closed")
    paying.service.background.run_due()
    assert http.get(confirmed.location).get_json()["status"] == "SUCCEEDED"


def test_taking_up_again_answers_the_payment_and_is_done_once_for_a_key(
    http: FlaskClient, paying: Paying
) -> None:
    asked = post(
        http, "/wallet/withdraw", body_of(paying, bankAccount="sandbox-down")
    ).get_json()
    path, key = f"/payments/{asked['id']}", {"Idempotency-Key": "k"}
    refused = assert_problem(
        http.post(f"{path}/retry", headers=key), 409, "payment_not_parked"
    )
    assert (refused["paymentId"], refused["paymentStatus"]) == (asked["id"], "PENDING")
    paying.run_on(asked["id"])
    parked = http.get(path).get_json()
    assert (parked["status"], parked["nextAttemptAt"]) == ("PARKED", None)
    taken_up = http.post(f"{path}/retry", headers=key)
    assert taken_up.status_code == 202
    assert taken_up.get_json() == parked | {
        "status": "PENDING",
        "nextAttemptAt": "2026-01-01T00:00:31.000Z",
    }
    paying.run_on(asked["id"])
    attempts = http.get(path).get_json()["attempts"]
    replayed = http.post(f"{path}/retry", headers=key)
    assert (replayed.status_code, replayed.data) == (202, taken_up.data)
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert paying.run(asked["id"]).attempts == attempts == 2 * ATTEMPTS_MAX
    with nothing_opens(paying):
        wrong = post(http, f"{path}/retry", {"force": True})
        assert_problem(wrong, 400, "invalid_request")


def test_refusals_are_told_over_http_and_open_nothing(
    http: FlaskClient, paying: Paying
) -> None:
    for direction in Direction:
        response = post(http, PATHS[direction], body_of(paying, walletId=NOBODY))
        assert_problem(response, 404, "wallet_not_found")
    with nothing_opens(paying):
        poor = post(http, "/wallet/withdraw", body_of(paying, amount=1_001))
        problem = assert_problem(poor, 400, "insufficient_funds")
    assert (problem["balance"], problem["amount"]) == (1_000, 1_001)
    frozen(paying)
    for direction in Direction:
        with nothing_opens(paying):
            response = post(http, PATHS[direction], body_of(paying))
            assert_problem(response, 423, "wallet_frozen")


def test_too_many_payments_are_told_when_to_come_back(crowded: Crowded) -> None:
    paying = crowded(1)
    http, key = create_app(paying.service).test_client(), {"Idempotency-Key": "k"}
    post(http, "/wallet/deposit", body_of(paying))
    for direction in Direction:
        with nothing_opens(paying):
            response = post(http, PATHS[direction], body_of(paying), **key)
            assert_problem(response, 503, "payments_exhausted")
        assert response.headers["Retry-After"] == "60"
    paying.service.background.run_due()
    assert post(http, "/wallet/deposit", body_of(paying), **key).status_code == 202


def test_the_audit_and_the_bank_show_the_same_money(
    http: FlaskClient, paying: Paying
) -> None:
    ok = post(http, "/wallet/withdraw", body_of(paying)).get_json()
    totals = http.get("/audit").get_json()["currencies"]["INR"]
    assert (totals["withdrawalsInFlight"], totals["depositsInFlight"]) == (300, 0)
    paid = post(http, "/wallet/deposit", body_of(paying, amount=200)).get_json()
    frozen(paying)
    for payment in (ok, paid):
        paying.run(payment["id"])
    audit = http.get("/audit").get_json()
    totals = audit["currencies"]["INR"]
    assert audit["balanced"] and audit["problems"] == []
    assert (totals["withdrawalsInFlight"], totals["depositsInFlight"]) == (0, 200)
    assert (totals["credits"], totals["debits"]) == (1_000, 300)
    books = http.get("/sandbox-bank")
    assert books.status_code == 200
    assert "200" in books.text and "300" in books.text


def told(paying: Paying) -> list[tuple[str, str | None, str]]:
    """Return what the webhooks were told: of what, and what it was."""
    paying.service.background.run_due()
    messages = []
    for _, _, content in paying.receivers.posts:
        message = json.loads(content)
        data = message["data"]
        if message["type"].startswith("payment."):
            messages.append((message["type"], data["id"], data["status"]))
        else:
            messages.append((message["type"], data["referenceId"], data["type"]))
    return messages


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("account", SANDBOX)
def test_an_end_is_told_once_after_the_movement_that_made_it(
    http: FlaskClient, paying: Paying, account: str, direction: Direction
) -> None:
    paying.service.create_webhook("https://receiver.example/", list(EventType))
    asked = post(http, PATHS[direction], body_of(paying, bankAccount=account))
    id = asked.get_json()["id"]
    status = paying.run_on(id).status
    created = [("transaction.created", id, type) for type, _ in paying.moved(id)]
    ended = {
        "SUCCEEDED": [("payment.succeeded", id, "SUCCEEDED")],
        "FAILED": [("payment.failed", id, "FAILED")],
        "PARKED": [],
    }[status]
    assert told(paying) == created + ended
    paying.clock.now += DAY
    paying.payments.attempt(paying.payments.table.find(id))
    assert told(paying) == created + ended


def test_money_that_waits_for_its_wallet_is_told_when_it_arrives(
    http: FlaskClient, paying: Paying
) -> None:
    webhooks = paying.service.webhooks
    only = [EventType.PAYMENT_SUCCEEDED, EventType.TRANSACTION_CREATED]
    webhooks.create("https://receiver.example/", only)
    id = post(http, "/wallet/deposit", body_of(paying)).get_json()["id"]
    frozen(paying)
    paying.run_on(id)
    assert told(paying) == []
    http.post(f"/wallet/{paying.wallet_id}/unfreeze")
    http.post(f"/payments/{id}/retry")
    paying.run(id)
    assert told(paying) == [
        ("transaction.created", id, "CREDIT"),
        ("payment.succeeded", id, "SUCCEEDED"),
    ]


def test_nobody_sees_a_payment_before_the_commit_that_opens_it() -> None:
    service = new_service()
    wallet_id = open_wallet(service, 1_000)
    seen: list[object] = []

    class Looking(Claim):
        def prepare(self, outcome: object) -> tuple[object, tuple[Event, ...]]:
            seen.append(service.payments.all())
            return super().prepare(outcome)

    payment = service.payments.withdraw(
        wallet_id, 300, "sandbox-ok", (Looking("fingerprint"),)
    )
    assert seen == [[]]
    assert service.payments.all() == [payment]


class FaultyLock(BoundedLock):
    """A lock whose release fails once when it is to, after it has released."""

    is_faulty = False

    def release(self) -> None:
        super().release()
        if self.is_faulty:
            self.is_faulty = False
            raise MemoryError


@pytest.mark.parametrize("direction", [DEPOSIT, WITHDRAWAL])
def test_a_payment_that_committed_goes_on_though_its_wallet_fails_to_be_left(
    direction: Direction,
) -> None:
    locks: list[FaultyLock] = []

    def new_lock() -> FaultyLock:
        locks.append(FaultyLock())
        return locks[-1]

    paying = Paying(lock_factory=new_lock)
    locks[-1].is_faulty = True  # the wallet's
    with pytest.raises(MemoryError):
        paying.ask(direction)
    (payment,) = paying.payments.all()
    assert payment.status is PaymentStatus.PENDING
    assert paying.run(payment.id).status is PaymentStatus.SUCCEEDED
    assert paying.balance() == (1_300 if direction is DEPOSIT else 700)
    assert paying.service.audit().problems == []
