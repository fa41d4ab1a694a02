"""The demo server's own: who may talk to it, who lives in it, and what it receives."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from standardwebhooks import Webhook
from werkzeug.test import TestResponse

from tests.answers import assert_problem, post
from tests.ledgers import Clock, Ids, Receivers
from tests.live_api import Api
from tests.server import CONFIGURED, DEMO, running
from wallet_app import create_app
from wallet_app.api import wallet_api
from wallet_app.demo.demo import Demo
from wallet_app.demo.inbox import BODY_BYTES_MAX
from wallet_app.demo.people import ASHA, FIRST, OPENED, PEOPLE_MAX, WEEKS
from wallet_app.demo.request_log import BYTES_MAX, ENTRIES_MAX
from wallet_app.demo.state import NEWEST_MAX, OLDEST_MAX, PAYMENTS_MAX
from wallet_app.domain.spending import Limits
from wallet_app.server.gunicorn_settings import greet
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
JSON = "application/json"
EMPTY_INBOX = {"failing": False, "messages": [], "webhook": None, "deliveries": []}


@pytest.fixture
def demo() -> Demo:
    return Demo(
        Settings(
            demo=True, otp_channel="log", fx_rates=(("USD", "INR", Decimal("83.12")),)
        ),
        clock=Clock(),
        new_id=Ids(),
        new_code=lambda: "493817",
        transport=Receivers(),
    )


@pytest.fixture
def page(demo: Demo) -> FlaskClient:
    app = Flask(__name__)
    wallet_api.register(app, demo.service)
    demo.register(app)
    return app.test_client()


def get(page: FlaskClient, path: str) -> Any:
    response = page.get(path)
    assert response.status_code == 200
    return response.get_json()


def state(page: FlaskClient, part: str, **query: object) -> Any:
    """Return one part of the state."""
    return page.get("/demo/state", query_string=query).get_json()[part]


def put(page: FlaskClient, path: str, **body: object) -> TestResponse:
    return page.put(path, json=body)


# Who is there


def test_people_begin_with_money_and_a_past_that_balances(
    demo: Demo, page: FlaskClient
) -> None:
    people = state(page, "book")["people"]
    assert [each["name"] for each in people] == [each.name for each in FIRST]
    wallets = get(page, f"/users/{ASHA}/wallets")["wallets"]
    assert [wallet["currency"] for wallet in wallets] == ["INR", "USD"]
    history = get(page, f"/wallet/{wallets[0]['id']}/transactions?limit=100")
    assert history["total"] == 1 + WEEKS * 6
    days = {each["createdAt"][:10] for each in history["transactions"]}
    assert len(days) > 3 * WEEKS and max(days) <= "2026-01-01"
    assert get(page, "/audit")["balanced"]
    now = get(page, "/health")["background"]
    assert now["queueLength"] == 0, "what happened before is told to nobody"


def test_whatever_the_settings_limit_people_have_their_past_and_then_the_limits() -> (
    None
):
    settings = Settings(
        demo=True,
        limit_per_transaction=0,
        limit_daily=0,
        approval_threshold=0,
        fraud_rules=("velocity", "new-payee"),
        fraud_velocity_count=1,
    )
    service = Demo(settings, clock=Clock(), new_id=Ids()).service
    assert service.audit().balanced
    for wallet in service.store.wallets.values():
        assert wallet.balance and wallet.policy
        assert wallet.policy.limits == Limits(0, 0, None, 0) and wallet.policy.fraud


def test_a_person_is_added_by_any_name_and_so_many_at_most(page: FlaskClient) -> None:
    name = '<img src=x onerror="alert(1)">'
    added = post(page, "/demo/people", {"name": name})
    assert added.status_code == 201 and added.get_json()["name"] == name
    assert added.get_json() in state(page, "book")["people"]
    for number in range(PEOPLE_MAX - len(FIRST) - 1):
        assert post(page, "/demo/people", {"name": f"{number}"}).status_code == 201
    assert_problem(post(page, "/demo/people", {"name": "late"}), 400, "too_many_people")
    assert len(state(page, "book")["people"]) == PEOPLE_MAX


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": 5}, {"name": "x" * 61}, {"name": "\u202eahsA"}]
)
def test_what_is_no_name_is_refused(page: FlaskClient, body: dict[str, Any]) -> None:
    problem = assert_problem(post(page, "/demo/people", body), 400, "invalid_request")
    assert set(problem["errors"]) == {"name"}


@pytest.mark.parametrize("name", ["Asha Rao", "asha  RAO", "\uff21sha\u200b Rao"])
def test_people_whose_names_look_the_same_are_numbered(
    page: FlaskClient, name: str
) -> None:
    for number in (2, 3):
        added = post(page, "/demo/people", {"name": name}).get_json()
        assert added["name"] == f"{name} ({number})"


def test_a_storm_calls_each_wallet_as_the_page_does(
    demo: Demo, page: FlaskClient
) -> None:
    namesake = post(page, "/demo/people", {"name": "Asha Rao"}).get_json()["userId"]
    for user in (namesake, "5a4d7c1e-8f0b-4b7a-9a59-1c2f3e4d5b01"):
        post(page, "/wallet/create", {"userId": user})
    names = [wallet.name for wallet in demo.storm_wallets()]
    assert names == ["Asha Rao", "Ravi Kumar", "Asha Rao (2)", "User 5a4d7c1e"]


def test_the_command_that_the_server_prints_creates_a_wallet(
    page: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    greet("http://127.0.0.1:8000")
    printed = re.search(
        r"curl -s http://127.0.0.1:8000(\S+) (?s:.+?) -d '(.+)'",
        capsys.readouterr().out,
    )
    assert printed
    assert post(page, printed[1], json.loads(printed[2])).status_code == 201


def test_a_reset_begins_a_new_ledger_for_the_same_people(
    demo: Demo, page: FlaskClient
) -> None:
    old = state(page, "book")["ledger"]
    wallet, _ = get(page, f"/users/{ASHA}/wallets")["wallets"]
    euros = {"userId": ASHA, "currency": "EUR"}
    opened = post(page, "/wallet/create", euros).get_json()
    post(page, "/wallet/deduct", {"walletId": wallet["id"], "amount": 5})
    post(page, "/demo/people", {"name": "Maya"})
    put(page, "/demo/inbox", failing=True)
    demo.service.background.start()
    begun = demo.service
    assert post(page, "/demo/reset", {}).get_json()["ledger"] != old
    assert not begun.health().is_running and demo.service.health().is_running
    assert state(page, "book")["people"] == [
        {"userId": each.user_id, "name": each.name} for each in FIRST
    ]
    assert_problem(page.get(f"/wallet/{opened['id']}"), 404, "wallet_not_found")
    again, _ = get(page, f"/users/{ASHA}/wallets")["wallets"]
    assert again["balance"] == wallet["balance"]
    assert get(page, "/audit")["balanced"]
    assert state(page, "inbox") == EMPTY_INBOX
    body = {"walletId": again["id"], "amount": 5}
    for replayed in (None, "true"):
        made = page.post("/wallet/add", json=body, headers={"Idempotency-Key": "k"})
        assert made.headers.get("Idempotent-Replayed") == replayed
    demo.service.background.stop()


def test_the_currencies_are_those_of_the_service(page: FlaskClient) -> None:
    currencies = get(page, "/demo/currencies")
    assert currencies["exchanges"] == {"USD": ["INR"], "INR": ["USD"]}
    digits = currencies["minorDigits"]
    assert (digits["INR"], digits["JPY"], digits["BHD"]) == (2, 0, 3)
    assert "XAU" not in digits


# What the page follows


def test_the_state_has_what_has_changed_and_nothing_else(page: FlaskClient) -> None:
    first = get(page, "/demo/state")
    everything = {"book", "phone", "inbox", "payments", "fraud", "outside", "storm"}
    assert set(first) == everything | {"since", "requests"}
    since = first["since"]
    same = page.get("/demo/state", query_string={"since": since}).get_json()
    assert same == {"since": since, "requests": []}
    wallet_id = first["book"]["wallets"][0]["id"]
    post(page, "/wallet/add", {"walletId": wallet_id, "amount": 5})
    changed = page.get("/demo/state", query_string={"since": since}).get_json()
    assert set(changed) == {"since", "book", "requests"}
    put(page, "/demo/fraud", walletId=wallet_id, watched=True)
    since = {"since": changed["since"]}
    changed = page.get("/demo/state", query_string=since).get_json()
    assert changed["fraud"]["watched"] == [wallet_id] and "book" not in changed
    nonsense = page.get("/demo/state", query_string={"since": "a.b"}).get_json()
    assert everything <= set(nonsense)
    too_long = page.get("/demo/state", query_string={"since": "a" * 300})
    assert_problem(too_long, 400, "invalid_request")


def test_the_state_has_every_wallet_or_of_very_many_the_newest_and_the_oldest(
    demo: Demo, page: FlaskClient
) -> None:
    ids = [each["id"] for each in state(page, "book")["wallets"]]
    assert len(ids) == len(OPENED)
    for _ in range(NEWEST_MAX + OLDEST_MAX):
        ids.append(demo.service.create_wallet(str(uuid4())).id)
    shown = [each["id"] for each in state(page, "book")["wallets"]]
    assert shown == ids[:OLDEST_MAX] + ids[-NEWEST_MAX:]


def test_the_state_has_the_payments_of_one_wallet_newest_first(
    page: FlaskClient,
) -> None:
    wallet, other = get(page, f"/users/{ASHA}/wallets")["wallets"]
    body = {"walletId": wallet["id"], "amount": 5, "bankAccount": "sandbox-ok"}
    paid = [
        post(page, "/wallet/deposit", body).get_json() for _ in range(PAYMENTS_MAX + 1)
    ]
    payments = state(page, "payments", walletId=wallet["id"])
    assert payments["payments"] == paid[:0:-1] and payments["total"] == len(paid)
    assert state(page, "payments", walletId=other["id"])["payments"] == []


def test_the_state_has_the_webhook_of_the_page_and_its_deliveries(
    page: FlaskClient,
) -> None:
    for host in ("receiver.example", "9.9.9.9"):
        body = {"url": f"http://{host}/demo/inbox", "events": ["wallet.created"]}
        own = post(page, "/webhooks", body).get_json()
    post(page, "/wallet/create", {"userId": str(uuid4())})
    answer = page.get("/demo/state", headers={"Host": "9.9.9.9"})
    inbox = answer.get_json()["inbox"]
    assert inbox["webhook"]["id"] == own["id"]
    assert [each["type"] for each in inbox["deliveries"]] == ["wallet.created"]


# The phone


def test_codes_arrive_on_the_phone_and_confirm_there(
    demo: Demo, page: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    wallet, _ = get(page, f"/users/{ASHA}/wallets")["wallets"]
    demo.service.set_limits(wallet["id"], Limits(approval_threshold=0))
    asked = post(
        page, "/wallet/deduct", {"walletId": wallet["id"], "amount": 60}
    ).get_json()
    (text,) = state(page, "phone")["messages"]
    assert text == asked | {"otp": "493817"}
    assert f"The code of approval {asked['approvalId']} is 493817" in caplog.text
    path = f"/approvals/{asked['approvalId']}/confirm"
    assert post(page, path, {"otp": text["otp"]}).status_code == 200
    post(page, "/wallet/deduct", {"walletId": wallet["id"], "amount": 61})
    texts = state(page, "phone")["messages"]
    assert [text["amount"] for text in texts] == [61, 60]


# The fraud rules


def test_fraud_rules_watch_the_wallets_that_somebody_chose(page: FlaskClient) -> None:
    wallet, other = get(page, f"/users/{ASHA}/wallets")["wallets"]
    fraud = state(page, "fraud")
    assert fraud["watched"] == [] and fraud["thresholds"]["velocityCount"] == 10
    put(page, "/demo/fraud", walletId=wallet["id"], watched=True)
    assert state(page, "fraud")["watched"] == [wallet["id"]]
    statuses = [
        post(page, "/wallet/deduct", {"walletId": each["id"], "amount": 1}).status_code
        for each in (wallet, other)
        for _ in range(11)
    ]
    assert statuses == [200] * 10 + [403] + [200] * 11
    put(page, "/demo/fraud", walletId=wallet["id"], watched=False)
    body = {"walletId": wallet["id"], "amount": 1}
    assert post(page, "/wallet/deduct", body).status_code == 200
    nobody = put(page, "/demo/fraud", walletId=ASHA, watched=True)
    assert_problem(nobody, 404, "wallet_not_found")


# The requests


def test_the_requests_of_every_client_are_logged_and_equal_ones_counted(
    page: FlaskClient,
) -> None:
    wallet, _ = get(page, f"/users/{ASHA}/wallets")["wallets"]
    page.get("/audit", headers={"Wallet-Page": "quiet"})
    state(page, "phone")
    body = {"walletId": wallet["id"], "amount": 5}
    for _ in range(3):
        post(page, "/wallet/add", body)
    page.post("/wallet/add", json={"amount": 0}, headers={"Wallet-Page": "a"})
    post(page, "/nowhere", {})
    log = state(page, "requests")
    assert [(each["path"], each["status"], each["count"]) for each in log] == [
        (f"/users/{ASHA}/wallets", 200, 1),
        ("/wallet/add", 200, 3),
        ("/wallet/add", 400, 1),
        ("/nowhere", 404, 1),
    ]
    assert json.loads(log[1]["body"]) == body and log[3]["body"] == ""
    assert [each["page"] for each in log] == [None, None, "a", None]
    later = state(page, "requests", after=log[1]["version"])
    assert later == log[2:]


def test_the_log_of_requests_is_bounded(page: FlaskClient) -> None:
    for number in range(ENTRIES_MAX + 5):
        page.get(f"/nowhere/{number}")
    body = json.dumps({"userId": "x" * BYTES_MAX})
    page.post("/wallet/create", data=body, content_type=JSON)
    log = state(page, "requests")
    assert len(log) == ENTRIES_MAX and log[0]["path"] == "/nowhere/6"
    assert log[-1]["status"] == 400 and log[-1]["body"] == ""


# Storms


@pytest.mark.parametrize(
    "field, value",
    [
        ("clients", 0),
        ("clients", 51),
        ("clients", "2"),
        ("clients", 1.5),
        ("transfers", 99),
        ("transfers", 10_001),
        ("locks", 0),
    ],
)
def test_a_storm_is_no_larger_than_it_may_be(
    page: FlaskClient, field: str, value: object
) -> None:
    body = {"clients": 2, "transfers": 100, "locks": True, field: value}
    problem = assert_problem(post(page, "/demo/storm", body), 400, "invalid_request")
    assert set(problem["errors"]) == {field}
    assert state(page, "storm") is None


# The inbox


def signed(message_id: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a message that is signed now."""
    now = int(time.time())
    moment = datetime.fromtimestamp(now, UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
    }


