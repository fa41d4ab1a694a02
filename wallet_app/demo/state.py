"""All that the page follows, in one answer: the parts that have changed since the last
one. How often the page asks does not depend on how many people and wallets there are.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import Raw

from wallet_app.api.outgoing.answers import Delivery, Statement, Webhook
from wallet_app.domain.errors.approval_errors import ApprovalNotFound
from wallet_app.domain.errors.webhook_errors import WebhookNotFound
from wallet_app.services.json_forms import (
    Alert,
    Approval,
    Json,
    JsonObject,
    Payment,
    Wallet,
    json_bytes,
)

if TYPE_CHECKING:
    from wallet_app.demo.demo import Demo

NEWEST_MAX, OLDEST_MAX = 200, 100
"""Wallets that the page has: of very many, the newest and the oldest."""

PAYMENTS_MAX = 50
ALERTS_MAX = 20
DELIVERIES_MAX = 40

INBOX_PATH = "/demo/inbox"


class FraudThresholds(JsonObject):
    """Where the fraud rules begin to see fraud. Amounts are in minor units."""

    velocity_count: int
    velocity_seconds: int
    spike_factor: int
    spike_count: int
    new_payee_amount: int
    drain_percent: int
    drain_seconds: int
    drain_amount: int
    structuring_percent: int
    structuring_count: int
    structuring_seconds: int


def state_of(
    demo: Demo, host: str, *, since: str, after: int, wallet_id: str | None
) -> Json:
    """Return the parts that are not those of the answer whose `since` is given, and the
    requests that were logged after a version. Payments are those of one wallet; the
    page's webhook is the one to the inbox at `host`."""
    parts = {
        "book": _book(demo),
        "phone": _phone(demo),
        "inbox": _inbox(demo, host),
        "payments": _payments(demo, wallet_id),
        "fraud": _fraud(demo),
        "outside": _outside(demo),
        "storm": demo.storms.report,
    }
    known = dict(zip(parts, since.split(".")))
    marks, changed = [], {}
    for name, part in parts.items():
        written = json_bytes(part)
        mark = blake2b(written, digest_size=8).hexdigest()
        marks.append(mark)
        if known.get(name) != mark:
            changed[name] = Raw(written)
    requests = demo.requests.since(after)
    return {"since": ".".join(marks), **changed, "requests": requests}


def _book(demo: Demo) -> Json:
    ids = demo.wallet_ids()
    shown = ids[:OLDEST_MAX] + ids[OLDEST_MAX:][-NEWEST_MAX:]
    wallets = [Wallet.of(demo.service.get_wallet(each)) for each in shown]
    return {"ledger": demo.ledger, "people": demo.people.all(), "wallets": wallets}


def _phone(demo: Demo) -> Json:
    """Return the texts, and what became of the approvals: the service forgets old ones,
    which have expired then."""
    texts = demo.texts()
    approvals = []
    for id in dict.fromkeys(text.id for text in texts):
        try:
            approvals.append(Approval.of(demo.service.get_approval(id)))
        except ApprovalNotFound:
            pass
    return {"messages": texts, "approvals": approvals}


def _inbox(demo: Demo, host: str) -> Json:
    """Return the page's webhook, what is sent there, and what has arrived."""
    service, inbox = demo.service, demo.inbox
    own = [
        webhook
        for webhook in service.list_webhooks()
        if webhook.url.partition("://")[2] == host + INBOX_PATH
    ]
    webhook, deliveries = None, []
    if own:
        try:
            page = service.list_deliveries(own[0].id, DELIVERIES_MAX)
            webhook, deliveries = Webhook.of(own[0]), page.rows
        except WebhookNotFound:
            pass  # it was deleted meanwhile
    return {
        "failing": inbox.is_failing,
        "messages": inbox.messages(),
        "webhook": webhook,
        "deliveries": list(map(Delivery.of, deliveries)),
    }


def _payments(demo: Demo, wallet_id: str | None) -> Json:
    """Return a wallet's payments, or everybody's, newest first."""
    page = demo.service.list_payments(wallet_id, limit=PAYMENTS_MAX)
    payments = list(map(Payment.of, page.rows))
    return {"walletId": wallet_id, "payments": payments, "total": page.total}


def _fraud(demo: Demo) -> Json:
    alerts = demo.service.list_alerts(ALERTS_MAX).rows
    return {
        "thresholds": FraudThresholds.of(demo.fraud_thresholds),
        "watched": demo.watched(),
        "alerts": list(map(Alert.of, alerts)),
    }


def _outside(demo: Demo) -> Json:
    """Return the house's wallets, and the sandbox bank's own books."""
    statements = demo.service.get_statements() or {}
    return {
        "liquidity": [Wallet.of(each) for each in demo.service.list_liquidity()],
        "bank": {name: Statement.of(each) for name, each in statements.items()},
    }
