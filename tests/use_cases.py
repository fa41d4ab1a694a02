"""Every use case of the service, each on a small ledger of its own, and all that can be
seen of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import patch

from uuid_utils import UUID

from tests.ledgers import Clock, Receivers, everything, recorded
from wallet_app.domain.errors.approval_errors import ApprovalNotFound
from wallet_app.domain.errors.exchange_errors import QuoteNotFound
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.spending import Limits
from wallet_app.gateways.bank import Answer, BankUnavailable, Declined, Order, Paid
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import Event, EventType
from wallet_app.services.movement import Operation
from wallet_app.services.payments import payment_table
from wallet_app.services.payments.payment import PaymentSnapshot, PaymentStatus
from wallet_app.services.quotes import Quote
from wallet_app.services.service import WalletService
from wallet_app.services.webhooks.webhook import NewWebhook
from wallet_app.settings import Settings
from wallet_app.store import ThreadLock

ROUNDS_MAX = 50
TOLD = ("wallet_id", "status", "amount", "balance_after")
URL = "https://93.184.215.14/hook"
SETTINGS = Settings(
    fx_rates=(("USD", "INR", Decimal("83.12")),),
    payment_max_attempts=3,
    fraud_rules=("new-payee",),
    fraud_new_payee_amount=80_000,
    webhook_retry_seconds=(3600,),  # so that what is due at once are payments
)


class Sequence:
    """Ids and codes in ascending order; it can be put back."""

    def __init__(self) -> None:
        self.last = 0

    def id(self) -> UUID:
        self.last += 1
        return UUID(int=self.last)

    def code(self) -> str:
        self.last += 1
        return self.last_code

    @property
    def last_code(self) -> str:
        return f"{self.last:06}"


class SmallBank:
    """Answers each key once and for all, by the account; `busy` is unavailable at the
    first call, `broken` fails as no bank should."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.calls = 0

    def pay(self, order: Order) -> Answer:
        self.calls += 1
        if order.account == "busy" and self.calls == 1:
            raise BankUnavailable("busy")
        if order.account == "broken" and self.calls == 1:
            raise RuntimeError("broken")
        if order.account == "closed" and self.calls <= SETTINGS.payment_max_attempts:
            raise BankUnavailable("closed")
        answer = Declined("no") if order.account == "declines" else Paid()
        return self.answers.setdefault(order.key, answer)

    def look_up(self, key: str) -> Answer | None:
        return self.answers.get(key)


