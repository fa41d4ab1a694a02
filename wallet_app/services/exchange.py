"""Transfers between currencies: four linked transactions, so that each currency's books
balance.

    the source     gives  the first amount   to  the house, in the first currency
    the house      gives  the second amount  to  the target, in the second currency
"""

from __future__ import annotations

from wallet_app.domain.clock import Clock, NewId
from wallet_app.domain.errors import SameWallet
from wallet_app.domain.transactions import Transaction, WalletSnapshot
from wallet_app.services.commit import Keeper
from wallet_app.services.money import IN, OUT, Money, move
from wallet_app.services.movement import Movement
from wallet_app.services.quotes import Quotes
from wallet_app.services.rules import ALWAYS, RULES
from wallet_app.store import Store, locked


class Exchange:
    """Transfers with a quote, and without one."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        monotonic: Clock,
        new_id: NewId,
        money: Money,
        quotes: Quotes,
    ) -> None:
        self._wallets = store.wallets
        self._liquidity = store.liquidity
        self._clock = clock
        self._monotonic = monotonic
        self._new_id = new_id
        self._money = money
        self._quotes = quotes

    def transfer(
        self,
        source_id: str,
        target_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        quote_id: str | None = None,
        claim: Keeper | None = None,
        approved: bool = False,
    ) -> tuple[Transaction, Transaction]:
        """Transfer as `Money.transfer` does; with a quote, between its currencies and
        by its amounts.

        Raises QuoteNotFound besides.
        """
        if quote_id is None:
            return self._money.transfer(
                source_id, target_id, amount, category, description, claim, approved
            )
        source, target = self._wallets[source_id], self._wallets[target_id]
        if source is target:
            raise SameWallet(source_id)
        quote = self._quotes.find(quote_id)
        taker = self._liquidity[quote.from_currency]
        giver = self._liquidity[quote.to_currency]
        ids, now = [self._new_id() for _ in range(4)], self._clock()
        movement = Movement(
            source,
            target,
            amount,
            ids[0],
            category,
            description,
            now,
            approved,
            quote,
            (taker, giver),
            monotonic_now=self._monotonic(),
        )
        with locked((source, target, taker, giver)):
            for rule in RULES if source.policy or target.policy else ALWAYS:
                rule(movement)
            sent = move(movement, source, OUT, -quote.from_amount, ids[0])
            taken = move(movement, taker, IN, quote.from_amount, ids[1])
            given = move(movement, giver, OUT, -quote.to_amount, ids[2])
            received = move(movement, target, IN, quote.to_amount, ids[3])
            exchange = sent, received
            self._money.commit(claim, exchange, sent, taken, given, received)
            quote.used = True
        self._quotes.release(quote_id)
        return exchange

    def liquidity(self) -> list[WalletSnapshot]:
        """Return the house's wallets at one moment, by currency."""
        with locked(list(self._liquidity.values())) as wallets:
            snapshots = [wallet.snapshot() for wallet in wallets]
        return sorted(snapshots, key=lambda snapshot: snapshot.currency)
