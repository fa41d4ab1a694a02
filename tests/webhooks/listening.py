"""A service with a webhook, and receivers that note what they get."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from werkzeug.test import TestResponse

from tests.answers import post
from tests.ledgers import SECOND, Clock, Receivers, new_service, open_wallet
from wallet_app import create_app
from wallet_app.domain.spending import Limits
from wallet_app.gateways.delivery_connection import Reply
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import EventType
from wallet_app.services.work_queue import WorkQueue
from wallet_app.settings import Settings

TIMEOUT_SECONDS = 10
URL = "https://bridge.example/hooks"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CODE = "738291"
ALL = tuple(EventType)
RULES = Settings(
    fx_rates=(("USD", "INR", Decimal("83.12")),),
    fraud_rules=("velocity", "new-payee"),
    fraud_velocity_count=3,
    fraud_new_payee_amount=500,
    payment_max_attempts=2,
)
LOG = "wallet_app.services.webhooks.delivery_log"
NAP_SECONDS = "wallet_app.services.work_queue.NAP_SECONDS"

Json = dict[str, Any]


class Listening:
    """A service with two wallets of 1,000, and a webhook that asks for every event."""

    def __init__(
        self, *replies: int | str | Reply, settings: Settings = RULES, **injected: Any
    ) -> None:
        self.clock = Clock()
        self.receivers = injected.pop("transport", None) or Receivers()
        self.receivers.replies = list(replies)
        owned: dict[str, Any] = {
            "clock": self.clock,
            "transport": self.receivers,
            "send_code": None,
            "new_code": lambda: CODE,
            "new_secret": lambda: SECRET,
        }
        self.service = new_service(settings, **owned | injected)
        self.client = create_app(self.service).test_client()
        self.source = open_wallet(self.service, 1_000)
        self.target = open_wallet(self.service, 1_000)
        self.dollars = open_wallet(self.service, currency="USD")
        self.webhook_id = self.listen()

    def listen(self, events: tuple[EventType, ...] = ALL, url: str = URL) -> str:
        return self.service.create_webhook(url, events).webhook.id

    def listen_anew(self, events: tuple[EventType, ...] = ALL, url: str = URL) -> None:
        """Replace the webhook by one that asks for these events from now on."""
        self.service.delete_webhook(self.webhook_id)
        self.webhook_id = self.listen(events, url)

    def move(self, times: int = 1) -> None:
        """Make movements of which the webhook is notified."""
        for _ in range(times):
            self.service.add(self.source, 1)

    def run(self, seconds: int = 0) -> int:
        """Run what is due so many seconds later; return how much it was."""
        self.clock.now += seconds * SECOND
        return self.service.background.run_due()

    def quote(self) -> str:
        return self.service.create_quote("INR", "USD", 416).id

    def ask_for_approval(self) -> str:
        """Ask for an approval, whose code goes to the webhook; return its id."""
        self.service.set_limits(self.source, Limits(approval_threshold=0))
        approval = self.service.deduct(self.source, 1)
        assert isinstance(approval, ApprovalSnapshot)
        return approval.id

    @property
    def bodies(self) -> list[Json]:
        return [json.loads(body) for _, _, body in self.receivers.posts]

    @property
    def types(self) -> list[str]:
        return [body["type"] for body in self.bodies]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.receivers.posts]

    @property
    def urls(self) -> list[str]:
        return [url for url, _, _ in self.receivers.posts]

    @property
    def codes(self) -> list[str]:
        return [body["data"]["otp"] for body in self.bodies]

    def sent_about(self, wallet_id: str) -> list[str]:
        """Return the ids of a wallet's transactions, in the order in which they were
        sent."""
        return [
            body["data"]["id"]
            for body in self.bodies
            if body["type"] == "transaction.created"
            and body["data"]["walletId"] == wallet_id
        ]

    def history(self, wallet_id: str) -> list[str]:
        """Return the ids of a wallet's transactions."""
        return [str(t.id) for t in self.service.store.wallets[wallet_id].history]

    @property
    def queues(self) -> list[WorkQueue[Any]]:
        """The queues of the webhook."""
        name = f"webhook {self.webhook_id}"
        queues = self.service.background.queues
        return [queue for queue in queues if queue.name.startswith(name)]

    def queue_of(self, act: Callable[[], object]) -> WorkQueue[Any]:
        """Return the queue that the message about an act went through, and run it."""
        act()
        (queue,) = [queue for queue in self.queues if queue.items]
        self.service.background.run_due()
        return queue

    def deliveries(self, webhook_id: str = "") -> list[Any]:
        """Return what the latest deliveries are, oldest first."""
        webhook_id = webhook_id or self.webhook_id
        return self.service.list_deliveries(webhook_id, 100).rows[::-1]

    def delivery(self) -> Any:
        (delivery,) = self.deliveries()
        return delivery

    @property
    def pending(self) -> int:
        return sum(each.status == "PENDING" for each in self.deliveries())

    def list_over_http(self, query: str = "") -> TestResponse:
        return self.client.get(f"/webhooks/{self.webhook_id}/deliveries{query}")

    def redeliver(self, delivery_id: str, **headers: str) -> TestResponse:
        path = f"/webhooks/{self.webhook_id}/deliveries/{delivery_id}/redeliver"
        return post(self.client, path, {}, **headers)


@contextmanager
def nothing_is_sent(listening: Listening) -> Iterator[None]:
    """Assert that the block queues no delivery and sends none."""
    before = listening.deliveries(), list(listening.receivers.posts)
    yield
    listening.run()
    assert (listening.deliveries(), listening.receivers.posts) == before


class Panic(BaseException):
    """What is no Exception, as an extension in Rust raises it."""


class Acting(Receivers):
    """Receivers that do something when a message comes."""

    act: Callable[[], object] = staticmethod(lambda: None)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.act()
        return super().post(url, headers, body)


@contextmanager
def running(
    listening: Listening, gate: threading.Event | None = None
) -> Iterator[None]:
    """Run the background's threads; open the gate and end them whatever happens."""
    background = listening.service.background
    background.start()
    try:
        yield
    finally:
        if gate is not None:
            gate.set()
        background.stop(TIMEOUT_SECONDS)
