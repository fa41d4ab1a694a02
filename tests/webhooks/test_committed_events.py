"""A webhook is notified of exactly what committed."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

from tests.answers import NOBODY, assert_problem, post
from tests.ledgers import Crash, everything, nothing_moves
from tests.webhooks.listening import RULES, URL, Json, Listening, Panic, nothing_is_sent
from tests.webhooks.occurrences import FLAGGED, MOVED, NOTIFIED, REFUSED, UNCOMMITTED
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import Transaction, WalletSnapshot
from wallet_app.services.alerts import Alert
from wallet_app.services.events import Event, EventType, Outbox
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings
from wallet_app.store import Wallet

OUT, IN = "TRANSFER_OUT", "TRANSFER_IN"


@pytest.mark.parametrize("name", NOTIFIED)
def test_a_webhook_is_notified_of_what_committed_once_and_in_order(
    listening: Listening, name: str
) -> None:
    act, expected = NOTIFIED[name]
    act(listening)
    listening.run()
    assert listening.types == expected
    assert len(set(listening.ids)) == len(expected)
    assert {delivery.status for delivery in listening.deliveries()} <= {"SUCCEEDED"}


def test_every_transaction_that_was_made_is_sent() -> None:
    listening = Listening(settings=Settings(fx_rates=RULES.fx_rates))
    before = everything(listening.service)
    for name in ("add", "transfer", "exchange", "withdrawal", "declined withdrawal"):
        NOTIFIED[name][0](listening)
        listening.run()
    for wallet_id, (_, history, _) in everything(listening.service).items():
        known = len(before[wallet_id][1]) if wallet_id in before else 0
        assert listening.sent_about(wallet_id) == [str(t.id) for t in history[known:]]


@pytest.mark.parametrize(
    ("name", "sides"), [("transfer", [OUT, IN]), ("exchange", [OUT, IN, OUT, IN])]
)
def test_what_left_is_sent_before_what_arrived(
    listening: Listening, name: str, sides: list[str]
) -> None:
    NOTIFIED[name][0](listening)
    listening.run()
    assert [body["data"]["type"] for body in listening.bodies] == sides


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_notifies_nobody(listening: Listening, name: str) -> None:
    listening.quote()
    with nothing_is_sent(listening), nothing_moves(listening.service):
        with pytest.raises(WalletError):
            REFUSED[name](listening)


@pytest.mark.parametrize("name", UNCOMMITTED)
def test_a_change_that_does_not_commit_notifies_nobody(
    listening: Listening, name: str
) -> None:
    listening.quote()
    with nothing_is_sent(listening), nothing_moves(listening.service):
        with pytest.raises(Crash):
            UNCOMMITTED[name](listening)


class CrashingSlot:
    """Stands in for the slot of the wallet's balance: one write is not made."""

    def __init__(self, good_writes: int) -> None:
        self._slot: Any = Wallet.__dict__["balance"]
        self._writes = itertools.count()
        self._good_writes = good_writes

    def __get__(self, wallet: Wallet, owner: type[Wallet]) -> Any:
        return self._slot.__get__(wallet, owner)

    def __set__(self, wallet: Wallet, balance: int) -> None:
        if next(self._writes) == self._good_writes:
            raise Crash
        self._slot.__set__(wallet, balance)


@pytest.mark.parametrize(
    ("name", "good_writes"),
    [("add", 0), ("deduct", 0), ("transfer", 0), ("transfer", 1), ("withdrawal", 0)]
    + [("exchange", good_writes) for good_writes in range(4)],
)
def test_a_movement_that_fails_half_way_notifies_nobody(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, name: str, good_writes: int
) -> None:
    listening.quote()  # so that the house has its wallets
    with nothing_is_sent(listening), nothing_moves(listening.service):
        with monkeypatch.context() as patched, pytest.raises(Crash):
            patched.setattr(Wallet, "balance", CrashingSlot(good_writes))
            NOTIFIED[name][0](listening)