class World:
    """A ledger with a few wallets, with a webhook or without one."""

    def __init__(self, has_webhook: bool) -> None:
        self.locks: list[ThreadLock] = []
        self.clock, self.sequence, self.receivers = Clock(), Sequence(), Receivers()
        # One payment at a time, so that a slot that is not released shows.
        patch.object(payment_table, "UNDER_WAY_MAX", 1).start()
        self.service = service = WalletService(
            SETTINGS,
            lock_factory=self.new_lock,
            clock=self.clock,
            monotonic=self.clock,
            new_id=self.sequence.id,
            new_code=self.sequence.code,
            new_secret=lambda: "whsec_" + "c2VjcmV0" * 5,
            bank=SmallBank(),
            transport=self.receivers,
            jitter=lambda longest: longest,
        )
        if has_webhook:
            self.webhook_id = service.create_webhook(URL, tuple(EventType)).webhook.id
        self.asha = self.open("asha", 100_000)
        self.ravi = self.open("ravi", 50_000)
        self.reported: list[Event] = []
        self.listener, service.outbox.listener = service.outbox.listener, self._report
        self.watched: list[str] = []
        """Ids of approvals and quotes that `seen` shows."""
        self.finish()
        self.receivers.posts.clear()
        self.reported.clear()

    def new_lock(self) -> ThreadLock:
        lock = ThreadLock()
        self.locks.append(lock)
        return lock

    def open(self, user: str, balance: int, currency: str = "INR") -> str:
        wallet_id = self.service.create_wallet(user, currency).id
        # To put back a shorter history, a list may ask for less memory than it has.
        for _ in range(4):
            self.service.add(wallet_id, balance // 4)
        return wallet_id

    def _report(self, event: Event) -> None:
        """Note an event that the listener has taken."""
        self.listener(event)
        self.reported.append(event)

    def held(self) -> int:
        """Return how many locks somebody holds."""
        return sum(lock.locked() for lock in self.locks)

    def seen(self) -> dict[str, Any]:
        """Return all that the service holds, except what is due in the background, and
        wallets of the house that nothing has gone through."""
        service = self.service
        return {
            "wallets": {
                wallet_id: wallet
                for wallet_id, wallet in everything(service).items()
                if wallet[1] or wallet_id in service.store.wallets
            },
            "owners": {
                user: [wallet.id for wallet in service.store.of_user(user)]
                for user in ("asha", "ravi", "zoe")
            },
            "not in a history": set(service.store.transactions) - recorded(service),
            "payments": service.payments.all(),
            "approvals": [self._approval(each) for each in self.watched],
            "quotes": [self._quote(each) for each in self.watched],
            "alerts": service.list_alerts(100).rows,
            "webhooks": service.list_webhooks(),
            "keys": len(service.idempotency),
        }

    def _approval(self, approval_id: str) -> ApprovalSnapshot | None:
        with suppress(ApprovalNotFound):
            return self.service.get_approval(approval_id)
        return None

    def _quote(self, quote_id: str) -> object:
        with suppress(QuoteNotFound):
            return comparable(self.service.quotes.find(quote_id))
        return None

    def finish(self) -> None:
        """Hand over the events, and do what is due, when it is due, to the end."""
        service = self.service
        service.add(self.ravi, 1)  # of which every webhook is notified
        for _ in range(ROUNDS_MAX):
            service.background.run_due()
            health = service.health()
            if health.oldest_due_at is None:
                assert health.running == 0, "a slot of a lane is lost"
                return
            self.clock.now = max(self.clock.now, health.oldest_due_at)
        raise AssertionError("it does not end")

    def ended(self) -> dict[str, Any]:
        """Return how all has ended, without when, and after how many attempts."""
        wallets = self.service.store.readable.values()
        return {
            "wallets": {
                wallet.id: [
                    (each.type, each.change, each.balance_after)
                    for each in wallet.history
                ]
                for wallet in wallets
            },
            "balances": {wallet.id: wallet.balance for wallet in wallets},
            "payments": [
                (each.status, each.amount, each.direction)
                for each in self.service.payments.all()
            ],
            "house": len(wallets) - len(self.service.store.wallets),
            "reported": Counter(
                (each.type, *(getattr(each.subject, name, None) for name in TOLD))
                for each in self.reported
            ),
        }

    def posts(self) -> Counter[tuple[Any, ...]]:
        """Return what the receivers have got, and how often."""
        return Counter(self._posts())

    def _posts(self) -> Iterator[tuple[Any, ...]]:
        for _, _, body in self.receivers.posts:
            event = json.loads(body)
            what = (event["data"].get(name) for name in ("walletId", "type", "amount"))
            yield event["type"], event["data"].get("balanceAfter"), *what


def comparable(result: object) -> object:
    """Return a result in a form that equals that of the same result of another run."""
    if isinstance(result, Quote):
        return tuple(getattr(result, name) for name in Quote.__slots__)
    if isinstance(result, WalletError):
        return result.code, result.values
    if isinstance(result, NewWebhook):
        return result.webhook  # a replay has no secret
    return result


Command = Callable[..., object]


class UseCase(NamedTuple):
    name: str
    prepare: Callable[[World], Command]
    takes_key: bool = False
    is_background: bool = False
    """Whether it is what a worker does, which nobody sends again."""

    points_min: int = 15
    """Fewer allocations than these were not all of them."""


USE_CASES: list[UseCase] = []

Prepare = Callable[[World], Command]


def takes_key(prepare: Prepare) -> Prepare:
    USE_CASES.append(UseCase(prepare.__name__, prepare, takes_key=True))
    return prepare


def takes_no_key(prepare: Prepare) -> Prepare:
    USE_CASES.append(UseCase(prepare.__name__, prepare, points_min=5))
    return prepare


def in_the_background(prepare: Prepare) -> Prepare:
    USE_CASES.append(UseCase(prepare.__name__, prepare, is_background=True))
    return prepare


# Wallets and money


@takes_key
def create(world: World) -> Command:
    return partial(world.service.create_wallet, "zoe", "USD")


@takes_key
def refused_create(world: World) -> Command:
    return partial(world.service.create_wallet, "asha", "INR")


@takes_key
def add(world: World) -> Command:
    return partial(world.service.add, world.asha, 300, "food", "Lunch")


@takes_key
def deduct(world: World) -> Command:
    return partial(world.service.deduct, world.asha, 300)


@takes_key
def refused_deduct(world: World) -> Command:
    return partial(world.service.deduct, world.asha, 10**9)


@takes_key
def transfer(world: World) -> Command:
    return partial(world.service.transfer, world.asha, world.ravi, 300)


@takes_key
def transfer_the_other_way(world: World) -> Command:
    return partial(world.service.transfer, world.ravi, world.asha, 300)


@takes_key
def batch(world: World) -> Command:
    there = Operation(source_id=world.asha, target_id=world.ravi, amount=300)
    back = Operation(source_id=world.ravi, target_id=world.asha, amount=300)
    return partial(world.service.batch, [there, back])


@takes_key
def quote(world: World) -> Command:
    return partial(world.service.create_quote, "INR", "USD", 50_000)


@takes_key
def exchange(world: World) -> Command:
    zoe = world.open("zoe", 4, "USD")
    quote_id = world.service.create_quote("INR", "USD", 50_000).id
    world.watched.append(quote_id)
    return partial(world.service.transfer, world.asha, zoe, 50_000, quote_id=quote_id)


@takes_key
def freeze(world: World) -> Command:
    return partial(world.service.freeze, world.asha, "Card stolen")


@takes_key
def unfreeze(world: World) -> Command:
    world.service.freeze(world.asha, "Card stolen")
    return partial(world.service.unfreeze, world.asha)


@takes_no_key
def put_limits(world: World) -> Command:
    return partial(world.service.set_limits, world.asha, Limits(daily=500))


@takes_no_key
def audit(world: World) -> Command:
    world.service.create_quote("INR", "USD", 50_000)
    return world.service.audit


# Approvals


def needing_approval(world: World) -> str:
    """Let every amount of the first wallet need an approval, and request one; return
    its id."""
    world.service.set_limits(world.asha, Limits(approval_threshold=100))
    approval = world.service.transfer(world.asha, world.ravi, 300)
    assert isinstance(approval, ApprovalSnapshot)
    world.watched.append(approval.id)
    return approval.id


@takes_key
def deduct_that_needs_an_approval(world: World) -> Command:
    world.service.set_limits(world.asha, Limits(approval_threshold=100))
    return partial(world.service.deduct, world.asha, 300)


@takes_key
def flagged_transfer(world: World) -> Command:
    return partial(world.service.transfer, world.asha, world.ravi, 90_000)


@takes_key
def confirm(world: World) -> Command:
    approval_id = needing_approval(world)
    return partial(
        world.service.confirm_approval, approval_id, world.sequence.last_code
    )


@takes_key
def confirm_a_withdrawal(world: World) -> Command:
    world.service.set_limits(world.asha, Limits(approval_threshold=100))
    approval = world.service.withdraw(world.asha, 300, "pays")
    assert isinstance(approval, ApprovalSnapshot)
    world.watched.append(approval.id)
    return partial(
        world.service.confirm_approval, approval.id, world.sequence.last_code
    )


@takes_key
def wrong_code(world: World) -> Command:
    return partial(world.service.confirm_approval, needing_approval(world), "nope")


@takes_key
def fifth_wrong_code(world: World) -> Command:
    approval_id = needing_approval(world)
    for _ in range(4):
        with suppress(WalletError):
            world.service.confirm_approval(approval_id, "nope")
    return partial(world.service.confirm_approval, approval_id, "nope")


@takes_key
def cancel(world: World) -> Command:
    return partial(world.service.cancel_approval, needing_approval(world))


@takes_key
def resend(world: World) -> Command:
    return partial(world.service.resend_code, needing_approval(world))


# Payments


@takes_key
def ask_for_a_deposit(world: World) -> Command:
    return partial(world.service.deposit, world.asha, 300, "pays")


@takes_key
def ask_for_a_withdrawal(world: World) -> Command:
    return partial(world.service.withdraw, world.asha, 300, "pays")


@takes_key
def refused_withdrawal(world: World) -> Command:
    return partial(world.service.withdraw, world.asha, 10**9, "pays")


def settling(world: World, direction: str, account: str) -> Command:
    request = (
        world.service.deposit if direction == "deposit" else world.service.withdraw
    )
    request(world.asha, 300, account)
    return world.service.background.run_due


@in_the_background
def settle_a_paid_deposit(world: World) -> Command:
    return settling(world, "deposit", "pays")


@in_the_background
def settle_a_declined_deposit(world: World) -> Command:
    return settling(world, "deposit", "declines")


@in_the_background
def settle_a_paid_withdrawal(world: World) -> Command:
    return settling(world, "withdraw", "pays")


@in_the_background
def refund_a_declined_withdrawal(world: World) -> Command:
    return settling(world, "withdraw", "declines")


@in_the_background
def back_off_from_a_busy_bank(world: World) -> Command:
    return settling(world, "withdraw", "busy")


@in_the_background
def meet_a_broken_bank(world: World) -> Command:
    return settling(world, "withdraw", "broken")


@takes_key
def retry_a_parked_payment(world: World) -> Command:
    payment = world.service.withdraw(world.asha, 300, "closed")
    assert isinstance(payment, PaymentSnapshot)
    world.finish()
    parked = world.service.get_payment(payment.id).status
    assert parked is PaymentStatus.PARKED
    return partial(world.service.retry_payment, payment.id)


# Webhooks


@takes_key
def create_a_webhook(world: World) -> Command:
    create = world.service.create_webhook
    return partial(create, URL, (EventType.TRANSACTION_CREATED,))


@takes_no_key
def delete_a_webhook(world: World) -> Command:
    created = world.service.create_webhook(URL, (EventType.TRANSACTION_CREATED,))
    return partial(world.service.delete_webhook, created.webhook.id)


@takes_key
def redeliver(world: World) -> Command:
    webhook = world.service.create_webhook(URL, (EventType.TRANSACTION_CREATED,))
    webhook_id = webhook.webhook.id
    world.finish()
    delivery = world.service.list_deliveries(webhook_id).rows[0]
    return partial(world.service.redeliver, webhook_id, delivery.id)
