"""What must hold before money moves: the rules, in the order of the contract.

All of them are called before the first change. To add one, write a function where
its subject is, and name it in `RULES`.
"""

from __future__ import annotations

from wallet_app.domain.errors import (
    BalanceOverflow,
    CurrencyMismatch,
    InsufficientFunds,
    LiquidityExhausted,
)
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.approvals.approvals import no_approval_needed
from wallet_app.services.fraud import no_fraud
from wallet_app.services.freeze import not_frozen
from wallet_app.services.limits import within_limits
from wallet_app.services.movement import UNDER_TERMS, Movement, Rule


def one_currency(movement: Movement) -> None:
    """Refuse a transfer between currencies without a quote, and what the quote does not
    promise."""
    source, target = movement.source, movement.target
    if source and target and (movement.quote or source.currency != target.currency):
        pair = source.currency, target.currency
        if movement.quote is None:
            raise CurrencyMismatch(*pair)
        movement.quote.check(*pair, movement.amount, movement.monotonic_now)


def enough_funds(movement: Movement) -> None:
    """Refuse to take more than there is, or than the house can exchange, and to fill a
    wallet past the largest balance."""
    source, target, amount = movement.source, movement.target, movement.amount
    if source and source.balance < amount:
        raise InsufficientFunds(source.balance, amount)
    if movement.quote and movement.house:
        taker, giver = movement.house
        if taker.balance > AMOUNT_MAX - amount:
            raise LiquidityExhausted(taker.currency)
        amount = movement.quote.to_amount
        if giver.balance < giver.balance_min + amount:
            raise LiquidityExhausted(giver.currency)
    if target and target.balance > AMOUNT_MAX - amount:
        raise BalanceOverflow(target.id, amount, AMOUNT_MAX)


RULES: tuple[Rule, ...] = (
    not_frozen,
    one_currency,
    enough_funds,
    within_limits,
    no_fraud,
    no_approval_needed,
)
"""Every rule."""

ALWAYS = tuple(rule for rule in RULES if rule not in UNDER_TERMS)
"""Those that can refuse a movement between wallets without policy."""
