"""The alerts: movements that a fraud rule has flagged."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from wallet_app.domain.clock import Clock, NewId
from wallet_app.domain.errors.wallet_errors import FraudBlocked
from wallet_app.services.events import Event, EventType, Outbox
from wallet_app.services.fraud import Verdict
from wallet_app.services.movement import ApprovalRequired
from wallet_app.services.page import Page, page_of
from wallet_app.store import LockFactory

ALERTS_MAX = 10_000
"""Alerts that are listed; then the oldest is forgotten."""

ALERTS_MAX_OF_WALLET = 100
"""Alerts of one wallet; then its own oldest is forgotten. So no wallet, whose owner can
have it flagged at will, hides what was flagged in the others."""


class Alert(Struct, frozen=True, gc=False):
    """One movement that was flagged; `approval_id` is what it waits for."""

    id: str
    wallet_id: str
    rule: str
    verdict: Verdict
    amount: int
    currency: str
    target_id: str | None
    approval_id: str | None
    created_at: int


class Alerts:
    """The latest movements that were flagged."""

    def __init__(
        self,
        clock: Clock,
        new_id: NewId,
        outbox: Outbox,
        lock_factory: LockFactory,
        alerts_max: int = ALERTS_MAX,
        alerts_max_of_wallet: int = ALERTS_MAX_OF_WALLET,
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._outbox = outbox
        self._lock = lock_factory()
        self._alerts_max = alerts_max
        self._alerts_max_of_wallet = alerts_max_of_wallet
        self._alerts: OrderedDict[str, Alert] = OrderedDict()
        self._ids_of_wallet: dict[str, OrderedDict[str, None]] = {}

    def add(
        self,
        flagged: FraudBlocked | ApprovalRequired,
        verdict: Verdict,
        approval_id: str | None = None,
    ) -> None:
        """List a movement. Called under no wallet's lock."""
        alert = Alert(
            str(self._new_id()),
            flagged.wallet_id,
            flagged.reason,
            verdict,
            flagged.amount,
            flagged.currency,
            flagged.target_id,
            approval_id,
            self._clock(),
        )
        flagged_event = Event(EventType.FRAUD_FLAGGED, alert.created_at, alert)
        with self._lock:
            ids = self._ids_of_wallet.get(alert.wallet_id)
            if ids and len(ids) >= self._alerts_max_of_wallet:
                self._forget(next(iter(ids)))
            elif len(self._alerts) >= self._alerts_max:
                self._forget(next(iter(self._alerts)))
            try:
                self._alerts[alert.id] = alert
                ids = self._ids_of_wallet.setdefault(alert.wallet_id, OrderedDict())
                ids[alert.id] = None
                self._outbox.put(flagged_event)
            except BaseException:
                self._forget(alert.id)
                raise

    def _forget(self, alert_id: str) -> None:
        """Forget an alert, as far as it is listed. No memory is needed."""
        alert = self._alerts.get(alert_id)
        if alert is None:
            return
        ids = self._ids_of_wallet.get(alert.wallet_id)
        if ids is not None:
            ids.pop(alert_id, None)
            if not ids:
                del self._ids_of_wallet[alert.wallet_id]
        del self._alerts[alert_id]

    def counts(self) -> dict[str, int]:
        """Return how many alerts each wallet has in the list, if it has any."""
        with self._lock:
            return {wallet: len(ids) for wallet, ids in self._ids_of_wallet.items()}

    def page(self, limit: int = 20, page: int = 1) -> Page[Alert]:
        with self._lock:
            newest_first = reversed(self._alerts.values())
            return page_of(newest_first, len(self._alerts), limit, page)
