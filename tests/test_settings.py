"""The environment: what is read, and what stops the start."""

from __future__ import annotations

import pytest

from wallet_app.settings import Settings, SettingsError


def test_without_variables_the_service_is_as_the_exercise_has_it() -> None:
    assert Settings.from_environ({"HOME": "/", "WALLETS": "2"}) == Settings()
    assert Settings() == Settings(
        default_currency="INR", idempotency_ttl_seconds=86_400, demo=False
    )


def test_each_variable_is_read() -> None:
    environ = {
        "WALLET_DEFAULT_CURRENCY": "JPY",
        "WALLET_IDEMPOTENCY_TTL_SECONDS": "60",
        "WALLET_DEMO": "1",
    }
    assert Settings.from_environ(environ) == Settings("JPY", 60, True)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WALLET_DEFAULT_CURENCY", "INR"),
        ("WALLET_", ""),
        ("WALLET_default_currency", "INR"),
        ("WALLET_DEFAULT_CURRENCY", "XXX"),
        ("WALLET_DEFAULT_CURRENCY", "inr"),
        ("WALLET_DEFAULT_CURRENCY", ""),
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
