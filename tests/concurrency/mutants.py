"""Seeded bugs: each is the real service with a few lines done wrong, as people do.

A mutant is a class whose methods replace those of the product that it inherits from,
for as long as a block takes. The suite must find every one of them: a test that never
went red has shown nothing. To add one, write the class; its docstring is what the
command prints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar, cast
from unittest.mock import patch

from msgspec.structs import replace

from wallet_app.domain.currencies import MINOR_DIGITS
from wallet_app.domain.errors.exchange_errors import QuoteExpired, QuoteUsed
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.payment_errors import PaymentNotParked
from wallet_app.domain.errors.request_errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
)
from wallet_app.domain.transactions import Transaction, WalletSnapshot
from wallet_app.gateways.bank import Answer, BankTimeout, Declined, Direction, Paid
from wallet_app.services.approvals.approval import Confirmation, Moved
from wallet_app.services.approvals.approvals import Approvals
from wallet_app.services.audit.audit import Audit, note, prove
from wallet_app.services.audit.audit_report import AuditReport
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.events import created
from wallet_app.services.freeze import not_frozen
from wallet_app.services.history import History
from wallet_app.services.idempotency import Claim, IdempotencyKeys
from wallet_app.services.limits import within_limits
from wallet_app.services.money import Made, Money, move
from wallet_app.services.movement import Movement, Operation, Rule, wallets_of
from wallet_app.services.payments.payment import (
    Ending,
    Payment,
    PaymentSnapshot,
    PaymentStatus,
)
from wallet_app.services.payments.payment_table import Opening
from wallet_app.services.payments.payments import Payments
from wallet_app.services.quotes import Quote, Quotes
from wallet_app.services.rules import RULES, check
from wallet_app.services.wallets import Wallets
from wallet_app.store import Store, Wallet, locked

T = TypeVar("T")

new_wallet, find = Store.new_wallet, Quotes.find
make, ask = Money.make, Payments._ask

Movements = Sequence[Movement]


@dataclass(frozen=True)
class Mutant:
    """A seeded bug."""

    name: str
    bug: str
    """What goes wrong, in one line."""
    methods: type
    lines: bool
    """Whether it takes a switch between two lines that touch no lock or balance."""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug in the service for as long as the block takes."""
        with ExitStack() as planted:
            for name, method in vars(self.methods).items():
                for owner in self.methods.__bases__:
                    if callable(method) and name in vars(owner):
                        planted.enter_context(patch.object(owner, name, method))
            yield


MUTANTS: dict[str, Mutant] = {}


def seeded(methods: type[T]) -> type[T]:
    """Add a class of wrong methods to the catalogue."""
    _add(methods, lines=False)
    return methods


def seeded_between_lines(methods: type[T]) -> type[T]:
    """Add one that is found line by line only."""
    _add(methods, lines=True)
    return methods


def _add(methods: type, lines: bool) -> None:
    name = re.sub("(?!^)([A-Z])", r"-\1", methods.__name__).lower()
    bug = " ".join((methods.__doc__ or "").split())
    MUTANTS[name] = Mutant(name, bug, methods, lines)


# The lock of a wallet, and what it does when a movement fails


@seeded
class LostUpdate(Wallet):
    """Nobody takes the lock: of two movements that read the same balance, one is
    overwritten."""

    def __enter__(self) -> Wallet:
        self._mark = _mark_of(self)
        return self

    def __exit__(self, failure: Any, value: Any, traceback: Any) -> None:
        if failure is not None:
            self._restore()


@seeded
class MarkOutsideTheLock(Wallet):
    """The mark is set before the lock is taken: putting the wallet back wipes out
    what others did meanwhile."""

    def __enter__(self) -> Wallet:
        self._mark = _mark_of(self)
        self._lock.acquire()
        return self


@seeded
class LateRollback(Wallet):
    """The lock opens before the wallet is put back: others move money in between, and
    lose it."""

    def __exit__(self, failure: Any, value: Any, traceback: Any) -> None:
        self._lock.release()
        if failure is not None:
            self._restore()


