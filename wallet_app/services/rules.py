"""The rules that a movement must meet, in the order in which clients see them fail.

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


def same_currency_or_quote(movement: Movement) -> None:
    """Refuse two currencies without a quote, and a quote that is used, expired or for
    another transfer."""
    source, target = movement.source, movement.target
    exchange = movement.exchange
    if source is None or target is None:
        return
    if exchange is None:
        if source.currency != target.currency:
            raise CurrencyMismatch(source.currency, target.currency)
        return
    exchange.quote.check(
        source.currency, target.currency, movement.amount, exchange.now
    )
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
    same_currency_or_quote,
    enough_funds,
    within_limits,
    no_fraud,
    no_approval_needed,
)


def check(movement: Movement) -> None:
    """Call every rule before a movement's first change, in order; the first that
    refuses ends it. Its error gets the movement's index in a batch."""
    try:
        for rule in RULES:
            rule(movement)
    except WalletError as refusal:
        refusal.operation = movement.index
        raise
