"""What can happen, and of what a webhook is notified then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.answers import NOBODY
from tests.ledgers import FULL
from tests.webhooks.listening import Listening
from wallet_app.domain.errors.wallet_errors import FraudBlocked
from wallet_app.services.movement import Operation

MOVED, FLAGGED = "transaction.created", "fraud.flagged"

Act = Callable[[Listening], object]


def freeze(listening: Listening, times: int = 1) -> None:
    for n in range(times):
        listening.service.freeze(listening.source, f"reason {n}")


def unfreeze(listening: Listening, times: int = 1) -> None:
    for _ in range(times):
        listening.service.unfreeze(listening.source)


def freeze_and_unfreeze(listening: Listening) -> None:
    freeze(listening)
    unfreeze(listening, 2)


def exchange(listening: Listening) -> None:
    listening.service.transfer(
        listening.source, listening.dollars, 416, quote_id=listening.quote()
    )


def batch(listening: Listening, last: int) -> list[Operation]:
    """Return a transfer and a deduct of `last`, which may be too much."""
    return [
        Operation(source_id=listening.source, target_id=listening.target, amount=1),
        Operation(source_id=listening.source, amount=last),
    ]


def blocked(listening: Listening) -> None:
    for _ in range(3):
        listening.service.deduct(listening.source, 1)
    with pytest.raises(FraudBlocked):
        listening.service.deduct(listening.source, 1)


NOTIFIED: dict[str, tuple[Act, list[str]]] = {
    "create": (lambda n: n.service.create_wallet("new"), ["wallet.created"]),
    "freeze": (freeze, ["wallet.frozen"]),
    "freeze twice": (lambda n: freeze(n, 2), ["wallet.frozen"]),
    "unfreeze": (freeze_and_unfreeze, ["wallet.frozen", "wallet.unfrozen"]),
    "unfreeze what is not frozen": (unfreeze, []),
    "add": (lambda n: n.service.add(n.source, 1), [MOVED]),
    "deduct": (lambda n: n.service.deduct(n.source, 1), [MOVED]),
    "transfer": (lambda n: n.service.transfer(n.source, n.target, 1), [MOVED] * 2),
    "batch": (lambda n: n.service.batch(batch(n, 1)), [MOVED] * 3),
    "exchange": (exchange, [MOVED] * 4),
    "review": (
        lambda n: n.service.transfer(n.source, n.target, 500),
        [FLAGGED, "approval.requested"],
    ),
    "block": (blocked, [MOVED] * 3 + [FLAGGED]),
    "deposit": (
        lambda n: n.service.deposit(n.source, 5, "sandbox-ok"),
        [MOVED, "payment.succeeded"],
    ),
    "declined deposit": (
        lambda n: n.service.deposit(n.source, 5, "nobody"),
        ["payment.failed"],
    ),
    "withdrawal": (
        lambda n: n.service.withdraw(n.source, 5, "sandbox-ok"),
        [MOVED, "payment.succeeded"],
    ),
    "declined withdrawal": (
        lambda n: n.service.withdraw(n.source, 5, "nobody"),
        [MOVED, MOVED, "payment.failed"],
    ),
    "deposit of which nothing is known": (
        lambda n: n.service.deposit(n.source, 5, "sandbox-down"),
        [],
    ),
}
"""What happens, and the events of it in order."""

REFUSED: dict[str, Act] = {
    "create": lambda n: n.service.create_wallet("user 0"),
    "add": lambda n: n.service.add(n.source, 2**53 - 1),
    "deduct": lambda n: n.service.deduct(n.source, 2_000),
    "transfer": lambda n: n.service.transfer(n.source, n.target, 2_000),
    "batch": lambda n: n.service.batch(batch(n, 2_000)),
    "to itself": lambda n: n.service.transfer(n.source, n.source, 1),
    "exchange": lambda n: n.service.transfer(
        n.source, n.dollars, 5, quote_id=n.quote()
    ),
    "freeze": lambda n: n.service.freeze(NOBODY, "x"),
    "withdraw": lambda n: n.service.withdraw(n.source, 2_000, "sandbox-ok"),
    "deposit": lambda n: n.service.deposit(NOBODY, 1, "sandbox-ok"),
    "approval": lambda n: n.service.deduct(n.source, 2_000),
}

UNCOMMITTED: dict[str, Act] = {
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
    "batch": lambda n: n.service.money.batch(batch(n, 1), on_commit=FULL),
    "exchange": lambda n: n.service.money.transfer(
        n.source, n.dollars, 416, quote_id=n.quote(), on_commit=FULL, approved=True
    ),
    "withdraw": lambda n: n.service.payments.withdraw(n.source, 1, "sandbox-ok", FULL),
    "deposit": lambda n: n.service.payments.deposit(n.source, 1, "sandbox-ok", FULL),
}
"""What fails in its commit."""
