"""What a wallet's history comes to, by type and by category."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.answers import assert_problem
from tests.ledgers import FULL, SECOND, START, Clock, new_service, open_wallet
from wallet_app import create_app
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.service import WalletService
from wallet_app.services.summary import CATEGORIES_MAX


@pytest.fixture
def wallet_id(service: WalletService) -> str:
    """Return a wallet with a transaction of each type, and two categories."""
    wallet_id, other = open_wallet(service), open_wallet(service, 500)
    service.add(wallet_id, 1_000, "salary")
    service.deduct(wallet_id, 100, "food")
    service.transfer(wallet_id, other, 30, "food")
    service.transfer(other, wallet_id, 7, "food")
    service.add(wallet_id, 5)
    return wallet_id


def test_totals_are_by_type_and_by_category(
    client: FlaskClient, wallet_id: str
) -> None:
    response = client.get(f"/wallet/{wallet_id}/summary")
    assert response.status_code == 200
    assert response.get_json() == {
        "walletId": wallet_id,
        "currency": "INR",
        "from": None,
        "to": None,
        "count": 5,
        "byType": {
            "CREDIT": {"count": 2, "amount": 1_005},
            "DEBIT": {"count": 1, "amount": 100},
            "TRANSFER_IN": {"count": 1, "amount": 7},
            "TRANSFER_OUT": {"count": 1, "amount": 30},
        },
        "byCategory": [
            {"category": "food", "count": 3, "incoming": 7, "outgoing": 130},
            {"category": "salary", "count": 1, "incoming": 1_000, "outgoing": 0},
            {"category": None, "count": 1, "incoming": 5, "outgoing": 0},
        ],
        "otherCategories": {"categories": 0, "count": 0, "incoming": 0, "outgoing": 0},
    }


def test_an_empty_wallet_comes_to_nothing(
    client: FlaskClient, service: WalletService
) -> None:
    summary = client.get(f"/wallet/{open_wallet(service)}/summary").get_json()
    assert (summary["count"], summary["byCategory"]) == (0, [])
    assert all(each == {"count": 0, "amount": 0} for each in summary["byType"].values())
    assert len(summary["byType"]) == 4


def test_only_what_happened_in_the_time_asked_for_counts() -> None:
    clock = Clock()
    service = new_service(clock=clock)
    client = create_app(service).test_client()
    wallet_id = open_wallet(service)
    for amount in (1, 10, 100):
        service.add(wallet_id, amount)
        clock.now += SECOND
    path = f"/wallet/{wallet_id}/summary"
    for query, amount in (
        ("from=2026-01-01T00:00:01Z", 110),
        ("to=2026-01-01T00:00:01Z", 1),
        ("from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:02Z", 10),
        ("from=2027-01-01T00:00:00Z", 0),
    ):
        summary = client.get(f"{path}?{query}").get_json()
        assert summary["byType"]["CREDIT"]["amount"] == amount
    assert summary["from"] == "2027-01-01T00:00:00.000Z"


def test_sums_are_exact_beyond_the_largest_amount(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service, AMOUNT_MAX)
    service.deduct(wallet_id, AMOUNT_MAX)
    service.add(wallet_id, AMOUNT_MAX)
    credits = client.get(f"/wallet/{wallet_id}/summary").get_json()["byType"]["CREDIT"]
    assert credits["amount"] == 2 * AMOUNT_MAX


def test_the_categories_that_are_listed_are_bounded(service: WalletService) -> None:
    wallet_id = open_wallet(service)
    for n in range(CATEGORIES_MAX + 2):
        service.add(wallet_id, n + 1, f"c{n}")
    service.deduct(wallet_id, 1, "c0")
    totals = service.summarize(wallet_id)
    assert len(totals.by_category) == CATEGORIES_MAX
    others = totals.other_categories
    assert (others.categories, others.count) == (2, 3)
    assert (others.incoming, others.outgoing) == (1 + 2, 1)
    assert totals.count == CATEGORIES_MAX + 3


def test_what_failed_does_not_count(service: WalletService, wallet_id: str) -> None:
    before = service.summarize(wallet_id)
    with pytest.raises(RuntimeError):
        service.money.add(wallet_id, 1, on_commit=FULL)
    assert service.summarize(wallet_id) == before
    assert service.summarize(wallet_id, START, START + 1) == before


@pytest.mark.parametrize("query", ["type=DEBIT", "limit=1", "from=today", "to="])
def test_a_summary_of_the_wrong_query_is_refused(
    client: FlaskClient, wallet_id: str, query: str
) -> None:
    response = client.get(f"/wallet/{wallet_id}/summary?{query}")
    assert_problem(response, 400, "invalid_request")
