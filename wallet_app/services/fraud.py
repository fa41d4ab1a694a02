"""Fraud rules: each looks at a movement out, and lets it pass, sends it to review, or
blocks it. What they flag is listed as alerts.

A time is within a window of some seconds when it is less than these seconds ago.
Windows use the wall clock, because times of transactions are dates: when it is set
forward, a window ends early; when it is set back, time stands still for a wallet until
the clock has passed its latest movement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from wallet_app.domain.clock import SECOND
from wallet_app.domain.errors.wallet_errors import FraudBlocked
from wallet_app.domain.fraud_signals import FraudSignals, Thresholds
from wallet_app.services.movement import ApprovalRequired, Movement
from wallet_app.store import Wallet


class Verdict(StrEnum):
    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"


class Outgoing(Struct, frozen=True, gc=False):
    """A movement out, as the rules see it."""

    amount: int
    target_id: str | None
    now: int
    signals: FraudSignals
    spent: int
    approval_threshold: int | None
    by: Thresholds

    def ago(self, seconds: int) -> int:
        return self.now - seconds * SECOND


def velocity(out: Outgoing) -> Verdict:
    """Block more movements out in the window than the count."""
    times, count = out.signals.sent_times, out.by.velocity_count
    if len(times) >= count and times[-count] > out.ago(out.by.velocity_seconds):
        return Verdict.BLOCK
    return Verdict.ALLOW


def spike(out: Outgoing) -> Verdict:
    """Review more than so many times the average of all that was sent before, once
    there were enough movements out."""
    count = out.signals.sent_count
    if count >= out.by.spike_count and (
        out.amount * count > out.spent * out.by.spike_factor
    ):
        return Verdict.REVIEW
    return Verdict.ALLOW


def new_payee(out: Outgoing) -> Verdict:
    """Review a large first transfer to a wallet."""
    if out.target_id is None or out.target_id in out.signals.payees:
        return Verdict.ALLOW
    large = out.amount >= out.by.new_payee_amount
    return Verdict.REVIEW if large else Verdict.ALLOW


def drain(out: Outgoing) -> Verdict:
    """Review when most of what arrived in the window leaves at once, if that was
    much."""
    since = out.ago(out.by.drain_seconds)
    arrived = sum(amount for time, amount in out.signals.arrivals if time > since)
    if arrived >= max(out.by.drain_amount, 1) and (
        out.amount * 100 >= arrived * out.by.drain_percent
    ):
        return Verdict.REVIEW
    return Verdict.ALLOW


def structuring(out: Outgoing) -> Verdict:
    """Review the last of so many amounts in the window that were just under the
    approval threshold, or at it."""
    if not out.by.is_near(out.amount, out.approval_threshold):
        return Verdict.ALLOW
    since = out.ago(out.by.structuring_seconds)
    before = sum(time > since for time in out.signals.near_times)
    enough = before + 1 >= out.by.structuring_count
    return Verdict.REVIEW if enough else Verdict.ALLOW


RULES: Mapping[str, Callable[[Outgoing], Verdict]] = {
    "velocity": velocity,
    "spike": spike,
    "new-payee": new_payee,
    "drain": drain,
    "structuring": structuring,
}


def no_fraud(movement: Movement) -> None:
    """Refuse what a rule blocks; keep back what one sends to review, until it is
    confirmed. A block counts for more than a review, then the first rule does."""
    source, target = movement.source, movement.target
    if source is None or source.policy.fraud is None:
        return
    out = Outgoing(
        movement.amount,
        target.id if target else None,
        max(movement.now, source.updated_at),
        source.counters.signals,
        source.spent,
        source.policy.limits.approval_threshold,
        source.policy.fraud,
    )
    verdicts = {name: RULES[name](out) for name in out.by.rules}
    for name, verdict in verdicts.items():
        if verdict is Verdict.BLOCK:
            raise FraudBlocked(
                name, source.id, movement.amount, source.currency, out.target_id
            )
    for name, verdict in verdicts.items():
        if verdict is Verdict.REVIEW and not movement.approved:
            raise ApprovalRequired(name, movement)


def count_signals(movement: Movement, wallet: Wallet, change: int, now: int) -> None:
    """Count what was moved on a held wallet, if it has fraud rules."""
    thresholds, signals = wallet.policy.fraud, wallet.counters.signals
    if thresholds is None:
        return
    if movement.refund_of is not None:
        signals = replace(signals, sent_count=signals.sent_count - 1)
    elif change > 0:
        signals = signals.received(thresholds, now, change)
    else:
        payee = movement.target.id if movement.target else None
        near = thresholds.is_near(-change, wallet.policy.limits.approval_threshold)
        signals = signals.sent(thresholds, now, payee, near)
    wallet.counters = replace(wallet.counters, signals=signals)
