"""Refusals of quotes and exchanges. Amounts are in minor units."""

from __future__ import annotations

from wallet_app.domain.errors.example_values import MOVED_AT, QUOTE_ID
from wallet_app.domain.errors.families import (
    Conflict,
    Exhausted,
    Expired,
    Invalid,
    NotFound,
    Unprocessable,
    member,
)


class SameCurrency(Invalid):
    """A quote from a currency to itself."""

    code, title = "same_currency", "Same currency"
    message = "An exchange needs two different currencies."
    currency: str = member("INR")


class RateUnavailable(Unprocessable):
    """There is no rate between the two currencies, in either direction."""

    code, title = "fx_rate_unavailable", "Rate unavailable"
    message = "There is no rate from {from_currency} to {to_currency}."
    from_currency: str = member("USD")
    to_currency: str = member("JPY")


class AmountNotExchangeable(Unprocessable):
    """The target would receive less than one minor unit, or more than it can hold."""

    code, title = "amount_not_exchangeable", "Amount not exchangeable"
    message = (
        "{amount} minor units of {from_currency} come to no amount of {to_currency} "
        "that a wallet can hold."
    )
    from_currency: str = member("INR")
    to_currency: str = member("USD")
    amount: int = member(1)


class QuoteNotFound(NotFound):
    """No quote has this id, or it is no longer kept."""

    code, title = "quote_not_found", "Quote not found"
    message = "There is no quote {quote_id}."
    quote_id: str = member(QUOTE_ID)


class QuoteMismatch(Invalid):
    """The transfer is not the one that the quote promises."""

    code, title = "quote_mismatch", "Quote does not match"
    message = (
        "The quote is for {from_amount} minor units of {from_currency}, to a wallet in "
        "{to_currency}."
    )
    quote_id: str = member(QUOTE_ID)
    from_currency: str = member("USD")
    to_currency: str = member("INR")
    from_amount: int = member(10_000)


class QuoteUsed(Conflict):
    """The quote was used before."""

    code, title = "quote_used", "Quote used"
    message = "Quote {quote_id} was used before."
    quote_id: str = member(QUOTE_ID)


class QuoteExpired(Expired):
    """The quote was not used in time."""

    code, title = "quote_expired", "Quote expired"
    message = "Quote {quote_id} was not used in time."
    quote_id: str = member(QUOTE_ID)
    expired_at: int = member(MOVED_AT)


class QuotesExhausted(Exhausted):
    """As many unused quotes are kept as may be, for all callers or for one."""

    code, title = "quotes_exhausted", "Too many quotes"
    message = (
        "{maximum} quotes wait to be used: no more are kept in all, or from one "
        "address. Nothing was done."
    )
    maximum: int = member(100_000)
    retry_after_seconds: int = member(60)


class LiquidityExhausted(Unprocessable):
    """The exchange would take a liquidity wallet past what it may hold or owe."""

    code, title = "fx_liquidity_exhausted", "Liquidity exhausted"
    message = "The house cannot exchange so much {currency} now."
    currency: str = member("USD")
