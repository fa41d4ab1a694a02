"""The world outside, on real servers: the bank, the receivers of webhooks, and a stop
in the middle of it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.live_api import Api
from tests.receivers import Received, receiving
from tests.server import BARE, CONFIGURED, DEMO, GUNICORN, TIMEOUT_SECONDS, running

pytestmark = pytest.mark.server

FACTORY = (*GUNICORN, "wallet_app:create_app()")
QUICK = {
    "WALLET_PAYMENT_MAX_ATTEMPTS": "3",
    "WALLET_WEBHOOK_RETRY_SECONDS": "0,1,1,60",
    "WALLET_WEBHOOK_ALLOW_PRIVATE": "1",
}
EVERYTHING = [
    "wallet.created",
    "wallet.frozen",
    "wallet.unfrozen",
    "transaction.created",
    "approval.requested",
    "payment.succeeded",
    "payment.failed",
    "fraud.flagged",
]

BUSY, CLOSED, LOST = (
    "the bank is busy",
    "the bank is closed",
    "the answer did not arrive",
)
Told = tuple[str, str, int, str | None]

ASKED: Told = ("PENDING", "NONE", 0, None)
PATHS: dict[str, list[Told]] = {
    "sandbox-ok": [ASKED, ("SUCCEEDED", "PAID", 1, None)],
    "sandbox-declines": [
        ASKED,
        ("FAILED", "DECLINED", 1, "the account does not take part"),
    ],
    "sandbox-flaky": [
        ASKED,
        ("PENDING", "NONE", 1, BUSY),
        ("PENDING", "NONE", 2, BUSY),
        ("SUCCEEDED", "PAID", 3, None),
    ],
    "sandbox-times-out": [
        ASKED,
        ("PENDING", "UNKNOWN", 1, LOST),
        ("SUCCEEDED", "PAID", 2, None),
    ],
    "sandbox-down": [
        ASKED,
        ("PENDING", "NONE", 1, CLOSED),
        ("PENDING", "NONE", 2, CLOSED),
        ("PARKED", "NONE", 3, CLOSED),
    ],
    "GB33BUKB20201555555555": [
        ASKED,
        ("FAILED", "DECLINED", 1, "there is no such account"),
    ],
}
"""What a payment with each account goes through: status, the bank's answer, attempts,
and what was wrong at the last one. One that is under way counts already."""


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with running(CONFIGURED, QUICK) as server:
        yield Api(server)


def told(payment: dict[str, Any]) -> Told:
    return (
        payment["status"],
        payment["bankAnswer"],
        payment["attempts"],
        payment["lastError"],
    )


def watch(api: Api, payments: list[dict[str, Any]]) -> list[list[Told]]:
    """Look at payments until none is pending; return what each was seen to be."""
    seen: list[list[Told]] = [[] for _ in payments]
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not all(each and each[-1][0] != "PENDING" for each in seen):
        assert time.monotonic() < deadline, seen
        for payment, states in zip(payments, seen, strict=True):
            state = told(api.get(f"/payments/{payment['id']}"))
            if state not in states:
                states.append(state)
    return seen


def is_on_the_way(states: list[Told], path: list[Told]) -> bool:
    """Tell whether these are states of a path, in its order, and its end is reached.
    Between two of them an attempt is under way, and counts already."""
    under_way = [(*state[:2], state[2] + 1, state[3]) for state in path[:-1]]
    whole = [state for pair in zip(path, under_way) for state in pair] + path[-1:]
    positions = [whole.index(state) for state in states]
    return positions == sorted(positions) and states[-1] == path[-1]


def test_payments_go_the_way_of_their_accounts_and_both_books_are_equal(
    api: Api,
) -> None:
    begun = {}
    for number, (direction, account) in enumerate(
        product(("deposit", "withdraw"), PATHS)
    ):
        wallet_id = api.open_wallet(10_000)
        begun[direction, account] = api.pay(direction, wallet_id, 2**number, account)
    seen = watch(api, list(begun.values()))
    paid = {"deposit": 0, "withdraw": 0}
    for ((direction, account), payment), states in zip(
        begun.items(), seen, strict=True
    ):
        assert is_on_the_way(states, PATHS[account]), (direction, account, states)
        status, bank_answer, _, _ = states[-1]
        credit, debit = ("CREDIT", payment["amount"]), ("DEBIT", payment["amount"])
        if direction == "deposit":
            expected = [credit] if status == "SUCCEEDED" else []
        else:
            expected = [debit, credit] if status == "FAILED" else [debit]
        assert moved_by(api, payment) == expected, (direction, account)
        paid[direction] += payment["amount"] * (bank_answer == "PAID")
    (bank,) = api.get("/sandbox-bank")["currencies"].values()
    assert (bank["paidIn"], bank["paidOut"]) == (paid["deposit"], paid["withdraw"])
    audit = api.get("/audit")
    (totals,) = audit["currencies"].values()
    in_flight = begun["withdraw", "sandbox-down"]["amount"]
    assert audit["balanced"] and totals["withdrawalsInFlight"] == in_flight
    added = 10_000 * len(begun)
    assert totals["balances"] == added + bank["paidIn"] - bank["paidOut"] - in_flight


def moved_by(api: Api, payment: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the transactions of a payment, oldest first."""
    page = api.get(f"/wallet/{payment['walletId']}/transactions")
    return [
        (each["type"], each["amount"])
        for each in reversed(page["transactions"])
        if each["referenceId"] == payment["id"]
    ]