@seeded
class PartialTransfer(Wallet):
    """Nothing is put back: a transfer that fails half-way has taken, and not given."""

    def __exit__(self, failure: Any, value: Any, traceback: Any) -> None:
        self._lock.release()


@seeded
class LeakedLock(Wallet):
    """A movement that fails keeps the lock: the next one waits for ever."""

    def __exit__(self, failure: Any, value: Any, traceback: Any) -> None:
        if failure is None:
            self._lock.release()
        else:
            self._restore()


@seeded_between_lines
class LazyLock(Wallet, Store):
    """The lock is made when it is first needed: two threads make one each, and both
    go in."""

    def new_wallet(
        self, id: str, user_id: str, currency: str, created_at: int
    ) -> Wallet:
        wallet = new_wallet(self, id, user_id, currency, created_at)
        wallet._lock = cast(Any, self._lock_factory)
        return wallet

    def __enter__(self) -> Wallet:
        lock: Any = self._lock
        if callable(lock):
            self._lock = lock()
        self._lock.acquire()
        self._mark = _mark_of(self)
        return self


# Movements


@seeded
class DoubleSpend(Money):
    """The rules are checked before the locks are taken: two movements spend the same
    money."""

    def make(self, movements: Movements, *how: Any) -> Any:
        for movement in movements:
            check(movement)
        with locked(wallets_of(movements)):
            return make_held(self, movements, *how, unchecked=RULES)


@seeded
class LimitOutsideTheLock(Money):
    """What is left of a limit is counted before the lock is taken: two movements pass
    it together."""

    def make(self, movements: Movements, *how: Any) -> Any:
        for movement in movements:
            within_limits(movement)
        with locked(wallets_of(movements)):
            return make_held(self, movements, *how, unchecked={within_limits})


@seeded
class FreezeRace(Money):
    """Whether a wallet is frozen is checked before the lock is taken: a movement comes
    after the freeze was answered."""

    def make(self, movements: Movements, *how: Any) -> Any:
        for movement in movements:
            not_frozen(movement)
        with locked(wallets_of(movements)):
            return make_held(self, movements, *how, unchecked={not_frozen})


@seeded_between_lines
class HistoryOutsideTheLock(Money):
    """The transaction is recorded after the lock opened: the balance says one thing,
    the history another."""

    def make(self, movements: Movements, *how: Any) -> Any:
        legs = [leg for movement in movements for leg in movement.legs]
        with locked(wallets_of(movements)):
            outcome = make_held(self, movements, *how)
            late = [(leg.wallet.history, leg.wallet.history.pop()) for leg in legs]
        for history, transaction in late:
            history.append(transaction)
        return outcome


@seeded_between_lines
class TimeRunsBack(Money):
    """The clock is read before the lock, and believed: of two movements the earlier
    one has the later time."""

    def make(self, movements: Movements, *how: Any) -> Any:
        with locked(wallets_of(movements)) as wallets:
            for wallet in wallets:
                wallet.updated_at = movements[0].now
            return make_held(self, movements, *how)


@seeded
class UnsortedLocks(Money):
    """The source is locked first, then the target: two transfers that cross wait for
    each other, for ever."""

    def make(self, movements: Movements, *how: Any) -> Any:
        with ExitStack() as held:
            for wallet in dict.fromkeys(wallets_of_legs(movements)):
                held.enter_context(wallet)
            return make_held(self, movements, *how)


@seeded
class SelfTransfer(Money):
    """A transfer from a wallet to itself is not refused: it waits for the lock that
    it holds."""

    def make(self, movements: Movements, *how: Any) -> Any:
        with locked(wallets_of_legs(movements)):
            return make_held(self, movements, *how)

    def _ends(self, asked: Operation) -> tuple[Wallet | None, Wallet | None]:
        return (
            self._wallets[asked.source_id] if asked.source_id else None,
            self._wallets[asked.target_id] if asked.target_id else None,
        )


