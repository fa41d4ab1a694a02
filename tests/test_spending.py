"""Days and months, in whatever time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledgers import SECOND
from wallet_app.domain.spending import SpendingCounters

HOUR = 3600 * SECOND


def at(text: str) -> int:
    """Return a time in UTC as the service counts it."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND


@pytest.mark.parametrize(
    ("zone", "now", "day_ends", "month_ends"),
    [
        ("UTC", "2026-01-01T00:00", "2026-01-02T00:00", "2026-02-01T00:00"),
        ("UTC", "2026-12-31T23:59", "2027-01-01T00:00", "2027-01-01T00:00"),
        ("UTC", "2028-02-28T12:00", "2028-02-29T00:00", "2028-03-01T00:00"),
        ("Asia/Kolkata", "2026-01-31T18:29", "2026-01-31T18:30", "2026-01-31T18:30"),
        ("Asia/Kolkata", "2026-01-31T18:30", "2026-02-01T18:30", "2026-02-28T18:30"),
        # 23 hours, then 25 hours
        ("Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00", "2026-03-31T22:00"),
        ("Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00", "2026-10-31T23:00"),
        # Clocks go forward at midnight: the day begins at one.
        ("Africa/Cairo", "2026-04-23T12:00", "2026-04-23T22:00", "2026-04-30T21:00"),
        # Clocks go back at midnight, to 23 hours of the day before.
        ("Africa/Cairo", "2026-10-29T20:59", "2026-10-29T22:00", "2026-10-31T22:00"),
        ("Africa/Cairo", "2026-10-29T21:59", "2026-10-29T22:00", "2026-10-31T22:00"),
        # Clocks go back at one, so that midnight comes twice: it is the first.
        ("America/Havana", "2026-10-31T12:00", "2026-11-01T04:00", "2026-11-01T04:00"),
        # One minute after midnight they went back to 23:01: a day that ends twice.
        (
            "America/St_Johns",
            "2006-10-29T02:31",
            "2006-10-29T03:30",
            "2006-11-01T03:30",
        ),
        # The 30th of December 2011 did not come.
        ("Pacific/Apia", "2011-12-30T00:00", "2011-12-30T10:00", "2011-12-31T10:00"),
    ],
)
def test_a_day_and_a_month_end_when_the_calendar_says(
    zone: str, now: str, day_ends: str, month_ends: str
) -> None:
    counters = SpendingCounters(ZoneInfo(zone)).at(at(now), 0)
    assert counters.day_ends == at(day_ends)
    assert counters.month_ends == at(month_ends)


def test_what_was_spent_before_is_taken_over_at_each_turn() -> None:
    january = SpendingCounters(ZoneInfo("UTC")).at(at("2026-01-30T12:00"), 100)
    assert january == january.at(at("2026-01-30T23:59"), 300)
    last = january.at(at("2026-01-31T00:00"), 400)
    assert (last.spent_before_day, last.spent_before_month) == (400, 100)
    february = last.at(at("2026-02-01T00:00"), 900)
    assert (february.spent_before_day, february.spent_before_month) == (900, 900)
    assert february.at(at("2026-01-01T00:00"), 950) is february, "no day comes again"


ZONES = ["UTC", "Europe/Berlin", "Africa/Cairo", "America/Havana", "Asia/Beirut"]
ZONES += ["America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kolkata"]


@given(
    zone=st.sampled_from(ZONES),
    times=st.lists(
        st.integers(at("2000-01-01T00:00"), at("2027-01-01T00:00")), min_size=1
    ),
)
def test_every_time_is_within_its_day_and_its_day_within_its_month(
    zone: str, times: list[int]
) -> None:
    counters = SpendingCounters(ZoneInfo(zone))
    for now in sorted(times):
        counters = counters.at(now, 0)
        assert now < counters.day_ends <= now + 26 * HOUR
        assert counters.day_ends <= counters.month_ends <= now + 32 * 24 * HOUR
        midnight = datetime.fromtimestamp(counters.day_ends // SECOND, ZoneInfo(zone))
        today = datetime.fromtimestamp(now // SECOND, ZoneInfo(zone))
        assert midnight.date() > today.date()
