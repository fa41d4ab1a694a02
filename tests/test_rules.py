"""The rules as a list: their order, and which of them a plain wallet needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledgers import new_service, open_wallet
from wallet_app.domain.errors import WalletError
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.movement import Movement
from wallet_app.services.rules import ALWAYS, RULES

IN_ORDER = [
    "not_frozen",
    "one_currency",
    "enough_funds",
    "within_limits",
    "no_fraud",
    "no_approval_needed",
]

amounts = st.sampled_from([1, 100, AMOUNT_MAX]) | st.integers(1, AMOUNT_MAX)
holdings = st.none() | st.tuples(
    st.sampled_from([0, 99, 100, AMOUNT_MAX]), st.sampled_from(["INR", "USD"])
)


def test_the_rules_stand_in_the_order_of_the_contract() -> None:
    assert [rule.__name__ for rule in RULES] == IN_ORDER


@given(source=holdings, target=holdings, amount=amounts)
def test_no_other_rule_can_refuse_a_movement_between_wallets_without_terms(
    source: tuple[int, str] | None, target: tuple[int, str] | None, amount: int
) -> None:
    service = new_service()
    one, other = [
        held and service.store.wallets[open_wallet(service, held[0], "", held[1])]
        for held in (source, target)
    ]
    assert not (one and one.policy) and not (other and other.policy)
    movement = Movement(one, other, amount, None, None, None, 0)
    for rule in RULES:
        try:
            rule(movement)
        except WalletError:
            assert rule in ALWAYS


@pytest.mark.parametrize("rule", ALWAYS)
def test_the_rules_for_plain_wallets_are_among_all(rule: object) -> None:
    assert rule in RULES
