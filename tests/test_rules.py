"""The rules as a list: their order, and that all come before the first change."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest

from tests.ledgers import new_service, nothing_moves, open_wallet
from wallet_app.domain.errors.wallet_errors import WalletFrozen
from wallet_app.services import rules
from wallet_app.services.movement import Movement, wallets_of
from wallet_app.settings import Settings

IN_ORDER = [
    "not_frozen",
    "same_currency_or_quote",
    "enough_funds",
    "within_limits",
    "no_fraud",
    "no_approval_needed",
]


def test_the_rules_stand_in_the_order_of_the_contract() -> None:
    assert [rule.__name__ for rule in rules.RULES] == IN_ORDER


@pytest.mark.parametrize("movement", ["add", "deduct", "transfer", "exchange"])
def test_every_rule_is_checked_before_anything_moves(
    monkeypatch: pytest.MonkeyPatch, movement: str
) -> None:
    service = new_service(Settings(fx_rates=(("USD", "INR", Decimal(80)),)))
    rupees, more = open_wallet(service, 100), open_wallet(service, 100)
    dollars = open_wallet(service, 100, currency="USD")
    quote = service.create_quote("USD", "INR", 1)
    movements: dict[str, Callable[[], object]] = {
        "add": partial(service.add, rupees, 1),
        "deduct": partial(service.deduct, rupees, 1),
        "transfer": partial(service.transfer, rupees, more, 1),
        "exchange": partial(service.transfer, dollars, rupees, 1, quote_id=quote.id),
    }
    checked = []

    def refuse(movement: Movement) -> None:
        checked.append([wallet.balance for wallet in wallets_of([movement])])
        raise WalletFrozen(rupees)

    monkeypatch.setattr(rules, "RULES", (*rules.RULES, refuse))
    with nothing_moves(service), pytest.raises(WalletFrozen):
        movements[movement]()
    assert len(checked) == 1
    assert set(checked[0]) <= {0, 100}
