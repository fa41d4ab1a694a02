"""The API as the contract has it: each endpoint once, then what each refuses."""

from __future__ import annotations

import gc
import re
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow import ValidationError
from uuid_utils import UUID
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from tests.answers import NOBODY, TIME, assert_problem, post
from tests.ledgers import BoundedLock, Clock, new_service, nothing_moves, open_wallet
from wallet_app import create_app
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.idempotency import IdempotencyKeys
from wallet_app.services.service import WalletService


def test_create_answers_the_wallet_and_where_it_is(client: FlaskClient) -> None:
    user_id = str(uuid4())
    response = post(client, "/wallet/create", {"userId": user_id})
    assert response.status_code == 201
    wallet = response.get_json()
    assert UUID(wallet["id"]) and TIME.fullmatch(wallet["createdAt"])
    assert wallet == {
        "id": wallet["id"],
        "walletId": wallet["id"],
        "userId": user_id,
        "currency": "INR",
        "balance": 0,
        "status": "ACTIVE",
        "createdAt": wallet["createdAt"],
        "updatedAt": wallet["createdAt"],
    }
    assert response.location == f"/wallet/{wallet['id']}"
    assert client.get(response.location).get_json() == wallet


def test_add_answers_the_wallet_and_the_transaction(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service)
    body = {"walletId": wallet_id, "amount": 500, "category": "gift"}
    response = post(client, "/wallet/add", body | {"description": "Für dich 🎁"})
    assert response.status_code == 200
    answer = response.get_json()
    assert answer["wallet"] == client.get(f"/wallet/{wallet_id}").get_json()
    transaction = answer["transaction"]
    assert UUID(transaction["id"]) and TIME.fullmatch(transaction["createdAt"])
    assert transaction == {
        "id": transaction["id"],
        "walletId": wallet_id,
        "type": "CREDIT",
        "amount": 500,
        "currency": "INR",
        "balanceAfter": 500,
        "referenceId": None,
        "category": "gift",
        "description": "Für dich 🎁",
        "createdAt": transaction["createdAt"],
    }


def test_deduct_answers_the_wallet_and_the_transaction(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service, 500)
    response = post(client, "/wallet/deduct", {"walletId": wallet_id, "amount": 120})
    assert response.status_code == 200
    answer = response.get_json()
    assert answer["wallet"]["balance"] == 380
    transaction = answer["transaction"]
    assert (transaction["type"], transaction["amount"]) == ("DEBIT", 120)
    assert (transaction["balanceAfter"], transaction["referenceId"]) == (380, None)
    assert (transaction["category"], transaction["description"]) == (None, None)


def test_transfer_answers_both_sides(
    client: FlaskClient, service: WalletService
) -> None:
    source, target = open_wallet(service, 500), open_wallet(service)
    body = {"fromWalletId": source, "toWalletId": target, "amount": 200}
    response = post(client, "/wallet/transfer", body)
    assert response.status_code == 200
    answer = response.get_json()
    assert set(answer) == {"referenceId", "from", "to"}
    for side, wallet_id, type, balance in (
        ("from", source, "TRANSFER_OUT", 300),
        ("to", target, "TRANSFER_IN", 200),
    ):
        transaction = answer[side]["transaction"]
        assert answer[side]["wallet"] == client.get(f"/wallet/{wallet_id}").get_json()
        assert (transaction["type"], transaction["amount"]) == (type, 200)
        assert transaction["balanceAfter"] == balance
        assert transaction["referenceId"] == answer["referenceId"]
        page = client.get(f"/wallet/{wallet_id}/transactions").get_json()
        assert page["transactions"][0] == transaction


