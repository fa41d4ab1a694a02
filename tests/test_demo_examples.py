"""The API description under the demo server: what its examples name is there, so that
everything in /docs can be tried at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.ledgers import Clock, Ids, Receivers
from wallet_app.api import wallet_api
from wallet_app.demo.demo import Demo
from wallet_app.settings import Settings

Described = dict[str, Any]

REFUSED = {
    "confirmApproval": 409,
    "cancelApproval": 409,
    "resendCode": 409,
    "retryPayment": 409,
    "redeliver": 404,
}
"""The approval is closed and the payment has succeeded; nothing was delivered."""


def new_page() -> FlaskClient:
    """Return a client of a demo server that has just begun."""
    settings = Settings(demo=True, fx_rates=(("USD", "INR", Decimal("83.12")),))
    demo = Demo(settings, clock=Clock(), new_id=Ids(), transport=Receivers())
    app = Flask(__name__)
    wallet_api.register(app, demo.service)
    demo.register(app)
    return app.test_client()


@pytest.fixture
def page() -> FlaskClient:
    return new_page()


def operations_of(page: FlaskClient) -> list[tuple[str, str, Described]]:
    """Return the method, the path with its examples, and the operation of each."""
    operations = []
    for path, described in page.get("/openapi.json").get_json()["paths"].items():
        parameters = described.pop("parameters", [])
        filled = path.format(**{each["name"]: each["example"] for each in parameters})
        operations += [
            (method, filled, operation) for method, operation in described.items()
        ]
    return operations


def test_what_the_example_of_each_get_names_is_there(page: FlaskClient) -> None:
    answered = [
        (path, page.get(path).status_code)
        for method, path, _ in operations_of(page)
        if method == "get"
    ]
    assert len(answered) > 15
    assert {status for _, status in answered} == {200}, answered


def test_each_example_can_be_sent_as_it_is(page: FlaskClient) -> None:
    changing = [each for each in operations_of(page) if each[0] in ("post", "put")]
    assert set(REFUSED) < {operation["operationId"] for _, _, operation in changing}
    for method, path, operation in changing:
        content = operation["requestBody"]["content"]["application/json"]
        first = new_page().open(path, method=method, json=content["example"])
        name = operation["operationId"]
        expected = REFUSED.get(name) or min(map(int, operation["responses"]))
        assert first.status_code == expected, (name, first.text)


def test_the_description_leads_back_to_the_page_where_there_is_one(
    page: FlaskClient, client: FlaskClient
) -> None:
    with_page = page.get("/openapi.json").get_json()
    without = client.get("/openapi.json").get_json()
    about = with_page["info"].pop("description")
    assert about == without["info"].pop("description") + "\n\n[Back to the page](/)"
    with page.get("/") as home:
        assert home.status_code == 200
    assert with_page == without
