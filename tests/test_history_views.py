"""The history over HTTP: pages, links, filters."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.answers import NOBODY, assert_problem
from tests.ledgers import nothing_moves, open_wallet
from wallet_app.services.service import WalletService


@pytest.fixture
def path(service: WalletService) -> str:
    """Return the history of a wallet with credits of 1 to 5."""
    wallet_id = open_wallet(service)
    for amount in range(1, 6):
        service.add(wallet_id, amount, "odd" if amount % 2 else "even")
    return f"/wallet/{wallet_id}/transactions"


def links(response: TestResponse) -> dict[str, str]:
    found = re.findall(r'<([^>]*)>; rel="(\w+)"', response.headers["Link"])
    return {relation: target for target, relation in found}


def amounts(response: TestResponse) -> list[int]:
    return [each["amount"] for each in response.get_json()["transactions"]]


def test_a_history_is_paged_and_linked(client: FlaskClient, path: str) -> None:
    first = client.get(path, query_string={"limit": 2})
    page = first.get_json()
    assert amounts(first) == [5, 4]
    del page["transactions"]
    assert page == {"page": 1, "limit": 2, "total": 5, "totalPages": 3}
    assert set(links(first)) == {"first", "next", "last"}
    second = client.get(links(first)["next"])
    assert amounts(second) == [3, 2]
    assert set(links(second)) == {"first", "prev", "next", "last"}
    assert amounts(client.get(links(second)["prev"])) == [5, 4]
    last = client.get(links(second)["last"])
    assert amounts(last) == [1]
    assert set(links(last)) == {"first", "prev", "last"}


def test_past_the_last_page_the_list_is_empty(client: FlaskClient, path: str) -> None:
    response = client.get(path, query_string={"limit": 2, "page": 9})
    assert (response.status_code, amounts(response)) == (200, [])
    assert amounts(client.get(links(response)["prev"])) == [1]


def test_the_defaults_are_the_first_twenty(
    client: FlaskClient, path: str, service: WalletService
) -> None:
    for _ in range(20):
        service.add(path.split("/")[2], 9)
    page = client.get(path).get_json()
    assert (page["page"], page["limit"], len(page["transactions"])) == (1, 20, 20)


def test_links_keep_the_filters(client: FlaskClient, path: str) -> None:
    query = {
        "type": "CREDIT",
        "category": "odd",
        "limit": 1,
        "from": "2026-01-01T00:00:00Z",
    }
    first = client.get(path, query_string=query)
    assert amounts(first) == [5]
    assert amounts(client.get(links(first)["next"])) == [3]
    assert amounts(client.get(links(first)["last"])) == [1]


def test_before_reads_on_from_a_transaction(
    client: FlaskClient, path: str, service: WalletService
) -> None:
    first = client.get(path, query_string={"limit": 2}).get_json()
    service.add(path.split("/")[2], 6)
    query = {"before": first["transactions"][-1]["id"].upper(), "limit": 2}
    response = client.get(path, query_string=query)
    assert amounts(response) == [3, 2]
    assert response.get_json()["page"] is None
    assert set(links(response)) == {"first", "next"}
    assert amounts(client.get(links(response)["next"])) == [1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"type": "DEBIT"}, []),
        ({"category": "even"}, [4, 2]),
        ({"from": "2026-01-01T00:00:00.000Z"}, [5, 4, 3, 2, 1]),
        ({"from": "2026-01-01T00:00:00.001Z"}, []),
        ({"to": "2026-01-01T05:30:00+05:30"}, []),
        ({"to": "2026-01-01T00:00:00.001z"}, [5, 4, 3, 2, 1]),
        ({"to": "2026-01-01T00:00:00.000000001Z"}, [5, 4, 3, 2, 1]),
        ({"from": "2026-01-01T00:00:00.000000001Z"}, []),
    ],
)
def test_a_history_is_filtered(
    client: FlaskClient, path: str, query: dict[str, str], expected: list[int]
) -> None:
    assert amounts(client.get(path, query_string=query)) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"type": "REFUND"},
        {"type": "debit"},
        {"type": ""},
        {"category": "Food"},
        {"category": "food\n"},
        {"from": "yesterday"},
        {"from": "2026-01-01"},
        {"from": "2026-01-01T00:00:00"},
        {"to": "2026-02-30T00:00:00Z"},
        {"to": "2026-01-01T00:00:60Z"},
        {"to": "2026-W01-1T00:00:00Z"},
        {"to": "2026-01-01T00:00:00+12:99"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "-1"},
        {"limit": "5.0"},
        {"limit": "٥"},
        {"limit": "1_0"},
        {"limit": ""},
        {"page": "0"},
        {"page": "9" * 30},
        {"page": "two"},
        {"before": "yesterday"},
        {"before": NOBODY, "page": "1"},
        {"tpye": "DEBIT"},
        {"limit": ["1", "2"]},
    ],
    ids=str,
)
def test_a_bad_query_is_refused(
    client: FlaskClient, service: WalletService, path: str, query: dict[str, str]
) -> None:
    with nothing_moves(service):
        response = client.get(path, query_string=query)
    problem = assert_problem(response, 400, "invalid_request")
    assert set(problem["errors"]) <= set(query)
