"""The money path: how money moves, and why none is ever lost.

    lock, in one order        no two threads wait for each other in a circle
    check every rule          nothing changes before all of them agree
    move                      a balance and its transaction, in one function
    commit                    what can fail first, then plain stores
    or put everything back    a wallet's `with` block is all or nothing

Ids and the clock are read before the locks. Amounts are minor units, already
checked to be integers from 1 to AMOUNT_MAX. Nothing here knows of HTTP.
"""

from __future__ import annotations

from uuid_utils import UUID

from wallet_app.domain.clock import Clock, NewId
from wallet_app.domain.errors import SameWallet
from wallet_app.domain.transactions import Transaction, TransactionType
from wallet_app.services.commit import Keeper, commit
from wallet_app.services.events import Outbox, created
from wallet_app.services.fraud import remember
from wallet_app.services.movement import Movement
from wallet_app.services.rules import ALWAYS, RULES
from wallet_app.store import Store, Wallet

CREDIT, DEBIT = TransactionType.CREDIT, TransactionType.DEBIT
OUT, IN = TransactionType.TRANSFER_OUT, TransactionType.TRANSFER_IN


class Money:
    """Adds, deducts and transfers. Each call happens as a whole or not at all.

    Its last step under the locks is the commit: the outbox has the transactions, and a
    `claim`, where one is given, keeps the result. Every call raises WalletNotFound, and
    what a rule refuses.
    """

    def __init__(
        self, store: Store, clock: Clock, new_id: NewId, outbox: Outbox
    ) -> None:
        self._wallets = store.wallets
        self._clock = clock
        self._new_id = new_id
        self._outbox = outbox

    def add(
        self,
        wallet_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        claim: Keeper | None = None,
        reference_id: UUID | None = None,
        refund_of: Transaction | None = None,
    ) -> Transaction:
        """Put money that comes from outside into a wallet. With the debit that it gives
        back, it counts as not spent."""
        wallet = self._wallets[wallet_id]
        credit_id, now = self._new_id(), self._clock()
        movement = Movement(
            None,
            wallet,
            amount,
            reference_id,
            category,
            description,
            now,
            refund_of=refund_of,
        )
        with wallet:
            for rule in RULES if wallet.policy else ALWAYS:
                rule(movement)
            credit = move(movement, wallet, CREDIT, amount, credit_id)
            self.commit(claim, credit, credit)
        return credit

    def deduct(
        self,
        wallet_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        claim: Keeper | None = None,
        approved: bool = False,
        reference_id: UUID | None = None,
    ) -> Transaction:
        """Take money out of a wallet, to leave the service."""
        wallet = self._wallets[wallet_id]
        debit_id, now = self._new_id(), self._clock()
        movement = Movement(
            wallet, None, amount, reference_id, category, description, now, approved
        )
        with wallet:
            for rule in RULES if wallet.policy else ALWAYS:
                rule(movement)
            debit = move(movement, wallet, DEBIT, -amount, debit_id)
            self.commit(claim, debit, debit)
        return debit

    def transfer(
        self,
        source_id: str,
        target_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
        claim: Keeper | None = None,
        approved: bool = False,
    ) -> tuple[Transaction, Transaction]:
        """Move money between two wallets; return what left and what arrived. Both
        refer to the id of what left.

        Raises SameWallet besides.
        """
        source, target = self._wallets[source_id], self._wallets[target_id]
        if source is target:
            raise SameWallet(source_id)
        new_id, clock = self._new_id, self._clock
        out_id, in_id, now = new_id(), new_id(), clock()
        movement = Movement(
            source, target, amount, out_id, category, description, now, approved
        )
        # In the order of their ids, so that no two threads wait for each other.
        first, second = (source, target) if source_id < target_id else (target, source)
        with first, second:
            for rule in RULES if source.policy or target.policy else ALWAYS:
                rule(movement)
            sent = move(movement, source, OUT, -amount, out_id)
            received = move(movement, target, IN, amount, in_id)
            transfer = sent, received
            self.commit(claim, transfer, sent, received)
        return transfer

    def commit(
        self, claim: Keeper | None, outcome: object, *transactions: Transaction
    ) -> None:
        """Report the transactions, and keep the outcome; the caller holds their
        wallets, which are restored if this fails."""
        events = created(transactions) if self._outbox.is_open else ()
        commit(claim, outcome, self._outbox.put, *events)


def move(
    movement: Movement,
    wallet: Wallet,
    type: TransactionType,
    change: int,
    transaction_id: UUID,
) -> Transaction:
    """Change a held wallet's balance and record it; nothing else ever does."""
    now = movement.now
    if now < wallet.updated_at:
        now = wallet.updated_at  # clocks step back, histories do not
    amount = change
    if change < 0:
        amount = -change
        if now >= wallet.counters.day_ends:
            wallet.counters = wallet.counters.at(now, wallet.spent)
        wallet.spent += amount
    elif movement.refund_of is not None:
        taken_at = movement.refund_of.created_at
        wallet.counters = wallet.counters.refunded(taken_at, amount)
        wallet.spent -= amount
    wallet.balance = balance = wallet.balance + change
    wallet.updated_at = now
    transaction = Transaction(
        transaction_id,
        wallet.id,
        type,
        amount,
        wallet.currency,
        balance,
        movement.reference_id,
        movement.category,
        movement.description,
        now,
    )
    wallet.history.append(transaction)
    if wallet.policy and wallet.policy.fraud:
        remember(movement, wallet, change, now)
    return transaction
