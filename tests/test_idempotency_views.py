"""Idempotency over HTTP."""

from __future__ import annotations

from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tests.answers import assert_problem, post
from tests.ledgers import BoundedLock, Clock, nothing_moves, open_wallet
from wallet_app.services.idempotency import IdempotencyKeys
from wallet_app.services.service import WalletService


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