def test_a_deposit_whose_credit_fails_is_sent_when_it_is_made(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    NOTIFIED["deposit"][0](listening)
    with nothing_is_sent(listening), monkeypatch.context() as patched:
        patched.setattr(Wallet, "balance", CrashingSlot(0))
        listening.run()
    listening.run(seconds=1)
    assert listening.types == [MOVED, "payment.succeeded"]


# Who is notified


def test_a_webhook_is_notified_only_of_what_it_asked_for(listening: Listening) -> None:
    listening.listen_anew((EventType.WALLET_FROZEN, EventType.WALLET_CREATED))
    for name in ("add", "create", "unfreeze", "deposit"):
        NOTIFIED[name][0](listening)
    listening.run()
    assert listening.types == ["wallet.created", "wallet.frozen"]
    assert len(listening.deliveries()) == 2


def test_a_webhook_is_not_notified_of_what_happened_before_it(
    listening: Listening,
) -> None:
    listening.move()
    later = listening.listen(url=f"{URL}/later")
    listening.run()
    assert listening.urls == [URL]
    assert listening.deliveries(later) == []


def test_every_webhook_is_notified_with_the_same_id(listening: Listening) -> None:
    listening.listen(url=f"{URL}/other")
    listening.move(2)
    listening.run()
    first, second = listening.deliveries()
    assert first.message_id != second.message_id
    assert sorted(listening.ids) == sorted([first.message_id, second.message_id] * 2)
    assert listening.urls.count(URL) == 2


def test_while_there_is_no_webhook_nothing_is_kept_for_later(
    listening: Listening,
) -> None:
    for webhook_id, is_open in (
        (listening.listen(), True),
        (listening.webhook_id, False),
    ):
        listening.service.delete_webhook(webhook_id)
        assert listening.service.outbox.is_open is is_open
    for name in ("add", "transfer", "create", "unfreeze"):
        NOTIFIED[name][0](listening)
    listening.webhook_id = listening.listen()
    with nothing_is_sent(listening):
        listening.run()


# Under the locks of what is reported


class Held(Exception):
    """A lock was acquired that is held."""


class PlainLock:
    """A lock for one thread, which would wait for itself for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self) -> bool:
        if not self._lock.acquire(blocking=False):
            raise Held
        return True

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()


@contextmanager
def locked(service: WalletService, event: Event) -> Iterator[None]:
    """Acquire the lock of what an event reports."""
    match event.subject:
        case WalletSnapshot() if event.type is EventType.WALLET_CREATED:
            with service.store.registry_lock:
                yield
        case WalletSnapshot(id=wallet_id) | Transaction(wallet_id=wallet_id):
            with service.store.readable[wallet_id]:
                yield
        case PaymentSnapshot():
            service.retry_payment(event.subject.id)
            yield
        case Alert():
            service.list_alerts()
            yield
        case _:  # a code is sent under no lock
            raise Held


@pytest.mark.parametrize("name", NOTIFIED)
def test_an_event_is_put_under_the_lock_of_what_it_reports(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening, put = Listening(lock_factory=PlainLock), Outbox.put
    act, expected = NOTIFIED[name]
    types: list[str] = []

    def checked(outbox: Outbox, *events: Event) -> None:
        for event in events:
            types.append(event.type)
            with pytest.raises(Held), locked(listening.service, event):
                pass
        put(outbox, *events)

    monkeypatch.setattr(Outbox, "put", checked)
    act(listening)
    listening.run()
    assert types == expected


# Events that cannot be queued


@pytest.mark.parametrize("error", [MemoryError(), Panic()], ids=repr)
def test_an_event_that_could_be_queued_for_one_webhook_only_is_sent_once_to_each(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    listening.listen(url=f"{URL}/other")
    background = listening.service.background
    append, calls = background.append, itertools.count(1)

    def failing(*args: Any) -> int:
        if next(calls) == 2:
            raise error
        return append(*args)

    monkeypatch.setattr(background, "append", failing)
    listening.move()
    assert listening.run() == 1
    listening.move()
    listening.run()
    assert sorted(listening.urls) == [URL, URL, f"{URL}/other", f"{URL}/other"]
    assert len(set(listening.ids)) == 2


def test_an_event_that_meets_a_bug_is_dropped_and_the_next_is_sent(
    listening: Listening,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    notify, met = listening.service.outbox.listener, itertools.count()

    def buggy(event: Event) -> None:
        assert isinstance(event.subject, Transaction)
        if event.subject.amount == 666:
            next(met)
            raise RuntimeError("a bug")
        notify(event)

    monkeypatch.setattr(listening.service.outbox, "listener", buggy)
    for amount in (666, 7):
        listening.service.add(listening.source, amount)
    listening.run()
    assert [body["data"]["amount"] for body in listening.bodies] == [7]
    assert next(met) == 1
    assert "An event is dropped" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, Panic])
def test_a_movement_is_answered_also_if_nobody_can_be_notified(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def failing(event: Event) -> NoReturn:
        raise error

    monkeypatch.setattr(listening.service.outbox, "listener", failing)
    body = {"walletId": listening.source, "amount": 5}
    assert post(listening.client, "/wallet/add", body).status_code == 200
    assert listening.service.get_wallet(listening.source).balance == 1_005


# Requests


REQUESTS: dict[str, tuple[str, Json, int, list[str]]] = {
    "create": ("create", {"userId": NOBODY}, 201, ["wallet.created"]),
    "add": ("add", {"amount": 5}, 200, [MOVED]),
    "refused": ("deduct", {"amount": 5_000}, 400, []),
    "waits": ("deduct", {"amount": 900}, 202, ["approval.requested"]),
    "withdraw": (
        "withdraw",
        {"amount": 5, "bankAccount": "sandbox-ok"},
        202,
        [MOVED, "payment.succeeded"],
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_replayed_request_notifies_nobody_again(
    listening: Listening, name: str
) -> None:
    path, body, status, expected = REQUESTS[name]
    path, key = f"/wallet/{path}", {"Idempotency-Key": "k"}
    listening.service.set_limits(listening.source, Limits(approval_threshold=800))
    if "amount" in body:
        body = body | {"walletId": listening.source}
    assert post(listening.client, path, body, **key).status_code == status
    listening.service.background.run_due()
    assert listening.types == expected
    with nothing_is_sent(listening):
        replayed = post(listening.client, path, body, **key)
        assert replayed.headers["Idempotent-Replayed"] == "true"


def test_a_request_that_is_blocked_is_reported_at_once(listening: Listening) -> None:
    body, key = {"walletId": listening.source, "amount": 1}, {"Idempotency-Key": "k"}
    for _ in range(3):
        listening.service.deduct(listening.source, 1)
    listening.run()
    listening.receivers.posts.clear()
    with nothing_moves(listening.service):
        for _ in range(2):
            refused = post(listening.client, "/wallet/deduct", body, **key)
            assert_problem(refused, 403, "fraud_blocked")
    listening.service.background.run_due()
    (sent,) = listening.bodies
    assert sent["type"] == FLAGGED
    assert sent["data"] == listening.client.get("/fraud/alerts").get_json()["alerts"][0]
    assert (sent["data"]["rule"], sent["data"]["verdict"]) == ("velocity", "block")
