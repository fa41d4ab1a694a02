"""The house owes what it exchanges, and its wallets are nobody else's."""

from __future__ import annotations

from functools import partial

import pytest

from tests.house import Call, House
from tests.ledgers import nothing_moves
from wallet_app.domain.errors.wallet_errors import InsufficientFunds, WalletNotFound
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import HOUSE


def test_money_moves_through_the_house_in_exchanges_only(house: House) -> None:
    house.exchange(house.quote(100))
    for wallet in house.service.list_liquidity():
        assert wallet.user_id == HOUSE
        assert house.service.get_wallet(wallet.id) == wallet
        calls: list[Call] = [
            partial(house.service.add, wallet.id, 1),
            partial(house.service.deduct, wallet.id, 1),
            partial(house.service.transfer, wallet.id, house.target, 1),
            partial(house.service.transfer, house.source, wallet.id, 1),
            partial(house.service.freeze, wallet.id, "mine"),
            partial(house.service.limits.put, wallet.id, Limits()),
        ]
        with nothing_moves(house.service):
            for call in calls:
                with pytest.raises(WalletNotFound):
                    call()


def test_whoever_calls_himself_the_house_is_a_user_like_any_other(house: House) -> None:
    mine = house.service.create_wallet(HOUSE, "INR")
    house.exchange(house.quote(100))
    assert [wallet.id for wallet in house.service.list_user_wallets(HOUSE)] == [mine.id]
    with nothing_moves(house.service), pytest.raises(InsufficientFunds):
        house.service.deduct(mine.id, 1)


def test_a_user_has_wallets_by_currency(house: House) -> None:
    for currency in ("USD", "BHD", "INR"):
        house.service.create_wallet("asha", currency)
    wallets = house.service.list_user_wallets("asha")
    assert [wallet.currency for wallet in wallets] == ["BHD", "INR", "USD"]
    assert house.service.list_user_wallets("nobody") == []