def test_ids_are_matched_whatever_their_case() -> None:
    ids = (UUID(int=number) for number in count(0xABCDEF))
    service = new_service(new_id=lambda: next(ids))
    client, wallet_id = create_app(service).test_client(), open_wallet(service)
    assert wallet_id.upper() != wallet_id
    assert client.get(f"/wallet/{wallet_id.upper()}").get_json()["id"] == wallet_id
    body = {"walletId": wallet_id.upper(), "amount": 5}
    assert post(client, "/wallet/add", body).get_json()["wallet"]["id"] == wallet_id


def test_members_are_in_the_order_of_the_contract(
    client: FlaskClient, service: WalletService
) -> None:
    source, target = open_wallet(service, 10), open_wallet(service)
    body = {"fromWalletId": source, "toWalletId": target, "amount": 5}
    transfer = post(client, "/wallet/transfer", body).get_json()
    assert [*transfer] == ["referenceId", "from", "to"]
    assert [*transfer["to"]] == ["wallet", "transaction"]
    order = "id walletId userId currency balance status createdAt updatedAt"
    assert [*transfer["to"]["wallet"]] == order.split()
    order = "id walletId type amount currency balanceAfter referenceId category"
    order += " description createdAt"
    assert [*transfer["to"]["transaction"]] == order.split()
    page = client.get(f"/wallet/{source}/transactions").get_json()
    assert [*page] == ["transactions", "page", "limit", "total", "totalPages"]
    limits = client.get(f"/wallet/{source}/limits").get_json()
    order = "perTransaction daily monthly approvalThreshold"
    assert [name for name in limits if name in order.split()] == order.split()
    audit = client.get("/audit").get_json()
    order = "balanced wallets transactions currencies problems"
    assert [*audit] == order.split()
    problem = client.get(f"/wallet/{NOBODY}").get_json()
    assert [*problem][:5] == ["type", "title", "status", "detail", "code"]


def test_null_is_no_category(client: FlaskClient, service: WalletService) -> None:
    body = {"walletId": open_wallet(service), "amount": 5, "category": None}
    response = post(client, "/wallet/add", body)
    assert response.get_json()["transaction"]["category"] is None


def test_the_largest_balance_is_exact(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service)
    body = {"walletId": wallet_id, "amount": AMOUNT_MAX}
    assert f'"balance":{2**53 - 1}' in post(client, "/wallet/add", body).text
    with nothing_moves(service):
        problem = assert_problem(
            post(client, "/wallet/add", body | {"amount": 1}), 400, "balance_overflow"
        )
    assert problem["maximum"] == 2**53 - 1


def test_audit_answers_the_proof(client: FlaskClient, service: WalletService) -> None:
    source, target = open_wallet(service, 500), open_wallet(service)
    service.transfer(source, target, 200)
    service.deduct(target, 50)
    totals = {"balances": 450, "credits": 500, "debits": 50}
    totals |= {"withdrawalsInFlight": 0, "depositsInFlight": 0}
    assert client.get("/audit").get_json() == {
        "balanced": True,
        "wallets": 2,
        "transactions": 4,
        "currencies": {"INR": totals},
        "problems": [],
    }
    service.store.wallets[source].balance += 1
    report = client.get("/audit").get_json()
    assert report["balanced"] is False
    assert report["problems"][0]["walletId"] == source
    assert report["problems"][0]["detail"]


def test_health_is_ok_and_tells_what_waits(
    client: FlaskClient, service: WalletService
) -> None:
    background = {
        "running": False,
        "queueLength": 0,
        "inProgress": 0,
        "oldestDueAt": None,
        "lastError": None,
        "lastErrorAt": None,
    }
    response = client.get("/health")
    assert response.status_code == 200
    assert response.get_json() == {"status": "ok", "background": background}
    service.deposit(open_wallet(service), 500, "sandbox-ok")
    waiting = {"queueLength": 1, "oldestDueAt": "2026-01-01T00:00:00.000Z"}
    assert client.get("/health").get_json()["background"] == background | waiting


# The history over HTTP


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


# What is refused


Body = dict[str, object]


def transfer(source: str, target: str, amount: int = 1) -> Body:
    return {"fromWalletId": source, "toWalletId": target, "amount": amount}


