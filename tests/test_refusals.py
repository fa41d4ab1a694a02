"""What each endpoint refuses, as a problem that changes nothing."""

from __future__ import annotations

import gc
import re
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from tests.answers import NOBODY, assert_problem
from tests.ledgers import nothing_moves, open_wallet
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.service import WalletService

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
    "post limits": ("POST", "{rich}/limits", {}, *NO_METHOD),
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


KINDS = {
    "wallet": "wallet_not_found",
    "approvals": "approval_not_found",
    "payments": "payment_not_found",
    "transactions": "transaction_not_found",
    "webhooks": "webhook_not_found",
}
BODIES = {"freeze": {"reason": "Card stolen"}, "confirm": {"otp": "999999"}}


def test_a_path_that_names_nothing_is_not_found(
    client: FlaskClient, service: WalletService
) -> None:
    description = client.get("/openapi.json").get_json()
    asked = set()
    for path, operations in description["paths"].items():
        kind = path.split("/")[1]
        names = re.findall("{(.*?)}", path)
        if not names or kind not in KINDS:
            continue
        for method in operations.keys() - {"parameters"}:
            body = BODIES.get(path.rpartition("/")[2], {}) if method != "get" else None
            nobody = dict.fromkeys(names, NOBODY)
            for name in ("", *names):
                url = path.format(**nobody | {name: "42"})
                with nothing_moves(service):
                    response = client.open(url, method=method.upper(), json=body)
                problem = assert_problem(
                    response, 404, "not_found" if name else KINDS[kind]
                )
                said = f"The {name} in the path is not a UUID."
                assert (problem["detail"] == said) is bool(name)
            asked.add((method, path))
    assert len(asked) >= 18


@pytest.mark.parametrize(
    "method, path",
    [("GET", "/wallets/42"), ("POST", "/wallet/42"), ("GET", "/wallet/42/nothing")],
)
def test_a_path_without_a_route_does_not_speak_of_ids(
    client: FlaskClient, method: str, path: str
) -> None:
    problem = client.open(path, method=method).get_json()
    assert (problem["status"], "UUID" in problem["detail"]) == (404, False)


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
