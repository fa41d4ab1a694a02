"""The API as the contract has it: what each endpoint answers."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from uuid_utils import UUID

from tests.answers import NOBODY, TIME, assert_problem, post
from tests.ledgers import new_service, nothing_moves, open_wallet
from wallet_app import create_app
from wallet_app.domain.transactions import AMOUNT_MAX
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
        "counterparty": None,
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
    order = "id walletId type amount currency balanceAfter referenceId"
    order += " counterparty category description createdAt"
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


def test_two_apps_have_two_ledgers() -> None:
    one, other = create_app(), create_app()
    assert isinstance(one, Flask)
    body = {"userId": str(uuid4())}
    assert post(one.test_client(), "/wallet/create", body).status_code == 201
    assert post(other.test_client(), "/wallet/create", body).status_code == 201


@pytest.mark.parametrize("path", ["/health", f"/wallet/{NOBODY}", "/nothing"])
def test_a_body_ends_with_a_newline(client: FlaskClient, path: str) -> None:
    assert client.get(path).data.endswith(b"}\n")


def test_what_a_key_replays_is_the_same_bytes(
    client: FlaskClient, service: WalletService
) -> None:
    body = {"walletId": open_wallet(service), "amount": 5}
    first, again = (
        post(client, "/wallet/add", body, **{"Idempotency-Key": "salary"})
        for _ in range(2)
    )
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.data == first.data and first.data.endswith(b"}\n")
