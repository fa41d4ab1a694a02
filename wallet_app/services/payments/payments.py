"""Payments with the bank: the money comes out right whatever the other side does.

    withdrawal   debit the wallet, ask the bank, refund what it declines
    deposit      ask the bank, credit the wallet
    no answer    ask again with the same key; never guess

The bank is asked under no lock. A payment's lock is taken before that of its wallet, so
what the bank has done is booked once, however often and however late it says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from wallet_app.domain.clock import SECOND, Clock, NewId
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.payment_errors import PaymentNotParked
from wallet_app.gateways.bank import (
    Answer,
    Bank,
    BankTimeout,
    BankUnavailable,
    Direction,
    Paid,
)
from wallet_app.services.background import Background
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.events import Outbox
from wallet_app.services.money import Money
from wallet_app.services.movement import Movement
from wallet_app.services.payments.payment import (
    BankAnswer,
    Ending,
    Payment,
    PaymentSnapshot,
    PaymentStatus,
)
from wallet_app.services.payments.payment_table import Opening, PaymentTable
from wallet_app.services.work_queue import WorkQueue
from wallet_app.store import LockFactory, Store, Wallet

AT_ONCE = 4
"""Payments that the bank is asked for at the same time."""

BACKOFF_SECONDS_MAX = 3_600

UNEXPECTED = "unexpected error"
"""What a payment says of an error that nobody expected; the log has the rest."""


class Payments:
    """Asks for deposits and withdrawals, and carries them through."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        new_id: NewId,
        money: Money,
        bank: Bank,
        background: Background,
        outbox: Outbox,
        retry_base_seconds: int,
        attempts_max: int,
        jitter: Callable[[int], int],
        lock_factory: LockFactory,
    ) -> None:
        self._wallets = store.wallets
        self._clock = clock
        self._new_id = new_id
        self._money = money
        self._bank = bank
        self._outbox = outbox
        self._retry_base = retry_base_seconds * SECOND
        self._attempts_max = attempts_max
        self._jitter = jitter
        self._new_lock = lock_factory
        queue = WorkQueue("payments", AT_ONCE, self.attempt, self._failed)
        self._table = PaymentTable(background, queue, lock_factory())
        background.add(queue)

    def deposit(
        self,
        wallet_id: str,
        amount: int,
        bank_account: str,
        on_commit: OnCommits = (),
    ) -> PaymentSnapshot:
        """Refuse by the rules of now, and again by those of when the bank has paid."""
        wallet = self._wallets[wallet_id]
        payment = self._new(Direction.DEPOSIT, wallet, amount, bank_account)
        requested = payment.state
        movement = Movement(
            target=wallet,
            amount=amount,
            now=requested.created_at,
        )
        hooks = (Opening(self._table, payment), *on_commit)
        with self._table.opening(payment):
            self._money.make([movement], lambda made: requested, hooks)
        return requested

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
        requested = payment.state
        with self._table.opening(payment):
            self._money.deduct(
                wallet_id,
                amount,
                on_commit=(Opening(self._table, payment), *on_commit),
                approved=approved,
                payment=requested.identity,
            )
        return requested

    def get(self, payment_id: str) -> PaymentSnapshot:
        """No lock is needed: what a payment is, is one immutable value."""
        return self._table.find(payment_id).state

    @property
    def table(self) -> PaymentTable:
        """The payments themselves, to look at."""
        return self._table

    def all(self) -> list[PaymentSnapshot]:
        """Return what every payment is, oldest first. For as long as the caller holds
        all wallets, none is added, and none moves money."""
        return self._table.all()

    def retry(self, payment_id: str, on_commit: OnCommits = ()) -> PaymentSnapshot:
        payment = self._table.find(payment_id)
        with payment.lock:
            parked, now = payment.state, self._clock()
            if parked.status is not PaymentStatus.PARKED:
                raise PaymentNotParked(payment_id, parked.status)
            pending = parked.waiting(0, parked.bank_answer, parked.last_error, now)
            self._table.acquire_slot(payment)
            try:
                commit(on_commit, pending, partial(self._table.queue, payment))
            except BaseException:
                self._table.release_slot(payment)
                raise
            payment.state, payment.tries = pending, 0
        return pending

    def attempt(self, payment: Payment) -> int | None:
        """Bring a payment one step on; return the wait until the next one, in
        nanoseconds. An answer that comes late, or a second time, changes nothing."""
        if not self._begin(payment):
            return None
        try:
            answer = payment.answer or self._ask(payment.state)
        except BankUnavailable as error:
            return self._again(payment, payment.state.bank_answer, str(error))
        except BankTimeout as error:
            return self._again(payment, BankAnswer.UNKNOWN, str(error))
        wait = self._settle(payment, answer)
        self._outbox.hand_over()
        return wait

    def _begin(self, payment: Payment) -> bool:
        """Count an attempt, unless the payment has ended."""
        with payment.lock:
            state = payment.state
            if state.is_open:
                counted = replace(state, attempts=state.attempts + 1)
                payment.tries, payment.state = payment.tries + 1, counted
            return state.is_open

    def _ask(self, state: PaymentSnapshot) -> Answer:
        """Return what the bank has done, if need be by asking it to do it. An order
        that it has not seen may still be on its way; so it is given again, with the
        same key."""
        answer = None
        if state.bank_answer is BankAnswer.UNKNOWN:
            answer = self._bank.look_up(state.id)
        return self._bank.pay(state.order) if answer is None else answer

    def _settle(self, payment: Payment, answer: Answer) -> int | None:
        """Book what the bank has done, once."""
        with payment.lock:
            if not payment.state.is_open:
                return None
            payment.learn(answer, self._clock())
            try:
                self._book(payment, answer)
            except WalletError as refusal:
                learned = payment.state.bank_answer
                return self._try_again(payment, learned, refusal.code)
        return None

    def _book(self, payment: Payment, answer: Answer) -> None:
        """End a held payment, together with the movement that its answer asks for: the
        credit of a deposit, or the refund of a withdrawal.

        Raises what the rules refuse; then it has not ended.
        """
        state, paid = payment.state, isinstance(answer, Paid)
        status = PaymentStatus.SUCCEEDED if paid else PaymentStatus.FAILED
        ended = replace(state, status=status)
        ending = Ending(payment, ended, self._table.release_slot)
        if paid is (state.direction is Direction.DEPOSIT):
            self._money.add(
                state.wallet_id,
                state.amount,
                on_commit=(ending,),
                payment=state.identity,
                refund_of=payment.debit,
            )
        else:
            commit((ending,), None, self._outbox.put)

    def _again(self, payment: Payment, answered: BankAnswer, why: str) -> int | None:
        """Note an attempt after which nothing is known for good; return the wait until
        the next one."""
        with payment.lock:
            if not payment.state.is_open:
                return None
            if payment.answer is not None:
                answered = payment.state.bank_answer
            return self._try_again(payment, answered, why)

    def _try_again(
        self, payment: Payment, answered: BankAnswer, why: str
    ) -> int | None:
        """Have a held payment tried again later, or park it after too many tries, where
        it is no longer under way."""
        now, wait = self._clock(), None
        is_pending = payment.state.status is PaymentStatus.PENDING
        if is_pending and payment.tries < self._attempts_max:
            backoff = self._retry_base << max(payment.tries - 1, 0)
            wait = self._jitter(min(backoff, BACKOFF_SECONDS_MAX * SECOND))
        payment.state = payment.state.waiting(wait, answered, why, now)
        if wait is None:
            self._table.release_slot(payment)
        return wait

    def _failed(self, payment: Payment, error: BaseException) -> int | None:
        """Note an error that nobody expected: the bank may have paid."""
        return self._again(payment, BankAnswer.UNKNOWN, UNEXPECTED)

    def _new(
        self, direction: Direction, wallet: Wallet, amount: int, bank_account: str
    ) -> Payment:
        now = self._clock()
        snapshot = PaymentSnapshot(
            id=str(self._new_id()),
            wallet_id=wallet.id,
            direction=direction,
            amount=amount,
            currency=wallet.currency,
            bank_account=bank_account,
            status=PaymentStatus.PENDING,
            bank_answer=BankAnswer.NONE,
            attempts=0,
            last_error=None,
            next_attempt_at=now,
            created_at=now,
            updated_at=now,
        )
        return Payment(self._new_lock(), snapshot)
