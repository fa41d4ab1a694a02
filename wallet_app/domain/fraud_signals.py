"""What the fraud rules go by: their thresholds, and what a wallet remembers for them.

Amounts are minor units of the wallet's currency, times nanoseconds since 1970, UTC.
Everything is immutable, so that a wallet is put back by putting the old value back.
"""

from __future__ import annotations

from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from wallet_app.domain.clock import SECOND

ARRIVALS_MAX = 32
"""Recent arrivals that are remembered one by one. Of more, the two oldest count as one
that came at the time of the later, so that none is forgotten too early."""

PAYEES_MAX = 1_000
"""Payees that a wallet remembers; then the one that was new first is new again."""


class Thresholds(Struct, frozen=True):
    """Which rules run, by name, and where each of them begins to see fraud."""

    rules: tuple[str, ...]
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

    def is_near(self, amount: int, threshold: int | None) -> bool:
        """Return whether an amount is just under an approval threshold, or at it."""
        if threshold is None or amount > threshold:
            return False
        return amount * 100 >= threshold * self.structuring_percent


class FraudSignals(Struct, frozen=True):
    """What a wallet remembers: bounded, however long its history."""

    sent_count: int = 0
    sent_times: tuple[int, ...] = ()
    """Of the latest movements out, as many as the velocity rule counts."""

    near_times: tuple[int, ...] = ()
    """Of the latest that were near the threshold, as the structuring rule counts."""

    payees: dict[str, None] = {}
    """The wallets it has sent to, oldest first. Never changed, but replaced."""

    arrivals: tuple[tuple[int, int], ...] = ()
    """Times and amounts of what arrived, as long as the drain rule counts it."""

    def sent(
        self, by: Thresholds, now: int, payee: str | None, is_near: bool
    ) -> FraudSignals:
        """Return what is remembered after a movement out."""
        payees = self.payees
        if payee is not None and payee not in payees:
            latest = islice(payees, max(len(payees) + 1 - PAYEES_MAX, 0), None)
            payees = {**dict.fromkeys(latest), payee: None}
        near_times = (*self.near_times, now) if is_near else self.near_times
        return FraudSignals(
            self.sent_count + 1,
            (*self.sent_times, now)[-by.velocity_count :],
            near_times[-by.structuring_count :],
            payees,
            self.arrivals,
        )

    def received(self, by: Thresholds, now: int, amount: int) -> FraudSignals:
        """Return what is remembered after a movement in."""
        since = now - by.drain_seconds * SECOND
        recent = [each for each in self.arrivals if each[0] > since]
        recent.append((now, amount))
        if len(recent) > ARRIVALS_MAX:
            (_, oldest), (time, second) = recent[:2]
            recent[:2] = [(time, oldest + second)]
        return replace(self, arrivals=tuple(recent))