def waits(payment: dict[str, Any]) -> bool:
    return bool(payment["status"] == "PENDING")


def test_a_parked_payment_is_taken_up_again_by_hand(api: Api) -> None:
    payment = api.pay("withdraw", api.open_wallet(500), 500, "sandbox-down")
    path = f"/payments/{payment['id']}"
    api.wait_for(path, lambda p: p["status"] == "PARKED")
    assert api.post(f"{path}/retry", 202)["status"] == "PENDING"
    assert api.post(f"{path}/retry", 409)["code"] == "payment_not_parked"
    assert api.wait_for(path, lambda p: p["status"] == "PARKED")["attempts"] == 6


def test_the_receivers_own_library_accepts_every_message(api: Api) -> None:
    with receiving() as receiver:
        webhook = api.post("/webhooks", 201, url=receiver.url, events=EVERYTHING)
        source, target = api.open_wallet(500), api.open_wallet()
        body = {"fromWalletId": source, "toWalletId": target, "amount": 200}
        api.post("/wallet/transfer", 200, **body)
        api.post(f"/wallet/{source}/freeze", 200, reason="Card stolen")
        api.post(f"/wallet/{source}/unfreeze", 200)
        api.pay("withdraw", source, 100, "sandbox-declines")
        limits = {"approvalThreshold": 50}
        api.ask("PUT", f"/wallet/{source}/limits", 200, limits)
        approval = api.post("/wallet/deduct", 202, walletId=source, amount=60)
        messages = receiver.wait_for(lambda messages: len(messages) >= 11)
        events = [verified(webhook["secret"], each) for each in messages]
        assert sorted(event["type"] for event in events) == sorted(
            ["wallet.created"] * 2
            + ["transaction.created"] * 5
            + ["wallet.frozen", "wallet.unfrozen", "payment.failed"]
            + ["approval.requested"]
        )
        of_source = [
            event["data"]
            for event in events
            if event["type"] == "transaction.created"
            and event["data"]["walletId"] == source
        ]
        page = api.get(f"/wallet/{source}/transactions")
        assert of_source == page["transactions"][::-1]
        (asked,) = [e["data"] for e in events if e["type"] == "approval.requested"]
        confirm = f"/approvals/{approval['approvalId']}/confirm"
        confirmed = api.post(confirm, 200, otp=asked["otp"])
        assert confirmed["wallet"]["balance"] == 240
        api.ask("DELETE", f"/webhooks/{webhook['id']}", 204)


def verified(secret: str, message: Received) -> Any:
    """Return what the library says that the message says."""
    return Webhook(secret).verify(message.body, message.headers)


def test_each_wallets_transactions_arrive_in_order_over_few_connections(
    api: Api,
) -> None:
    wallets, transfers = [api.open_wallet(1_000) for _ in range(6)], 100
    with receiving() as receiver:
        events = ["transaction.created"]
        webhook = api.post("/webhooks", 201, url=receiver.url, events=events)
        for n in range(transfers):
            source, target = wallets[n % 6], wallets[(n + 1 + n % 5) % 6]
            body = {"fromWalletId": source, "toWalletId": target, "amount": 1 + n}
            api.post("/wallet/transfer", 200, **body)
        messages = receiver.wait_for(lambda messages: len(messages) == 2 * transfers)
        told = [verified(webhook["secret"], each)["data"] for each in messages]
        for wallet_id in wallets:
            page = api.get(f"/wallet/{wallet_id}/transactions?limit=100")
            of_wallet = [each for each in told if each["walletId"] == wallet_id]
            assert of_wallet == page["transactions"][-2::-1]  # the first was before
        assert receiver.connections < transfers / 2
        api.ask("DELETE", f"/webhooks/{webhook['id']}", 204)


