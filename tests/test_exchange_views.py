"""Quotes and exchanges over HTTP."""

from __future__ import annotations

from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tests.answers import NOBODY, assert_problem, post
from tests.house import TTL_SECONDS, House
from tests.ledgers import SECOND, everything, nothing_moves
from wallet_app import create_app
from wallet_app.domain.transactions import HOUSE


@pytest.fixture
def http(house: House) -> FlaskClient:
    return create_app(house.service).test_client()


QUOTE = {"fromCurrency": "INR", "toCurrency": "USD", "amount": 83_120}


def transfer(house: House, quote_id: object, amount: int = 83_120) -> dict[str, object]:
    return {
        "fromWalletId": house.source,
        "toWalletId": house.target,
        "amount": amount,
        "quoteId": quote_id,
    }


def test_a_quote_is_answered_and_used(http: FlaskClient, house: House) -> None:
    response = post(http, "/fx/quotes", QUOTE)
    assert response.status_code == 201
    quote = response.get_json()
    assert quote == {
        "quoteId": quote["quoteId"],
        "fromCurrency": "INR",
        "toCurrency": "USD",
        "rate": "0.01203079884504331087584215591915304",
        "fromAmount": 83_120,
        "toAmount": 1_000,
        "expiresAt": "2026-01-01T00:01:00.000Z",
    }
    body = transfer(house, quote["quoteId"])
    exchanged = post(http, "/wallet/transfer", body).get_json()
    assert exchanged["from"]["transaction"]["amount"] == 83_120
    assert exchanged["from"]["wallet"]["balance"] == 16_880
    assert exchanged["to"]["transaction"]["amount"] == 1_000
    assert exchanged["to"]["transaction"]["currency"] == "USD"
    with nothing_moves(house.service):
        again = post(http, "/wallet/transfer", body)
        assert_problem(again, 409, "quote_used")
    rupees, dollars = http.get("/fx/liquidity").get_json()["wallets"]
    assert (rupees["balance"], dollars["balance"]) == (83_120, -1_000)
    assert http.get(f"/wallet/{dollars['id']}").get_json() == dollars
    page = http.get(f"/wallet/{dollars['id']}/transactions").get_json()
    assert page["transactions"][0]["balanceAfter"] == -1_000
    audit = http.get("/audit").get_json()
    assert audit["balanced"] and audit["currencies"]["USD"]["balances"] == 0


def test_nobody_opens_a_wallet_as_the_house(http: FlaskClient, house: House) -> None:
    house.exchange(house.quote())
    with nothing_moves(house.service):
        response = post(http, "/wallet/create", {"userId": HOUSE})
    problem = assert_problem(response, 400, "invalid_request")
    assert problem["errors"] == {
        "userId": ["Must be a user's: this one names the house."]
    }
    assert http.get(f"/users/{HOUSE}/wallets").get_json() == {"wallets": []}


def test_a_rate_is_told_as_it_was_given(http: FlaskClient) -> None:
    asked = {"fromCurrency": "USD", "toCurrency": "INR", "amount": 1}
    assert post(http, "/fx/quotes", asked).get_json()["rate"] == "83.12"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"toCurrency": "INR"}, 400, "same_currency"),
        ({"toCurrency": "EUR"}, 422, "fx_rate_unavailable"),
        ({"amount": 1}, 422, "amount_not_exchangeable"),
        ({"toCurrency": "XXX"}, 400, "invalid_request"),
        ({"fromCurrency": "XAU"}, 400, "invalid_request"),
        ({"amount": 1.5}, 400, "invalid_request"),
        ({"amount": 0}, 400, "invalid_request"),
        ({"rate": "1"}, 400, "invalid_request"),
    ],
    ids=str,
)
def test_what_cannot_be_quoted_is_refused(
    http: FlaskClient, house: House, body: dict[str, object], status: int, code: str
) -> None:
    with nothing_moves(house.service):
        assert_problem(post(http, "/fx/quotes", QUOTE | body), status, code)


def test_a_transfer_that_its_quote_does_not_promise_is_refused(
    http: FlaskClient, house: House
) -> None:
    quote_id = post(http, "/fx/quotes", QUOTE).get_json()["quoteId"]
    with nothing_moves(house.service):
        for quote, amount, status, code in (
            (None, 83_120, 400, "currency_mismatch"),
            (quote_id, 83_119, 400, "quote_mismatch"),
            (NOBODY, 83_120, 404, "quote_not_found"),
            ("42", 83_120, 400, "invalid_request"),
        ):
            body = transfer(house, quote, amount)
            assert_problem(post(http, "/wallet/transfer", body), status, code)
        house.clock.now += TTL_SECONDS * SECOND
        expired = post(http, "/wallet/transfer", transfer(house, quote_id))
        assert_problem(expired, 410, "quote_expired")


def test_quotes_and_exchanges_with_a_key_are_made_once(
    http: FlaskClient, house: House
) -> None:
    one, other = (
        post(http, "/fx/quotes", QUOTE, **{"Idempotency-Key": "quote"})
        for _ in range(2)
    )
    assert one.data == other.data
    assert other.headers["Idempotent-Replayed"] == "true"
    body = transfer(house, one.get_json()["quoteId"])
    first, again = (
        post(http, "/wallet/transfer", body, **{"Idempotency-Key": "exchange"})
        for _ in range(2)
    )
    assert (first.status_code, first.data) == (200, again.data)


def test_the_wallets_of_a_user_are_listed(http: FlaskClient, house: House) -> None:
    user_id = str(uuid4())
    created = [
        post(http, "/wallet/create", {"userId": user_id, "currency": each}).get_json()
        for each in ("JPY", "BHD")
    ]
    path = f"/users/{user_id}/wallets"
    assert http.get(path).get_json() == {"wallets": created[::-1]}
    assert http.get(f"/users/{uuid4()}/wallets").get_json() == {"wallets": []}
    assert_problem(http.get("/users/42/wallets"), 404, "not_found")
    before = everything(house.service)
    for code in ("XXX", "XAU"):
        body = {"userId": user_id, "currency": code}
        assert_problem(post(http, "/wallet/create", body), 400, "invalid_request")
    assert everything(house.service) == before
