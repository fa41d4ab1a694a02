"""Refusals: each is one class, from which its answer and its description follow."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Blueprint, Response
from flask.testing import FlaskClient
from werkzeug.http import HTTP_STATUS_CODES

from tests.ledgers import new_service
from tests.refusals import every_refusal
from wallet_app import create_app
from wallet_app.api import wallet_api
from wallet_app.api.openapi.operation import refuses
from wallet_app.api.outgoing.problems import STATUSES, document
from wallet_app.domain.errors.families import (
    Conflict,
    Exhausted,
    WalletError,
    internal,
    member,
)
from wallet_app.domain.errors.wallet_errors import InsufficientFunds, LimitExceeded

each_refusal = pytest.mark.parametrize(
    "refusal", every_refusal(), ids=lambda refusal: refusal.__name__
)


@each_refusal
def test_every_refusal_has_an_example_with_status_code_and_detail(
    refusal: type[WalletError],
) -> None:
    problem: dict[str, Any] = json.loads(json.dumps(document(refusal.example())))
    assert problem["status"] in HTTP_STATUS_CODES
    assert re.fullmatch("[a-z]+(_[a-z]+)+", problem["code"])
    assert problem["type"] == f"tag:wallet.example,2026:{problem['code']}"
    assert problem["title"] == refusal.title
    assert re.fullmatch(r"[A-Z0-9][^{}]+\.", problem["detail"])
    assert refusal.__doc__ and not refusal.__doc__.startswith(refusal.__name__)


@each_refusal
def test_every_refusal_is_of_one_family(refusal: type[WalletError]) -> None:
    assert len(set(refusal.__mro__) & set(STATUSES)) == 1


def test_every_code_is_of_one_refusal() -> None:
    codes = [refusal.code for refusal in every_refusal()]
    assert len(codes) == len(set(codes)) > 40


@each_refusal
def test_a_refusal_that_is_raised_again_is_equal_and_has_no_traceback(
    refusal: type[WalletError],
) -> None:
    with pytest.raises(WalletError) as raised:
        raise refusal.example() from RuntimeError()
    first = raised.value
    again = first.again()
    assert type(again) is refusal and again is not first
    assert document(again) == document(first) and vars(again) == vars(first)
    assert str(again) == first.detail
    assert (again.__traceback__, again.__context__, again.__cause__) == (None,) * 3


def test_values_are_what_the_service_passes_and_not_the_examples() -> None:
    refused = LimitExceeded("perTransaction", 5, 3)
    assert refused.detail == (
        "The limit for one transaction is 3, of which 3 is left: less than the 5 asked "
        "for."
    )
    assert document(refused)["resetsAt"] is None
    assert vars(InsufficientFunds(1, 2)) == {"balance": 1, "amount": 2}


# A refusal that is new


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an app with an endpoint that refuses by two new classes."""

    class ShopClosed(Conflict):
        """The shop sells nothing now."""

        code, title = "shop_closed", "Shop closed"
        message = "Shop {shop_id} is closed to {visitor}."
        shop_id: str = member("an example")
        opens_at: int = member(0)
        visitor: str = internal("nobody")

    class ShelvesExhausted(Exhausted):
        """The shop has no shelf for one more thing."""

        code, title = "shelves_exhausted", "Too many things"
        message = "There is no shelf. Nothing was done."
        retry_after_seconds: int = member(5, default=7)

    blueprint = Blueprint("shop", __name__)

    @refuses(ShopClosed, ShelvesExhausted)
    def shop() -> Response:
        raise ShopClosed("corner", 1_000_000_000, visitor="{asha}")

    @refuses(ShelvesExhausted)
    def shelves() -> Response:
        raise ShelvesExhausted()

    blueprint.get("/shop")(shop)
    blueprint.get("/shelves")(shelves)
    blueprints = wallet_api.BLUEPRINTS | {blueprint: "A shop."}
    monkeypatch.setattr(wallet_api, "BLUEPRINTS", blueprints)
    return create_app(new_service()).test_client()


def test_a_new_refusal_is_answered_by_its_class_alone(client: FlaskClient) -> None:
    answer = client.get("/shop")
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert answer.get_json() == {
        "type": "tag:wallet.example,2026:shop_closed",
        "title": "Shop closed",
        "status": 409,
        "detail": "Shop corner is closed to {asha}.",
        "code": "shop_closed",
        "shopId": "corner",
        "opensAt": "1970-01-01T00:00:01.000Z",
    }
    assert "Retry-After" not in answer.headers


def test_a_new_refusal_of_a_full_table_says_when_to_retry(client: FlaskClient) -> None:
    answer = client.get("/shelves")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert answer.get_json()["retryAfterSeconds"] == 7


def test_a_new_refusal_is_described_by_its_class_alone(client: FlaskClient) -> None:
    description = client.get("/openapi.json").get_json()
    described = description["paths"]["/shop"]["get"]["responses"]
    [content] = described["409"]["content"].values()
    reference = {"$ref": "#/components/examples/shop_closed"}
    assert content["examples"] == {"shop_closed": reference}
    assert description["components"]["examples"]["shop_closed"]["value"] == {
        "type": "tag:wallet.example,2026:shop_closed",
        "title": "Shop closed",
        "status": 409,
        "detail": "Shop an example is closed to nobody.",
        "code": "shop_closed",
        "shopId": "an example",
        "opensAt": "1970-01-01T00:00:00.000Z",
    }
    assert "`shelves_exhausted`" in described["503"]["description"]
