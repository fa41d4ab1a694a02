"""A slow receiver delays only itself, and a slow message only those of its wallet."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from tests.ledgers import Receivers, open_wallet
from tests.webhooks.listening import (
    NAP_SECONDS,
    TIMEOUT_SECONDS,
    URL,
    Json,
    Listening,
    running,
)
from tests.webhooks.occurrences import MOVED, NOTIFIED
from wallet_app.domain.spending import Limits
from wallet_app.gateways.delivery_connection import Reply
from wallet_app.services.events import EventType
from wallet_app.services.webhooks.webhooks import WEBHOOKS_MAX
from wallet_app.services.work_queue import WorkQueue
from wallet_app.settings import Settings


class Hanging(Receivers):
    """Receivers that answer some messages only when they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.slow_wallets: set[str] = set()
        self.hang: queue.Queue[str] = queue.Queue()
        """The URL and the wallet of each message that hangs."""
        self.came: queue.Queue[Json] = queue.Queue()
        self.let_go = threading.Event()

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        event = json.loads(body)
        wallet_id, is_code = event["data"]["walletId"], "otp" in event["data"]
        if "slow" in url or (wallet_id in self.slow_wallets and not is_code):
            self.hang.put(f"{url} {wallet_id}")
            assert self.let_go.wait(TIMEOUT_SECONDS)
        if "slow" not in url:
            self.came.put(event)
        return Reply(204, None)

    def next(self) -> Json:
        return self.came.get(timeout=TIMEOUT_SECONDS)

    def next_that_hangs(self) -> str:
        return self.hang.get(timeout=TIMEOUT_SECONDS)


def test_fifteen_receivers_that_hang_delay_neither_another_nor_any_money(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(NAP_SECONDS, 60)
    receivers = Hanging()
    listening = Listening(settings=Settings(), transport=receivers, clock=time.time_ns)
    service, slow = listening.service, range(WEBHOOKS_MAX - 1)
    for n in slow:
        listening.listen(url=f"{URL}/slow/{n}")
    with running(listening, receivers.let_go):
        listening.move()
        hang = {receivers.next_that_hangs() for _ in slow}
        assert hang == {f"{URL}/slow/{n} {listening.source}" for n in slow}
        assert receivers.next()["type"] == MOVED
        listening.move()
        assert receivers.next()["type"] == MOVED
        payment = service.deposit(listening.source, 5, "sandbox-ok")
        sent = [receivers.next()["type"] for _ in range(2)]
        assert sent == [MOVED, "payment.succeeded"]
        assert service.get_payment(payment.id).status == "SUCCEEDED"
        assert receivers.hang.empty()
        receivers.let_go.set()
        for _ in range(3 * len(slow)):
            receivers.next_that_hangs()
    assert service.audit().problems == []


def test_a_message_that_hangs_delays_those_of_its_wallet_but_no_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(NAP_SECONDS, 60)
    receivers = Hanging()
    listening = Listening(
        settings=Settings(),
        transport=receivers,
        clock=time.time_ns,
        monotonic=time.monotonic_ns,
    )
    service = listening.service
    wallets = [open_wallet(service, 1_000) for _ in range(40)]
    listening.listen_anew()
    queues = {
        wallet_id: listening.queue_of(partial(service.add, wallet_id, 9))
        for wallet_id in wallets
    }
    assert len(set(queues.values())) == 4
    one = wallets[0]
    other = next(each for each in wallets if queues[each] is not queues[one])
    while not receivers.came.empty():
        receivers.next()
    receivers.slow_wallets = {one}
    with running(listening, receivers.let_go):
        for amount in (1, 2):
            service.add(one, amount)
        assert receivers.next_that_hangs() == f"{URL} {one}"
        service.add(other, 3)
        assert receivers.next()["data"]["amount"] == 3
        service.set_limits(one, Limits(approval_threshold=0))
        service.deduct(one, 5)
        assert "otp" in receivers.next()["data"]
        assert receivers.hang.empty()
        receivers.let_go.set()
        assert [receivers.next()["data"]["amount"] for _ in range(2)] == [1, 2]


def test_all_messages_about_a_wallet_go_through_one_queue_and_codes_through_another(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    background, names = listening.service.background, ("freeze", "unfreeze", "review")
    append, used = background.append, []

    def noting(queue: WorkQueue[Any], wait: int, item: Any) -> int:
        used.append(queue)
        return append(queue, wait, item)

    monkeypatch.setattr(background, "append", noting)
    for name in ("create", *names, "withdrawal", "declined deposit"):
        NOTIFIED[name][0](listening)
        listening.run()
    assert set(listening.types) == set(EventType)
    queues: dict[str, set[object]] = {}
    for body, queue_used in zip(listening.bodies, used, strict=True):
        about = "codes" if "otp" in body["data"] else body["data"]["walletId"]
        queues.setdefault(about, set()).add(queue_used)
    assert {len(used) for used in queues.values()} == {1}
    codes = queues.pop("codes")
    assert all(codes.isdisjoint(used) for used in queues.values())