@seeded
class TwoSections(Money):
    """A transfer takes in one locked section and gives in the next: in between the
    money is nowhere."""

    def make(self, movements: Movements, outcome_of: Any, on_commit: Any = ()) -> Any:
        movement, *others = movements
        if others or len(movement.legs) < 2:
            return make(self, movements, outcome_of, on_commit)
        with movement.legs[0].wallet:
            check(movement)
            transactions = [move(movement, movement.legs[0])]
        for leg in movement.legs[1:]:
            with leg.wallet:
                transactions.append(move(movement, leg))
        outcome, events = outcome_of([transactions]), created(transactions)
        commit(on_commit, outcome, self._outbox.put, *events)
        return outcome


@seeded
class BatchKeepsTheFirst(Money):
    """A batch that is refused keeps what came before the refused operation."""

    def make(self, movements: Movements, outcome_of: Any, on_commit: Any = ()) -> Any:
        *first, last = movements
        with locked(wallets_of(movements)):
            made = check_and_move(first)
            refused = _refusal_of(last) if first else None
            if refused is None:
                made += check_and_move([last])
                outcome, events = outcome_of(made), created(chain(*made))
                commit(on_commit, outcome, self._outbox.put, *events)
            else:
                self._outbox.put(*created(chain(*made)))
        if refused is not None:
            raise refused
        return outcome


@seeded
class BatchInParts(Money):
    """The locks of a batch are taken operation by operation: others see a part of
    it."""

    def make(self, movements: Movements, outcome_of: Any, on_commit: Any = ()) -> Any:
        *first, last = movements
        made: Made = []
        for movement in first:
            made += make(self, [movement], list)
        return make(self, [last], lambda last: outcome_of(made + last), on_commit)


# Reading


@seeded
class DirtyRead(Wallets):
    """A balance is read without the lock: it shows a debit that is taken back."""

    def get(self, wallet_id: str) -> WalletSnapshot:
        return self._store.wallets[wallet_id].snapshot()


@seeded
class ListWithoutTheRegistry(Wallets):
    """A user's wallets are read without the registry, one after the other: the list
    lacks one that was created before another, and counts money twice."""

    def of_user(self, user_id: str) -> list[WalletSnapshot]:
        snapshots = []
        for currency in MINOR_DIGITS:
            wallet = self._store._by_owner.get((user_id, currency))
            if wallet is not None:
                with wallet:
                    snapshots.append(wallet.snapshot())
        return snapshots


@seeded
class DirtyHistory(History):
    """A history is read without the lock: it shows a transaction that never was."""

    def committed(self, wallet_id: str) -> tuple[list[Transaction], int]:
        history = self._wallets[wallet_id].history
        return history, len(history)


@seeded
class DirtyTotal(Store):
    """An audit adds up without the locks: it meets a transfer half-way."""

    @contextmanager
    def all_locked(self) -> Iterator[list[Wallet]]:
        with self.registry_lock:
            yield list(self._readable.values())


@seeded
class TornTotal(Audit):
    """An audit locks one wallet after the other: money that moves meanwhile counts
    twice, or not at all."""

    def run(self) -> AuditReport:
        books = []
        with self._store.registry_lock:
            for wallet in list(self._store.readable.values()):
                with wallet:
                    books.append(note(wallet))
        return prove(books, self._payments.all())


@seeded
class CreateDuringAudit(Store):
    """An audit goes through the wallets while one is added: the dictionary changes
    under its hands."""

    @contextmanager
    def all_locked(self) -> Iterator[list[Wallet]]:
        with ExitStack() as held:
            for wallet in self._readable.values():
                held.enter_context(wallet)
            yield list(self._readable.values())


# Uniqueness