def deliver(page: FlaskClient, headers: Mapping[str, str], body: bytes) -> int:
    return page.post(
        "/demo/inbox", data=body, headers=dict(headers), content_type=JSON
    ).status_code


def test_the_inbox_verifies_what_comes_with_the_library(page: FlaskClient) -> None:
    body = b'{"type": "wallet.created"}'
    assert deliver(page, signed("msg_1", body), body) == 204
    assert put(page, "/demo/inbox", secret=SECRET).status_code == 204
    assert deliver(page, signed("msg_2", body), body) == 204
    assert deliver(page, signed("msg_3", body), body + b" ") == 401
    assert deliver(page, {}, b"\xff") == 401
    messages = state(page, "inbox")["messages"]
    assert [each["verified"] for each in messages] == [False, False, True, None]
    assert [each["messageId"] for each in messages] == ["", "msg_3", "msg_2", "msg_1"]
    assert messages[2]["body"] == body.decode()


def test_the_inbox_fails_as_long_as_it_is_told_to(page: FlaskClient) -> None:
    put(page, "/demo/inbox", failing=True)
    assert state(page, "inbox")["failing"] is True
    assert deliver(page, {}, b"{}") == 503
    put(page, "/demo/inbox", secret=SECRET)
    assert state(page, "inbox")["failing"] is True
    put(page, "/demo/inbox", failing=False)
    assert state(page, "inbox")["failing"] is False
    assert deliver(page, signed("msg_1", b"{}"), b"{}") == 204


