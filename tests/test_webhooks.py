"""Webhooks: what committed is told, in order and at least once, and nothing else is."""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import logging
import queue
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from types import FunctionType, ModuleType
from typing import Any, NoReturn
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from msgspec import Struct
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.test import TestResponse

from tests.allocations import in_a_child, needs_failing_allocations, with_failing
from tests.ledgers import (
    SECOND,
    START,
    Clock,
    Receivers,
    everything,
    new_service,
    nothing_moves,
    open_wallet,
)
from tests.test_api import NOBODY, TIME, assert_problem, post
from tests.test_background import started
from tests.test_locking import Watch
from wallet_app import create_app
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.wallet_errors import FraudBlocked
from wallet_app.domain.errors.webhook_errors import (
    TooManyWebhooks,
    WebhookNotFound,
    WebhooksExhausted,
)
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import Transaction, WalletSnapshot
from wallet_app.gateways.delivery import Transport
from wallet_app.gateways.delivery_connection import Reply
from wallet_app.services.alerts import Alert
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.background import THREADS_MAX, Lane
from wallet_app.services.events import Event, EventType
from wallet_app.services.json_forms import event_bytes, json_bytes
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.service import WalletService
from wallet_app.services.webhooks.delivery_log import DeliveryLog, DeliveryStatus
from wallet_app.services.webhooks.webhooks import (
    CALLERS_MAX,
    REDELIVERIES_MAX,
    WEBHOOKS_MAX,
    new_secret,
)
from wallet_app.settings import Settings
from wallet_app.store import ThreadLock, Wallet

TIMEOUT_SECONDS = 10
URL = "https://bridge.example/hooks"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CODE = "738291"
DELAYS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000)
RULES = Settings(
    fx_rates=(("USD", "INR", Decimal("83.12")),),
    fraud_rules=("velocity", "new-payee"),
    fraud_velocity_count=3,
    fraud_new_payee_amount=500,
    payment_max_attempts=2,
)
ALL = tuple(EventType)

Json = dict[str, Any]
Call = Callable[["Listening"], object]


class Listening:
    """A service with two wallets of 1,000, and a webhook that hears everything."""

    def __init__(
        self, *replies: int | str | Reply, settings: Settings = RULES, **injected: Any
    ) -> None:
        self.clock = Clock()
        self.receivers = Receivers(*replies)
        owned: dict[str, Any] = {
            "clock": self.clock,
            "transport": self.receivers,
            "send_code": None,
            "new_code": lambda: CODE,
            "new_secret": lambda: SECRET,
        }
        self.service = new_service(settings, **owned | injected)
        self.source = open_wallet(self.service, 1_000)
        self.target = open_wallet(self.service, 1_000)
        self.dollars = open_wallet(self.service, currency="USD")
        self.webhook_id = self.listen()

    def listen(self, events: tuple[EventType, ...] = ALL, url: str = URL) -> str:
        return self.service.create_webhook(url, events).webhook.id

    def tell(self, times: int = 1) -> None:
        """Have something happen that is told of."""
        for _ in range(times):
            self.service.add(self.source, 1)

    def run(self, seconds: int = 0) -> int:
        """Do what is due so many seconds later; return how much it was."""
        self.clock.now += seconds * SECOND
        return self.service.background.run_due()

    @property
    def bodies(self) -> list[Json]:
        return [json.loads(body) for _, _, body in self.receivers.posts]

    @property
    def types(self) -> list[str]:
        return [body["type"] for body in self.bodies]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.receivers.posts]

    def deliveries(self, webhook_id: str = "") -> list[Any]:
        """Return what the latest deliveries are, oldest first."""
        page = self.service.list_deliveries(webhook_id or self.webhook_id, 100)
        return page.deliveries[::-1]

    def delivery(self) -> Any:
        (delivery,) = self.deliveries()
        return delivery

    def quote(self) -> str:
        return self.service.create_quote("INR", "USD", 831).id


@pytest.fixture
def listening() -> Listening:
    return Listening()


@contextmanager
def nothing_is_told(listening: Listening) -> Iterator[None]:
    """Assert that the block queues no delivery and sends none."""
    before = listening.deliveries(), list(listening.receivers.posts)
    yield
    listening.run()
    assert (listening.deliveries(), listening.receivers.posts) == before


# Exactly what committed


MOVED, FLAGGED = "transaction.created", "fraud.flagged"
OUT, IN = "TRANSFER_OUT", "TRANSFER_IN"

TOLD: dict[str, tuple[Call, list[str]]] = {
    "create": (lambda n: n.service.create_wallet("new"), ["wallet.created"]),
    "freeze": (lambda n: n.service.freeze(n.source, "x"), ["wallet.frozen"]),
    "freeze again": (
        lambda n: [n.service.freeze(n.source, why) for why in "xy"],
        ["wallet.frozen"],
    ),
    "unfreeze": (
        lambda n: [
            n.service.freeze(n.source, "x"),
            n.service.unfreeze(n.source),
            n.service.unfreeze(n.source),
        ],
        ["wallet.frozen", "wallet.unfrozen"],
    ),
    "unfreeze what is not frozen": (
        lambda n: n.service.unfreeze(n.source),
        [],
    ),
    "add": (lambda n: n.service.add(n.source, 1), [MOVED]),
    "deduct": (lambda n: n.service.deduct(n.source, 1), [MOVED]),
    "transfer": (
        lambda n: n.service.transfer(n.source, n.target, 1),
        [MOVED] * 2,
    ),
    "exchange": (
        lambda n: n.service.transfer(n.source, n.dollars, 831, quote_id=n.quote()),
        [MOVED] * 4,
    ),
    "review": (
        lambda n: n.service.transfer(n.source, n.target, 500),
        [FLAGGED, "approval.requested"],
    ),
    "block": (lambda n: blocked(n), [MOVED] * 3 + [FLAGGED]),
    "deposit": (
        lambda n: n.service.payments.deposit(n.source, 5, "sandbox-ok"),
        [MOVED, "payment.succeeded"],
    ),
    "declined deposit": (
        lambda n: n.service.payments.deposit(n.source, 5, "nobody"),
        ["payment.failed"],
    ),
    "withdrawal": (
        lambda n: n.service.payments.withdraw(n.source, 5, "sandbox-ok"),
        [MOVED, "payment.succeeded"],
    ),
    "declined withdrawal": (
        lambda n: n.service.payments.withdraw(n.source, 5, "nobody"),
        [MOVED, MOVED, "payment.failed"],
    ),
    "deposit of which nothing is known": (
        lambda n: n.service.payments.deposit(n.source, 5, "sandbox-down"),
        [],
    ),
}


def blocked(listening: Listening) -> None:
    for _ in range(3):
        listening.service.deduct(listening.source, 1)
    with pytest.raises(FraudBlocked):
        listening.service.deduct(listening.source, 1)


@pytest.mark.parametrize("name", TOLD)
def test_what_committed_is_told_once_and_in_order(
    listening: Listening, name: str
) -> None:
    act, expected = TOLD[name]
    act(listening)
    listening.run()
    assert listening.types == expected
    assert len(set(listening.ids)) == len(expected)
    assert {delivery.status for delivery in listening.deliveries()} <= {"SUCCEEDED"}


def test_every_transaction_that_was_made_is_told() -> None:
    listening = Listening(settings=Settings(fx_rates=RULES.fx_rates))
    before = everything(listening.service)
    for name in ("add", "transfer", "exchange", "withdrawal", "declined withdrawal"):
        TOLD[name][0](listening)
        listening.run()
    for wallet_id, (_, history, _) in everything(listening.service).items():
        known = len(before[wallet_id][1]) if wallet_id in before else 0
        assert told_of(listening, wallet_id) == [str(t.id) for t in history[known:]]


@pytest.mark.parametrize(
    "name, sides",
    [("transfer", [OUT, IN]), ("exchange", [OUT, IN, OUT, IN])],
)
def test_what_left_is_told_before_what_arrived(
    listening: Listening, name: str, sides: list[str]
) -> None:
    TOLD[name][0](listening)
    listening.run()
    assert [body["data"]["type"] for body in listening.bodies] == sides


def told_of(listening: Listening, wallet_id: str) -> list[str]:
    """Return the ids of a wallet's transactions, in the order in which they came."""
    return [
        body["data"]["id"]
        for body in listening.bodies
        if body["type"] == MOVED and body["data"]["walletId"] == wallet_id
    ]


