"""Quotes: what an amount comes to, and for how long."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import partial

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from uuid_utils import uuid4 as new_uuid

from tests.house import RATES, TTL_SECONDS, House
from tests.ledgers import SECOND, BoundedLock, new_service, nothing_moves
from wallet_app.domain.currencies import MINOR_DIGITS
from wallet_app.domain.errors.exchange_errors import (
    AmountNotExchangeable,
    QuoteNotFound,
    QuotesExhausted,
    RateUnavailable,
    SameCurrency,
)
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.money import Money
from wallet_app.services.quotes import KEPT_SECONDS, Quotes, convert
from wallet_app.settings import Settings


@pytest.mark.parametrize(
    ("source", "target", "amount", "comes_to"),
    [
        ("USD", "INR", 1, 83),
        ("USD", "INR", 100, 8_312),
        ("INR", "USD", 8_312, 100),
        ("INR", "USD", 8_311, 99),
        ("INR", "USD", 83_120, 1_000),
        ("JPY", "INR", 1, 57),
        ("JPY", "INR", 100, 5_700),
        ("INR", "JPY", 57, 1),
        ("INR", "JPY", 113, 1),
        ("INR", "JPY", 114, 2),
        ("BHD", "JPY", 1_000, 401),
        ("BHD", "JPY", 1_000_000, 401_237),
        ("JPY", "BHD", 401_237, 1_000_000),
        ("JPY", "BHD", 401_236, 999_997),
    ],
)
def test_an_amount_comes_to_what_the_rate_says_rounded_down(
    house: House, source: str, target: str, amount: int, comes_to: int
) -> None:
    quote = house.service.create_quote(source, target, amount)
    assert (quote.from_amount, quote.to_amount) == (amount, comes_to)
    assert convert(amount, source, target, quote.rate) == comes_to


rates = st.builds(
    lambda digits, point: Decimal(digits).scaleb(-point),
    st.integers(1, 10**15 - 1),
    st.integers(0, 14),
)


@pytest.mark.slow
@given(
    source=st.sampled_from(list(MINOR_DIGITS)),
    target=st.sampled_from(list(MINOR_DIGITS)),
    rate=rates,
    inverse=st.booleans(),
    amount=st.integers(1, AMOUNT_MAX),
)
def test_every_amount_comes_to_the_exact_one_rounded_down(
    source: str, target: str, rate: Decimal, inverse: bool, amount: int
) -> None:
    assume(source != target)
    exact_rate = 1 / Fraction(rate) if inverse else Fraction(rate)
    minor = Fraction(10) ** (MINOR_DIGITS[target] - MINOR_DIGITS[source])
    exact = amount * exact_rate * minor
    given_rate = (target, source, rate) if inverse else (source, target, rate)
    service = new_service(Settings(fx_rates=(given_rate,)))
    if not 1 <= exact < AMOUNT_MAX + 1:
        with pytest.raises(AmountNotExchangeable):
            service.create_quote(source, target, amount)
    else:
        quote = service.create_quote(source, target, amount)
        assert quote.to_amount == exact.numerator // exact.denominator


def test_a_quote_promises_amounts_for_a_while(house: House) -> None:
    quote = house.service.create_quote("USD", "INR", 100)
    assert (quote.from_currency, quote.to_currency) == ("USD", "INR")
    assert quote.rate == Decimal("83.12")
    assert quote.expires_at == house.clock.now + TTL_SECONDS * SECOND
    assert house.service.quotes.find(quote.id) is quote


REFUSED_QUOTES: list[tuple[type[WalletError], tuple[str, str, int]]] = [
    (SameCurrency, ("INR", "INR", 1)),
    (RateUnavailable, ("USD", "JPY", 100)),
    (RateUnavailable, ("USD", "EUR", 100)),
    (AmountNotExchangeable, ("INR", "USD", 83)),
    (AmountNotExchangeable, ("USD", "INR", AMOUNT_MAX)),
]


@pytest.mark.parametrize(("refusal", "asked"), REFUSED_QUOTES, ids=str)
def test_what_cannot_be_exchanged_is_not_quoted(
    house: House, refusal: type[WalletError], asked: tuple[str, str, int]
) -> None:
    with nothing_moves(house.service), pytest.raises(refusal):
        house.service.create_quote(*asked)
    assert not house.service.store.liquidity


def test_the_least_amount_that_comes_to_something_is_quoted(house: House) -> None:
    assert house.quote(84).to_amount == 1


def test_a_quote_is_remembered_for_a_while_after_it_expired(house: House) -> None:
    quote = house.quote()
    kept_seconds = TTL_SECONDS + KEPT_SECONDS
    house.clock.now += kept_seconds * SECOND - 1
    house.quote()
    assert house.service.quotes.find(quote.id) is quote
    house.clock.now += 1
    house.quote()
    with nothing_moves(house.service), pytest.raises(QuoteNotFound):
        house.exchange(quote)


def test_no_more_quotes_are_kept_than_is_good(house: House) -> None:
    store = house.service.store
    quotes = Quotes(
        store, house.clock, house.clock, new_uuid, RATES, 60, BoundedLock, quotes_max=2
    )
    first, second = (quotes.create("USD", "INR", 1) for _ in range(2))
    house.clock.now += 1
    with nothing_moves(house.service), pytest.raises(QuotesExhausted) as refused:
        quotes.create("USD", "INR", 1)
    assert refused.value.values == {"maximum": 2, "retry_after_seconds": 60}
    quotes.release(first.id)
    third = quotes.create("USD", "INR", 1)
    with pytest.raises(QuoteNotFound):
        quotes.find(first.id)
    with pytest.raises(QuotesExhausted):
        quotes.create("USD", "INR", 1)
    house.clock.now += 60 * SECOND - 1
    quotes.create("USD", "INR", 1)
    with pytest.raises(QuoteNotFound):
        quotes.find(second.id)
    assert quotes.find(third.id) is third


def test_a_used_quote_gives_its_slot_to_the_next_one(house: House) -> None:
    service, clock = house.service, house.clock
    quotes = Quotes(
        service.store, clock, clock, new_uuid, RATES, 60, BoundedLock, quotes_max=2
    )
    money = Money(service.store, clock, clock, new_uuid, quotes, service.outbox)
    used, waiting = (quotes.create("INR", "USD", 83_120) for _ in range(2))
    with nothing_moves(service), pytest.raises(QuotesExhausted):
        quotes.create("INR", "USD", 83_120)
    exchange = partial(money.transfer, house.source, house.target, 83_120)
    exchange(quote_id=used.id)
    quotes.create("INR", "USD", 83_120)
    with nothing_moves(service), pytest.raises(QuoteNotFound):
        exchange(quote_id=used.id)
    assert quotes.find(waiting.id) is waiting
