"""What a wallet may spend, and what it remembers of what it spent.

Days and months are those of the calendar in one time zone. Amounts are minor units of
the wallet's currency, times nanoseconds since 1970, UTC. Everything is immutable, so
that a wallet is put back by putting the old value back.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from wallet_app.fraud import Past, Thresholds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class Limits(Struct, frozen=True, gc=False):
    """How much may leave a wallet: at once, in a day, in a month. None means as much
    as there is. What is above `approval_threshold` needs an approval."""

    per_transaction: int | None = None
    daily: int | None = None
    monthly: int | None = None
    approval_threshold: int | None = None


class Terms(Struct, frozen=True):
    """What holds for one wallet, besides what holds for every one. It is frozen if
    there is a reason, and watched if there are thresholds for fraud."""

    frozen_reason: str | None = None
    limits: Limits = Limits()
    fraud: Thresholds | None = None


class Memory(Struct, frozen=True):
    """What a wallet remembers of what it spent, so that nobody has to read its history.

    Of the day and the month of its last movement out: when each ends, and what had ever
    been spent when each began. So counting a movement is one addition to what has ever
    been spent. And the past that the fraud rules know.
    """

    zone: ZoneInfo
    day_ends: int = 0
    month_ends: int = 0
    spent_before_day: int = 0
    spent_before_month: int = 0
    past: Past = Past()

    def at(self, now: int, spent: int) -> Memory:
        """Return the memory in the day of a time, when `spent` was all that had been
        spent. No day begins again."""
        if now < self.day_ends:
            return self
        today = datetime.fromtimestamp(now // 1_000_000_000, self.zone).date()
        if now < self.month_ends:
            month_ends, spent_before_month = self.month_ends, self.spent_before_month
        else:
            next_month = (today.replace(day=1) + 31 * _DAY).replace(day=1)
            month_ends, spent_before_month = _begins(next_month, self.zone, now), spent
        day_ends = _begins(today + _DAY, self.zone, now)
        return Memory(
            self.zone, day_ends, month_ends, spent, spent_before_month, self.past
        )


def _begins(day: date, zone: ZoneInfo, now: int) -> int:
    """Return when a day begins. Where clocks are put back over midnight it begins
    twice (PEP 495): then the first time that is still to come."""
    for fold in (0, 1):
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone, fold=fold)
        moment = (midnight.astimezone(UTC) - _EPOCH) // _SECOND * 1_000_000_000
        if moment > now:
            break
    return moment