def test_the_inbox_keeps_the_latest(page: FlaskClient) -> None:
    for number in range(105):
        deliver(page, {"webhook-id": str(number)}, b"{}")
    messages = state(page, "inbox")["messages"]
    assert [each["messageId"] for each in messages] == [
        str(number) for number in range(104, 4, -1)
    ]


def test_the_inbox_keeps_no_message_that_is_too_long(page: FlaskClient) -> None:
    assert deliver(page, {"webhook-id": "fits"}, b"x" * BODY_BYTES_MAX) == 204
    refused = page.post("/demo/inbox", data=b"x" * (BODY_BYTES_MAX + 1))
    assert_problem(refused, 413, "request_entity_too_large")
    (kept,) = state(page, "inbox")["messages"]
    assert kept["messageId"] == "fits"


@pytest.mark.parametrize(
    "body", [{"failing": "yes"}, {"failing": 1}, {"secret": "x"}, {"secret": 5}]
)
def test_what_the_inbox_cannot_use_is_refused(
    page: FlaskClient, body: dict[str, Any]
) -> None:
    assert_problem(put(page, "/demo/inbox", **body), 400, "invalid_request")
    assert state(page, "inbox") == EMPTY_INBOX


# The page


def test_the_page_and_what_belongs_to_it_are_for_its_own_origin(
    page: FlaskClient,
) -> None:
    for path in ("/demo/state", "/demo/currencies"):
        response = page.get(path, headers={"Origin": "http://wallets.example"})
        assert_problem(response, 403, "forbidden")


