"""What must hold before money moves, in the order of the contract.

Each check looks only at what the wallets' locks protect, and is made under them,
before the first change. A refusal is a `WalletError`.
"""

from __future__ import annotations

from wallet_app.domain import AMOUNT_MAX
from wallet_app.errors import BalanceOverflow, CurrencyMismatch, InsufficientFunds
from wallet_app.store import Wallet


def check(source: Wallet | None, target: Wallet | None, amount: int) -> None:
    """Refuse a movement of `amount` minor units that breaks a rule.

    No source means that the money comes from outside (an add), no target that
    it leaves (a deduct).
    """
    if source and target and source.currency != target.currency:
        raise CurrencyMismatch(source.currency, target.currency)
    if source and source.balance < amount:
        raise InsufficientFunds(source.balance, amount)
    if target and target.balance > AMOUNT_MAX - amount:
        raise BalanceOverflow(target.id, amount, AMOUNT_MAX)
