"""Rates that go round in a circle: they agree to the rounding of their digits, or the
service does not start."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_app.domain.currencies import MINOR_DIGITS, circle_that_gains
from wallet_app.settings import Settings, SettingsError


def rates(text: str) -> tuple[tuple[str, str, Decimal], ...]:
    return Settings.from_environ({"WALLET_FX_RATES": text}).fx_rates


@pytest.mark.parametrize(
    "text",
    [
        "USD/INR=83.12",
        "USD/INR=83.12,EUR/INR=90.50,USD/JPY=149.30",
        "USD/INR=83.12,EUR/INR=90.50,EUR/USD=1.0888",
        "USD/INR=83.12,EUR/INR=90.50,EUR/USD=1.089",
        "USD/INR=83.12,EUR/INR=90.50,EUR/USD=1.09",
        "USD/INR=83.12,EUR/INR=90.50,USD/EUR=0.9185",
        "USD/INR=50,EUR/INR=100,EUR/USD=2",
    ],
)
def test_rates_that_agree_to_their_digits_are_accepted(text: str) -> None:
    assert len(rates(text)) == text.count("=")


@pytest.mark.parametrize(
    ("text", "circle"),
    [
        ("USD/INR=83.12,EUR/INR=90.50,EUR/USD=1.10", {"EUR", "USD", "INR"}),
        ("USD/INR=83.12,EUR/INR=90.50,EUR/USD=1.0890", {"EUR", "USD", "INR"}),
        ("USD/INR=83.12,EUR/INR=90.50,EUR/USD=1.0880", {"EUR", "USD", "INR"}),
        ("USD/INR=83.12,EUR/INR=90.50,USD/EUR=45", {"EUR", "USD", "INR"}),
        ("USD/INR=2,EUR/INR=3,EUR/USD=1", {"EUR", "USD", "INR"}),
        (
            "USD/INR=83.12,EUR/USD=1.0888,GBP/EUR=1.1700,GBP/INR=107.00,CHF/USD=1.1",
            {"EUR", "USD", "INR", "GBP"},
        ),
    ],
)
def test_rates_by_which_a_circle_makes_money_stop_the_start(
    text: str, circle: set[str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        rates(text)
    message = str(refused.value)
    assert "WALLET_FX_RATES" in message and "makes money" in message
    named = message.split("exchanging ")[1].split(" makes")[0].split(" to ")
    assert set(named) == circle and named[0] == named[-1]


CURRENCIES = sorted(MINOR_DIGITS)[:6]


@given(
    st.lists(st.integers(1, 10**6), min_size=6, max_size=6),
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=15),
    st.integers(0, 14),
    st.sampled_from([Decimal("1.05"), Decimal("0.95")]),
)
def test_values_that_are_rounded_agree_and_one_rate_that_is_wrong_shows(
    values: list[int], pairs: set[tuple[int, int]], chosen: int, factor: Decimal
) -> None:
    """Rates between currencies that each have a value, with ten digits or more."""
    edges = sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]})
    given_rates = [
        (CURRENCIES[a], CURRENCIES[b], round(Decimal(values[a]) / values[b], 17))
        for a, b in edges
    ]
    assert circle_that_gains(given_rates) is None
    if not edges:
        return
    index = chosen % len(edges)
    base, other, rate = given_rates[index]
    wrong = [*given_rates]
    wrong[index] = base, other, rate * factor
    circle = circle_that_gains(wrong)
    if circle is None:
        rest = [pair for pair in edges if pair != edges[index]]
        assert edges[index][1] not in reached(edges[index][0], rest), "not found"
        return
    by_pair = {(a, b): rate for a, b, rate in wrong}
    product = Decimal(1)
    for source, target in pairwise(circle):
        forward = by_pair.get((source, target))
        product *= forward or 1 / by_pair[target, source]
    assert circle[0] == circle[-1] and product > Decimal("1.04")


def reached(start: int, edges: list[tuple[int, int]]) -> set[int]:
    """Return what can be reached over the edges, in both directions."""
    found = {start}
    for _ in edges:
        for a, b in edges:
            if found & {a, b}:
                found |= {a, b}
    return found
