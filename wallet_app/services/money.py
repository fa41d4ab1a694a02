"""The money path: how money moves, and why none is ever lost.

    lock      in one order, so threads cannot deadlock
    check     every rule, before the movement's first change
    move      each leg: a balance and its transaction, in one function
    commit    what can fail first, then plain stores
    or put everything back: a wallet's `with` block is all or nothing

Ids and clocks are read before the locks. Amounts are minor units, already checked to be
integers from 1 to AMOUNT_MAX. Nothing here knows of HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from sys import intern
from typing import TypeVar

from wallet_app.domain.clock import Clock, NewId
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.wallet_errors import SameWallet
from wallet_app.domain.transactions import (
    Counterparty,
    Exchanged,
    PaymentIdentity,
    Transaction,
    TransactionType,
)
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.events import Outbox, created
from wallet_app.services.fraud import count_signals
from wallet_app.services.movement import (
    Exchange,
    Leg,
    Movement,
    Operation,
    wallets_of,
)
from wallet_app.services.quotes import Quotes
from wallet_app.services.rules import check
from wallet_app.store import Store, Wallet, locked

CREDIT, DEBIT = TransactionType.CREDIT, TransactionType.DEBIT
OUT, IN = TransactionType.TRANSFER_OUT, TransactionType.TRANSFER_IN

T = TypeVar("T")
Pair = tuple[Transaction, Transaction]

Made = list[list[Transaction]]
"""The transactions of each movement, in the order of its legs."""


class Money:
    """Adds, deducts, transfers and exchanges. Each call happens as a whole or not at
    all. Each can raise WalletNotFound, ApprovalRequired and the errors of the rules."""

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

    def add(
        self,
        wallet_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        *,
        payment: PaymentIdentity | None = None,
        refund_of: Transaction | None = None,
        on_commit: OnCommits = (),
    ) -> Transaction:
        """Credit a wallet with money from outside. A refund counts as not spent."""
        asked = Operation(
            target_id=wallet_id,
            amount=amount,
            category=category,
            description=description,
        )
        movement = self._movement(
            asked, self._clock(), payment=payment, refund_of=refund_of
        )
        return self.make([movement], single, on_commit)

    def deduct(
        self,
        wallet_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        *,
        payment: PaymentIdentity | None = None,
        approved: bool = False,
        on_commit: OnCommits = (),
    ) -> Transaction:
        """Debit a wallet for money that leaves the service."""
        asked = Operation(
            source_id=wallet_id,
            amount=amount,
            category=category,
            description=description,
        )
        movement = self._movement(
            asked, self._clock(), payment=payment, approved=approved
        )
        return self.make([movement], single, on_commit)

    def transfer(
        self,
        source_id: str,
        target_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        quote_id: str | None = None,
        *,
        approved: bool = False,
        on_commit: OnCommits = (),
    ) -> Pair:
        """Move money between two wallets, with a quote between currencies. Return the
        outgoing and the incoming transaction; `reference_id` of both is the id of the
        outgoing one.

        Also raises SameWallet, and with a quote QuoteNotFound.
        """
        asked = Operation(
            source_id=source_id,
            target_id=target_id,
            amount=amount,
            category=category,
            description=description,
            quote_id=quote_id,
        )
        movement = self._movement(asked, self._clock(), approved=approved)
        return self._make_with_quotes([movement], pair, on_commit)

    def batch(
        self, operations: Sequence[Operation], *, on_commit: OnCommits = ()
    ) -> tuple[Transaction | Pair, ...]:
        """Make movements in order, at one moment: all of them, or none if one is
        refused. The refusal has the index of its operation."""
        now, used = self._clock(), set[str | None]()
        movements: list[Movement] = []
        for index, asked in enumerate(operations):
            is_used = asked.quote_id in used
            try:
                movement = self._movement(asked, now, index=index, is_used=is_used)
            except WalletError as refusal:
                refusal.operation = index
                raise
            movements.append(movement)
            used.add(asked.quote_id)
        return self._make_with_quotes(movements, each_result, on_commit)

    def _movement(
        self,
        asked: Operation,
        now: int,
        *,
        payment: PaymentIdentity | None = None,
        refund_of: Transaction | None = None,
        approved: bool = False,
        index: int | None = None,
        is_used: bool = False,
    ) -> Movement:
        """Look up what an operation names, and give each of its legs an id."""
        source, target = self._ends(asked)
        exchange = None
        if asked.quote_id is not None:
            assert source and target, "only a transfer has a quote"
            exchange = self._exchange(asked.quote_id, is_used)
        changes = changes_of(source, target, asked.amount, exchange, payment)
        legs = [
            Leg(wallet, type, amount, self._new_id(), counterparty)
            for wallet, type, amount, counterparty in changes
        ]
        reference_id = payment.id if payment is not None else None
        return Movement(
            source=source,
            target=target,
            amount=asked.amount,
            now=now,
            legs=legs,
            reference_id=legs[0].transaction_id if len(legs) > 1 else reference_id,
            category=asked.category and intern(asked.category),  # one in memory
            description=asked.description,
            approved=approved,
            exchange=exchange,
            refund_of=refund_of,
            index=index,
        )

    def _ends(self, asked: Operation) -> tuple[Wallet | None, Wallet | None]:
        source = self._wallets[asked.source_id] if asked.source_id else None
        target = self._wallets[asked.target_id] if asked.target_id else None
        if source is not None and source is target:
            raise SameWallet(source.id)
        return source, target

    def _exchange(self, quote_id: str, is_used: bool) -> Exchange:
        quote = self._quotes.find(quote_id)
        return Exchange(
            quote,
            self._liquidity[quote.from_currency],
            self._liquidity[quote.to_currency],
            self._monotonic(),
            is_used,
        )

    def _make_with_quotes(
        self,
        movements: Sequence[Movement],
        outcome_of: Callable[[Made], T],
        on_commit: OnCommits,
    ) -> T:
        """Make movements, and use the quotes of those that exchange."""
        quotes = [each.exchange.quote for each in movements if each.exchange]
        used = iter(quotes)  # made here, because without memory it would fail later
        outcome = self.make(movements, outcome_of, (*quotes, *on_commit))
        for quote in used:
            self._quotes.release(quote.id)
        return outcome

    def make(
        self,
        movements: Sequence[Movement],
        outcome_of: Callable[[Made], T],
        on_commit: OnCommits = (),
    ) -> T:
        """Make movements, all of them or none: the one way in which money moves."""
        with locked(wallets_of(movements)):
            made = []
            for movement in movements:
                check(movement)
                made.append([move(movement, leg) for leg in movement.legs])
            outcome, events = outcome_of(made), created(chain(*made))
            commit(on_commit, outcome, self._outbox.put, *events)
        return outcome


def move(movement: Movement, leg: Leg) -> Transaction:
    """Change a held wallet's balance and record it. Only a restore changes one, too."""
    wallet, change, amount = leg.wallet, leg.change, leg.amount
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
        counterparty=leg.counterparty,
    )
    wallet.record(transaction)
    count_signals(movement, wallet, change, now)
    return transaction


