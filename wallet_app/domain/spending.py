"""What a wallet may spend, and its counters of what it spent.

Days and months are those of the calendar in one time zone. Amounts are minor units of
the wallet's currency, times nanoseconds since 1970, UTC. Everything is immutable, so
that a wallet is restored by its old value.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from wallet_app.domain.clock import SECOND
from wallet_app.domain.fraud_signals import FraudSignals, Thresholds

_DAY = timedelta(days=1)


class Limits(Struct, frozen=True, gc=False):
    """How much may leave a wallet: at once, in a day, in a month. None means as much
    as there is. What is above `approval_threshold` needs an approval."""

    per_transaction: int | None = None
    daily: int | None = None
    monthly: int | None = None
    approval_threshold: int | None = None


class Policy(Struct, frozen=True):
    """What holds for one wallet, added to what holds for every one. It is frozen if
    there is a reason, and watched if there are thresholds for fraud."""

    frozen_reason: str | None = None
    limits: Limits = Limits()
    fraud: Thresholds | None = None


class SpendingCounters(Struct, frozen=True):
    """What a wallet spent, so that nobody has to read its history.

    Of the day and the month of its last movement out: when each ends, and what had ever
    been spent when each began, so that counting a movement is one addition; and when
    the first movement of each was made, so that a refund counts for its own day. And
    the signals that the fraud rules read.
    """

    zone: ZoneInfo
    day_ends: int = 0
    month_ends: int = 0
    spent_before_day: int = 0
    spent_before_month: int = 0
    day_began: int = 0
    month_began: int = 0
    signals: FraudSignals = FraudSignals()

    def at(self, now: int, spent: int) -> SpendingCounters:
        """Return the counters in the day of a time, when `spent` was all that had been
        spent. No day begins again."""
        if now < self.day_ends:
            return self
        today = datetime.fromtimestamp(now // SECOND, self.zone).date()
        day_ends = _begins(today + _DAY, self.zone, now)
        counters = replace(
            self, day_ends=day_ends, day_began=now, spent_before_day=spent
        )
        if now < self.month_ends:
            return counters
        next_month = (today.replace(day=1) + 31 * _DAY).replace(day=1)
        month_ends = _begins(next_month, self.zone, now)
        return replace(
            counters, month_ends=month_ends, month_began=now, spent_before_month=spent
        )

    def refunded(self, taken_at: int, amount: int) -> SpendingCounters:
        """Return the counters after a refund of an amount that was spent at a time: it
        has never been spent."""
        before_day = amount if taken_at < self.day_began else 0
        before_month = amount if taken_at < self.month_began else 0
        return replace(
            self,
            spent_before_day=self.spent_before_day - before_day,
            spent_before_month=self.spent_before_month - before_month,
        )


def _begins(day: date, zone: ZoneInfo, now: int) -> int:
    """Return when a day begins. Where clocks are put back over midnight it begins
    twice (PEP 495): then the first time that is still to come."""
    for fold in (0, 1):
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone, fold=fold)
        moment = int(midnight.timestamp()) * SECOND
        if moment > now:
            break
    return moment
