"""Fraud rules over HTTP."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.answers import assert_problem, post
from tests.flagging import Watched
from tests.ledgers import nothing_moves, open_wallet
from wallet_app import create_app
from wallet_app.services.service import WalletService


@pytest.fixture
def watched() -> Watched:
    return Watched("velocity,new-payee", velocity_count=1, new_payee_amount=500)


@pytest.fixture
def http(watched: Watched) -> FlaskClient:
    return create_app(watched.service).test_client()


def test_what_is_flagged_is_answered_and_listed(
    http: FlaskClient, watched: Watched
) -> None:
    pair = {"fromWalletId": watched.source, "toWalletId": watched.target}
    review = post(http, "/wallet/transfer", pair | {"amount": 500})
    assert (review.status_code, review.get_json()["reason"]) == (202, "new-payee")
    body = {"walletId": watched.source, "amount": 1}
    assert post(http, "/wallet/deduct", body).status_code == 200
    with nothing_moves(watched.service):
        blocked = post(http, "/wallet/deduct", body)
        problem = assert_problem(blocked, 403, "fraud_blocked")
    assert problem["rule"] == "velocity"
    listed = http.get("/fraud/alerts?limit=1")
    answer = listed.get_json()
    assert {**answer, "alerts": []} == {
        "alerts": [],
        "page": 1,
        "limit": 1,
        "total": 2,
        "totalPages": 2,
    }
    assert answer["alerts"] == [
        {
            "id": answer["alerts"][0]["id"],
            "walletId": watched.source,
            "toWalletId": None,
            "rule": "velocity",
            "verdict": "block",
            "amount": 1,
            "currency": "INR",
            "approvalId": None,
            "createdAt": "2026-01-01T00:00:00.000Z",
        }
    ]
    assert listed.headers["Link"] == (
        '</fraud/alerts?limit=1&page=1>; rel="first", '
        '</fraud/alerts?limit=1&page=2>; rel="next", '
        '</fraud/alerts?limit=1&page=2>; rel="last"'
    )
    (older,) = http.get("/fraud/alerts?limit=1&page=2").get_json()["alerts"]
    assert (older["rule"], older["verdict"]) == ("new-payee", "review")
    assert older["approvalId"] == review.get_json()["approvalId"]
    assert older["toWalletId"] == watched.target


def test_a_block_is_kept_for_its_key_and_is_one_alert(
    http: FlaskClient, watched: Watched
) -> None:
    watched.deduct(1)
    body = {"walletId": watched.source, "amount": 1}
    first, again = (
        post(http, "/wallet/deduct", body, **{"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert_problem(first, 403, "fraud_blocked")
    assert first.data == again.data
    assert watched.service.list_alerts().total == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "page=0", "rule=drain"])
def test_alerts_of_the_wrong_query_are_refused(client: FlaskClient, query: str) -> None:
    response = client.get(f"/fraud/alerts?{query}")
    assert_problem(response, 400, "invalid_request")


def test_out_of_the_box_nothing_is_flagged(
    client: FlaskClient, service: WalletService
) -> None:
    source, target = open_wallet(service, 10**9), open_wallet(service)
    for _ in range(20):
        service.transfer(source, target, 10**7)
    assert client.get("/fraud/alerts").get_json()["alerts"] == []
