"""Refusals of wallets and of what moves money between them. Amounts are in minor
units."""

from __future__ import annotations

from wallet_app.domain.errors.example_values import (
    DAY_ENDS,
    SOURCE_ID,
    TARGET_ID,
    TRANSACTION_ID,
)
from wallet_app.domain.errors.families import (
    Conflict,
    Forbidden,
    Invalid,
    Locked,
    NotFound,
    Unprocessable,
    internal,
    member,
)


class WalletNotFound(NotFound):
    """No wallet has this id."""

    code, title = "wallet_not_found", "Wallet not found"
    message = "There is no wallet {wallet_id}."
    wallet_id: str = member(SOURCE_ID)


class TransactionNotFound(NotFound):
    """No transaction has this id, or none of this wallet."""

    code, title = "transaction_not_found", "Transaction not found"
    message = "There is no transaction {transaction_id}{where}."
    transaction_id: str = member(TRANSACTION_ID)
    where: str = internal("", default="")


class WalletExists(Conflict):
    """The user already has a wallet in this currency."""

    code, title = "wallet_exists", "Wallet already exists"
    message = "The user already has a wallet in {currency}."
    wallet_id: str = member(SOURCE_ID)
    currency: str = internal("INR")


class SameWallet(Invalid):
    """The source of a transfer is also its target."""

    code, title = "same_wallet", "Same wallet"
    message = "A transfer needs two different wallets."
    wallet_id: str = member(SOURCE_ID)


class CurrencyMismatch(Invalid):
    """The wallets hold different currencies, and the transfer has no quote."""

    code, title = "currency_mismatch", "Currencies differ"
    message = (
        "The wallets hold different currencies: {from_currency} and {to_currency}."
    )
    from_currency: str = member("INR")
    to_currency: str = member("USD")


class WalletFrozen(Locked):
    """A frozen wallet neither sends nor receives."""

    code, title = "wallet_frozen", "Wallet frozen"
    message = "Wallet {wallet_id} is frozen: it neither sends nor receives."
    wallet_id: str = member(SOURCE_ID)


class InsufficientFunds(Invalid):
    """The wallet holds less than the amount."""

    code, title = "insufficient_funds", "Insufficient funds"
    message = "The balance is {balance}, less than the {amount} asked for."
    balance: int = member(35_000)
    amount: int = member(50_000)


class BalanceOverflow(Invalid):
    """The movement would take the balance past the largest one allowed."""

    code, title = "balance_overflow", "Balance too large"
    message = "Adding {amount} would take the wallet's balance past {maximum}."
    wallet_id: str = member(TARGET_ID)
    amount: int = member(15_000)
    maximum: int = member(9_007_199_254_740_991)


LIMIT_NAMES = {
    "perTransaction": "limit for one transaction",
    "daily": "daily limit",
    "monthly": "monthly limit",
}


class LimitExceeded(Unprocessable):
    """More would leave the wallet than one of its limits allows."""

    code, title = "limit_exceeded", "Limit exceeded"
    limit_name: str = member("daily")
    amount: int = member(40_000)
    limit: int = member(50_000)
    used: int = member(15_000, default=0)
    remaining: int = member(35_000, init=False)
    resets_at: int | None = member(DAY_ENDS, default=None)

    def __post_init__(self) -> None:
        self.remaining = max(self.limit - self.used, 0)

    @property
    def detail(self) -> str:
        return (
            f"The {LIMIT_NAMES[self.limit_name]} is {self.limit}, of which "
            f"{self.remaining} is left: less than the {self.amount} asked for."
        )


class FraudBlocked(Forbidden):
    """A fraud rule blocks the movement. No confirmation lets it pass."""

    code, title = "fraud_blocked", "Blocked as suspicious"
    message = "The fraud rule {rule} does not let this movement pass."
    rule: str = member("velocity")
    wallet_id: str = member(SOURCE_ID)
    amount: int = member(15_000)
    currency: str = internal("INR")
    target_id: str | None = internal(None)

    @property
    def reason(self) -> str:
        """Why it is flagged, under the name that `ApprovalRequired` has for it."""
        return self.rule