def test_one_that_fails_twice_gets_the_same_message_again(api: Api) -> None:
    with receiving(500, 503) as receiver:
        webhook = api.post(
            "/webhooks", 201, url=receiver.url, events=["wallet.created"]
        )
        api.open_wallet()
        first, *again = receiver.wait_for(lambda messages: len(messages) == 3)
        for message in again:
            assert message.headers["webhook-id"] == first.headers["webhook-id"]
            assert message.body == first.body
        path = f"/webhooks/{webhook['id']}/deliveries"
        page = api.wait_for(path, lambda p: p["deliveries"][0]["status"] != "PENDING")
        (delivery,) = page["deliveries"]
        assert (delivery["status"], delivery["attempts"]) == ("SUCCEEDED", 3)
        api.post(f"{path}/{delivery['id']}/redeliver", 202)
        messages = receiver.wait_for(lambda messages: len(messages) == 4)
        assert messages[3].headers["webhook-id"] == first.headers["webhook-id"]
        api.ask("DELETE", f"/webhooks/{webhook['id']}", 204)


def test_one_that_hangs_keeps_no_other_waiting(api: Api) -> None:
    with receiving(hangs=True) as slow, receiving() as prompt:
        webhooks = [
            api.post("/webhooks", 201, url=each.url, events=["wallet.created"])
            for each in (slow, prompt)
        ]
        for _ in range(15):
            api.open_wallet()
        prompt.wait_for(lambda messages: len(messages) == 15)
        assert 1 <= len(slow.messages) <= 4
        payment = api.pay("deposit", api.open_wallet(), 5, "sandbox-ok")
        api.wait_for(f"/payments/{payment['id']}", lambda p: not waits(p))
        assert len(slow.messages) <= 4
        for webhook in webhooks:
            api.ask("DELETE", f"/webhooks/{webhook['id']}", 204)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "0.0.0.0",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "localhost",
    ],
)
def test_private_addresses_are_refused_by_default(plain: Api, host: str) -> None:
    body = {"url": f"http://{host}:9/", "events": EVERYTHING}
    assert plain.post("/webhooks", 400, **body)["code"] == "url_not_allowed"
    assert plain.get("/webhooks") == {"webhooks": []}


@pytest.fixture(scope="module")
def plain() -> Iterator[Api]:
    with running() as server:
        yield Api(server)


@pytest.mark.parametrize(
    "command", [BARE, DEMO, FACTORY], ids=["bare", "demo", "factory"]
)
def test_the_background_works_however_the_server_is_started(
    command: tuple[str, ...],
) -> None:
    with running(command) as server:
        api = Api(server)
        assert api.get("/health")["background"]["running"]
        wallet_id = api.open_wallet()
        api.pay("deposit", wallet_id, 500, "sandbox-ok")
        api.wait_for(f"/wallet/{wallet_id}", lambda wallet: wallet["balance"] == 500)


def test_sigterm_ends_deliveries_and_retries_in_time_and_says_what_is_left() -> None:
    patient = QUICK | {"WALLET_PAYMENT_MAX_ATTEMPTS": "100"}
    with receiving(hangs=True) as slow, running(CONFIGURED, patient) as server:
        api = Api(server)
        wallet_id = api.open_wallet(500)
        api.post("/webhooks", 201, url=slow.url, events=["transaction.created"])
        for _ in range(2):
            api.post("/wallet/add", 200, walletId=wallet_id, amount=1)
        payment = api.pay("withdraw", wallet_id, 500, "sandbox-down")
        api.wait_for(f"/payments/{payment['id']}", lambda p: p["attempts"] > 0)
        slow.wait_for(lambda messages: len(messages) >= 1)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        (left,) = [
            line
            for line in server.printed.splitlines()
            if "Left undone at the stop" in line
        ]
        assert "payments: 1 queued, 0 running" in left
        assert ": 2 queued, 1 running" in left