@seeded
class DuplicateCreate(Wallets):
    """Whether the user has a wallet is asked without the lock: two calls open one
    each."""

    def create(
        self, user_id: str, currency: str, on_commit: OnCommits = ()
    ) -> WalletSnapshot:
        id = str(self._new_id())
        wallet = self._store.new_wallet(id, user_id, currency, self._clock())
        with self._store.registry_lock, self._store.publish(wallet):
            pass
        snapshot = wallet.snapshot()
        commit(on_commit, snapshot)
        return snapshot


@seeded
class CheckThenAct(IdempotencyKeys):
    """A key is looked up, and only then claimed: two requests with it both run."""

    def _claim(
        self, key: str, fingerprint: Hashable, caller: str | None
    ) -> tuple[Claim, bool]:
        with self._lock:
            claim = self._claims.get(key, self._monotonic())
        if claim is None:
            claim = Claim(fingerprint)
            with self._lock:
                self._claims.add(key, claim, self._monotonic())
            return claim, True
        if claim.fingerprint != fingerprint:
            raise IdempotencyKeyReused()
        if claim.outcome is None:
            raise IdempotencyInProgress()
        return claim, False


@seeded
class CodeConfirmedTwice(Approvals):
    """Whether an approval still waits is asked under its lock, and its movement made
    when that has opened: two who confirm both move the money."""

    def confirm(
        self,
        approval_id: str,
        code: str,
        on_commit: OnCommits = (),
        caller: str | None = None,
    ) -> Moved:
        approval = self._table.find(approval_id)
        with approval.lock:
            command = self._pending(approval)
        return command(on_commit=(Confirmation(approval), *on_commit), approved=True)


@seeded
class QuoteUsedTwice(Quotes, Quote):
    """Whether a quote was used is asked when it is looked up, before the locks: two
    exchanges use it."""

    def find(self, quote_id: str) -> Quote:
        quote = find(self, quote_id)
        if quote.used:
            raise QuoteUsed(quote_id)
        return quote

    def check(self, source: str, target: str, amount: int, now: int) -> None:
        if now >= self.deadline.monotonic:
            raise QuoteExpired(self.id, self.expires_at)


# Payments


@seeded
class CompensatedTwice(Payments):
    """Whether a payment is still open is asked before its lock is taken: two workers
    that have picked one job both give the money back."""

    def _settle(self, payment: Payment, answer: Answer) -> int | None:
        if not payment.state.is_open:
            return None
        with payment.lock:
            return _settled(self, payment, answer)


@seeded
class BlindCompensation(Payments):
    """A bank that does not answer in time counts as one that refuses: it has paid, and
    the money comes back, too."""

    def _ask(self, state: PaymentSnapshot) -> Answer:
        try:
            return ask(self, state)
        except BankTimeout:
            return Declined("no answer")


@seeded
class LateAnswer(Payments):
    """A worker to whom nothing was answered notes that, whatever another has booked
    meanwhile: a payment that has ended is open again."""

    def _again(self, payment: Payment, answered: Any, why: str) -> int | None:
        with payment.lock:
            return self._try_again(payment, answered, why)


@seeded
class RetriedTwice(Payments):
    """Whether a payment is parked is asked before its lock is taken: two who take it up
    again both may."""

    def retry(self, payment_id: str, on_commit: OnCommits = ()) -> PaymentSnapshot:
        payment = self._table.find(payment_id)
        parked = payment.state
        if parked.status is not PaymentStatus.PARKED:
            raise PaymentNotParked(payment_id, parked.status)
        with payment.lock:
            pending = replace(parked, status=PaymentStatus.PENDING)
            payment.state, payment.tries = pending, 0
        commit(on_commit, pending)
        return pending


@seeded
class OpenedAfterTheLock(Payments):
    """A withdrawal is opened when the lock of its wallet has opened: an audit meets
    money that has left for no payment."""

    def withdraw(
        self,
        wallet_id: str,
        amount: int,
        bank_account: str,
        on_commit: OnCommits = (),
        approved: bool = False,
    ) -> PaymentSnapshot:
        wallet = self._wallets[wallet_id]
        payment = self._new(Direction.WITHDRAWAL, wallet, amount, bank_account)
        with self._table.opening(payment):
            debit = self._money.deduct(
                wallet_id,
                amount,
                approved=approved,
                payment=payment.state.identity,
            )
            commit((Opening(self._table, payment), *on_commit), debit)
        return payment.state


