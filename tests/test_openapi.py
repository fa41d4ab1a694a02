"""The API description, and the service held to it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from jsonschema_rs import validator_for
from schemathesis.config import SchemathesisConfig
from uuid_utils import UUID

from tests.ledgers import Ids, new_service
from tests.server import PROJECT
from wallet_app import create_app
from wallet_app.api.incoming.request_schemas import (
    AmountBody,
    CreateBody,
    FreezeBody,
    QuoteBody,
    TransferBody,
)
from wallet_app.api.views.operation_views import register_docs
from wallet_app.domain.errors.example_values import SOURCE_ID, TARGET_ID
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings

pytestmark = pytest.mark.slow


def service_of_the_examples() -> WalletService:
    """Return a service in which the examples name real wallets with money."""
    first_ids = iter((UUID(SOURCE_ID), UUID(TARGET_ID)))
    other_ids = Ids()
    service = new_service(
        Settings(fx_rates=(("USD", "INR", Decimal("83.12")),)),
        new_id=lambda: next(first_ids, None) or other_ids(),
    )
    for wallet in [service.create_wallet(str(uuid4())) for _ in range(2)]:
        service.add(wallet.id, 10**9)
    return service


service = service_of_the_examples()
app = create_app(service)
schema = schemathesis.openapi.from_wsgi(
    "/openapi.json",
    app,
    config=SchemathesisConfig.from_path(PROJECT / "tests/schemathesis.toml"),
)

EXAMPLES_MAX = settings().max_examples * 3 // 10
"""In addition to those that schemathesis enumerates: each boundary of each field."""

OF_BODIES = {
    (400, "bad_request"),
    (400, "invalid_request"),
    (413, "request_entity_too_large"),
    (415, "unsupported_media_type"),
}
OF_COMMANDS = OF_BODIES | {
    (400, "invalid_idempotency_key"),
    (409, "idempotency_in_progress"),
    (422, "idempotency_key_reused"),
    (503, "idempotency_keys_exhausted"),
}
NO_WALLET = (404, "wallet_not_found")
FROZEN = (423, "wallet_frozen")
OVER_A_LIMIT = (422, "limit_exceeded")
NO_UUID = (404, "not_found")
TOO_LITTLE = (400, "insufficient_funds")
TOO_LARGE = (400, "balance_overflow")
TOO_MANY = {
    (429, "too_many_approvals"),
    (429, "too_many_wrong_codes"),
    (503, "approvals_exhausted"),
}
TOO_MANY_PAYMENTS = (503, "payments_exhausted")
NO_WEBHOOK = (404, "webhook_not_found")
FRAUD = (403, "fraud_blocked")
OUTGOING = {NO_WALLET, FROZEN, TOO_LITTLE, OVER_A_LIMIT, FRAUD} | TOO_MANY
OF_APPROVALS = {(404, "approval_not_found"), NO_UUID}
NOT_PENDING = {(410, "approval_expired"), (409, "approval_closed")}
OF_QUOTES = {
    (404, "quote_not_found"),
    (410, "quote_expired"),
    (409, "quote_used"),
    (422, "fx_liquidity_exhausted"),
}
TRANSFERS = OF_QUOTES | {
    (400, "same_wallet"),
    (400, "currency_mismatch"),
    (400, "quote_mismatch"),
    TOO_LARGE,
}

REFUSALS: dict[tuple[str, str], set[tuple[int, str]]] = {
    ("POST", "/wallet/create"): OF_COMMANDS | {(409, "wallet_exists")},
    ("POST", "/wallet/add"): OF_COMMANDS | {NO_WALLET, FROZEN, TOO_LARGE},
    ("POST", "/wallet/deduct"): OF_COMMANDS | OUTGOING,
    ("POST", "/wallet/transfer"): OF_COMMANDS | OUTGOING | TRANSFERS,
    ("POST", "/wallet/batch"): OF_COMMANDS
    | (OUTGOING - TOO_MANY)
    | TRANSFERS
    | {(422, "approval_required")},
    ("GET", "/wallets"): {(400, "invalid_request")},
    ("GET", "/wallet/{walletId}"): {NO_WALLET, NO_UUID},
    ("POST", "/wallet/{walletId}/freeze"): OF_COMMANDS | {NO_WALLET, NO_UUID},
    ("POST", "/wallet/{walletId}/unfreeze"): OF_COMMANDS | {NO_WALLET, NO_UUID},
    ("GET", "/wallet/{walletId}/limits"): {NO_WALLET, NO_UUID},
    ("PUT", "/wallet/{walletId}/limits"): OF_BODIES | {NO_WALLET, NO_UUID},
    ("GET", "/wallet/{walletId}/transactions"): {
        (400, "invalid_request"),
        (404, "transaction_not_found"),
        NO_WALLET,
        NO_UUID,
    },
    ("GET", "/transactions/{transactionId}"): {(404, "transaction_not_found"), NO_UUID},
    ("GET", "/approvals"): {(400, "invalid_request")},
    ("GET", "/approvals/{approvalId}"): OF_APPROVALS,
    ("POST", "/approvals/{approvalId}/confirm"): OF_COMMANDS
    | OF_APPROVALS
    | NOT_PENDING
    | OF_QUOTES
    | {(400, "otp_invalid"), FROZEN, TOO_LITTLE, TOO_LARGE, OVER_A_LIMIT, FRAUD}
    | {TOO_MANY_PAYMENTS, (429, "too_many_wrong_codes")},
    ("POST", "/approvals/{approvalId}/cancel"): OF_COMMANDS
    | OF_APPROVALS
    | NOT_PENDING,
    ("POST", "/approvals/{approvalId}/resend"): OF_COMMANDS
    | OF_APPROVALS
    | NOT_PENDING
    | {(429, "too_many_resends")},
    ("GET", "/wallet/{walletId}/transactions.csv"): {
        (400, "invalid_request"),
        NO_WALLET,
        NO_UUID,
    },
    ("GET", "/wallet/{walletId}/summary"): {
        (400, "invalid_request"),
        NO_WALLET,
        NO_UUID,
    },
    ("GET", "/users/{userId}/wallets"): {NO_UUID},
    ("POST", "/fx/quotes"): OF_COMMANDS
    | {
        (400, "same_currency"),
        (422, "fx_rate_unavailable"),
        (422, "amount_not_exchangeable"),
        (503, "quotes_exhausted"),
    },
    ("GET", "/fx/liquidity"): set(),
    ("GET", "/fraud/alerts"): {(400, "invalid_request")},
    ("POST", "/wallet/deposit"): OF_COMMANDS
    | {NO_WALLET, FROZEN, TOO_LARGE, TOO_MANY_PAYMENTS},
    ("POST", "/wallet/withdraw"): OF_COMMANDS | OUTGOING | {TOO_MANY_PAYMENTS},
    ("GET", "/payments"): {(400, "invalid_request")},
    ("GET", "/payments/{paymentId}"): {(404, "payment_not_found"), NO_UUID},
    ("POST", "/payments/{paymentId}/retry"): OF_COMMANDS
    | {(404, "payment_not_found"), NO_UUID, (409, "payment_not_parked")}
    | {TOO_MANY_PAYMENTS},
    ("GET", "/webhooks"): set(),
    ("POST", "/webhooks"): OF_COMMANDS
    | {
        (400, "url_not_allowed"),
        (409, "too_many_webhooks"),
        (409, "too_many_webhooks_of_caller"),
        (503, "threads_exhausted"),
    },
    ("GET", "/webhooks/{webhookId}"): {NO_WEBHOOK, NO_UUID},
    ("DELETE", "/webhooks/{webhookId}"): {NO_WEBHOOK, NO_UUID},
    ("GET", "/webhooks/{webhookId}/deliveries"): {
        (400, "invalid_request"),
        NO_WEBHOOK,
        NO_UUID,
    },
    ("POST", "/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver"): OF_COMMANDS
    | {NO_WEBHOOK, NO_UUID, (404, "delivery_not_found"), (409, "not_redeliverable")}
    | {(429, "too_many_redeliveries")},
    ("GET", "/sandbox-bank"): {NO_UUID},
    ("GET", "/audit"): set(),
    ("GET", "/health"): set(),
}
"""What each operation refuses, besides a bug of ours (500)."""


@pytest.fixture
def description(client: FlaskClient) -> dict[str, Any]:
    loaded: dict[str, Any] = client.get("/openapi.json").get_json()
    return loaded


@schema.parametrize()
@settings(deadline=None, max_examples=EXAMPLES_MAX)
def test_the_service_answers_as_it_is_described(case: schemathesis.Case[Any]) -> None:
    response = case.call_and_validate()
    if case.meta and case.meta.generation.mode.is_positive and not is_special(case):
        refused = response.status_code >= 400 and response.json()["code"]
        assert refused != "invalid_request"
    assert service.audit().problems == []


def is_special(case: schemathesis.Case[Any]) -> bool:
    """Return whether a case is wrong in a way that JSON Schema cannot say: 1.0 is an
    integer for it, page and before may not go together, and an offset may put a time
    before the year 1 or after 9999."""
    body = case.body if isinstance(case.body, dict) else {}
    query = case.query or {}
    return (
        ".0" in json.dumps(body)
        or {"before", "page"} <= set(query)
        or any(
            str(query.get(name)).startswith(("0001-01-01", "9999-12-31"))
            for name in ("from", "to")
        )
    )


def test_the_examples_succeed() -> None:
    client = create_app(service_of_the_examples()).test_client()
    for path, body, status in (
        ("/wallet/create", CreateBody.example, 201),
        ("/wallet/add", AmountBody.example, 200),
        ("/wallet/deduct", AmountBody.example, 200),
        ("/wallet/transfer", TransferBody.example, 200),
        ("/fx/quotes", QuoteBody.example, 201),
        (f"/wallet/{TARGET_ID}/freeze", FreezeBody.example, 200),
        (f"/wallet/{TARGET_ID}/unfreeze", {}, 200),
    ):
        assert client.post(path, json=body).status_code == status


def test_every_operation_says_all_that_it_can_answer(
    description: dict[str, Any],
) -> None:
    assert description["openapi"] == "3.1.0"
    described = {
        (method.upper(), path): {
            (int(status), code)
            for status, answer in operation["responses"].items()
            for media, content in answer.get("content", {}).items()
            if media == "application/problem+json"
            for code in content["examples"]
        }
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    }
    of_any = {
        (403, "forbidden"),
        (414, "request_uri_too_long"),
        (500, "internal_server_error"),
    }
    assert described == {name: codes | of_any for name, codes in REFUSALS.items()}


def test_the_description_is_made_once_and_known_by_its_etag() -> None:
    made = []
    app = Flask("docs")

    def describe() -> dict[str, Any]:
        made.append(1)
        return {"openapi": "3.1.0"}

    register_docs(app, describe)
    client = app.test_client()
    first, again = (client.get("/openapi.json") for _ in range(2))
    assert first.get_json() == {"openapi": "3.1.0"}
    assert first.content_type == "application/json"
    assert again.data == first.data and first.data.endswith(b"\n")
    assert len(made) == 1
    known = client.get(
        "/openapi.json", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (known.status_code, known.data) == (304, b"")


def test_every_answer_has_an_example_that_fits_its_schema(
    description: dict[str, Any],
) -> None:
    fitted = 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            places = list(operation["responses"].items())
            if "requestBody" in operation:
                places.append(("body", operation["requestBody"]))
            for place, described in places:
                if place == "204":
                    assert "content" not in described
                    continue
                ((media, content),) = described["content"].items()
                expected = place in ("200", "201", "202", "body")
                if not expected:
                    assert media == "application/problem+json"
                else:
                    assert media == (
                        "text/csv" if path.endswith(".csv") else "application/json"
                    )
                examples = [
                    resolved(each, description)["value"]
                    for each in content.get("examples", {}).values()
                ]
                examples += [content["example"]] if "example" in content else []
                assert examples, (method, place)
                whole = content["schema"] | {"components": description["components"]}
                for example in examples:
                    validator_for(whole, validate_formats=True).validate(example)
                    assert expected or example["status"] == int(place)
                    fitted += 1
    assert fitted > 50


def resolved(part: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the description, or what it refers to."""
    if "$ref" in part:
        for name in part["$ref"].removeprefix("#/").split("/"):
            description = description[name]
        return description
    return part


