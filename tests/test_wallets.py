"""Opening wallets."""

from __future__ import annotations

import pytest

from tests.ledgers import START, new_service, nothing_moves
from wallet_app.domain.currencies import MINOR_DIGITS
from wallet_app.domain.errors.wallet_errors import WalletExists
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings


def test_a_new_wallet_is_empty_and_active(service: WalletService) -> None:
    wallet = service.create_wallet("asha")
    assert (wallet.user_id, wallet.currency, wallet.balance) == ("asha", "INR", 0)
    assert wallet.status == "ACTIVE"
    assert wallet.created_at == wallet.updated_at == START
    assert service.get_wallet(wallet.id) == wallet


def test_a_user_has_one_wallet_for_each_currency(service: WalletService) -> None:
    rupees = service.create_wallet("asha", "INR")
    dollars = service.create_wallet("asha", "USD")
    assert rupees.id != dollars.id
    with nothing_moves(service), pytest.raises(WalletExists) as refused:
        service.create_wallet("asha", "USD")
    assert refused.value.values == {"wallet_id": dollars.id}


def test_the_default_currency_is_a_setting() -> None:
    service = new_service(Settings(default_currency="JPY"))
    assert service.create_wallet("asha").currency == "JPY"


@pytest.mark.parametrize(("code", "digits"), [("JPY", 0), ("INR", 2), ("BHD", 3)])
def test_iso_4217_tells_the_minor_digits(code: str, digits: int) -> None:
    assert MINOR_DIGITS[code] == digits


@pytest.mark.parametrize("code", ["XXX", "XAU", "XTS", "inr", "RUPEES"])
def test_a_code_without_minor_units_is_no_currency(code: str) -> None:
    assert code not in MINOR_DIGITS
