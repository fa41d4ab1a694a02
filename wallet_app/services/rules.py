"""What must hold before money moves: the rules, in the order of the contract.

To add one, write a function where its subject is, and name it in `RULES`.
"""

from __future__ import annotations

from wallet_app.domain.errors.exchange_errors import LiquidityExhausted, QuoteUsed
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    CurrencyMismatch,
    InsufficientFunds,
)
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.approvals.approvals import no_approval_needed
from wallet_app.services.fraud import no_fraud
from wallet_app.services.freeze import not_frozen
from wallet_app.services.limits import within_limits
from wallet_app.services.movement import Movement, Rule


def one_currency(movement: Movement) -> None:
    """Refuse a transfer between currencies without a quote, and what the quote does not
    promise."""
    source, target = movement.source, movement.target
    exchange = movement.exchange
    if source and target and (exchange or source.currency != target.currency):
        pair = source.currency, target.currency
        if exchange is None:
            raise CurrencyMismatch(*pair)
        exchange.quote.check(*pair, movement.amount, exchange.now)
        if exchange.is_used:
            raise QuoteUsed(exchange.quote.id)


def enough_funds(movement: Movement) -> None:
    """Refuse to take more than there is, or than the house can exchange, and to fill a
    wallet past the largest balance."""
    source, target, amount = movement.source, movement.target, movement.amount
    if source and source.balance < amount:
        raise InsufficientFunds(source.balance, amount)
    if movement.exchange:
        taker, giver = movement.exchange.taker, movement.exchange.giver
        if taker.balance > AMOUNT_MAX - amount:
            raise LiquidityExhausted(taker.currency)
        amount = movement.exchange.quote.to_amount
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


def check(movement: Movement) -> None:
    """Call every rule, in order, before the first change; raise what one refuses."""
    try:
        for rule in RULES:
            rule(movement)
    except WalletError as refusal:
        refusal.operation = movement.index
        raise