@seeded
class EndedAfterTheLock(Payments):
    """A payment ends when the lock of its wallet has opened: an audit meets money that
    came back from a payment that still goes on."""

    def _book(self, payment: Payment, answer: Answer) -> None:
        state, paid = payment.state, isinstance(answer, Paid)
        if paid is (state.direction is Direction.DEPOSIT):
            self._money.add(
                state.wallet_id,
                state.amount,
                payment=state.identity,
                refund_of=payment.debit,
            )
        status = PaymentStatus.SUCCEEDED if paid else PaymentStatus.FAILED
        again = self._table.find(state.id)
        ended = replace(again.state, status=status)
        ending = Ending(again, ended, self._table.release_slot)
        commit((ending,), None, self._outbox.put)


# The outbox


@seeded
class EventBeforeCommit(Money):
    """A debit is reported as soon as it is made: when the credit fails it is restored,
    and the receivers know of money that never moved."""

    def make(self, movements: Movements, outcome_of: Any, on_commit: Any = ()) -> Any:
        made: Made = []
        with locked(wallets_of(movements)):
            for movement in movements:
                check(movement)
                made.append([])
                for leg in movement.legs:
                    made[-1].append(move(movement, leg))
                    self._outbox.put(*created(made[-1][-1:]))
            outcome = outcome_of(made)
            commit(on_commit, outcome, self._outbox.put)
        return outcome


@seeded_between_lines
class EventAfterTheLock(Money):
    """A movement is reported when its lock has opened: another comes in between, and
    the receivers know them in the wrong order."""

    def make(self, movements: Movements, outcome_of: Any, on_commit: Any = ()) -> Any:
        with locked(wallets_of(movements)):
            made = check_and_move(movements)
            outcome = outcome_of(made)
            commit(on_commit, outcome, self._outbox.put)
        self._outbox.put(*created(chain(*made)))
        return outcome


# What the wrong movements share with the right ones


def _mark_of(wallet: Wallet) -> Any:
    return (
        wallet.balance,
        wallet.spent,
        wallet.counters,
        wallet.updated_at,
        len(wallet.history),
    )


def wallets_of_legs(movements: Movements) -> list[Wallet]:
    """Return the wallet of each leg, in the order in which they are moved."""
    return [leg.wallet for movement in movements for leg in movement.legs]


def _refusal_of(movement: Movement) -> WalletError | None:
    try:
        check(movement)
    except WalletError as refusal:
        return refusal
    return None


def check_and_move(movements: Movements, unchecked: Collection[Rule] = ()) -> Made:
    """Make movements on held wallets, without some of the rules."""
    made = []
    for movement in movements:
        try:
            for rule in RULES:
                if rule not in unchecked:
                    rule(movement)
        except WalletError as refusal:
            refusal.operation = movement.index
            raise
        made.append([move(movement, leg) for leg in movement.legs])
    return made


def make_held(
    money: Money,
    movements: Movements,
    outcome_of: Callable[[Made], T],
    on_commit: OnCommits = (),
    *,
    unchecked: Collection[Rule] = (),
) -> T:
    """Do what `Money.make` does under the locks, without some of the rules."""
    made = check_and_move(movements, unchecked)
    outcome, events = outcome_of(made), created(chain(*made))
    commit(on_commit, outcome, money._outbox.put, *events)
    return outcome


def _settled(payments: Payments, payment: Payment, answer: Answer) -> int | None:
    payment.learn(answer, payments._clock())
    try:
        payments._book(payment, answer)
    except WalletError as refusal:
        learned = payment.state.bank_answer
        return payments._try_again(payment, learned, refusal.code)
    return None
