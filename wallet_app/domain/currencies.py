"""Which currencies a wallet can hold, how many minor digits each has, and how an
amount is written with them.

ISO 4217 decides. A code without minor units (gold, XXX, the test code) is no
currency that can be counted in integers, and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from types import MappingProxyType

from iso4217 import Currency

MINOR_DIGITS: Mapping[str, int] = MappingProxyType(
    {
        currency.code: currency.exponent
        for currency in sorted(Currency, key=lambda currency: str(currency.code))
        if currency.exponent is not None
    }
)
"""Minor digits by currency code: JPY 0, INR 2, BHD 3."""


Rate = tuple[str, str, Decimal]
"""What one major unit of the first currency is in the second."""

ROUNDING_MAX = Decimal("0.001")
"""A rate is taken to be rounded by half a unit of its last digit, but by no more than
this part of it: so few digits are an estimate, and no rounding."""

_PRECISE = Context(prec=34)


def circle_that_gains(rates: Sequence[Rate]) -> list[str] | None:
    """Return the currencies of a circle in which exchanging makes money, the first one
    also at the end; None if there is none.

    No rates agree to the last digit, because each is rounded. So every rate counts as
    the lowest that it may have been before it was rounded: a circle that gains even so
    gains by more than rounding explains. Found by the algorithm of Bellman and Ford:
    the best amount of each currency is raised until no exchange raises one.
    """
    lowest: dict[tuple[str, str], Decimal] = {}
    for base, other, rate in rates:
        half_digit = Decimal(5).scaleb(int(rate.as_tuple().exponent) - 1)
        rounding = min(half_digit, rate * ROUNDING_MAX)
        lowest[base, other] = rate - rounding
        lowest[other, base] = _PRECISE.divide(Decimal(1), rate + rounding)
    best = {currency: Decimal(1) for pair in lowest for currency in pair}
    bought_with: dict[str, str] = {}
    raised = None
    for _ in best:
        raised = None
        for (source, target), rate in lowest.items():
            amount = _PRECISE.multiply(best[source], rate)
            if amount > best[target]:
                best[target], bought_with[target], raised = amount, source, target
        if raised is None:
            return None
    return None if raised is None else _circle(raised, bought_with)


def _circle(currency: str, bought_with: Mapping[str, str]) -> list[str]:
    """Return the circle that a currency was bought from, in order of exchange."""
    walked: list[str] = []
    while currency not in walked:
        walked.append(currency)
        currency = bought_with[currency]
    return [*walked[walked.index(currency) :], currency][::-1]


def decimal_text(amount: int, currency: str) -> str:
    """Return minor units as an exact decimal: JPY 500 is 500, INR -5 is -0.05."""
    digits = MINOR_DIGITS[currency]
    if not digits:
        return str(amount)
    major, minor = divmod(abs(amount), 10**digits)
    return f"{'-' if amount < 0 else ''}{major}.{minor:0{digits}}"
