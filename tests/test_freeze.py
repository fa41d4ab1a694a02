"""A frozen wallet neither sends nor receives."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tests.answers import assert_problem, post
from tests.ledgers import (
    SECOND,
    Clock,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app.domain.errors.wallet_errors import WalletFrozen
from wallet_app.services.service import WalletService

Move = Callable[[WalletService, str, str], object]

MOVEMENTS: dict[str, Move] = {
    "add": lambda s, frozen, other: s.add(frozen, 1),
    "deduct": lambda s, frozen, other: s.deduct(frozen, 1),
    "send": lambda s, frozen, other: s.transfer(frozen, other, 1),
    "receive": lambda s, frozen, other: s.transfer(other, frozen, 1),
}


@pytest.mark.parametrize("name", MOVEMENTS)
def test_a_frozen_wallet_neither_sends_nor_receives(
    service: WalletService, name: str
) -> None:
    frozen, other = open_wallet(service, 100), open_wallet(service, 100)
    service.freeze(frozen, "Card stolen")
    with nothing_moves(service), pytest.raises(WalletFrozen) as refused:
        MOVEMENTS[name](service, frozen, other)
    assert refused.value.values == {"wallet_id": frozen}
    service.unfreeze(frozen)
    MOVEMENTS[name](service, frozen, other)
    assert balances(service, frozen) != [100]


def test_others_go_on_while_one_is_frozen(service: WalletService) -> None:
    frozen, source, target = (open_wallet(service, 100) for _ in range(3))
    service.freeze(frozen, "Card stolen")
    service.transfer(source, target, 100)
    assert balances(service, source, target) == [0, 200]


def test_frozen_is_told_before_anything_else(service: WalletService) -> None:
    poor, dollars = open_wallet(service), open_wallet(service, currency="USD")
    service.freeze(dollars, "Under review")
    with nothing_moves(service), pytest.raises(WalletFrozen):
        service.transfer(poor, dollars, 1)


def test_freezing_tells_the_reason_and_the_time() -> None:
    clock = Clock()
    service = new_service(clock=clock)
    wallet_id = open_wallet(service, 5)
    clock.now += SECOND
    frozen = service.freeze(wallet_id, "Card stolen")
    assert (frozen.status, frozen.frozen_reason) == ("FROZEN", "Card stolen")
    assert (frozen.balance, frozen.updated_at) == (5, clock.now)
    assert service.get_wallet(wallet_id) == frozen
    clock.now += SECOND
    active = service.unfreeze(wallet_id)
    assert (active.status, active.frozen_reason) == ("ACTIVE", None)
    assert (active.balance, active.updated_at) == (5, clock.now)
    assert service.get_wallet(wallet_id) == active


def test_doing_it_again_changes_nothing() -> None:
    clock = Clock()
    service = new_service(clock=clock)
    wallet_id = open_wallet(service, 5)
    with nothing_moves(service):
        clock.now += SECOND
        service.unfreeze(wallet_id)
    frozen = service.freeze(wallet_id, "Card stolen")
    with nothing_moves(service):
        clock.now += SECOND
        assert service.freeze(wallet_id, "Another reason") == frozen


def test_a_clock_that_steps_back_does_not_turn_the_wallet_back() -> None:
    clock = Clock()
    service = new_service(clock=clock)
    wallet_id = open_wallet(service, 5)
    latest = clock.now
    clock.now -= SECOND
    assert service.freeze(wallet_id, "Card stolen").updated_at == latest


# Over HTTP


def test_freeze_and_unfreeze_answer_the_wallet(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service, 100, str(uuid4()))
    active = client.get(f"/wallet/{wallet_id}").get_json()
    reason = {"reason": "Card stolen 💳"}
    frozen = post(client, f"/wallet/{wallet_id}/freeze", reason)
    assert frozen.status_code == 200
    assert frozen.get_json() == active | {
        "status": "FROZEN",
        "frozenReason": "Card stolen 💳",
    }
    assert client.get(f"/wallet/{wallet_id}").get_json() == frozen.get_json()
    refused = post(client, "/wallet/add", {"walletId": wallet_id, "amount": 1})
    assert assert_problem(refused, 423, "wallet_frozen")["walletId"] == wallet_id
    again = post(client, f"/wallet/{wallet_id}/freeze", {"reason": "Another"})
    assert again.get_json() == frozen.get_json()
    nothing: list[dict[str, object] | None] = [{}, None]
    for body in nothing:
        unfrozen = client.post(f"/wallet/{wallet_id}/unfreeze", json=body)
        assert (unfrozen.status_code, unfrozen.get_json()) == (200, active)


@pytest.mark.parametrize(
    "body",
    [{}, {"reason": ""}, {"reason": None}, {"reason": 5}, {"reason": "x" * 201}]
    + [{"reason": "a\0b"}, {"reason": "x", "until": "tomorrow"}],
    ids=str,
)
def test_a_reason_of_the_wrong_shape_freezes_nothing(
    client: FlaskClient, service: WalletService, body: dict[str, object]
) -> None:
    wallet_id = open_wallet(service, 100)
    with nothing_moves(service):
        response = post(client, f"/wallet/{wallet_id}/freeze", body)
        assert_problem(response, 400, "invalid_request")


def test_unfreeze_takes_nothing_but_nothing(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service)
    path = f"/wallet/{wallet_id}/unfreeze"
    service.freeze(wallet_id, "Card stolen")
    with nothing_moves(service):
        assert_problem(post(client, path, {"force": True}), 400, "invalid_request")
        assert_problem(post(client, path, []), 400, "invalid_request")
        assert_problem(client.post(path, data="{}"), 415, "unsupported_media_type")


def test_freezing_with_a_key_is_done_once(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service)
    key = {"Idempotency-Key": "k"}
    path = f"/wallet/{wallet_id}/freeze"
    first = post(client, path, {"reason": "Card stolen"}, **key)
    service.unfreeze(wallet_id)
    with nothing_moves(service):
        replayed = post(client, path, {"reason": "Card stolen"}, **key)
        assert replayed.data == first.data
        assert replayed.headers["Idempotent-Replayed"] == "true"
    unfreeze = f"/wallet/{wallet_id}/unfreeze"
    other = {"Idempotency-Key": "other"}
    assert client.post(unfreeze, headers=other).status_code == 200
    replayed = client.post(unfreeze, headers=other)
    assert replayed.headers["Idempotent-Replayed"] == "true"
