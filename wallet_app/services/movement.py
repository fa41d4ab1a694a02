"""What the rules look at: a change that was asked for, and is not made yet."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from uuid_utils import UUID

from wallet_app.domain.transactions import Transaction
from wallet_app.services.quotes import Quote
from wallet_app.store import Wallet


# A Struct like `Transaction`, because it is built in C; it lives as long as a call.
class Movement(Struct, frozen=True, gc=False):
    """`amount` minor units that leave the source and reach the target. No source
    means that they come from outside (an add), no target that they leave (a deduct).
    `now` is in nanoseconds since 1970, UTC, and `monotonic_now`, by which a quote
    expires, in those of the monotonic clock. An approved movement has been confirmed,
    and needs no further approval. With a quote the target receives its amount, in its
    currency, and the money goes through two wallets of the house: one takes what the
    source gives, one gives what the target receives. A movement that gives back what a
    debit took, because the bank has not paid it, reaches a frozen wallet, too."""

    source: Wallet | None
    target: Wallet | None
    amount: int
    reference_id: UUID | None
    category: str | None
    description: str | None
    now: int
    approved: bool = False
    quote: Quote | None = None
    house: tuple[Wallet, Wallet] | None = None
    refund_of: Transaction | None = None
    monotonic_now: int = 0


class ApprovalRequired(Exception):
    """A movement that is neither made nor refused: somebody must confirm it first.

    `reason` is why: the threshold of the wallet, or the name of a fraud rule. After
    `deadline`, if it is given, the movement cannot be made, whoever confirms it.
    """

    def __init__(self, reason: str, movement: Movement) -> None:
        source, target, quote = movement.source, movement.target, movement.quote
        assert source is not None
        super().__init__(reason)
        self.reason = reason
        self.wallet_id = source.id
        self.amount = movement.amount
        self.currency = source.currency
        self.target_id = target.id if target else None
        self.deadline = quote.deadline if quote else None


Rule = Callable[[Movement], None]
"""Refuses a movement, or keeps it back, by raising, and changes nothing. It is called
under the locks of the movement's wallets, and looks only at what they protect."""

UNDER_TERMS: set[Rule] = set()


def under_terms(rule: Rule) -> Rule:
    """Mark a rule that looks at the policy of wallets, and lets every movement pass
    between wallets without policy: there it is not called."""
    UNDER_TERMS.add(rule)
    return rule