def test_every_enumeration_has_one_name(description: dict[str, Any]) -> None:
    schemas = description["components"].pop("schemas")
    named = [name for name, schema in schemas.items() if "enum" in schema]
    assert {"Currency", "EventType", "TransactionType", "WalletStatus"} <= set(named)
    for name in named:
        assert len(set(schemas.pop(name)["enum"])) > 1
    assert '"enum"' not in json.dumps([description, schemas]), "one value is a constant"


def test_every_problem_has_a_name_and_all_its_values_are_described(
    description: dict[str, Any],
) -> None:
    schemas = description["components"]["schemas"]
    for code, example in description["components"]["examples"].items():
        name = code.title().replace("_", "")
        assert schemas[name]["properties"]["code"] == {"const": code}
        whole = schemas[name] | {"components": description["components"]}
        every_value = whole | {"additionalProperties": False}
        validator_for(every_value, validate_formats=True).validate(example["value"])


def test_every_command_takes_an_idempotency_key(description: dict[str, Any]) -> None:
    for method, path in REFUSALS:
        operation = description["paths"][path][method.lower()]
        names = [each["name"] for each in operation.get("parameters", [])]
        assert ("Idempotency-Key" in names) == (method == "POST")


@pytest.mark.parametrize(
    ("method", "path", "status", "header"),
    [
        ("post", "/wallet/create", "201", "Location"),
        ("post", "/wallet/create", "201", "Idempotent-Replayed"),
        ("post", "/wallet/transfer", "200", "Idempotent-Replayed"),
        ("post", "/wallet/transfer", "202", "Location"),
        ("get", "/wallet/{walletId}/transactions", "200", "Link"),
    ],
)
def test_headers_that_lead_on_are_described(
    description: dict[str, Any], method: str, path: str, status: str, header: str
) -> None:
    answer = description["paths"][path][method]["responses"][status]
    assert answer["headers"][header]["description"]


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_documentation_needs_nothing_from_elsewhere(
    client: FlaskClient, path: str
) -> None:
    page = client.get(path)
    assert page.status_code == 200
    assert "/openapi.json" in page.text
    assets = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(assets) >= 4
    for asset in assets:
        assert asset.startswith("/docs/")
        with client.get(asset) as response:
            assert response.status_code == 200