def of(wallet: str, amount: int = 1) -> Body:
    return {"walletId": wallet, "amount": amount}


MISSING = (404, "wallet_not_found")
POOR = (400, "insufficient_funds", {"balance": 500, "amount": 501})
NO_METHOD = (405, "method_not_allowed")
ROWS: dict[str, tuple[Any, ...]] = {
    "create twice": (
        *("POST", "create", {"userId": "{user}"}),
        *(409, "wallet_exists", {"walletId": "{rich}"}),
    ),
    "add to nobody": ("POST", "add", of(NOBODY), *MISSING, {"walletId": NOBODY}),
    "add too much": (
        *("POST", "add", of("{full}")),
        *(400, "balance_overflow"),
        {"walletId": "{full}", "amount": 1, "maximum": AMOUNT_MAX},
    ),
    "deduct from nobody": ("POST", "deduct", of(NOBODY), *MISSING),
    "deduct too much": ("POST", "deduct", of("{rich}", 501), *POOR),
    "transfer too much": ("POST", "transfer", transfer("{rich}", "{full}", 501), *POOR),
    "transfer to itself": (
        *("POST", "transfer", transfer("{rich}", "{rich}")),
        *(400, "same_wallet", {"walletId": "{rich}"}),
    ),
    "transfer to itself in capitals": (
        *("POST", "transfer", transfer("{rich}", "{RICH}"), 400, "same_wallet"),
    ),
    "transfer to another currency": (
        *("POST", "transfer", transfer("{rich}", "{dollars}")),
        *(400, "currency_mismatch", {"fromCurrency": "INR", "toCurrency": "USD"}),
    ),
    "transfer over the maximum": (
        *("POST", "transfer", transfer("{rich}", "{full}"), 400, "balance_overflow"),
    ),
    "transfer from nobody": ("POST", "transfer", transfer(NOBODY, "{rich}"), *MISSING),
    "transfer to nobody": ("POST", "transfer", transfer("{rich}", NOBODY), *MISSING),
    "transfer between nobody": ("POST", "transfer", transfer(NOBODY, NOBODY), *MISSING),
    "shape before existence": (
        *("POST", "transfer", transfer(NOBODY, "{rich}", 0), 400, "invalid_request"),
    ),
    "get nobody": ("GET", NOBODY, None, *MISSING, {"walletId": NOBODY}),
    "get what is no id": ("GET", "42", None, 404, "not_found"),
    "get the path of create": ("GET", "create", None, *NO_METHOD),
    "history of nobody": ("GET", f"{NOBODY}/transactions", None, *MISSING),
    "history before nothing": (
        *("GET", f"{{rich}}/transactions?before={NOBODY}", None),
        *(404, "transaction_not_found"),
    ),
    "delete a wallet": ("DELETE", "{rich}", None, *NO_METHOD),
    "put for post": ("PUT", "add", of("{rich}"), *NO_METHOD),
    "post a transaction": ("POST", "{rich}/transactions", {}, *NO_METHOD),
    "post to no path": ("POST", "nonsense", {}, 404, "not_found"),
}
"""Method, path below /wallet/, body; status, code and some values of the problem."""


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_refusal_is_a_problem_that_changes_nothing(
    client: FlaskClient, service: WalletService, row: tuple[Any, ...]
) -> None:
    user = str(uuid4())
    ids = {
        "user": user,
        "rich": open_wallet(service, 500, user),
        "full": open_wallet(service, AMOUNT_MAX),
        "dollars": open_wallet(service, currency="USD"),
    }
    ids["RICH"] = ids["rich"].upper()
    method, path, body, status, code, values = [
        with_ids(each, ids) for each in (*row, {})[:6]
    ]
    with nothing_moves(service):
        response = client.open(f"/wallet/{path}", method=method, json=body)
    problem = assert_problem(response, status, code)
    assert problem.items() >= values.items(), problem