def changes_of(
    source: Wallet | None,
    target: Wallet | None,
    amount: int,
    exchange: Exchange | None,
    payment: PaymentIdentity | None,
) -> list[tuple[Wallet, TransactionType, int, Counterparty | None]]:
    """Return how each balance changes, by how much, and with whom: one for an add or a
    deduct, two for a transfer. An exchange has four: the money goes through a liquidity
    wallet of each currency, so that its books balance."""
    if source is None or target is None:
        ends = (source, DEBIT), (target, CREDIT)
        return [
            (wallet, type, amount, payment)
            for wallet, type in ends
            if wallet is not None
        ]
    sender, receiver = source.identity, target.identity
    if exchange is None:
        return [(source, OUT, amount, receiver), (target, IN, amount, sender)]
    quote = exchange.quote
    from_sender, to_receiver = Exchanged(sender), Exchanged(receiver)
    return [
        (source, OUT, quote.from_amount, to_receiver),
        (exchange.taker, IN, quote.from_amount, from_sender),
        (exchange.giver, OUT, quote.to_amount, to_receiver),
        (target, IN, quote.to_amount, from_sender),
    ]


def single(made: Made) -> Transaction:
    """Return the transaction of a movement with one leg."""
    return made[0][0]


def pair(made: Made) -> Pair:
    """Return the outgoing and the incoming transaction of a transfer."""
    return made[0][0], made[0][-1]


def each_result(made: Made) -> tuple[Transaction | Pair, ...]:
    """Return what each movement of a batch would return alone."""
    return tuple([legs[0] if len(legs) == 1 else (legs[0], legs[-1]) for legs in made])
