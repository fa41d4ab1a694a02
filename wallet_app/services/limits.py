"""How much may leave a wallet: at once, in a day, in a month.

What counts is what leaves: debits and transfers out. The money path counts it with the
balance, so this file only compares and reports.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from wallet_app.domain.clock import Clock
from wallet_app.domain.errors.wallet_errors import LimitExceeded
from wallet_app.domain.spending import Limits
from wallet_app.services.movement import Movement
from wallet_app.store import Store, Wallet


def within_limits(movement: Movement) -> None:
    """Refuse to take more out of a wallet than its limits allow."""
    source, amount = movement.source, movement.amount
    if source is None:
        return
    limits = source.policy.limits
    if limits.per_transaction is not None and amount > limits.per_transaction:
        raise LimitExceeded("perTransaction", amount, limits.per_transaction)
    if limits.daily is None and limits.monthly is None:
        return
    usage = _usage(source, movement.now)
    if limits.daily is not None and amount > limits.daily - usage.spent_today:
        raise LimitExceeded(
            "daily", amount, limits.daily, usage.spent_today, usage.day_ends
        )
    if limits.monthly is not None and amount > limits.monthly - usage.spent_this_month:
        raise LimitExceeded(
            "monthly", amount, limits.monthly, usage.spent_this_month, usage.month_ends
        )


class Usage(Struct, frozen=True):
    """A wallet's limits, what of them is used, and when each count starts again."""

    wallet_id: str
    currency: str
    limits: Limits
    spent_today: int
    spent_this_month: int
    day_ends: int
    month_ends: int

    @property
    def remaining_today(self) -> int | None:
        return _remaining(self.limits.daily, self.spent_today)

    @property
    def remaining_this_month(self) -> int | None:
        return _remaining(self.limits.monthly, self.spent_this_month)


def _remaining(limit: int | None, spent: int) -> int | None:
    """Return what may still leave; None if there is no limit."""
    return None if limit is None else max(limit - spent, 0)


class SpendingLimits:
    """Sets limits and reports how much of them is used."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._wallets = store.wallets
        self._clock = clock

    def get(self, wallet_id: str) -> Usage:
        wallet = self._wallets[wallet_id]
        now = self._clock()
        with wallet:
            return _usage(wallet, now)

    def put(self, wallet_id: str, limits: Limits) -> Usage:
        wallet = self._wallets[wallet_id]
        now = self._clock()
        with wallet:
            usage = replace(_usage(wallet, now), limits=limits)
            wallet.policy = replace(wallet.policy, limits=limits)
        return usage


def _usage(wallet: Wallet, now: int) -> Usage:
    """Return what a held wallet has used of its limits."""
    counters = wallet.counters.at(max(now, wallet.updated_at), wallet.spent)
    return Usage(
        wallet.id,
        wallet.currency,
        wallet.policy.limits,
        wallet.spent - counters.spent_before_day,
        wallet.spent - counters.spent_before_month,
        counters.day_ends,
        counters.month_ends,
    )
