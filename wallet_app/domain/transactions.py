"""The facts: what a transaction and a wallet say, and how large money can be.

Everything here is immutable. The live, lockable wallet is in `store.py`.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from uuid_utils import UUID

AMOUNT_MAX = 2**53 - 1
"""Largest amount and largest balance, in minor units: the largest integer that
every JSON client reads exactly (RFC 8259, section 6)."""

HOUSE = "00000000-0000-0000-0000-000000000000"
"""The user of the liquidity wallets: nobody, by its id (RFC 9562, section 5.9)."""


class TransactionType(StrEnum):
    CREDIT = "CREDIT"
    DEBIT = "DEBIT"
    TRANSFER_IN = "TRANSFER_IN"
    TRANSFER_OUT = "TRANSFER_OUT"


OUTGOING = frozenset({TransactionType.DEBIT, TransactionType.TRANSFER_OUT})


class WalletStatus(StrEnum):
    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"


class WalletIdentity(Struct, frozen=True, gc=False):
    """What never changes about a wallet; `created_at` is in nanoseconds since 1970,
    UTC."""

    id: str
    user_id: str
    currency: str
    created_at: int


class PaymentIdentity(Struct, frozen=True, gc=False):
    """What never changes about a payment with the bank."""

    id: UUID
    bank_account: str


class Exchanged(Struct, frozen=True, gc=False):
    """The wallet of the other user of an exchange."""

    wallet: WalletIdentity


Counterparty = WalletIdentity | Exchanged | PaymentIdentity
"""With whom: the other wallet of a transfer, that of an exchange, or the bank."""


# msgspec's Struct and not a dataclass: a million of these is the whole memory of
# the service. A Struct is built in C, and with gc=False the garbage collector
# never visits it, which is sound because it holds only atoms.
class Transaction(Struct, frozen=True, gc=False):
    """One immutable entry in one wallet's history; `amount` is always positive.

    Ids are kept as 16 byte objects and become text where they leave the process.
    """

    id: UUID
    wallet: WalletIdentity
    type: TransactionType
    amount: int
    balance_after: int
    reference_id: UUID | None
    category: str | None
    description: str | None
    created_at: int
    counterparty: Counterparty | None = None

    @property
    def wallet_id(self) -> str:
        return self.wallet.id

    @property
    def currency(self) -> str:
        return self.wallet.currency

    @property
    def wallet_after(self) -> WalletSnapshot:
        """The wallet as this transaction left it, whatever came since. No transaction
        is made on a frozen wallet, except a refund, whose answer nobody waits for."""
        wallet = self.wallet
        return WalletSnapshot(
            id=wallet.id,
            user_id=wallet.user_id,
            currency=wallet.currency,
            balance=self.balance_after,
            frozen_reason=None,
            created_at=wallet.created_at,
            updated_at=self.created_at,
        )

    @property
    def change(self) -> int:
        """What the transaction did to the balance: `amount` with its sign."""
        return -self.amount if self.type in OUTGOING else self.amount


class WalletSnapshot(Struct, frozen=True, gc=False):
    """What a wallet was at one moment; times in nanoseconds since 1970, UTC. It was
    frozen if there is a reason."""

    id: str
    user_id: str
    currency: str
    balance: int
    frozen_reason: str | None
    created_at: int
    updated_at: int

    @property
    def wallet_id(self) -> str:
        """The same as `id`: answers have both."""
        return self.id

    @property
    def status(self) -> WalletStatus:
        frozen = self.frozen_reason is not None
        return WalletStatus.FROZEN if frozen else WalletStatus.ACTIVE
