"""The environment: what is read, and what stops the start."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from wallet_app.settings import Settings, SettingsError


def test_without_variables_the_service_is_as_the_exercise_has_it() -> None:
    assert Settings.from_environ({"HOME": "/", "WALLETS": "2"}) == Settings()
    assert Settings() == Settings(
        default_currency="INR",
        time_zone=ZoneInfo("UTC"),
        limit_per_transaction=None,
        limit_daily=None,
        limit_monthly=None,
        approval_threshold=None,
        fx_rates=(),
        fx_quote_ttl_seconds=60,
        otp_channel="webhook",
        otp_ttl_seconds=300,
        fraud_rules=(),
        fraud_velocity_count=10,
        fraud_velocity_seconds=60,
        fraud_spike_factor=10,
        fraud_spike_count=5,
        fraud_new_payee_amount=1_000_000,
        fraud_drain_percent=90,
        fraud_drain_seconds=3_600,
        fraud_drain_amount=100_000,
        fraud_structuring_percent=90,
        fraud_structuring_count=3,
        fraud_structuring_seconds=86_400,
        payment_retry_base_seconds=1,
        payment_max_attempts=6,
        webhook_retry_seconds=(0, 5, 300, 1_800, 7_200, 18_000, 36_000),
        webhook_allow_private=False,
        idempotency_ttl_seconds=86_400,
        demo=False,
    )


def test_each_variable_is_read() -> None:
    environ = {
        "WALLET_DEFAULT_CURRENCY": "JPY",
        "WALLET_TIME_ZONE": "Asia/Kolkata",
        "WALLET_LIMIT_PER_TRANSACTION": "0",
        "WALLET_LIMIT_DAILY": "50000",
        "WALLET_LIMIT_MONTHLY": "9007199254740991",
        "WALLET_APPROVAL_THRESHOLD": "10000",
        "WALLET_FX_RATES": "USD/INR=83.12,EUR/INR=90.50",
        "WALLET_FX_QUOTE_TTL_SECONDS": "5",
        "WALLET_OTP_CHANNEL": "log",
        "WALLET_OTP_TTL_SECONDS": "30",
        "WALLET_FRAUD_RULES": "new-payee,velocity",
        "WALLET_FRAUD_VELOCITY_COUNT": "1000",
        "WALLET_FRAUD_VELOCITY_SECONDS": "2",
        "WALLET_FRAUD_SPIKE_FACTOR": "3",
        "WALLET_FRAUD_SPIKE_COUNT": "4",
        "WALLET_FRAUD_NEW_PAYEE_AMOUNT": "5",
        "WALLET_FRAUD_DRAIN_PERCENT": "6",
        "WALLET_FRAUD_DRAIN_SECONDS": "7",
        "WALLET_FRAUD_DRAIN_AMOUNT": "8",
        "WALLET_FRAUD_STRUCTURING_PERCENT": "100",
        "WALLET_FRAUD_STRUCTURING_COUNT": "10",
        "WALLET_FRAUD_STRUCTURING_SECONDS": "11",
        "WALLET_PAYMENT_RETRY_BASE_SECONDS": "12",
        "WALLET_PAYMENT_MAX_ATTEMPTS": "13",
        "WALLET_WEBHOOK_RETRY_SECONDS": "0,14,15",
        "WALLET_WEBHOOK_ALLOW_PRIVATE": "1",
        "WALLET_IDEMPOTENCY_TTL_SECONDS": "60",
        "WALLET_ALLOWED_HOSTS": "Pay.example,10.0.0.5",
        "WALLET_DEMO": "1",
    }
    assert Settings.from_environ(environ) == Settings(
        default_currency="JPY",
        time_zone=ZoneInfo("Asia/Kolkata"),
        limit_per_transaction=0,
        limit_daily=50_000,
        limit_monthly=2**53 - 1,
        approval_threshold=10_000,
        fx_rates=(("USD", "INR", Decimal("83.12")), ("EUR", "INR", Decimal("90.50"))),
        fx_quote_ttl_seconds=5,
        otp_channel="log",
        otp_ttl_seconds=30,
        fraud_rules=("new-payee", "velocity"),
        fraud_velocity_count=1000,
        fraud_velocity_seconds=2,
        fraud_spike_factor=3,
        fraud_spike_count=4,
        fraud_new_payee_amount=5,
        fraud_drain_percent=6,
        fraud_drain_seconds=7,
        fraud_drain_amount=8,
        fraud_structuring_percent=100,
        fraud_structuring_count=10,
        fraud_structuring_seconds=11,
        payment_retry_base_seconds=12,
        payment_max_attempts=13,
        webhook_retry_seconds=(0, 14, 15),
        webhook_allow_private=True,
        idempotency_ttl_seconds=60,
        allowed_hosts=("pay.example", "10.0.0.5"),
        demo=True,
    )
    assert set(environ) == {
        "WALLET_" + each.name.upper() for each in dataclasses.fields(Settings)
    }, "a setting is not tried here"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WALLET_DEFAULT_CURENCY", "INR"),
        ("WALLET_", ""),
        ("WALLET_default_currency", "INR"),
        ("WALLET_DEFAULT_CURRENCY", "XXX"),
        ("WALLET_DEFAULT_CURRENCY", "inr"),
        ("WALLET_DEFAULT_CURRENCY", ""),
        ("WALLET_TIME_ZONE", "India"),
        ("WALLET_TIME_ZONE", ""),
        ("WALLET_TIME_ZONE", "../etc/passwd"),
        ("WALLET_LIMIT_DAILY", "-1"),
        ("WALLET_LIMIT_DAILY", "5.00"),
        ("WALLET_LIMIT_DAILY", "none"),
        ("WALLET_LIMIT_DAILY", ""),
        ("WALLET_LIMIT_DAILY", "9007199254740992"),
        ("WALLET_APPROVAL_THRESHOLD", "٣"),
        ("WALLET_FX_RATES", ""),
        ("WALLET_FX_RATES", "USD/INR"),
        ("WALLET_FX_RATES", "USD/INR=0"),
        ("WALLET_FX_RATES", "USD/INR=0.000"),
        ("WALLET_FX_RATES", "USD/INR=-83"),
        ("WALLET_FX_RATES", "USD/INR=8.3e1"),
        ("WALLET_FX_RATES", "USD/INR=NaN"),
        ("WALLET_FX_RATES", "USD/INR=٨٣"),
        ("WALLET_FX_RATES", "USD/INR=83.12,"),
        ("WALLET_FX_RATES", "USD/INR=83.12, EUR/INR=90.50"),
        ("WALLET_FX_RATES", "USD/USD=1"),
        ("WALLET_FX_RATES", "XAU/USD=4000"),
        ("WALLET_FX_RATES", "USD/XXX=1"),
        ("WALLET_FX_RATES", "USD/INR=83.12,USD/INR=83.12"),
        ("WALLET_FX_RATES", "USD/INR=83.12,INR/USD=0.012"),
        ("WALLET_FX_RATES", "USD/INR=83.12,INR/USD=0.5"),
        ("WALLET_FX_RATES", "USD/INR=1234567890123456"),
        ("WALLET_FX_RATES", "USD/INR=0.123456789012345"),
        ("WALLET_FX_QUOTE_TTL_SECONDS", "0"),
        ("WALLET_FRAUD_RULES", ""),
        ("WALLET_FRAUD_RULES", "speed"),
        ("WALLET_FRAUD_RULES", "drain,drain"),
        ("WALLET_FRAUD_RULES", "drain, spike"),
        ("WALLET_FRAUD_VELOCITY_COUNT", "0"),
        ("WALLET_FRAUD_VELOCITY_COUNT", "1001"),
        ("WALLET_FRAUD_SPIKE_FACTOR", "1.5"),
        ("WALLET_FRAUD_DRAIN_PERCENT", "101"),
        ("WALLET_FRAUD_DRAIN_PERCENT", "0"),
        ("WALLET_FRAUD_DRAIN_PERCENT", "90%"),
        ("WALLET_FRAUD_STRUCTURING_COUNT", ""),
        ("WALLET_OTP_CHANNEL", "sms"),
        ("WALLET_OTP_CHANNEL", ""),
        ("WALLET_OTP_TTL_SECONDS", "0"),
        ("WALLET_PAYMENT_RETRY_BASE_SECONDS", "0"),
        ("WALLET_PAYMENT_MAX_ATTEMPTS", "0"),
        ("WALLET_PAYMENT_MAX_ATTEMPTS", "101"),
        ("WALLET_WEBHOOK_RETRY_SECONDS", ""),
        ("WALLET_WEBHOOK_RETRY_SECONDS", "0,"),
        ("WALLET_WEBHOOK_RETRY_SECONDS", "0, 5"),
        ("WALLET_WEBHOOK_RETRY_SECONDS", "0,5.5"),
        ("WALLET_WEBHOOK_RETRY_SECONDS", "12345678"),
        ("WALLET_WEBHOOK_RETRY_SECONDS", ",".join("1" * 21)),
        ("WALLET_WEBHOOK_ALLOW_PRIVATE", "true"),
        ("WALLET_IDEMPOTENCY_TTL_SECONDS", "0"),
        ("WALLET_IDEMPOTENCY_TTL_SECONDS", "-1"),
        ("WALLET_IDEMPOTENCY_TTL_SECONDS", "1.5"),
        ("WALLET_IDEMPOTENCY_TTL_SECONDS", "1e3"),
        ("WALLET_IDEMPOTENCY_TTL_SECONDS", "٣"),
        ("WALLET_IDEMPOTENCY_TTL_SECONDS", "9" * 10),
        ("WALLET_IDEMPOTENCY_TTL_SECONDS", ""),
        ("WALLET_DEMO", "yes"),
        ("WALLET_DEMO", ""),
    ],
)
def test_what_cannot_be_used_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({variable: value})
    assert variable in str(refused.value)


def test_all_that_is_wrong_is_named_at_once() -> None:
    environ = {"WALLET_DEMO": "yes", "WALLET_LIMIT": "5"}
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ(environ)
    assert "WALLET_DEMO='yes' must be 0 or 1" in str(refused.value)
    assert "WALLET_LIMIT is no setting" in str(refused.value)
