"""The demo server's own: a page that shows the service at work, some people with money,
a phone on which codes arrive, and a receiver of webhooks.

`python wsgi.py` has it, and nothing else does. It is a client of the service like any
other, except that it begins with some history and sees the codes.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from threading import Lock
from typing import Any

from flask import Flask
from msgspec import structs
from uuid_utils import uuid4

from wallet_app.api import wallet_api
from wallet_app.demo import demo_views, guard
from wallet_app.demo.inbox import Inbox
from wallet_app.demo.people import DemoClock, DemoIds, People
from wallet_app.demo.request_log import RequestLog
from wallet_app.demo.storm.report import SECONDS_MAX, Order, Report, StormWallet
from wallet_app.demo.storm.storms import Storms
from wallet_app.domain.fraud_signals import Thresholds
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.approvals.codes import CHANNELS
from wallet_app.services.json_forms import ApprovalRequest
from wallet_app.services.service import WalletService, thresholds
from wallet_app.settings import FRAUD_RULES, Settings

TEXTS_MAX = 20
"""Codes that the phone shows, newest first."""


STORM_CURRENCY = "INR"
STORM_WALLETS_MAX = 300


class Demo:
    """A service, and what else the page shows. `ledger` names this beginning of it."""

    def __init__(self, settings: Settings, **injected: Any) -> None:
        self._injected = injected
        self.settings = settings
        self._resetting, self._texting = Lock(), Lock()
        self.requests = RequestLog()
        self.storms = Storms()
        self._begin()

    def _begin(self) -> None:
        """Have a new ledger, of the people at the start."""
        self.ledger = str(uuid4())
        self._phone: deque[ApprovalRequest] = deque(maxlen=TEXTS_MAX)
        self.inbox = Inbox()
        self._clock = DemoClock(self._injected.get("clock", time.time_ns))
        ids = DemoIds(self._injected.get("new_id", uuid4))
        own = {"clock": self._clock, "new_id": ids, "send_code": self._send}
        self.service = WalletService(self.settings, **self._injected | own)
        self._channel = CHANNELS[self.settings.otp_channel](
            self.service.outbox, self.service.clock
        )
        self.people = People(self.service, self._clock, ids)

    def _send(self, approval: ApprovalSnapshot, code: str) -> None:
        """Send a code by the channel of the settings, and to the phone. Those of what
        happened before the start are sent to nobody."""
        if self._clock.set_back_ns:
            return
        self._channel(approval, code)
        with self._texting:
            self._phone.appendleft(ApprovalRequest.of(approval, otp=code))

    def reset(self, app: Flask) -> None:
        """Begin again, and have the app answer with the new service. Requests that are
        under way end with the old one, and so does a storm."""
        with self._resetting:
            self.storms.stop()
            old = self.service
            self._begin()
            if old.health().is_running:
                self.service.background.start()
            wallet_api.serve(app, self.service)
            old.background.stop()

    @property
    def fraud_thresholds(self) -> Thresholds:
        """Those of every rule, whichever the settings switch on."""
        all_rules = thresholds(replace(self.settings, fraud_rules=FRAUD_RULES))
        assert all_rules is not None
        return all_rules

    def wallet_ids(self) -> list[str]:
        """Return the ids of the wallets of users, oldest first."""
        store = self.service.store
        with store.registry_lock:
            return list(store.wallets)

    def texts(self) -> list[ApprovalRequest]:
        """Return what the phone shows, newest first."""
        with self._texting:
            return list(self._phone)

    def watched(self) -> list[str]:
        """Return the ids of the wallets that fraud rules watch."""
        wallets = self.service.store.wallets
        return [id for id in self.wallet_ids() if wallets[id].policy.fraud]

    def watch(self, wallet_id: str, watched: bool) -> None:
        """Have all fraud rules watch a wallet, or none. Raises WalletNotFound."""
        fraud = self.fraud_thresholds if watched else None
        wallet = self.service.store.wallets[wallet_id]
        with wallet:
            wallet.policy = structs.replace(wallet.policy, fraud=fraud)

    def start_storm(
        self,
        address: tuple[str, int],
        host: str,
        *,
        clients: int,
        transfers: int,
        locks: bool,
    ) -> Report:
        """Have clients transfer between the INR wallets, over HTTP: those of this
        server, or of a service without locks that begins with the same balances.

        Raises StormRunning.
        """
        order = Order(
            id=str(uuid4()),
            locks=locks,
            clients=clients,
            transfers=transfers,
            seconds=SECONDS_MAX,
            address=address,
            host=host,
            wallets=self.storm_wallets(),
        )
        return self.storms.start(order)

    def storm_wallets(self) -> list[StormWallet]:
        """Return those that a storm transfers between, with the names of the page."""
        names = {person.user_id: person.name for person in self.people.all()}
        ids = self.wallet_ids()[:STORM_WALLETS_MAX]
        return [
            StormWallet(
                each.id,
                names.get(each.user_id, f"User {each.user_id[:8]}"),
                each.balance,
            )
            for each in map(self.service.get_wallet, ids)
            if each.currency == STORM_CURRENCY
        ]

    def register(self, app: Flask) -> None:
        """Add the page and its conveniences to the app."""
        guard.register(app)
        self.requests.register(app)
        app.register_blueprint(demo_views.blueprint(self))
