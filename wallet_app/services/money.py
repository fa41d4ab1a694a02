"""The money path: how money moves, and why none is ever lost.

    lock      in one order, so no two threads wait for each other
    check     every rule, so nothing changes before all of them agree
    move      each leg: a balance and its transaction, in one function
    commit    what can fail first, then plain stores
    or put everything back: a wallet's `with` block is all or nothing

Ids and clocks are read before the locks. Amounts are minor units, already checked to be
integers from 1 to AMOUNT_MAX. Nothing here knows of HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from uuid_utils import UUID

from wallet_app.domain.clock import Clock, NewId
from wallet_app.domain.errors.wallet_errors import SameWallet
from wallet_app.domain.transactions import Transaction, TransactionType
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.events import Outbox, created
from wallet_app.services.fraud import count_signals
from wallet_app.services.movement import Exchange, Leg, Movement
from wallet_app.services.quotes import Quotes
from wallet_app.services.rules import check
from wallet_app.store import Store, Wallet, locked

CREDIT, DEBIT = TransactionType.CREDIT, TransactionType.DEBIT
OUT, IN = TransactionType.TRANSFER_OUT, TransactionType.TRANSFER_IN

T = TypeVar("T")


class Money:
    """Adds, deducts, transfers and exchanges. Each call happens as a whole or not at
    all. Every call raises WalletNotFound, and what a rule refuses."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        monotonic: Clock,
        new_id: NewId,
        quotes: Quotes,
        outbox: Outbox,
    ) -> None:
        self._wallets = store.wallets
        self._liquidity = store.liquidity
        self._clock = clock
        self._monotonic = monotonic
        self._new_id = new_id
        self._quotes = quotes
        self._outbox = outbox

    def make(
        self,
        movement: Movement,
        legs: list[Leg],
        outcome_of: Callable[[list[Transaction]], T],
    ) -> T:
        """Make a movement: the one way in which money moves."""
        with locked(movement.wallets):
            check(movement)
            transactions = [move(movement, leg) for leg in legs]
            outcome, events = outcome_of(transactions), created(transactions)
            commit(movement.on_commit, outcome, self._outbox.put, *events)
        return outcome

    def add(
        self,
        wallet_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        *,
        reference_id: UUID | None = None,
        refund_of: Transaction | None = None,
        on_commit: OnCommits = (),
    ) -> Transaction:
        """Credit a wallet with money from outside. A refund counts as not spent."""
        wallet = self._wallets[wallet_id]
        movement = Movement(
            target=wallet,
            amount=amount,
            reference_id=reference_id,
            category=category,
            description=description,
            now=self._clock(),
            refund_of=refund_of,
            on_commit=on_commit,
        )
        return self.make(movement, [Leg(wallet, CREDIT, amount, self._new_id())], only)

    def deduct(
        self,
        wallet_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        *,
        reference_id: UUID | None = None,
        approved: bool = False,
        on_commit: OnCommits = (),
    ) -> Transaction:
        """Debit a wallet for money that leaves the service."""
        wallet = self._wallets[wallet_id]
        movement = Movement(
            source=wallet,
            amount=amount,
            reference_id=reference_id,
            category=category,
            description=description,
            now=self._clock(),
            approved=approved,
            on_commit=on_commit,
        )
        return self.make(movement, [Leg(wallet, DEBIT, -amount, self._new_id())], only)

    def transfer(
        self,
        source_id: str,
        target_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        *,
        approved: bool = False,
        on_commit: OnCommits = (),
    ) -> tuple[Transaction, Transaction]:
        """Move money between two wallets; return what left and what arrived. Both
        refer to the id of what left.

        Also raises SameWallet.
        """
        source, target = self._two_wallets(source_id, target_id)
        out_id = self._new_id()
        movement = Movement(
            source=source,
            target=target,
            amount=amount,
            reference_id=out_id,
            category=category,
            description=description,
            now=self._clock(),
            approved=approved,
            on_commit=on_commit,
        )
        legs = [
            Leg(source, OUT, -amount, out_id),
            Leg(target, IN, amount, self._new_id()),
        ]
        return self.make(movement, legs, ends)

    def exchange(
        self,
        source_id: str,
        target_id: str,
        amount: int,
        quote_id: str,
        category: str | None = None,
        description: str | None = None,
        *,
        approved: bool = False,
        on_commit: OnCommits = (),
    ) -> tuple[Transaction, Transaction]:
        """Transfer between currencies, by the amounts of a quote. The money goes
        through a liquidity wallet of each currency, so that its books balance.

        Also raises SameWallet and QuoteNotFound.
        """
        source, target = self._two_wallets(source_id, target_id)
        quote = self._quotes.find(quote_id)
        taker = self._liquidity[quote.from_currency]
        giver = self._liquidity[quote.to_currency]
        out_id = self._new_id()
        movement = Movement(
            source=source,
            target=target,
            amount=amount,
            reference_id=out_id,
            category=category,
            description=description,
            now=self._clock(),
            approved=approved,
            exchange=Exchange(quote, taker, giver, self._monotonic()),
            on_commit=(quote, *on_commit),
        )
        legs = [
            Leg(source, OUT, -quote.from_amount, out_id),
            Leg(taker, IN, quote.from_amount, self._new_id()),
            Leg(giver, OUT, -quote.to_amount, self._new_id()),
            Leg(target, IN, quote.to_amount, self._new_id()),
        ]
        exchanged = self.make(movement, legs, ends)
        self._quotes.release(quote_id)
        return exchanged

    def _two_wallets(self, source_id: str, target_id: str) -> tuple[Wallet, Wallet]:
        source, target = self._wallets[source_id], self._wallets[target_id]
        if source is target:
            raise SameWallet(source_id)
        return source, target


def move(movement: Movement, leg: Leg) -> Transaction:
    """Change a held wallet's balance and record it; nothing else ever does."""
    wallet, change, amount = leg.wallet, leg.change, abs(leg.change)
    now = max(movement.now, wallet.updated_at)  # clocks step back, histories do not
    if change < 0:
        wallet.counters = wallet.counters.at(now, wallet.spent)
        wallet.spent += amount
    elif movement.refund_of is not None:
        spent_at = movement.refund_of.created_at
        wallet.counters = wallet.counters.refunded(spent_at, amount)
        wallet.spent -= amount
    balance = wallet.balance + change
    wallet.balance = balance
    wallet.updated_at = now
    transaction = Transaction(
        id=leg.transaction_id,
        wallet=wallet.identity,
        type=leg.type,
        amount=amount,
        balance_after=balance,
        reference_id=movement.reference_id,
        category=movement.category,
        description=movement.description,
        created_at=now,
    )
    wallet.history.append(transaction)
    count_signals(movement, wallet, change, now)
    return transaction


def only(transactions: list[Transaction]) -> Transaction:
    """Return the transaction of a movement with one leg."""
    return transactions[0]


def ends(transactions: list[Transaction]) -> tuple[Transaction, Transaction]:
    """Return what left the source and what arrived at the target."""
    return transactions[0], transactions[-1]
