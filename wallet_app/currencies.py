"""Which currencies a wallet can hold, and how many minor digits each has.

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
