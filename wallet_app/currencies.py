"""Which currencies a wallet can hold, how many minor digits each has, and how an
amount is written with them.

ISO 4217 decides. A code without minor units (gold, XXX, the test code) is no
currency that can be counted in integers, and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def decimal_text(amount: int, currency: str) -> str:
    """Return minor units as an exact decimal: JPY 500 is 500, INR -5 is -0.05."""
    digits = MINOR_DIGITS[currency]
    if not digits:
        return str(amount)
    major, minor = divmod(abs(amount), 10**digits)
    return f"{'-' if amount < 0 else ''}{major}.{minor:0{digits}}"
