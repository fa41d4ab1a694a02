"""What may leave a wallet at once, in a day and in a month."""

from __future__ import annotations

import threading
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from tests.answers import assert_problem, post
from tests.ledgers import (
    FULL,
    SECOND,
    START,
    Clock,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app import create_app
from wallet_app.domain.errors.wallet_errors import LimitExceeded
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings

HOUR = 3600 * SECOND
DAY = 24 * HOUR
TIMEOUT_SECONDS = 10

Spend = Callable[[WalletService, str, str, int], object]

SPENDING: dict[str, Spend] = {
    "deduct": lambda s, source, target, amount: s.deduct(source, amount),
    "transfer": lambda s, source, target, amount: s.transfer(source, target, amount),
}


def limited(clock: Clock | None = None, **limits: int) -> tuple[WalletService, str]:
    """Return a service, and a wallet in it that holds 10,000 and has limits."""
    service = new_service(clock=clock or Clock())
    wallet_id = open_wallet(service, 10_000)
    service.set_limits(wallet_id, Limits(**limits))
    return service, wallet_id


@pytest.mark.parametrize("name", SPENDING)
def test_as_much_as_the_limit_may_leave_at_once_and_not_one_unit_more(
    name: str,
) -> None:
    service, source = limited(per_transaction=500)
    target = open_wallet(service)
    with nothing_moves(service), pytest.raises(LimitExceeded) as refused:
        SPENDING[name](service, source, target, 501)
    assert refused.value.values == {
        "limit_name": "perTransaction",
        "amount": 501,
        "limit": 500,
        "used": 0,
        "remaining": 500,
        "resets_at": None,
    }
    for _ in range(2):
        SPENDING[name](service, source, target, 500)
    assert balances(service, source) == [9_000]


@pytest.mark.parametrize("name", SPENDING)
def test_as_much_as_the_limit_may_leave_in_a_day_and_not_one_unit_more(
    name: str,
) -> None:
    service, source = limited(daily=500)
    target = open_wallet(service)
    SPENDING[name](service, source, target, 300)
    with nothing_moves(service), pytest.raises(LimitExceeded) as refused:
        SPENDING[name](service, source, target, 201)
    assert refused.value.values == {
        "limit_name": "daily",
        "amount": 201,
        "limit": 500,
        "used": 300,
        "remaining": 200,
        "resets_at": START + DAY,
    }
    SPENDING[name](service, source, target, 200)
    with nothing_moves(service), pytest.raises(LimitExceeded):
        SPENDING[name](service, source, target, 1)


def test_deducts_and_transfers_count_together_and_what_arrives_does_not() -> None:
    service, source = limited(daily=500)
    target = open_wallet(service, 1_000)
    service.deduct(source, 200)
    service.transfer(source, target, 200)
    service.add(source, 1_000)
    service.transfer(target, source, 1_000)
    assert service.get_limits(source).spent_today == 400
    with nothing_moves(service), pytest.raises(LimitExceeded):
        service.deduct(source, 101)


def test_a_limit_keeps_nobody_from_receiving() -> None:
    service, target = limited(per_transaction=0, daily=0, monthly=0)
    source = open_wallet(service, 100)
    service.transfer(source, target, 100)
    service.add(target, 100)
    with nothing_moves(service), pytest.raises(LimitExceeded):
        service.deduct(target, 1)


def test_a_day_ends_at_midnight_and_a_month_with_its_last_day() -> None:
    clock = Clock(START + 30 * DAY)  # the last of January
    service, wallet_id = limited(clock, daily=500, monthly=800)
    service.deduct(wallet_id, 500)
    clock.now = START + 31 * DAY - 1
    with nothing_moves(service), pytest.raises(LimitExceeded) as refused:
        service.deduct(wallet_id, 1)
    assert refused.value.values["resets_at"] == START + 31 * DAY
    clock.now += 1  # the first of February
    for day in (500, 300):
        service.deduct(wallet_id, day)
        clock.now += DAY
    with nothing_moves(service), pytest.raises(LimitExceeded) as refused:
        service.deduct(wallet_id, 1)
    assert refused.value.values == {
        "limit_name": "monthly",
        "amount": 1,
        "limit": 800,
        "used": 800,
        "remaining": 0,
        "resets_at": START + (31 + 28) * DAY,
    }
    clock.now = START + (31 + 28) * DAY
    service.deduct(wallet_id, 500)
    assert service.audit().problems == []


def test_the_day_is_that_of_the_configured_time_zone() -> None:
    clock = Clock(START + 18 * HOUR)  # 23:30 in India
    service = new_service(Settings(time_zone=ZoneInfo("Asia/Kolkata")), clock=clock)
    wallet_id = open_wallet(service, 1_000)
    service.set_limits(wallet_id, Limits(daily=500))
    service.deduct(wallet_id, 500)
    assert service.get_limits(wallet_id).day_ends == clock.now + HOUR // 2
    clock.now += HOUR // 2
    service.deduct(wallet_id, 500)


def test_a_clock_that_steps_back_gives_no_day_back() -> None:
    clock = Clock(START + DAY)
    service, wallet_id = limited(clock, daily=500)
    service.deduct(wallet_id, 500)
    clock.now -= 1
    with nothing_moves(service), pytest.raises(LimitExceeded):
        service.deduct(wallet_id, 1)
    clock.now -= 7 * DAY
    with nothing_moves(service), pytest.raises(LimitExceeded):
        service.deduct(wallet_id, 1)
    assert service.audit().problems == []


def test_a_day_that_a_wallet_has_seen_has_begun_whatever_the_clock_says() -> None:
    clock = Clock(START + DAY)
    service, wallet_id = limited(clock, daily=500)
    service.deduct(wallet_id, 500)
    clock.now += DAY
    service.add(wallet_id, 1)
    clock.now -= DAY
    service.deduct(wallet_id, 500)
    assert service.audit().problems == []


def test_what_fails_is_not_counted() -> None:
    service, wallet_id = limited(daily=500)

    with nothing_moves(service), pytest.raises(RuntimeError):
        service.money.deduct(wallet_id, 500, on_commit=FULL)
    assert service.get_limits(wallet_id).spent_today == 0
    service.deduct(wallet_id, 500)


def test_what_was_spent_before_there_was_a_limit_counts() -> None:
    service = new_service()
    wallet_id = open_wallet(service, 1_000)
    service.deduct(wallet_id, 300)
    usage = service.set_limits(wallet_id, Limits(daily=200))
    assert usage.spent_today == 300
    with nothing_moves(service), pytest.raises(LimitExceeded) as refused:
        service.deduct(wallet_id, 1)
    assert refused.value.values["remaining"] == 0
    service.set_limits(wallet_id, Limits())
    service.deduct(wallet_id, 700)


def test_the_first_limit_in_the_way_is_told() -> None:
    service, wallet_id = limited(per_transaction=3, daily=2, monthly=1)
    for amount, name in ((4, "perTransaction"), (3, "daily"), (2, "monthly")):
        with nothing_moves(service), pytest.raises(LimitExceeded) as refused:
            service.deduct(wallet_id, amount)
        assert refused.value.values["limit_name"] == name
    service.deduct(wallet_id, 1)


def test_the_settings_hold_for_every_wallet_until_it_has_limits_of_its_own() -> None:
    service = new_service(
        Settings(limit_per_transaction=5, limit_daily=7, limit_monthly=9)
    )
    one, other = open_wallet(service, 100), open_wallet(service, 100)
    assert service.get_limits(one).limits == Limits(5, 7, 9)
    with nothing_moves(service), pytest.raises(LimitExceeded):
        service.deduct(one, 6)
    service.set_limits(one, Limits(per_transaction=50))
    service.deduct(one, 50)
    with nothing_moves(service), pytest.raises(LimitExceeded):
        service.deduct(other, 6)


def test_a_freeze_leaves_the_limits_and_limits_leave_the_freeze() -> None:
    service, wallet_id = limited(daily=500)
    service.freeze(wallet_id, "Card stolen")
    assert service.get_limits(wallet_id).limits == Limits(daily=500)
    service.set_limits(wallet_id, Limits(daily=600))
    assert service.get_wallet(wallet_id).frozen_reason == "Card stolen"
    service.unfreeze(wallet_id)
    assert service.get_limits(wallet_id).limits == Limits(daily=600)


def test_spenders_at_the_same_time_never_pass_the_limit() -> None:
    service, source = limited(daily=1_000)
    target = open_wallet(service)
    start = threading.Barrier(8)
    refused: list[int] = []

    def spend() -> None:
        start.wait(TIMEOUT_SECONDS)
        for n in range(50):
            try:
                SPENDING["deduct" if n % 2 else "transfer"](service, source, target, 7)
            except LimitExceeded:
                refused.append(n)

    threads = [threading.Thread(target=spend, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert service.get_limits(source).spent_today == 142 * 7
    assert len(refused) == 8 * 50 - 142
    assert service.audit().problems == []


# Over HTTP


def test_limits_are_set_as_a_whole_and_told_with_what_is_used() -> None:
    service = new_service(Settings(limit_daily=7))
    client = create_app(service).test_client()
    wallet_id = open_wallet(service, 10_000)
    path = f"/wallet/{wallet_id}/limits"
    none = {
        "walletId": wallet_id,
        "currency": "INR",
        "perTransaction": None,
        "daily": 7,
        "monthly": None,
        "approvalThreshold": None,
        "spentToday": 0,
        "spentThisMonth": 0,
        "remainingToday": 7,
        "remainingThisMonth": None,
        "dayResetsAt": "2026-01-02T00:00:00.000Z",
        "monthResetsAt": "2026-02-01T00:00:00.000Z",
    }
    assert client.get(path).get_json() == none
    limits = {"perTransaction": 0, "daily": AMOUNT_MAX, "monthly": 900}
    limits["approvalThreshold"] = 1000
    put = client.put(path, json=limits)
    assert put.status_code == 200
    told = none | limits
    told |= {"remainingToday": AMOUNT_MAX, "remainingThisMonth": 900}
    assert put.get_json() == told == client.get(path).get_json()
    client.put(path, json={"daily": 500})
    assert post(
        client, "/wallet/deduct", {"walletId": wallet_id, "amount": 300}
    ).get_json()
    told = none | {"daily": 500, "spentToday": 300, "spentThisMonth": 300}
    told |= {"remainingToday": 200}
    assert client.get(path).get_json() == told
    refused = post(client, "/wallet/deduct", {"walletId": wallet_id, "amount": 201})
    problem = assert_problem(refused, 422, "limit_exceeded")
    assert {
        "limitName": "daily",
        "limit": 500,
        "used": 300,
        "remaining": 200,
        "resetsAt": "2026-01-02T00:00:00.000Z",
    }.items() <= problem.items()
    nothing = client.put(path, json={"daily": None}).get_json()
    assert (nothing["daily"], nothing["remainingToday"]) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        {"daily": -1},
        {"daily": 1.0},
        {"daily": "500"},
        {"daily": True},
        {"daily": AMOUNT_MAX + 1},
        {"weekly": 500},
        {"spentToday": 0},
        [],
    ],
    ids=str,
)
def test_limits_of_the_wrong_shape_change_nothing(
    client: FlaskClient, service: WalletService, body: object
) -> None:
    wallet_id = open_wallet(service, 100)
    service.set_limits(wallet_id, Limits(monthly=5))
    with nothing_moves(service):
        response = client.put(f"/wallet/{wallet_id}/limits", json=body)
        assert_problem(response, 400, "invalid_request")
