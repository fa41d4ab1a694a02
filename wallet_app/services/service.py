"""The business logic, one file for each feature, wired together.

Everything that is left to chance or to the world is a constructor argument, so
that tests own it. Nothing here knows Flask or marshmallow.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from uuid_utils import uuid4

from wallet_app.domain.clock import Clock, NewId
from wallet_app.domain.fraud_signals import Thresholds
from wallet_app.domain.spending import Limits, Policy
from wallet_app.gateways.bank import Bank, SandboxBank
from wallet_app.gateways.delivery import Transport as HttpTransport
from wallet_app.services.alerts import Alerts
from wallet_app.services.approvals.approvals import Approvals, SendCode, new_code
from wallet_app.services.approvals.channels import CHANNELS
from wallet_app.services.audit.audit import Audit
from wallet_app.services.background import Background
from wallet_app.services.events import Outbox
from wallet_app.services.exchange import Exchange
from wallet_app.services.freeze import Freeze
from wallet_app.services.history import History
from wallet_app.services.idempotency import IdempotencyKeys
from wallet_app.services.limits import SpendingLimits
from wallet_app.services.money import Money
from wallet_app.services.payments.payments import Payments
from wallet_app.services.quotes import Quotes
from wallet_app.services.summary import Summary
from wallet_app.services.wallets import Wallets
from wallet_app.services.webhooks.deliveries import Transport
from wallet_app.services.webhooks.webhooks import Webhooks, new_secret
from wallet_app.settings import Settings
from wallet_app.store import LockFactory, Store, ThreadLock


def full_jitter(longest: int) -> int:
    """Return how long to wait, by chance, so that those who failed together do not
    come back together."""
    return random.randrange(longest + 1)


class WalletService:
    """All that the service can do, over one ledger."""

    def __init__(
        self,
        settings: Settings = Settings(),
        *,
        lock_factory: LockFactory = ThreadLock,
        clock: Clock = time.time_ns,
        monotonic: Clock = time.monotonic_ns,
        new_id: NewId = uuid4,
        new_code: Callable[[], str] = new_code,
        send_code: SendCode | None = None,
        bank: Bank | None = None,
        new_secret: Callable[[], str] = new_secret,
        transport: Transport | None = None,
        jitter: Callable[[int], int] = full_jitter,
    ) -> None:
        self.clock, self.monotonic, self.new_id = clock, monotonic, new_id
        self.store = Store(lock_factory, settings.time_zone, _default_policy(settings))
        self.outbox = Outbox(lock_factory)
        self.background = Background(clock, monotonic, lock_factory)
        self.wallets = Wallets(
            self.store, clock, new_id, settings.default_currency, self.outbox
        )
        self.money = Money(self.store, clock, new_id, self.outbox)
        self.quotes = Quotes(
            self.store,
            clock,
            monotonic,
            new_id,
            settings.fx_rates,
            settings.fx_quote_ttl_seconds,
            lock_factory,
        )
        self.exchange = Exchange(
            self.store, clock, monotonic, new_id, self.money, self.quotes
        )
        self.freeze = Freeze(self.store, clock, self.outbox)
        self.limits = SpendingLimits(self.store, clock)
        self.alerts = Alerts(clock, new_id, self.outbox, lock_factory)
        self.approvals = Approvals(
            clock,
            monotonic,
            new_id,
            new_code,
            send_code or CHANNELS[settings.otp_channel](self.outbox, clock),
            settings.otp_ttl_seconds,
            self.alerts,
            lock_factory,
        )
        self.bank = bank or SandboxBank()
        self.payments = Payments(
            self.store,
            clock,
            new_id,
            self.money,
            self.bank,
            self.background,
            self.outbox,
            settings.payment_retry_base_seconds,
            settings.payment_max_attempts,
            jitter,
            lock_factory,
        )
        self.webhooks = Webhooks(
            clock,
            monotonic,
            new_id,
            new_secret,
            transport or HttpTransport(settings.webhook_allow_private),
            self.background,
            self.outbox,
            settings.webhook_retry_seconds,
            jitter,
            lock_factory,
        )
        self.history = History(self.store)
        self.summary = Summary(self.store, self.history)
        self.audit = Audit(self.store, self.payments, lock_factory)
        self.idempotency = IdempotencyKeys(
            monotonic, settings.idempotency_ttl_seconds, lock_factory=lock_factory
        )


def _default_policy(settings: Settings) -> Policy | None:
    """Return what holds for every wallet without policy of its own."""
    limits = Limits(
        settings.limit_per_transaction,
        settings.limit_daily,
        settings.limit_monthly,
        settings.approval_threshold,
    )
    policy = Policy(limits=limits, fraud=_thresholds(settings))
    return None if policy == Policy() else policy


def _thresholds(settings: Settings) -> Thresholds | None:
    """Return where the fraud rules begin to see fraud, if any of them runs."""
    if not settings.fraud_rules:
        return None
    named = {
        field: getattr(settings, f"fraud_{field}")
        for field in Thresholds.__struct_fields__
    }
    return Thresholds(**named)
