"""The settings: what the environment may say, in one frozen object.

Each field is one variable, `WALLET_` and its name in capitals. A name or a value
that cannot be used stops the start, because a typo must not switch a rule off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, Self
from zoneinfo import ZoneInfo, available_timezones

from wallet_app.domain.currencies import MINOR_DIGITS, circle_that_gains
from wallet_app.domain.transactions import AMOUNT_MAX

PREFIX = "WALLET_"
FRAUD_RULES = ("velocity", "spike", "new-payee", "drain", "structuring")
FRAUD_COUNT_MAX = 1_000
RATE_DIGITS_MAX = 15
OTP_CHANNELS = ("webhook", "log")


class SettingsError(ValueError):
    """The environment says something that the service cannot use."""


def _currency(text: str) -> str:
    if text not in MINOR_DIGITS:
        raise ValueError("must be an ISO 4217 code of a currency with minor units")
    return text


def _time_zone(text: str) -> ZoneInfo:
    if text not in available_timezones():
        raise ValueError("must be a time zone's name, such as Asia/Kolkata")
    return ZoneInfo(text)


def _hosts(text: str) -> tuple[str, ...]:
    names = tuple(text.lower().split(","))
    if not all(re.fullmatch(r"[a-z0-9.:-]{1,253}", name) for name in names):
        raise ValueError("must be host names without ports, such as pay.example.com")
    return names


def _rates(text: str) -> tuple[tuple[str, str, Decimal], ...]:
    rates: dict[frozenset[str], tuple[str, str, Decimal]] = {}
    for part in text.split(","):
        match = re.fullmatch(r"([A-Z]{3})/([A-Z]{3})=([0-9]+(?:\.[0-9]+)?)", part)
        if match is None:
            raise ValueError("must be rates such as USD/INR=83.12,EUR/INR=90.50")
        base, other, number = match.groups()
        rate = Decimal(number)
        if len(number.replace(".", "")) > RATE_DIGITS_MAX or not rate:
            raise ValueError(f"must have rates above 0, of {RATE_DIGITS_MAX} digits")
        pair = frozenset({_currency(base), _currency(other)})
        if len(pair) < 2 or pair in rates:
            raise ValueError(f"must not give {base}/{other} twice, nor both ways")
        rates[pair] = base, other, rate
    circle = circle_that_gains(tuple(rates.values()))
    if circle is not None:
        raise ValueError(
            f"must agree: exchanging {' to '.join(circle)} makes money, more than the "
            "rounding of the rates explains"
        )
    return tuple(rates.values())


def _channel(text: str) -> str:
    if text not in OTP_CHANNELS:
        raise ValueError(f"must be one of {', '.join(OTP_CHANNELS)}")
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(FRAUD_RULES) or len(set(names)) < len(names):
        raise ValueError(f"must be some of {','.join(FRAUD_RULES)}")
    return names


def _whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number in a range."""

    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,16}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


_amount = _whole(0, AMOUNT_MAX)
_seconds = _whole(1, 999_999_999)


def _delays(text: str) -> tuple[int, ...]:
    if not re.fullmatch("[0-9]{1,7}(,[0-9]{1,7}){0,19}", text):
        raise ValueError("must be up to 20 whole numbers of seconds, such as 0,5,300")
    return tuple(map(int, text.split(",")))


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return text == "1"


def _setting(default: Any, parse: Callable[[str], object]) -> Any:
    return field(default=default, metadata={"parse": parse})


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service behaves; the defaults are what the exercise asks for.

    What each setting means is in the table of `api/README.md`, which a test compares
    with these fields.
    """

    default_currency: str = _setting("INR", _currency)
    time_zone: ZoneInfo = _setting(ZoneInfo("UTC"), _time_zone)

    limit_per_transaction: int | None = _setting(None, _amount)
    limit_daily: int | None = _setting(None, _amount)
    limit_monthly: int | None = _setting(None, _amount)
    approval_threshold: int | None = _setting(None, _amount)

    fx_rates: tuple[tuple[str, str, Decimal], ...] = _setting((), _rates)
    fx_quote_ttl_seconds: int = _setting(60, _seconds)

    otp_channel: str = _setting("webhook", _channel)
    otp_ttl_seconds: int = _setting(300, _seconds)

    fraud_rules: tuple[str, ...] = _setting((), _names)
    fraud_velocity_count: int = _setting(10, _whole(1, FRAUD_COUNT_MAX))
    fraud_velocity_seconds: int = _setting(60, _seconds)
    fraud_spike_factor: int = _setting(10, _whole(1, 1_000_000))
    fraud_spike_count: int = _setting(5, _whole(1, FRAUD_COUNT_MAX))
    fraud_new_payee_amount: int = _setting(1_000_000, _amount)
    fraud_drain_percent: int = _setting(90, _whole(1, 100))
    fraud_drain_seconds: int = _setting(3_600, _seconds)
    fraud_drain_amount: int = _setting(100_000, _amount)
    fraud_structuring_percent: int = _setting(90, _whole(1, 100))
    fraud_structuring_count: int = _setting(3, _whole(1, FRAUD_COUNT_MAX))
    fraud_structuring_seconds: int = _setting(86_400, _seconds)

    payment_retry_base_seconds: int = _setting(1, _seconds)
    payment_max_attempts: int = _setting(6, _whole(1, 100))

    webhook_retry_seconds: tuple[int, ...] = _setting(
        (0, 5, 300, 1_800, 7_200, 18_000, 36_000), _delays
    )
    webhook_allow_private: bool = _setting(False, _switch)

    idempotency_ttl_seconds: int = _setting(86_400, _seconds)
    allowed_hosts: tuple[str, ...] = _setting((), _hosts)
    demo: bool = _setting(False, _switch)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read every `WALLET_*` variable; raise SettingsError naming all that
        are unknown or unusable."""
        by_variable = {PREFIX + each.name.upper(): each for each in fields(cls)}
        values: dict[str, Any] = {}
        problems = []
        for variable in sorted(name for name in environ if name.startswith(PREFIX)):
            setting = by_variable.get(variable)
            if setting is None:
                known = ", ".join(sorted(by_variable))
                problems.append(f"{variable} is no setting; there are {known}")
                continue
            try:
                values[setting.name] = setting.metadata["parse"](environ[variable])
            except ValueError as error:
                problems.append(f"{variable}={environ[variable]!r} {error}")
        if problems:
            raise SettingsError("\n".join(["Unusable settings:", *problems]))
        return cls(**values)