def test_a_page_of_another_origin_starts_no_storm(page: FlaskClient) -> None:
    body = {"clients": 2, "transfers": 100, "locks": True}
    headers = {"Origin": "http://wallets.example"}
    response = page.post("/demo/storm", json=body, headers=headers)
    assert_problem(response, 403, "forbidden")
    assert state(page, "storm") is None


def test_a_form_of_another_origin_that_navigates_is_refused(page: FlaskClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    response = page.post("/demo/people", data="name=x", headers=headers)
    assert_problem(response, 403, "forbidden")


def test_the_page_takes_scripts_and_styles_from_its_own_server_alone(
    page: FlaskClient,
) -> None:
    with page.get("/") as response:
        assert response.status_code == 200 and response.mimetype == "text/html"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        text = response.get_data(as_text=True)
        for each in ("<script>", " style=", " onclick=", "http://", "https://"):
            assert each not in text
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    for name in ("../guard.py", "%2e%2e/guard.py", "nothing.js", ".."):
        assert page.get(f"/page/{name}").status_code == 404


# Only there


def test_without_the_setting_there_is_no_page_and_nothing_of_it() -> None:
    client = create_app(WalletService()).test_client()
    for path in ("/", "/page/app.js", "/demo/people", "/demo/state", "/demo/storm"):
        assert_problem(client.get(path), 404, "not_found")


@pytest.mark.server
def test_under_plain_gunicorn_there_is_no_page_and_no_people() -> None:
    with running(CONFIGURED) as server:
        plain = Api(server)
        assert plain.ask("GET", "/", 404)["code"] == "not_found"
        assert plain.ask("GET", "/demo/state", 404)["code"] == "not_found"
        assert plain.get("/audit")["wallets"] == 0
    with running(DEMO) as server:
        assert len(Api(server).get("/demo/state")["book"]["people"]) == len(FIRST)
