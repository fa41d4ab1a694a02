"""Approvals over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.answers import assert_problem, post
from tests.approving import TTL_SECONDS, WRONG, Waiting
from tests.ledgers import SECOND, balances, nothing_moves
from wallet_app import create_app


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