REFUSED: dict[str, Call] = {
    "create": lambda n: n.service.create_wallet("user 0"),
    "add": lambda n: n.service.add(n.source, 2**53 - 1),
    "deduct": lambda n: n.service.deduct(n.source, 2_000),
    "transfer": lambda n: n.service.transfer(n.source, n.target, 2_000),
    "to itself": lambda n: n.service.transfer(n.source, n.source, 1),
    "exchange": lambda n: n.service.transfer(
        n.source, n.dollars, 5, quote_id=n.quote()
    ),
    "freeze": lambda n: n.service.freeze(NOBODY, "x"),
    "withdraw": lambda n: n.service.payments.withdraw(n.source, 2_000, "sandbox-ok"),
    "deposit": lambda n: n.service.payments.deposit(NOBODY, 1, "sandbox-ok"),
    "approval": lambda n: n.service.deduct(n.source, 2_000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_tells_nothing(listening: Listening, name: str) -> None:
    listening.quote()
    with nothing_is_told(listening), nothing_moves(listening.service):
        with pytest.raises(WalletError):
            REFUSED[name](listening)


class Crash(Exception):
    """What goes wrong at the worst moment."""


class Full:
    """A commit hook that fails."""

    def prepare(self, outcome: object) -> NoReturn:
        raise Crash

    def commit(self) -> NoReturn:
        raise AssertionError("it was committed without being prepared")


FULL = (Full(),)


class CrashingSlot:
    """Stands in for the slot of the wallet's balance: one write is not made."""

    def __init__(self, slot: Any, good_writes: int) -> None:
        self._slot = slot
        self._writes = itertools.count()
        self._good_writes = good_writes

    def __get__(self, wallet: Wallet, owner: type[Wallet]) -> Any:
        return self._slot.__get__(wallet, owner)

    def __set__(self, wallet: Wallet, balance: int) -> None:
        if next(self._writes) == self._good_writes:
            raise Crash
        self._slot.__set__(wallet, balance)


@pytest.mark.parametrize(
    "name, good_writes",
    [("add", 0), ("deduct", 0), ("transfer", 0), ("transfer", 1), ("withdrawal", 0)]
    + [("exchange", good_writes) for good_writes in range(4)],
)
def test_a_movement_that_fails_half_way_tells_nothing(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, name: str, good_writes: int
) -> None:
    listening.quote()  # so that the house has its wallets
    slot = CrashingSlot(Wallet.__dict__["balance"], good_writes)
    with nothing_is_told(listening), nothing_moves(listening.service):
        with monkeypatch.context() as patched, pytest.raises(Crash):
            patched.setattr(Wallet, "balance", slot)
            TOLD[name][0](listening)


def test_a_deposit_whose_credit_fails_is_told_when_it_is_made(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening.service.payments.deposit(listening.source, 5, "sandbox-ok")
    slot = CrashingSlot(Wallet.__dict__["balance"], 0)
    with nothing_is_told(listening), monkeypatch.context() as patched:
        patched.setattr(Wallet, "balance", slot)
        listening.run()
    listening.run(seconds=1)
    assert listening.types == [MOVED, "payment.succeeded"]


UNKEPT: dict[str, Call] = {
    "create": lambda n: n.service.wallets.create("new", on_commit=FULL),
    "freeze": lambda n: n.service.freezes.freeze(n.source, "x", FULL),
    "approval": lambda n: n.service.approvals.run(
        partial(n.service.money.transfer, n.source, n.target, 500), FULL
    ),
    "add": lambda n: n.service.money.add(n.source, 1, on_commit=FULL),
    "deduct": lambda n: n.service.money.deduct(n.source, 1, on_commit=FULL),
    "transfer": lambda n: n.service.money.transfer(
        n.source, n.target, 1, on_commit=FULL
    ),
    "exchange": lambda n: n.service.money.exchange(
        n.source, n.dollars, 831, n.quote(), on_commit=FULL, approved=True
    ),
    "withdraw": lambda n: n.service.payments.withdraw(n.source, 1, "sandbox-ok", FULL),
    "deposit": lambda n: n.service.payments.deposit(n.source, 1, "sandbox-ok", FULL),
}


@pytest.mark.parametrize("name", UNKEPT)
def test_what_cannot_be_kept_is_not_told(listening: Listening, name: str) -> None:
    listening.quote()
    with nothing_is_told(listening), nothing_moves(listening.service):
        with pytest.raises(Crash):
            UNKEPT[name](listening)


def test_only_what_was_asked_for_is_told(listening: Listening) -> None:
    listening.service.delete_webhook(listening.webhook_id)
    some = listening.listen((EventType.WALLET_FROZEN, EventType.WALLET_CREATED))
    for name in ("add", "create", "unfreeze", "deposit"):
        TOLD[name][0](listening)
    listening.run()
    assert listening.types == ["wallet.created", "wallet.frozen"]
    assert len(listening.deliveries(some)) == 2


def test_what_happened_before_is_not_told_to_who_comes_later(
    listening: Listening,
) -> None:
    listening.tell()
    later = listening.listen(url=f"{URL}/later")
    listening.run()
    assert len(listening.receivers.posts) == 1
    assert listening.deliveries(later) == []


def test_every_webhook_is_told_with_the_same_id(listening: Listening) -> None:
    listening.listen(url=f"{URL}/other")
    listening.tell(2)
    listening.run()
    first, second = listening.deliveries()
    assert first.message_id != second.message_id
    assert sorted(listening.ids) == sorted([first.message_id, second.message_id] * 2)
    assert [url for url, *_ in listening.receivers.posts].count(URL) == 2


def test_while_nobody_listens_nothing_is_kept_for_anybody() -> None:
    service = new_service()
    wallet_id = open_wallet(service, 5)
    service.freeze(wallet_id, "x")
    assert len(service.outbox._put) == 0
    one, other = (service.create_webhook(URL, ALL).webhook.id for _ in range(2))
    service.unfreeze(wallet_id)
    assert len(service.outbox._put) == 1
    assert len(service.outbox._put) == 0
    service.delete_webhook(one)
    service.freeze(wallet_id, "x")
    assert len(service.outbox._put) == 1
    service.delete_webhook(other)
    service.add(open_wallet(service), 5)
    service.unfreeze(wallet_id)
    assert len(service.outbox._put) == 0


# What is sent


def test_what_is_told_is_what_the_api_answers(listening: Listening) -> None:
    client = create_app(listening.service).test_client()

    def get(path: str) -> Any:
        return client.get(path).get_json()

    def told() -> Json:
        """Return the data of what was told last, and of what."""
        listening.service.background.run_due()
        body = listening.bodies[-1]
        assert list(body) == ["type", "timestamp", "data"]
        assert TIME.fullmatch(body["timestamp"])
        return {body["type"]: body["data"]}

    listening.clock.now += 1_234_567_890
    created = post(client, "/wallet/create", {"userId": str(uuid4())})
    path = f"/wallet/{created.get_json()['id']}"
    assert told() == {"wallet.created": get(path)}
    assert listening.bodies[-1]["timestamp"] == "2026-01-01T00:00:01.234Z"
    for do, reason in (("freeze", {"reason": "Card stolen 💳"}), ("unfreeze", {})):
        listening.clock.now += SECOND
        post(client, f"{path}/{do}", reason)
        assert told() == {f"wallet.{do.replace('eeze', 'ozen')}": get(path)}
        assert listening.bodies[-1]["timestamp"] == get(path)["updatedAt"]
    movement = {"walletId": listening.source, "amount": 5, "category": "food"}
    post(client, "/wallet/add", movement | {"description": "Für dich 🎁"})
    history = f"/wallet/{listening.source}/transactions"
    assert told() == {MOVED: get(history)["transactions"][0]}
    assert listening.bodies[-1]["timestamp"] == told()[MOVED]["createdAt"]
    transfer = {"fromWalletId": listening.source, "toWalletId": listening.target}
    approval = post(client, "/wallet/transfer", transfer | {"amount": 500}).get_json()
    asked = get(f"/approvals/{approval['approvalId']}")
    assert told() == {"approval.requested": asked | {"otp": CODE}}
    assert listening.bodies[-2]["data"] == get("/fraud/alerts")["alerts"][0]
    for account, what in (("sandbox-ok", "succeeded"), ("nobody", "failed")):
        body = {"walletId": listening.source, "amount": 5, "bankAccount": account}
        payment = post(client, "/wallet/withdraw", body).get_json()
        assert told() == {f"payment.{what}": get(f"/payments/{payment['id']}")}


def test_all_four_transactions_of_an_exchange_can_be_read_as_they_were_told(
    listening: Listening,
) -> None:
    client = create_app(listening.service).test_client()
    TOLD["exchange"][0](listening)
    listening.run()
    for body in listening.bodies:
        data = body["data"]
        page = client.get(f"/wallet/{data['walletId']}/transactions").get_json()
        assert page["transactions"][0] == data
    assert len({body["data"]["referenceId"] for body in listening.bodies}) == 1


def test_every_delivery_is_signed_as_the_standard_says() -> None:
    listening = Listening(
        500,
        settings=Settings(webhook_retry_seconds=(0, 0)),
        clock=time.time_ns,  # the library compares with the time of the machine
    )
    listening.service.add(listening.source, 5, description="Für dich 🎁")
    listening.service.freeze(listening.source, "x")
    listening.run()
    assert len(listening.receivers.posts) == 3
    signer, stranger = Webhook(SECRET), Webhook(new_secret())
    for url, headers, body in listening.receivers.posts:
        assert url == URL
        assert headers["Content-Type"] == "application/json"
        assert signer.verify(body, headers) == json.loads(body)
        with pytest.raises(WebhookVerificationError):
            signer.verify(body.replace(b"5", b"6"), headers)
        with pytest.raises(WebhookVerificationError):
            signer.verify(body, headers | {"webhook-id": "msg_other"})
        with pytest.raises(WebhookVerificationError):
            stranger.verify(body, headers)


def test_a_secret_is_as_the_standard_says_and_no_two_are_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert 24 <= len(Webhook(secret)._whsecret) <= 64


def test_each_attempt_has_the_same_id_and_bytes_and_a_time_of_its_own() -> None:
    listening = Listening(500, "nobody answered")
    listening.tell()
    for seconds in (1, 5, 300):
        listening.run(seconds)
    posts = listening.receivers.posts
    assert len({headers["webhook-id"] for _, headers, _ in posts}) == 1
    assert len({body for _, _, body in posts}) == 1
    times = [int(headers["webhook-timestamp"]) for _, headers, _ in posts]
    assert times == [START // SECOND + after for after in (1, 6, 306)]
    assert len({headers["webhook-signature"] for _, headers, _ in posts}) == 3
    assert UUID(listening.ids[0].removeprefix("msg_"))


# In order


def test_a_wallets_events_come_in_order_whatever_the_jitter_says() -> None:
    jitters = iter(seconds * SECOND for seconds in (5, 3, 4, 0))
    settings = Settings(webhook_retry_seconds=(5, 10))
    listening = Listening(settings=settings, jitter=lambda longest: next(jitters))
    listening.tell(4)
    assert listening.run(4) == 0
    listening.run(1)
    history = listening.service.store.wallets[listening.source].history
    assert told_of(listening, listening.source) == [str(t.id) for t in history[1:]]


def test_a_wallets_events_come_in_order_whatever_the_clock_says() -> None:
    listening = Listening(settings=Settings(webhook_retry_seconds=(5, 10)))
    for step in (3, -2, -3, 1):
        listening.clock.now += step * SECOND
        listening.tell()
    listening.run(60)
    history = listening.service.store.wallets[listening.source].history
    assert told_of(listening, listening.source) == [str(t.id) for t in history[1:]]


def test_a_message_that_failed_does_not_hold_up_the_next() -> None:
    listening = Listening(500)
    listening.tell(2)
    listening.run()
    listening.run(5)
    first, second = listening.deliveries()
    sent = [first.message_id, second.message_id, first.message_id]
    assert listening.ids == sent


class HeldEvents(deque[tuple[Event, ...]]):
    """Events that are put only while the locks of what they tell of are held."""

    def __init__(self, watch: Watch, service: WalletService) -> None:
        super().__init__()
        self._watch = watch
        self._service = service

    def append(self, events: tuple[Event, ...]) -> None:
        for event in events:
            lock = self._lock_of(event)
            assert lock is None or lock in self._watch.held
        super().append(events)

    def _lock_of(self, event: Event) -> object:
        service, subject = self._service, event.subject
        match subject:
            case WalletSnapshot() if event.type is EventType.WALLET_CREATED:
                return service.store.registry
            case WalletSnapshot():
                return service.store.readable[subject.id]._lock
            case Transaction():
                return service.store.readable[subject.wallet_id]._lock
            case PaymentSnapshot():
                return service.payments._table.find(subject.id).lock
            case Alert():
                return service.alerts._lock
        return None  # a code is sent under no lock


@pytest.mark.parametrize("name", TOLD)
def test_an_event_is_put_under_the_locks_of_what_it_tells_of(name: str) -> None:
    watch = Watch()
    listening = Listening(lock_factory=watch.new_lock)
    listening.service.outbox._put = HeldEvents(watch, listening.service)
    act, expected = TOLD[name]
    act(listening)
    listening.run()
    assert listening.types == expected
    assert watch.held == []


def test_of_many_transfers_at_once_each_wallet_tells_its_history_in_order() -> None:
    threads_count, times = 8, 25
    expected = threads_count * times * 2
    came = threading.Event()

    class Counting(Receivers):
        def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
            reply = super().post(url, headers, body)
            if len(self.posts) == expected:
                came.set()
            return reply

    receivers = Counting()
    listening = Listening(settings=Settings(), transport=receivers, clock=time.time_ns)
    listening.receivers, service = receivers, listening.service
    wallets = [listening.source, listening.target, open_wallet(service, 1_000)]
    service.delete_webhook(listening.webhook_id)
    listening.webhook_id = listening.listen((EventType.TRANSACTION_CREATED,))
    start = threading.Barrier(threads_count)

    def transfer(n: int) -> None:
        start.wait(TIMEOUT_SECONDS)
        for i in range(times):
            source, target = wallets[(n + i) % 3], wallets[(n + i + 1 + n % 2) % 3]
            service.transfer(source, target, 1)

    switch_seconds = sys.getswitchinterval()
    sys.setswitchinterval(0.000_01)
    service.background.start()
    try:
        threads = [
            threading.Thread(target=transfer, args=(n,), daemon=True)
            for n in range(threads_count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive()
        assert came.wait(TIMEOUT_SECONDS)
    finally:
        sys.setswitchinterval(switch_seconds)
        service.background.stop()
    assert len(receivers.posts) == expected
    for wallet_id in wallets:
        history = service.store.wallets[wallet_id].history
        assert told_of(listening, wallet_id) == [str(t.id) for t in history[1:]]


# Until it is received


@pytest.mark.parametrize("status", [200, 204, 299])
def test_a_message_that_was_received_is_not_sent_again(status: int) -> None:
    listening = Listening(status)
    listening.tell()
    listening.run()
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("SUCCEEDED", 1)
    assert (delivery.answer, delivery.last_error) == (status, None)
    assert (delivery.next_attempt_at, delivery.updated_at) == (None, START)
    assert listening.run(1_000_000) == 0


@pytest.mark.parametrize("status", [199, 300, 301, 304, 400, 404, 409, 429, 500, 503])
def test_any_other_answer_is_no_receipt(status: int) -> None:
    listening = Listening(status)
    listening.tell()
    listening.run()
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("PENDING", 1)
    assert delivery.answer == status
    assert delivery.last_error == f"the answer was {status}"
    assert delivery.next_attempt_at == START + 5 * SECOND
    listening.run(5)
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("SUCCEEDED", 2)
    assert (delivery.answer, delivery.last_error) == (204, None)
    assert listening.ids == [delivery.message_id] * 2


def test_why_nobody_answered_is_noted() -> None:
    listening = Listening(500, "the connection was refused")
    listening.tell()
    listening.run()
    listening.run(5)
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("PENDING", 2)
    assert (delivery.answer, delivery.last_error) == (
        None,
        "the connection was refused",
    )


def test_a_message_is_sent_by_the_schedule_and_then_given_up() -> None:
    listening = Listening(*[500] * len(DELAYS))
    listening.tell()
    for attempts, seconds in enumerate(DELAYS):
        if seconds:
            assert listening.delivery().next_attempt_at == (
                listening.clock.now + seconds * SECOND
            )
            listening.clock.now += seconds * SECOND - 1
            assert listening.run() == 0
            listening.clock.now += 1
        assert listening.delivery().attempts == attempts
        assert listening.run() == 1
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("FAILED", len(DELAYS))
    assert (delivery.answer, delivery.last_error) == (500, "the answer was 500")
    assert (delivery.next_attempt_at, delivery.updated_at) == (
        None,
        listening.clock.now,
    )
    assert listening.run(1_000_000) == 0
    assert len(set(listening.ids)) == 1


def test_each_wait_is_as_long_as_chance_says_up_to_the_schedules() -> None:
    longest: list[int] = []

    def half(most: int) -> int:
        longest.append(most)
        return most // 2

    settings = Settings(webhook_retry_seconds=(4, 6, 8))
    listening = Listening(500, 500, 500, settings=settings, jitter=half)
    listening.tell()
    for seconds in (2, 3, 4):
        assert listening.run(seconds - 1) == 0
        assert listening.run(1) == 1
    assert longest == [4 * SECOND, 6 * SECOND, 8 * SECOND]
    assert listening.delivery().status == "FAILED"


RETRY_AFTER = [
    ("120", 120),
    ("0", 5),
    ("4", 5),
    ("6", 6),
    ("36000", 36_000),
    ("36001", 36_000),
    ("999999999", 36_000),
    ("Thu, 01 Jan 2026 12:02:00 GMT", 120),
    ("Thu, 01 Jan 2026 12:00:04 GMT", 5),
    ("Thu, 01 Jan 2026 11:00:00 GMT", 5),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 5),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 36_000),
    ("Fri, 31 Dec 99999999999 23:59:59 GMT", 5),
    ("Thu, 01 Jan 2026 12:02:00 +99999999999999999999", 5),
    ("Thu, 32 Jan 2026 12:02:00 GMT", 5),
    ("", 5),
    ("soon", 5),
    ("-120", 5),
    ("+120", 5),
    ("1.5", 5),
    ("1e3", 5),
    ("١٢٠", 5),
    (",", 5),
    ("120, 240", 5),
]


@pytest.mark.parametrize("retry_after, seconds", RETRY_AFTER)
def test_a_receiver_may_ask_to_be_left_alone_for_a_while(
    retry_after: str, seconds: int
) -> None:
    listening = Listening(Reply(503, retry_after))
    listening.clock.now += 12 * 3_600 * SECOND
    listening.tell()
    listening.run()
    delivery = listening.delivery()
    assert (delivery.attempts, delivery.last_error) == (1, "the answer was 503")
    assert delivery.next_attempt_at == listening.clock.now + seconds * SECOND
    listening.run(seconds)
    assert listening.delivery().status == "SUCCEEDED"


def test_a_receiver_that_is_gone_is_left_alone_and_others_are_not() -> None:
    listening = Listening(410)
    other = listening.listen(url=f"{URL}/other")
    listening.tell(3)
    listening.clock.now += SECOND
    listening.run()
    webhook = listening.service.get_webhook(listening.webhook_id)
    assert webhook.status == "DISABLED"
    first, *waited = listening.deliveries()
    assert (first.status, first.attempts, first.answer) == ("FAILED", 1, 410)
    assert first.last_error == "the answer was 410"
    for delivery in waited:
        assert (delivery.status, delivery.attempts) == ("FAILED", 0)
        assert delivery.last_error == "the webhook is disabled"
        assert (delivery.next_attempt_at, delivery.updated_at) == (
            None,
            listening.clock.now,
        )
    listening.tell()
    listening.run(1_000_000)
    assert len(listening.deliveries()) == 3
    urls = [url for url, *_ in listening.receivers.posts]
    assert (urls.count(URL), urls.count(f"{URL}/other")) == (1, 4)
    assert {each.status for each in listening.deliveries(other)} == {"SUCCEEDED"}
    assert listening.service.get_webhook(other).status == "ACTIVE"


def test_nothing_is_sent_to_a_receiver_that_is_gone_if_ending_the_rest_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(log: DeliveryLog, why: str, now: int) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr(DeliveryLog, "end_all", failing)
    listening = Listening(410)
    listening.tell(3)
    listening.run()
    assert len(listening.receivers.posts) == 1
    first, *waited = listening.deliveries()
    assert (first.status, first.last_error) == ("FAILED", "the answer was 410")
    for delivery in waited:
        assert (delivery.status, delivery.attempts) == ("FAILED", 0)
        assert delivery.last_error == "the webhook is disabled"
    health = listening.service.health()
    assert (health.queued, health.running) == (0, 0)


def test_a_delivery_that_meets_a_bug_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Buggy(Receivers):
        def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
            if not self.posts:
                self.posts.append((url, dict(headers), body))
                raise RuntimeError("internal")
            return super().post(url, headers, body)

    receivers = Buggy()
    listening = Listening(transport=receivers)
    listening.tell()
    listening.run()
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("PENDING", 1)
    assert (delivery.answer, delivery.last_error) == (None, "unexpected error")
    health = listening.service.health()
    assert health.last_error == f"webhook {listening.webhook_id}: RuntimeError"
    listening.run(5)
    assert listening.delivery().status == "SUCCEEDED"
    assert len(receivers.posts) == 2


class Acting(Receivers):
    """Receivers that do something while they are told."""

    def __init__(self, *replies: int | str | Reply) -> None:
        super().__init__(*replies)
        self.act: Callable[[], object] = lambda: None

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.act()
        return super().post(url, headers, body)


def test_a_message_is_sent_under_no_lock() -> None:
    receivers, watch = Acting(), Watch()
    listening = Listening(transport=receivers, lock_factory=watch.new_lock)
    held: list[object] = []
    receivers.act = lambda: held.extend(watch.held)
    listening.tell()
    listening.run()
    assert len(receivers.posts) == 1
    assert held == []


def test_what_is_deleted_while_it_is_told_is_told_no_more() -> None:
    receivers = Acting(500)
    listening = Listening(transport=receivers)
    receivers.act = lambda: listening.service.delete_webhook(listening.webhook_id)
    listening.tell(2)
    listening.run()
    listening.run(1_000_000)
    assert len(receivers.posts) == 1
    assert listening.service.health().queued == 0


def test_what_was_taken_before_its_webhook_was_deleted_is_not_sent(
    listening: Listening,
) -> None:
    listening.tell()
    (lane,) = [lane for lane in lanes_of(listening) if lane.queue]
    ((_, _, delivery),) = lane.queue
    listening.service.delete_webhook(listening.webhook_id)
    assert lane.run(delivery) is None  # as by a thread that had just taken it
    assert listening.receivers.posts == []


def lanes_of(listening: Listening) -> tuple[Lane[Any], ...]:
    return listening.service.webhooks._webhooks[listening.webhook_id].lanes


class Hanging(Receivers):
    """Receivers of which those with `slow` in their URL do not answer for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.slow_came: queue.Queue[str] = queue.Queue()
        self.came: queue.Queue[Json] = queue.Queue()
        self.answer = threading.Event()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if "slow" in url:
            self.slow_came.put(url)
            assert self.answer.wait(TIMEOUT_SECONDS)
        else:
            self.came.put(json.loads(body))
        return Reply(204, None)


def test_fifteen_receivers_that_hang_delay_neither_another_nor_any_money(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wallet_app.services.background.NAP_SECONDS", 60)
    receivers = Hanging()
    listening = Listening(settings=Settings(), transport=receivers, clock=time.time_ns)
    service = listening.service
    slow = [listening.listen(url=f"{URL}/slow/{n}") for n in range(WEBHOOKS_MAX - 1)]
    service.background.start()
    try:
        listening.tell()
        came = {receivers.slow_came.get(timeout=TIMEOUT_SECONDS) for _ in slow}
        assert came == {f"{URL}/slow/{n}" for n in range(WEBHOOKS_MAX - 1)}
        assert receivers.came.get(timeout=TIMEOUT_SECONDS)["type"] == MOVED
        listening.tell()
        assert receivers.came.get(timeout=TIMEOUT_SECONDS)["type"] == MOVED
        payment = service.payments.deposit(listening.source, 5, "sandbox-ok")
        told = [receivers.came.get(timeout=TIMEOUT_SECONDS) for _ in range(2)]
        assert [each["type"] for each in told] == [MOVED, "payment.succeeded"]
        assert service.payments.get(payment.id).status == "SUCCEEDED"
        assert receivers.slow_came.empty()
        receivers.answer.set()
        for _ in range(3 * len(slow)):
            receivers.slow_came.get(timeout=TIMEOUT_SECONDS)
    finally:
        receivers.answer.set()
        service.background.stop(TIMEOUT_SECONDS)
    assert service.audit().problems == []


class Held(Receivers):
    """Receivers that take the messages of some wallets only when they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.of_wallets: set[str] = set()
        self.hang: queue.Queue[str] = queue.Queue()
        self.came: queue.Queue[Json] = queue.Queue()
        self.let_go = threading.Event()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        event = json.loads(body)
        wallet_id, is_code = event["data"]["walletId"], "otp" in event["data"]
        if wallet_id in self.of_wallets and not is_code:
            self.hang.put(wallet_id)
            assert self.let_go.wait(TIMEOUT_SECONDS)
        self.came.put(event)
        return Reply(204, None)


def test_a_message_that_hangs_delays_those_of_its_wallet_but_no_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wallet_app.services.background.NAP_SECONDS", 60)
    receivers = Held()
    listening = Listening(
        settings=Settings(), transport=receivers, clock=time.time_ns, monotonic=NOW
    )
    service = listening.service
    wallets = [open_wallet(service, 1_000) for _ in range(40)]
    service.delete_webhook(listening.webhook_id)
    listening.webhook_id = listening.listen()
    lanes = {each: lane_of(listening, each) for each in wallets}
    assert len(set(lanes.values())) == 4
    one, other = wallets[0], next(w for w in wallets if lanes[w] != lanes[wallets[0]])
    receivers.of_wallets = {one}
    service.background.start()
    try:
        for amount in (1, 2):
            service.add(one, amount)
        assert receivers.hang.get(timeout=TIMEOUT_SECONDS) == one
        service.add(other, 3)
        assert receivers.came.get(timeout=TIMEOUT_SECONDS)["data"]["amount"] == 3
        service.set_limits(one, Limits(approval_threshold=0))
        service.deduct(one, 5)
        assert "otp" in receivers.came.get(timeout=TIMEOUT_SECONDS)["data"]
        assert receivers.hang.empty()
        receivers.let_go.set()
        came = [receivers.came.get(timeout=TIMEOUT_SECONDS) for _ in range(2)]
        assert [event["data"]["amount"] for event in came] == [1, 2]
    finally:
        receivers.let_go.set()
        service.background.stop(TIMEOUT_SECONDS)


NOW = time.monotonic_ns


def lane_of(listening: Listening, wallet_id: str) -> Lane[Any]:
    """Return the lane that takes the messages about a wallet."""
    webhook = listening.service.webhooks._webhooks[listening.webhook_id]
    snapshot = listening.service.get_wallet(wallet_id)
    return webhook.lane_of(Event(EventType.WALLET_CREATED, START, snapshot))


def test_everything_that_is_about_a_wallet_goes_through_one_lane(
    listening: Listening,
) -> None:
    seen: dict[str, set[Lane[Any]]] = {}
    webhook = listening.service.webhooks._webhooks[listening.webhook_id]
    events: list[Event] = []
    listening.service.outbox.listener = events.append
    for name in ("create", "freeze", "unfreeze", "review", "withdrawal", "deposit"):
        TOLD[name][0](listening)
        listening.run()
    for event in events:
        data = json.loads(event_bytes(event))["data"]
        lanes = seen.setdefault(data["walletId"], set())
        if event.code is None:
            lanes.add(webhook.lane_of(event))
        else:
            assert webhook.lane_of(event) is webhook.codes
    assert {event.type for event in events} >= set(EventType) - {
        EventType.PAYMENT_FAILED
    }
    assert {len(lanes) for lanes in seen.values()} == {1}


# SpendingCounters


@contextmanager
def needing_no_collection() -> Iterator[None]:
    """Assert that the block leaves nothing that only a collection would free."""
    gc.collect()
    gc.disable()
    try:
        yield
        assert gc.collect() == 0
    finally:
        gc.enable()


def fill(listening: Listening) -> None:
    """Have messages wait, fail, succeed, and codes among them."""
    listening.receivers.replies = [204, 503, "nobody answered", 204]
    listening.tell(4)
    ask_for_approval(listening)
    listening.run()
    listening.tell(4)


def test_a_deleted_webhook_is_freed_with_all_that_waits_without_a_collection() -> None:
    listening = Listening()
    with needing_no_collection():
        webhook_id = listening.listen()
        fill(listening)
        listening.service.delete_webhook(webhook_id)
        assert all(
            webhook_id not in each
            for each in reachable(listening.service)
            if isinstance(each, str)
        )


def test_a_deleted_webhook_that_has_threads_is_freed_without_a_collection() -> None:
    came = threading.Event()
    receivers = Acting()
    receivers.act = came.set
    listening = Listening(transport=receivers)
    with started(listening.service.background):
        with needing_no_collection():
            webhook_id = listening.listen()
            webhook = listening.service.webhooks._webhooks[webhook_id]
            threads = [thread for lane in webhook.lanes for thread in lane.threads]
            freed = weakref.ref(webhook)
            del webhook
            listening.tell(10)
            assert came.wait(TIMEOUT_SECONDS)
            listening.service.delete_webhook(webhook_id)
            while threads:
                threads.pop().join(TIMEOUT_SECONDS)
        assert freed() is None


ALLOCATIONS_MAX = 150
TESTCAPI = "_testcapi"


@needs_failing_allocations
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_delivery_is_queued_or_not_when_any_single_allocation_fails() -> None:
    logging.disable(logging.CRITICAL)
    try:
        failed = sum(map(failing_allocation, range(ALLOCATIONS_MAX)))
    finally:
        logging.disable(logging.NOTSET)
    assert failed > 5


def failing_allocation(n: int) -> bool:
    """Notify a webhook, and send, while an allocation fails; return whether one did."""
    testcapi: Any = importlib.import_module(TESTCAPI)
    lock_of: list[ThreadLock] = []

    def new_lock() -> ThreadLock:
        lock_of.append(ThreadLock())
        return lock_of[-1]

    listening = Listening(lock_factory=new_lock)
    (transaction,) = listening.service.store.wallets[listening.source].history
    event = Event(EventType.TRANSACTION_CREATED, START, transaction)
    failed = False
    for act in (
        partial(listening.service.outbox.listener, event),
        listening.service.background.run_due,
    ):
        testcapi.set_nomemory(n, n + 1)
        try:
            act()
        except BaseException:  # noqa: B036 - in Rust it is no MemoryError
            failed = True
        finally:
            testcapi.remove_mem_hooks()
        assert not any(lock.locked() for lock in lock_of)
    listening.service.outbox.listener(event)
    for seconds in (60, 300):  # an attempt that could not be noted is made again
        listening.run(seconds)
    assert listening.deliveries() != []
    assert {each.status for each in listening.deliveries()} == {"SUCCEEDED"}
    assert len(set(listening.ids)) == len(listening.deliveries())
    health = listening.service.health()
    assert (health.queued, health.running) == (0, 0)
    return failed


def failing_deletion(n: int) -> bool:
    """Delete a webhook for which messages wait, while an allocation fails; return
    whether it failed. Then the webhook is as it was, or gone with its threads."""
    listening = Listening(lock_factory=ThreadLock)
    listening.tell(2)
    service = listening.service
    deleted = with_failing(n, 1, partial(service.delete_webhook, listening.webhook_id))
    if isinstance(deleted.result, MemoryError):
        assert len(service.list_webhooks()) == 1
        assert listening.run() == 2
        service.delete_webhook(listening.webhook_id)
    assert service.list_webhooks() == []
    bank = 4
    lane = Lane("rest", THREADS_MAX - bank, print, lambda item, error: None)
    service.background.add(lane)
    return isinstance(deleted.result, MemoryError)


@needs_failing_allocations
def test_a_webhook_is_deleted_with_its_threads_or_not_at_all_without_memory() -> None:
    def trials() -> int:
        return sum(map(failing_deletion, range(ALLOCATIONS_MAX)))

    assert in_a_child(trials) > 5


@needs_failing_allocations
@pytest.mark.parametrize("length", [1, 300, 5_000])
def test_json_without_memory_is_an_error_and_not_the_end_of_the_process(
    length: int,
) -> None:
    testcapi: Any = importlib.import_module(TESTCAPI)
    body, written = {"text": "x" * length}, set()
    for n in range(20):
        testcapi.set_nomemory(n, n + 1)
        try:
            text = json_bytes(body)
        except MemoryError:
            text = b""
        finally:
            testcapi.remove_mem_hooks()
        written.add(text)
    assert written == {b"", json.dumps(body, separators=(",", ":")).encode()}


REFUSING = "http://refusing.example/", ConnectionRefusedError
SILENT = "http://silent.example/", TimeoutError
BUGGY = "http://buggy.example/", RuntimeError


@pytest.mark.parametrize("url, error", [REFUSING, SILENT, BUGGY])
def test_a_failed_attempt_leaves_nothing_that_only_a_collection_would_free(
    url: str, error: type[Exception]
) -> None:
    def connect(address: tuple[str, int], seconds: float) -> NoReturn:
        raise error

    transport = Transport(resolve=lambda *_: ["8.8.8.8", "1.1.1.1"], connect=connect)
    listening = Listening(transport=transport)
    listening.service.delete_webhook(listening.webhook_id)
    listening.webhook_id = listening.listen(url=url)
    logging.disable(logging.CRITICAL)
    try:
        with needing_no_collection():
            listening.tell()
            listening.run()
            assert listening.delivery().attempts == 1
    finally:
        logging.disable(logging.NOTSET)


def test_a_receiver_that_takes_nothing_holds_less_than_one_that_is_behind(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet_app.services.webhooks.delivery_log.UNRECEIVED_MAX", 2)
    listening.tell(4)
    assert pending(listening) == 2  # none was received yet
    listening.run()
    listening.tell(4)
    assert pending(listening) == 4
    listening.receivers.replies = [503] * 99
    listening.run(59)
    listening.tell(4)
    assert pending(listening) == 8  # an attempt failed, which may happen to anybody
    listening.run(1)
    listening.tell(4)
    assert pending(listening) == 8
    listening.receivers.replies = []
    listening.run(300)
    listening.tell(4)
    assert pending(listening) == 4  # it is received again


def pending(listening: Listening) -> int:
    return sum(each.status == "PENDING" for each in listening.deliveries())


# Again, by hand


class Shown(Listening):
    """The same over HTTP."""

    def __init__(self, *replies: int | str | Reply, **injected: Any) -> None:
        super().__init__(*replies, **injected)
        self.client = create_app(self.service).test_client()

    def listed(self, query: str = "") -> TestResponse:
        return self.client.get(f"/webhooks/{self.webhook_id}/deliveries{query}")

    def redeliver(self, delivery_id: str, **headers: str) -> TestResponse:
        path = f"/webhooks/{self.webhook_id}/deliveries/{delivery_id}/redeliver"
        return post(self.client, path, {}, **headers)


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_a_delivery_is_shown_as_it_is() -> None:
    shown = Shown(Reply(503, "60"))
    shown.tell()
    shown.run()
    (delivery,) = shown.listed().get_json()["deliveries"]
    assert UUID(delivery["id"])
    assert delivery == {
        "id": delivery["id"],
        "messageId": shown.ids[0],
        "type": "transaction.created",
        "status": "PENDING",
        "attempts": 1,
        "answerStatus": 503,
        "lastError": "the answer was 503",
        "nextAttemptAt": "2026-01-01T00:01:00.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }


def test_what_succeeded_can_be_delivered_again(shown: Shown) -> None:
    shown.tell()
    shown.run()
    shown.clock.now += SECOND
    response = shown.redeliver(shown.delivery().id)
    assert response.status_code == 202
    assert response.get_json() == shown.listed().get_json()["deliveries"][0]
    assert response.get_json()["status"] == "PENDING"
    assert response.get_json()["nextAttemptAt"] == "2026-01-01T00:00:01.000Z"
    shown.service.background.run_due()
    delivery = shown.delivery()
    assert (delivery.status, delivery.attempts) == ("SUCCEEDED", 2)
    (_, first, body), (_, second, same_body) = shown.receivers.posts
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) == int(first["webhook-timestamp"]) + 1
    assert body == same_body


def test_what_was_given_up_is_delivered_again_by_the_whole_schedule() -> None:
    settings = Settings(webhook_retry_seconds=(0, 5, 60))
    shown = Shown(*[500] * 6, settings=settings)
    shown.tell()
    for attempts in (3, 6):
        for wait, due in ((0, 1), (4, 0), (1, 1), (59, 0), (1, 1)):
            assert shown.run(wait) == due
        delivery = shown.delivery()
        assert (delivery.status, delivery.attempts) == ("FAILED", attempts)
        assert shown.redeliver(delivery.id).status_code == 202
    shown.run()
    assert shown.delivery().status == "SUCCEEDED"
    assert shown.ids == [shown.delivery().message_id] * 7


def test_what_is_to_be_delivered_again_is_taken_up_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wallet_app.services.background.NAP_SECONDS", 60)
    came, receivers = threading.Event(), Acting()
    listening = Listening(transport=receivers)
    listening.tell()
    listening.run()
    receivers.act = came.set
    with started(listening.service.background, *lanes_of(listening)):
        listening.service.redeliver(listening.webhook_id, listening.delivery().id)
        assert came.wait(TIMEOUT_SECONDS)


def test_delivering_again_with_a_key_is_done_once(shown: Shown) -> None:
    shown.tell()
    shown.run()
    key = {"Idempotency-Key": "k"}
    first = shown.redeliver(shown.delivery().id, **key)
    shown.run()
    with nothing_is_told(shown):
        replayed = shown.redeliver(shown.delivery().id, **key)
        assert (replayed.status_code, replayed.data) == (202, first.data)
        assert replayed.headers["Idempotent-Replayed"] == "true"
    assert len(shown.receivers.posts) == 2


def test_delivering_again_that_cannot_be_kept_is_not_done(shown: Shown) -> None:
    shown.tell()
    shown.run()
    redeliver = partial(shown.service.webhooks.redeliver, shown.webhook_id)
    with nothing_is_told(shown), pytest.raises(Crash):
        redeliver(shown.delivery().id, FULL)
    redeliver(shown.delivery().id)
    shown.run()
    assert shown.delivery().attempts == 2


def test_what_is_under_way_is_not_delivered_again_by_hand() -> None:
    shown = Shown(500)
    shown.tell()
    for seconds in (0, 5):  # not tried yet, then tried once
        waits = shown.delivery()
        response = shown.redeliver(waits.id)
        problem = assert_problem(response, 409, "not_redeliverable")
        assert problem["deliveryId"] == waits.id
        assert shown.delivery() == waits
        assert shown.run(seconds) == 1
    assert len(shown.receivers.posts) == 2


def test_nothing_is_delivered_again_to_a_receiver_that_is_gone() -> None:
    shown = Shown(204, 410)
    shown.tell(3)
    shown.run()
    assert [each.status for each in shown.deliveries()] == [
        "SUCCEEDED",
        "FAILED",
        "FAILED",
    ]
    with nothing_is_told(shown):
        for delivery in shown.deliveries():
            assert_problem(shown.redeliver(delivery.id), 409, "not_redeliverable")


def test_what_is_not_there_is_not_delivered_again(shown: Shown) -> None:
    other = shown.listen((EventType.WALLET_CREATED,))
    shown.tell()
    shown.run()
    delivery_id = shown.delivery().id
    with nothing_is_told(shown):
        for webhook_id, of, code in (
            (shown.webhook_id, NOBODY, "delivery_not_found"),
            (other, delivery_id, "delivery_not_found"),
            (NOBODY, delivery_id, "webhook_not_found"),
            (shown.webhook_id, "42", "not_found"),
        ):
            path = f"/webhooks/{webhook_id}/deliveries/{of}/redeliver"
            assert_problem(post(shown.client, path, {}), 404, code)


# What cannot be queued


def failing_once(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Have the background fail at the second message that is queued."""
    append, calls = listening.service.background.append, itertools.count(1)

    def failing(*args: Any) -> int:
        if next(calls) == 2:
            raise error
        return append(*args)

    monkeypatch.setattr(listening.service.background, "append", failing)


class Panic(BaseException):
    """What is no Exception, as an extension in Rust raises it."""


@pytest.mark.parametrize("error", [MemoryError(), Panic()], ids=repr)
def test_an_event_that_could_be_queued_for_one_webhook_only_is_sent_once_to_each(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    listening.listen(url=f"{URL}/other")
    failing_once(listening, monkeypatch, error)
    listening.tell()
    assert listening.run() == 2
    listening.tell()
    listening.run()
    urls = [url for url, *_ in listening.receivers.posts]
    assert sorted(urls) == [URL, URL, f"{URL}/other", f"{URL}/other"]
    assert len(set(listening.ids)) == 2


def test_an_event_that_meets_a_bug_is_dropped_and_the_next_is_sent(
    listening: Listening,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue, wrong = listening.service.outbox.listener, itertools.count()

    def buggy(event: Event) -> None:
        assert isinstance(event.subject, Transaction)
        if event.subject.amount == 666:
            next(wrong)
            raise RuntimeError("a bug")
        queue(event)

    monkeypatch.setattr(listening.service.outbox, "listener", buggy)
    for amount in (666, 7):
        listening.service.add(listening.source, amount)
    listening.run()
    assert [body["data"]["amount"] for body in listening.bodies] == [7]
    assert next(wrong) == 1
    assert "An event is dropped" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, Panic])
def test_a_movement_is_answered_also_if_nobody_can_be_notified(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def failing(event: Event) -> NoReturn:
        raise error

    monkeypatch.setattr(shown.service.outbox, "listener", failing)
    body = {"walletId": shown.source, "amount": 5}
    assert post(shown.client, "/wallet/add", body).status_code == 200
    assert shown.service.get_wallet(shown.source).balance == 1_005


# Codes


def ask_for_approval(listening: Listening) -> str:
    limits = Limits(approval_threshold=0)
    listening.service.set_limits(listening.source, limits)
    approval = listening.service.deduct(listening.source, 1)
    assert isinstance(approval, ApprovalSnapshot)
    return approval.id


def test_a_code_goes_to_the_webhook_and_confirms(listening: Listening) -> None:
    approval_id = ask_for_approval(listening)
    listening.run()
    (body,) = listening.bodies
    assert body["type"] == "approval.requested"
    assert body["data"]["approvalId"] == approval_id
    confirm = listening.service.confirm_approval
    confirm(approval_id, body["data"]["otp"])
    listening.run()
    assert listening.types == ["approval.requested", MOVED]


def test_a_new_code_is_told_too() -> None:
    codes = iter(["111111", "222222"])
    listening = Listening(new_code=lambda: next(codes))
    approval_id = ask_for_approval(listening)
    listening.run()
    listening.service.resend_code(approval_id)
    listening.run()
    assert [body["data"]["otp"] for body in listening.bodies] == ["111111", "222222"]
    assert listening.bodies[1]["data"]["resendsLeft"] == 2


def test_a_code_is_not_told_any_more_when_a_newer_one_was_sent() -> None:
    codes = iter(["111111", "222222", "333333"])
    listening = Listening(503, 204, new_code=lambda: next(codes))
    approval_id = ask_for_approval(listening)
    other = ask_for_approval(listening)
    assert other != approval_id
    listening.run()
    listening.service.resend_code(approval_id)
    listening.run()
    listening.run(5)
    told = [body["data"]["otp"] for body in listening.bodies]
    assert told == ["111111", "222222", "333333"]
    superseded = listening.deliveries(listening.webhook_id)[0]
    assert (superseded.status, superseded.attempts) == (DeliveryStatus.FAILED, 1)
    assert superseded.last_error == "a newer code was sent"


def test_a_code_is_not_sent_again_when_a_newer_one_came_while_it_was_sent() -> None:
    codes, receivers = iter(["111111", "222222"]), Acting(503)
    listening = Listening(transport=receivers, new_code=lambda: next(codes))
    listening.receivers = receivers
    approval_id = ask_for_approval(listening)

    def resend() -> None:
        receivers.act = lambda: None
        listening.service.resend_code(approval_id)

    receivers.act = resend
    listening.run()
    listening.run(1_000_000)
    assert [body["data"]["otp"] for body in listening.bodies] == ["111111", "222222"]
    first, second = listening.deliveries()
    assert (first.status, first.attempts, first.answer) == ("FAILED", 1, 503)
    assert first.last_error == "a newer code was sent"
    assert (second.status, second.attempts) == ("SUCCEEDED", 1)
    assert listening.service.health().queued == 0
    receivers.posts.clear()
    assert not is_remembered("111111", listening.service)


def test_no_other_messages_crowd_out_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_app.services.webhooks.delivery_log.PENDING_MAX", 1)
    listening = Listening()
    listening.tell(3)
    ask_for_approval(listening)
    listening.run()
    assert listening.types == [MOVED, "approval.requested"]
    assert [each.status for each in listening.deliveries()] == [
        "SUCCEEDED",
        "FAILED",
        "FAILED",
        "SUCCEEDED",
    ]


def test_codes_do_not_crowd_out_other_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_app.services.webhooks.delivery_log.PENDING_MAX", 1)
    listening = Listening()
    for _ in range(3):
        ask_for_approval(listening)
    listening.tell()
    listening.run()
    assert listening.types == ["approval.requested"] * 3 + [MOVED]


def test_a_code_is_not_told_any_more_when_it_has_expired() -> None:
    listening = Listening(503)
    ask_for_approval(listening)
    listening.run()
    listening.run(300)
    assert len(listening.bodies) == 1
    (expired,) = listening.deliveries(listening.webhook_id)
    assert (expired.status, expired.last_error) == (
        DeliveryStatus.FAILED,
        "the code has expired",
    )


def test_on_another_channel_no_webhook_has_the_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listening = Listening(settings=Settings(otp_channel="log"))
    with nothing_is_told(listening):
        ask_for_approval(listening)
    assert CODE in caplog.text


def reachable(root: object) -> Iterator[object]:
    """Yield all that an object holds on to, but for the code of the program."""
    seen: set[int] = set()
    left = [root]
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, (ModuleType, type, FunctionType)):
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, Struct):  # which the collector may not look into
            left += [getattr(each, name) for name in each.__struct_fields__]
        left += gc.get_referents(each)
        if isinstance(each, FunctionType):
            left += each.__closure__ or ()


def is_remembered(code: str, service: WalletService) -> bool:
    return any(
        code.encode() in each if isinstance(each, bytes) else code in each
        for each in reachable(service.webhooks)
        if isinstance(each, (str, bytes))
    )


CODE_ENDS: dict[str, tuple[list[int], int]] = {
    "received": ([204], 0),
    "given up": ([500] * len(DELAYS), sum(DELAYS)),
    "gone": ([410], 0),
}


@pytest.mark.parametrize("end", CODE_ENDS)
def test_a_code_is_forgotten_when_its_delivery_has_ended(end: str) -> None:
    replies, seconds = CODE_ENDS[end]
    shown = Shown(*replies)
    ask_for_approval(shown)
    assert is_remembered(CODE, shown.service)
    for step in DELAYS if seconds else (0,):
        assert is_remembered(CODE, shown.service)
        assert CODE not in shown.listed().text
        shown.run(step)
        assert CODE in shown.receivers.posts[0][2].decode()
    assert shown.delivery().status in ("SUCCEEDED", "FAILED")
    shown.receivers.posts.clear()
    assert not is_remembered(CODE, shown.service)
    with nothing_is_told(shown):
        response = shown.redeliver(shown.delivery().id)
        assert_problem(response, 409, "not_redeliverable")
        assert CODE not in response.text + shown.listed().text


def test_a_code_that_waits_for_a_receiver_that_is_gone_is_forgotten() -> None:
    shown = Shown(410)
    shown.tell()
    ask_for_approval(shown)
    shown.run()
    assert len(shown.receivers.posts) == 1
    assert not is_remembered(CODE, shown.service)


def test_no_answer_shows_a_code_or_a_secret(shown: Shown) -> None:
    approval_id = ask_for_approval(shown)
    shown.run()
    for path in (
        "/webhooks",
        f"/webhooks/{shown.webhook_id}",
        f"/webhooks/{shown.webhook_id}/deliveries",
        f"/approvals/{approval_id}",
        "/health",
    ):
        text = shown.client.get(path).text
        assert CODE not in text and SECRET not in text and "whsec" not in text


# Bounds


def test_sixteen_webhooks_and_no_more(shown: Shown) -> None:
    body = {"url": URL, "events": ["wallet.created"]}
    for _ in range(WEBHOOKS_MAX - 1):
        shown.service.create_webhook(URL, [EventType.WALLET_CREATED])
    before = shown.service.list_webhooks()
    key = {"Idempotency-Key": "k"}
    refused = post(shown.client, "/webhooks", body, **key)
    assert assert_problem(refused, 409, "too_many_webhooks")["maximum"] == 16
    assert shown.service.list_webhooks() == before
    shown.service.delete_webhook(before[0].id)
    assert post(shown.client, "/webhooks", body, **key).status_code == 201


def test_one_caller_has_half_of_the_webhooks_at_most(shown: Shown) -> None:
    webhooks = shown.service.webhooks
    for _ in range(CALLERS_MAX):
        webhooks.create(URL, ALL, caller="192.0.2.1")
    before = webhooks.all()
    with pytest.raises(TooManyWebhooks) as refused:
        webhooks.create(URL, ALL, caller="192.0.2.1")
    assert refused.value.values == {"maximum": CALLERS_MAX}
    assert webhooks.all() == before
    webhooks.create(URL, ALL, caller="192.0.2.2")
    webhooks.create(URL, ALL)
    webhooks.delete(before[-1].id)
    webhooks.create(URL, ALL, caller="192.0.2.1")


@pytest.mark.parametrize("caller", [None, "192.0.2.1"])
def test_a_disabled_webhook_is_evicted_when_there_are_too_many(
    caller: str | None,
) -> None:
    listening = Listening(410)
    webhooks = listening.service.webhooks
    webhooks.delete(listening.webhook_id)
    disabled = webhooks.create(URL, ALL, caller=caller).webhook.id
    most = WEBHOOKS_MAX if caller is None else CALLERS_MAX
    for _ in range(most - 1):
        webhooks.create(f"{URL}/other", (), caller=caller)
    listening.tell()
    listening.run()
    assert webhooks.get(disabled).status == "DISABLED"
    with pytest.raises(Crash):
        webhooks.create(URL, ALL, FULL, caller)
    assert webhooks.get(disabled).status == "DISABLED"
    newest = webhooks.create(URL, ALL, caller=caller).webhook
    every = webhooks.all()
    assert (len(every), every[-1]) == (most, newest)
    with pytest.raises(WebhookNotFound):
        webhooks.get(disabled)
    assert len(listening.service.background._lanes) == 1 + 5 * most
    with pytest.raises((TooManyWebhooks, WebhooksExhausted)):
        webhooks.create(URL, ALL, caller=caller)


def test_a_webhook_for_which_there_is_no_thread_is_refused(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    key = {"Idempotency-Key": "k"}
    with started(shown.service.background):
        before = shown.service.list_webhooks()
        threads = set(threading.enumerate())
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            refused = post(shown.client, "/webhooks", GOOD, **key)
        assert_problem(refused, 503, "threads_exhausted")
        assert refused.headers["Retry-After"] == "10"
        assert shown.service.list_webhooks() == before
        assert set(threading.enumerate()) == threads
        assert post(shown.client, "/webhooks", GOOD, **key).status_code == 201


def test_a_delivery_is_made_again_by_hand_ten_times_at_most(shown: Shown) -> None:
    shown.tell()
    shown.run()
    for _ in range(REDELIVERIES_MAX):
        assert shown.redeliver(shown.delivery().id).status_code == 202
        shown.run()
    with nothing_is_told(shown):
        problem = assert_problem(
            shown.redeliver(shown.delivery().id), 429, "too_many_redeliveries"
        )
    assert problem["maximum"] == 10
    assert shown.delivery().attempts == 11


def test_nothing_is_made_again_by_hand_while_very_many_wait(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown.tell()
    shown.run()
    monkeypatch.setattr("wallet_app.services.webhooks.delivery_log.PENDING_MAX", 0)
    with nothing_is_told(shown):
        response = shown.redeliver(shown.delivery().id)
        assert_problem(response, 409, "not_redeliverable")


def test_what_comes_while_very_many_wait_is_listed_and_can_be_delivered_by_hand(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet_app.services.webhooks.delivery_log.PENDING_MAX", 2)
    shown.tell(4)
    *waiting, third, fourth = shown.deliveries()
    assert [each.status for each in waiting] == ["PENDING"] * 2
    for crowded in (third, fourth):
        assert (crowded.status, crowded.attempts) == ("FAILED", 0)
        assert crowded.last_error == "too many deliveries wait"
        assert crowded.next_attempt_at is None
    shown.run()
    assert shown.ids == [each.message_id for each in waiting]
    assert shown.redeliver(third.id).status_code == 202
    shown.tell()
    shown.run()
    assert shown.ids[2:] == [third.message_id, shown.deliveries()[-1].message_id]
    assert [each.status for each in shown.deliveries()].count("SUCCEEDED") == 4


def test_a_code_that_comes_while_very_many_wait_is_forgotten(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have a bound of their own, which other deliveries do not reach."""
    monkeypatch.setattr("wallet_app.services.webhooks.delivery_log.CODES_MAX", 0)
    ask_for_approval(listening)
    listening.run()
    assert listening.delivery().status == "FAILED"
    assert not is_remembered(CODE, listening.service)


def test_the_latest_that_ended_are_listed(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet_app.services.webhooks.delivery_log.ENDED_MAX", 2)
    shown.tell(3)
    first, second, third = shown.deliveries()
    shown.run()
    assert [each.id for each in shown.deliveries()] == [second.id, third.id]
    assert_problem(shown.redeliver(first.id), 404, "delivery_not_found")
    assert shown.redeliver(second.id).status_code == 202
    shown.run()  # so it has ended last
    shown.tell()
    assert len(shown.deliveries()) == 3
    shown.run()
    fourth = shown.deliveries()[-1]
    assert [each.id for each in shown.deliveries()] == [second.id, fourth.id]


def test_deliveries_are_listed_newest_first_page_by_page(shown: Shown) -> None:
    shown.tell(5)
    newest_first = [each.id for each in reversed(shown.deliveries())]
    pages = [shown.listed(f"?limit=2&page={page}") for page in (1, 2, 3, 4)]
    listed = [[each["id"] for each in page.get_json()["deliveries"]] for page in pages]
    assert listed == [newest_first[:2], newest_first[2:4], newest_first[4:], []]
    second = pages[1].get_json()
    del second["deliveries"]
    assert second == {"page": 2, "limit": 2, "total": 5, "totalPages": 3}
    path = f"/webhooks/{shown.webhook_id}/deliveries?limit=2&page="
    assert pages[1].headers["Link"] == (
        f'<{path}1>; rel="first", <{path}1>; rel="prev", '
        f'<{path}3>; rel="next", <{path}3>; rel="last"'
    )
    assert 'rel="next"' not in pages[2].headers["Link"]
    for query in ("?limit=0", "?limit=101", "?page=0", "?page=x", "?before=1"):
        assert_problem(shown.listed(query), 400, "invalid_request")


# Over HTTP


def test_create_answers_the_webhook_with_its_secret_and_nothing_else_does(
    shown: Shown,
) -> None:
    shown.service.delete_webhook(shown.webhook_id)
    assert shown.client.get("/webhooks").get_json() == {"webhooks": []}
    body = {"url": URL, "events": ["wallet.frozen", "wallet.created"]}
    response = post(shown.client, "/webhooks", body)
    assert response.status_code == 201
    created = response.get_json()
    assert UUID(created["id"])
    assert created == {
        "id": created["id"],
        "url": URL,
        "events": ["wallet.created", "wallet.frozen"],
        "status": "ACTIVE",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "secret": SECRET,
    }
    assert response.location == f"/webhooks/{created['id']}"
    del created["secret"]
    assert shown.client.get(response.location).get_json() == created
    other = shown.listen(url=f"{URL}/other")
    listed = shown.client.get("/webhooks").get_json()["webhooks"]
    assert (listed[0], listed[1]["id"], len(listed)) == (created, other, 2)


def test_creating_with_a_key_is_done_once_and_shows_the_secret_once(
    shown: Shown,
) -> None:
    body, key = {"url": URL, "events": list(ALL)}, {"Idempotency-Key": "k"}
    first = post(shown.client, "/webhooks", body, **key)
    replayed = post(shown.client, "/webhooks", body, **key)
    assert replayed.status_code == 201
    assert first.get_json()["secret"] == SECRET
    assert replayed.get_json() == first.get_json() | {"secret": None}
    assert all(SECRET != each for each in reachable(shown.service.idempotency))
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert len(shown.service.list_webhooks()) == 2


def test_a_webhook_that_cannot_be_kept_is_not_made() -> None:
    service = new_service()
    with pytest.raises(Crash):
        service.webhooks.create(URL, ALL, FULL)
    assert service.list_webhooks() == []
    open_wallet(service, 5)
    assert len(service.outbox._put) == 0
    for _ in range(WEBHOOKS_MAX):
        service.create_webhook(URL, ALL)


def test_a_webhook_is_deleted_once_and_told_nothing_more(shown: Shown) -> None:
    shown.listen(url=f"{URL}/other")
    shown.tell()
    path = f"/webhooks/{shown.webhook_id}"
    response = shown.client.delete(path)
    assert (response.status_code, response.data) == (204, b"")
    for missing in (
        shown.client.delete(path),
        shown.client.get(path),
        shown.client.get(f"{path}/deliveries"),
    ):
        assert_problem(missing, 404, "webhook_not_found")
    shown.tell()
    shown.run(1_000_000)
    assert [url for url, *_ in shown.receivers.posts] == [f"{URL}/other"] * 2
    assert len(shown.service.list_webhooks()) == 1


def test_a_path_that_names_no_webhook_is_not_found(client: FlaskClient) -> None:
    for path in (f"/webhooks/{NOBODY}", f"/webhooks/{NOBODY}/deliveries"):
        assert_problem(client.get(path), 404, "webhook_not_found")
    assert_problem(client.delete(f"/webhooks/{NOBODY}"), 404, "webhook_not_found")
    assert_problem(client.get("/webhooks/42"), 404, "not_found")
    assert_problem(client.delete("/webhooks/42"), 404, "not_found")


GOOD: Json = {"url": URL, "events": ["wallet.created"]}


WRONG: list[Json] = [
    {"events": []},
    {"events": ["wallet.exploded"]},
    {"events": ["wallet.created", "*"]},
    {"events": ["WALLET_CREATED"]},
    {"events": "wallet.created"},
    {"events": {"wallet.created": True}},
    {"events": [["wallet.created"]]},
    {"events": [None]},
    {"events": None},
    {"url": 5},
    {"url": None},
    {"url": ""},
    {"url": [URL]},
    {"url": "https://a.example/" + "x" * 2_000},
    {"secret": SECRET},
]


@pytest.mark.parametrize(
    "body",
    [{}, {"url": URL}, {"events": ["wallet.created"]}]
    + [GOOD | wrong for wrong in WRONG],
    ids=lambda body: str(body)[:60],
)
def test_a_body_of_the_wrong_shape_makes_no_webhook(
    client: FlaskClient, service: WalletService, body: Json
) -> None:
    assert_problem(post(client, "/webhooks", body), 400, "invalid_request")
    assert service.list_webhooks() == []
    assert not service.outbox.is_open


def test_an_event_that_is_named_twice_is_told_once(shown: Shown) -> None:
    shown.service.delete_webhook(shown.webhook_id)
    events = ["wallet.frozen", "wallet.created", "wallet.frozen"]
    created = post(shown.client, "/webhooks", GOOD | {"events": events}).get_json()
    assert created["events"] == ["wallet.created", "wallet.frozen"]
    shown.service.freeze(shown.source, "x")
    shown.run()
    assert shown.types == ["wallet.frozen"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "0.0.0.0", "2130706433"]
    + ["[::ffff:127.0.0.1]"],
)
def test_no_webhook_is_made_for_an_address_that_is_private(
    client: FlaskClient, service: WalletService, host: str
) -> None:
    for url in (f"http://{host}", f"https://{host}:8443/hooks"):
        refused = post(client, "/webhooks", GOOD | {"url": url})
        assert_problem(refused, 400, "url_not_allowed")
    assert service.list_webhooks() == []
    assert not service.outbox.is_open


REPLAYED: dict[str, tuple[str, Json, int, list[str]]] = {
    "create": ("/wallet/create", {"userId": NOBODY}, 201, ["wallet.created"]),
    "add": ("/wallet/add", {"amount": 5}, 200, [MOVED]),
    "refused": ("/wallet/deduct", {"amount": 5_000}, 400, []),
    "waits": ("/wallet/deduct", {"amount": 900}, 202, ["approval.requested"]),
    "withdraw": (
        "/wallet/withdraw",
        {"amount": 5, "bankAccount": "sandbox-ok"},
        202,
        [MOVED, "payment.succeeded"],
    ),
}


@pytest.mark.parametrize("name", REPLAYED)
def test_a_replayed_request_tells_nothing_again(shown: Shown, name: str) -> None:
    path, body, status, expected = REPLAYED[name]
    shown.service.set_limits(shown.source, Limits(approval_threshold=800))
    if "amount" in body:
        body = body | {"walletId": shown.source}
    key = {"Idempotency-Key": "k"}
    assert post(shown.client, path, body, **key).status_code == status
    shown.service.background.run_due()
    assert shown.types == expected
    with nothing_is_told(shown):
        replayed = post(shown.client, path, body, **key)
        assert replayed.headers["Idempotent-Replayed"] == "true"


def test_a_request_that_is_blocked_tells_so_at_once(shown: Shown) -> None:
    body = {"walletId": shown.source, "amount": 1}
    for _ in range(3):
        shown.service.deduct(shown.source, 1)
    shown.run()
    shown.receivers.posts.clear()
    key = {"Idempotency-Key": "k"}
    with nothing_moves(shown.service):
        for _ in range(2):
            refused = post(shown.client, "/wallet/deduct", body, **key)
            assert_problem(refused, 403, "fraud_blocked")
    shown.service.background.run_due()
    (told,) = shown.bodies
    assert told["type"] == FLAGGED
    assert told["data"] == shown.client.get("/fraud/alerts").get_json()["alerts"][0]
    assert (told["data"]["rule"], told["data"]["verdict"]) == ("velocity", "block")


@pytest.mark.parametrize("step", [-3_600, 86_400])
def test_no_step_of_the_wall_clock_moves_a_delivery(step: int) -> None:
    monotonic = Clock()
    listening = Listening(503, monotonic=monotonic)
    listening.tell()
    assert listening.run() == 1
    assert listening.delivery().next_attempt_at == START + 5 * SECOND
    listening.clock.now += step * SECOND
    listening.tell()
    assert listening.run() == 1, "what is new is sent at once"
    monotonic.now += 5 * SECOND - 1
    assert listening.run() == 0
    monotonic.now += 1
    assert listening.run() == 1
    assert {each.status for each in listening.deliveries()} == {"SUCCEEDED"}
    assert listening.service.health().oldest_due_at is None


def test_what_waits_for_a_webhook_that_is_disabled_is_forgotten(
    listening: Listening,
) -> None:
    listening.receivers.replies = [503, 410]
    listening.tell(3)
    listening.run()
    assert len(listening.receivers.posts) == 2
    assert listening.service.health().queued == 0


@pytest.mark.parametrize(
    "asked_for",
    [
        "Thursday, 01-Jan-26 00:01:00 GMT",
        "Thu Jan  1 00:01:00 2026",
        "Thu, 01 Jan 2026 00:01:00 GMT",
        "60",
    ],
)
def test_a_receiver_may_ask_for_a_pause_in_every_way_that_http_knows(
    asked_for: str,
) -> None:
    listening = Listening(Reply(503, asked_for))
    listening.tell()
    listening.run()
    (delivery,) = listening.deliveries(listening.webhook_id)
    assert delivery.next_attempt_at == listening.clock.now + 60 * SECOND