def with_ids(value: Any, ids: dict[str, str]) -> Any:
    """Return a part of a row with the wallets' ids in the places of their names."""
    if isinstance(value, dict):
        return {name: with_ids(each, ids) for name, each in value.items()}
    return value.format(**ids) if isinstance(value, str) else value


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "//health", "/health/", "/wallet//", "/%00", "/%ff", "/..;/"],
)
def test_an_unknown_path_is_a_problem(client: FlaskClient, path: str) -> None:
    assert_problem(client.get(path), 404, "not_found")


@pytest.mark.parametrize("slashes", ["//", "///"])
def test_a_path_that_begins_with_more_slashes_is_unknown(
    client: FlaskClient, service: WalletService, slashes: str
) -> None:
    wallet_id = open_wallet(service)
    body = {"walletId": wallet_id, "amount": 1}
    for path, json in ((f"wallet/{wallet_id}", None), ("wallet/add", body)):
        # In the environ, because the client takes it for the name of a host.
        environ = {"PATH_INFO": slashes + path}
        method = "POST" if json else "GET"
        with nothing_moves(service):
            response = client.open(method=method, json=json, environ_overrides=environ)
        assert_problem(response, 404, "not_found")


def test_a_wrong_method_says_which_are_right(client: FlaskClient) -> None:
    response = client.delete("/wallet/add")
    assert_problem(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.filterwarnings("ignore")
def test_a_bug_is_a_problem_that_shows_nothing_of_it(
    client: FlaskClient, service: WalletService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the secret of /srv/secret.py")

    monkeypatch.setattr(service.audits, "run", fail)
    response = client.get("/audit")
    assert_problem(response, 500, "internal_server_error")
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("DELETE", "/wallet/add"),
        ("POST", "/wallet/add"),
        ("GET", f"/wallet/{NOBODY}"),
        ("GET", f"/wallet/{NOBODY}/transactions?limit=0"),
    ],
)
def test_an_error_does_not_wait_for_the_garbage_collector(
    client: FlaskClient, method: str, path: str
) -> None:
    """The server makes no full collections, so a circle could stay for ever."""

    def errors() -> int:
        kinds = (HTTPException, WalletError, ValidationError)
        return sum(isinstance(each, kinds) for each in gc.get_objects())

    gc.collect()
    before = errors()
    gc.disable()
    try:
        assert client.open(path, method=method, json={}).status_code >= 400
        assert errors() == before
    finally:
        gc.enable()


# Idempotency over HTTP


