"""What is asked for: a movement of money that the rules check, and its legs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct
from uuid_utils import UUID

from wallet_app.domain.transactions import (
    OUTGOING,
    Counterparty,
    Transaction,
    TransactionType,
)
from wallet_app.services.quotes import Quote
from wallet_app.store import Wallet


class Operation(Struct, frozen=True, gc=False, kw_only=True):
    """A movement as a client asks for it, by the ids of wallets. Without a source it
    adds, without a target it deducts, with both it transfers; with a quote, between
    currencies. `amount` is in minor units."""

    source_id: str | None = None
    target_id: str | None = None
    amount: int
    category: str | None = None
    description: str | None = None
    quote_id: str | None = None


# Structs, because they are built in C; they live as long as a call.
class Leg(Struct, frozen=True, gc=False):
    """One balance that a movement changes, and the transaction that says so, in
    minor units."""

    wallet: Wallet
    type: TransactionType
    amount: int
    transaction_id: UUID
    counterparty: Counterparty | None

    @property
    def change(self) -> int:
        """What the balance changes by: `amount` with its sign."""
        return -self.amount if self.type in OUTGOING else self.amount


class Exchange(Struct, frozen=True, gc=False):
    """How a movement changes the currency: by the amounts of a quote, through two
    liquidity wallets. The `taker` receives from the source, the `giver` pays the
    target. `now` is in nanoseconds of the monotonic clock, by which quotes expire. The
    quote `is_used` by an earlier movement of the same batch."""

    quote: Quote
    taker: Wallet
    giver: Wallet
    now: int
    is_used: bool = False


class Movement(Struct, frozen=True, gc=False, kw_only=True):
    """`amount` minor units of the source's currency that leave the source; the target
    gets as much, or the `to_amount` of the quote.

    Without a source they come from outside (an add), without a target they leave (a
    deduct). Without legs it is only checked, as when a deposit is requested. `now` is
    in nanoseconds since 1970, UTC. An approved movement needs no further approval. A
    refund of a debit that the bank declined also reaches a frozen wallet. `index` is
    its place in a batch.
    """

    source: Wallet | None = None
    target: Wallet | None = None
    amount: int
    now: int
    legs: Sequence[Leg] = ()
    reference_id: UUID | None = None
    category: str | None = None
    description: str | None = None
    approved: bool = False
    exchange: Exchange | None = None
    refund_of: Transaction | None = None
    index: int | None = None


def wallets_of(movements: Iterable[Movement]) -> set[Wallet]:
    """Return every wallet that the rules look at or the legs change."""
    wallets: set[Wallet | None] = set()
    for each in movements:
        wallets |= {each.source, each.target}
        if each.exchange is not None:
            wallets |= {each.exchange.taker, each.exchange.giver}
    return {wallet for wallet in wallets if wallet is not None}


class ApprovalRequired(Exception):
    """A movement that is neither made nor refused: somebody must confirm it first.

    `reason` is why: the threshold of the wallet, or the name of a fraud rule. After
    `deadline`, if there is one, no confirmation makes the movement.
    """

    def __init__(self, reason: str, movement: Movement) -> None:
        source, target = movement.source, movement.target
        assert source is not None
        super().__init__(reason)
        self.reason = reason
        self.wallet_id = source.id
        self.amount = movement.amount
        self.currency = source.currency
        self.target_id = target.id if target else None
        self.operation = movement.index
        self.deadline = movement.exchange.quote.deadline if movement.exchange else None


Rule = Callable[[Movement], None]
"""Refuses a movement, or requires an approval for it, by raising, and changes nothing.
It is called under the locks of the movement's wallets, and looks only at what they
protect."""