def test_a_replay_has_the_same_status_and_body_and_says_so(
    client: FlaskClient, service: WalletService
) -> None:
    body = {"userId": str(uuid4())}
    key = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}
    first = post(client, "/wallet/create", body, **key)
    assert "Idempotent-Replayed" not in first.headers
    service.add(first.get_json()["id"], 5)
    again = post(client, "/wallet/create", body, **key)
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.location == first.location
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("path", ["add", "deduct", "transfer"])
def test_every_movement_takes_a_key(
    client: FlaskClient, service: WalletService, path: str
) -> None:
    one, other = open_wallet(service, 500), open_wallet(service)
    body: dict[str, object] = {"walletId": one, "amount": 200}
    if path == "transfer":
        body = {"fromWalletId": one, "toWalletId": other, "amount": 200}
    first = post(client, f"/wallet/{path}", body, **{"Idempotency-Key": "k"})
    assert first.status_code == 200
    with nothing_moves(service):
        again = post(client, f"/wallet/{path}", body, **{"Idempotency-Key": "k"})
    assert again.data == first.data
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_refusal_is_replayed_and_says_so(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service, 5)
    body = {"walletId": wallet_id, "amount": 6}
    first = post(client, "/wallet/deduct", body, **{"Idempotency-Key": "k"})
    assert_problem(first, 400, "insufficient_funds")
    service.add(wallet_id, 5)
    again = post(client, "/wallet/deduct", body, **{"Idempotency-Key": "k"})
    assert (again.status_code, again.data) == (400, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_covers_path_and_body_but_not_how_the_body_is_written(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service, 500)
    key = {"Idempotency-Key": "k"}
    body = {"walletId": wallet_id, "amount": 5}
    first = post(client, "/wallet/add", body, **key)
    for path, other in (
        ("add", body | {"amount": 6}),
        ("add", body | {"category": "food"}),
        ("deduct", body),
    ):
        with nothing_moves(service):
            assert_problem(
                post(client, f"/wallet/{path}", other, **key),
                422,
                "idempotency_key_reused",
            )
    spaced = f'{{ "amount" : 5, "walletId" : "{wallet_id}" }}'
    again = client.post(
        "/wallet/add",
        data=spaced,
        headers={**key, "Content-Type": "application/json; charset=utf-8"},
    )
    assert again.data == first.data


def test_a_request_of_the_wrong_shape_leaves_its_key_free(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service)
    key = {"Idempotency-Key": "k"}
    for body in ({"walletId": wallet_id}, {"walletId": wallet_id, "amount": 0}):
        assert_problem(post(client, "/wallet/add", body, **key), 400, "invalid_request")
    right = {"walletId": wallet_id, "amount": 1}
    wrong_type = client.post("/wallet/add", data="{}", headers=key)
    assert_problem(wrong_type, 415, "unsupported_media_type")
    assert post(client, "/wallet/add", right, **key).status_code == 200


@pytest.mark.parametrize(
    "key",
    ["", '""', '"', '"open', "two words", '"two words"', "é", "x" * 256]
    + ['"' + "x" * 256 + '"', '"a"b"', '"\\x"', "tab\tbed"],
)
def test_a_key_of_the_wrong_form_is_refused(
    client: FlaskClient, service: WalletService, key: str
) -> None:
    body = {"walletId": open_wallet(service), "amount": 1}
    with nothing_moves(service):
        response = client.post(
            "/wallet/add", json=body, environ_overrides={"HTTP_IDEMPOTENCY_KEY": key}
        )
        assert_problem(response, 400, "invalid_idempotency_key")


@pytest.mark.parametrize(
    ("one", "other"),
    [("key", '"key"'), ("x" * 255, '"' + "x" * 255 + '"'), ('a\\"b', '"a\\\\\\"b"')],
    ids=["plain", "longest", "escaped"],
)
def test_a_key_is_the_same_bare_and_quoted(
    client: FlaskClient, service: WalletService, one: str, other: str
) -> None:
    body = {"walletId": open_wallet(service), "amount": 1}
    first = post(client, "/wallet/add", body, **{"Idempotency-Key": one})
    with nothing_moves(service):
        again = post(client, "/wallet/add", body, **{"Idempotency-Key": other})
    assert again.data == first.data


def test_when_no_key_is_left_the_client_is_told_when_there_will_be(
    client: FlaskClient, service: WalletService
) -> None:
    service.idempotency = IdempotencyKeys(Clock(), 60, BoundedLock, keys_max=1)
    body = {"walletId": open_wallet(service), "amount": 1}
    assert (
        post(client, "/wallet/add", body, **{"Idempotency-Key": "a"}).status_code == 200
    )
    with nothing_moves(service):
        response = post(client, "/wallet/add", body, **{"Idempotency-Key": "b"})
        problem = assert_problem(response, 503, "idempotency_keys_exhausted")
    assert problem["retryAfterSeconds"] == 60
    assert response.headers["Retry-After"] == "60"


# The app


def test_two_apps_have_two_ledgers() -> None:
    one, other = create_app(), create_app()
    assert isinstance(one, Flask)
    body = {"userId": str(uuid4())}
    assert post(one.test_client(), "/wallet/create", body).status_code == 201
    assert post(other.test_client(), "/wallet/create", body).status_code == 201
