"""The ledger in memory: the wallets, their locks, and how a wallet is put back.

It knows no rule about movements. Other modules have locks of their own; this is the
order of those that one thread holds together: the idempotency keys, then an approval,
then a payment, then the turn of the audits, then the creation of webhooks, then the
registry, then wallets by ascending id, then the outbox, then the table of payments or
of webhooks, then the queues of the background. Nobody takes an earlier one while
holding a later one, so no circle of waiters can form. The tables of approvals, quotes
and alerts, the sandbox bank and the signals of the workers have locks under which
nobody takes another; those of the last two are not from the factory. No lock is
re-entrant, so that a nested acquisition shows at once. Nothing blocks or sleeps under
a wallet's lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from types import TracebackType
from typing import Protocol
from zoneinfo import ZoneInfo

from uuid_utils import UUID

from wallet_app.domain.currencies import MINOR_DIGITS
from wallet_app.domain.errors.wallet_errors import WalletExists, WalletNotFound
from wallet_app.domain.spending import Policy, SpendingCounters
from wallet_app.domain.transactions import (
    AMOUNT_MAX,
    HOUSE,
    Transaction,
    WalletIdentity,
    WalletSnapshot,
)


class Lock(Protocol):
    """What is asked of a lock; `threading.Lock` is one."""

    def acquire(self) -> bool: ...
    def release(self) -> None: ...
    def __enter__(self) -> bool: ...
    def __exit__(
        self,
        failure: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


LockFactory = Callable[[], Lock]


class ThreadLock:
    """A `threading.Lock` that is always released. The interpreter builds a tuple for
    the `__exit__` of its own lock; without memory for that, the lock stays held."""

    __slots__ = ("acquire", "release", "locked")

    def __init__(self) -> None:
        lock = threading.Lock()
        self.acquire, self.release, self.locked = (
            lock.acquire,
            lock.release,
            lock.locked,
        )

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        failure: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.release()


UTC = ZoneInfo("UTC")


class Wallet:
    """A live wallet. `with wallet:` holds its lock; a body that raises leaves balance,
    spent, counters, time and history as they were. The `policy` is not in the mark and
    must be set last.

    `history` only grows, except that a failed body's transactions are removed. A reader
    that took its length under the lock can read that far without it. `spent` is all
    that has left the wallet, less refunds; `counters` say how much of it left today and
    this month, and hold the fraud signals. The `policy` holds for this wallet alone.
    `balance_min` is 0, or less than that for a liquidity wallet. What is in a history
    is in `by_id`, too, which all wallets share.
    """

    __slots__ = (
        "identity",
        "id",
        "currency",
        "balance",
        "spent",
        "counters",
        "updated_at",
        "history",
        "by_id",
        "policy",
        "balance_min",
        "_lock",
        "_mark",
    )

    def __init__(
        self,
        identity: WalletIdentity,
        counters: SpendingCounters,
        policy: Policy,
        lock: Lock,
        by_id: dict[UUID, Transaction],
        balance_min: int = 0,
    ) -> None:
        self.identity = identity
        self.id, self.currency = identity.id, identity.currency
        self.balance = 0
        self.spent = 0
        self.counters = counters
        self.updated_at = identity.created_at
        self.history: list[Transaction] = []
        self.by_id = by_id
        self.policy = policy
        self.balance_min = balance_min
        self._lock = lock

    def __enter__(self) -> Wallet:
        self._lock.acquire()
        try:
            self._mark = (
                self.balance,
                self.spent,
                self.counters,
                self.updated_at,
                len(self.history),
            )
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        failure: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if failure is not None:
                self._restore()
        except BaseException:
            self._restore()  # restore again if a signal interrupted it
            raise
        finally:
            self._lock.release()

    def record(self, transaction: Transaction) -> None:
        """Add a transaction to the history; the caller holds the wallet."""
        self.history.append(transaction)
        self.by_id[transaction.id] = transaction

    def _restore(self) -> None:
        """Go back to the mark; its cost does not depend on the history.

        A balance that has not changed, as that of a refused movement, is not written.
        """
        balance, self.spent, self.counters, self.updated_at, length = self._mark
        while len(self.history) > length:
            self.by_id.pop(self.history[-1].id, None)
            del self.history[-1]
        if self.balance != balance:
            self.balance = balance

    def snapshot(self) -> WalletSnapshot:
        """Return what the wallet is now; the caller holds it, or alone knows it."""
        identity = self.identity
        return WalletSnapshot(
            id=identity.id,
            user_id=identity.user_id,
            currency=identity.currency,
            balance=self.balance,
            frozen_reason=self.policy.frozen_reason,
            created_at=identity.created_at,
            updated_at=self.updated_at,
        )


class locked:
    """`with locked(wallets) as in_order:` holds any number of wallets, in the order in
    which they must be locked."""

    __slots__ = ("_in_order", "_to_release")

    def __init__(self, wallets: Iterable[Wallet]) -> None:
        self._in_order = sorted(wallets, key=lambda wallet: wallet.id)
        # Made before any lock is taken: without memory there would be none later.
        self._to_release = iter(self._in_order)

    def __enter__(self) -> list[Wallet]:
        for wallet in self._in_order:
            try:
                wallet.__enter__()
            except BaseException:
                self._release_before(wallet)
                raise
        return self._in_order

    def _release_before(self, end: Wallet) -> None:
        for wallet in self._to_release:
            if wallet is end:
                return
            wallet.__exit__(None, None, None)

    def __exit__(
        self,
        failure: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for wallet in self._to_release:
            try:
                wallet.__exit__(failure, value, traceback)
            except BaseException:
                self.__exit__(failure, value, traceback)  # the others first
                raise


class _Wallets(dict[str, Wallet]):
    """Wallets by id. Raises WalletNotFound for an unknown id."""

    def __missing__(self, wallet_id: str) -> Wallet:
        raise WalletNotFound(wallet_id)


class Store:
    """Every wallet, by id and by owner.

    `wallets` are those of users. Besides them the house has a liquidity wallet for each
    currency that it exchanges: it can be read, and money moves through it in exchanges
    only. A wallet is never removed, so looking one up needs no lock. Adding one holds
    the registry lock, and so does reading several until they are locked: else one could
    be missing that was added before another.

    `transactions` are those of all wallets. One that is not committed yet is among
    them, so who finds one looks again while holding its wallet.
    """

    def __init__(
        self,
        lock_factory: LockFactory = ThreadLock,
        zone: ZoneInfo = UTC,
        policy: Policy = Policy(),
    ) -> None:
        self._lock_factory = lock_factory
        self._counters = SpendingCounters(zone)
        self._policy = policy
        self._wallets = _Wallets()
        self._by_owner: dict[tuple[str, str], Wallet] = {}
        self._transactions: dict[UUID, Transaction] = {}
        self.transactions: Mapping[UUID, Transaction] = self._transactions
        self.registry_lock = lock_factory()
        self.wallets: Mapping[str, Wallet] = self._wallets
        self._readable = _Wallets()
        self.readable: Mapping[str, Wallet] = self._readable
        self._liquidity: dict[str, Wallet] = {}
        self.liquidity: Mapping[str, Wallet] = self._liquidity

    def new_wallet(
        self, id: str, user_id: str, currency: str, created_at: int
    ) -> Wallet:
        """Return an empty wallet that nobody else sees yet; the caller holds the
        registry lock.

        Raises WalletExists when the user has one in this currency.
        """
        existing = self._by_owner.get((user_id, currency))
        if existing is not None:
            raise WalletExists(existing.id, currency)
        identity = WalletIdentity(id, user_id, currency, created_at)
        lock = self._lock_factory()
        return Wallet(identity, self._counters, self._policy, lock, self._transactions)

    @contextmanager
    def publish(self, wallet: Wallet) -> Iterator[None]:
        """Let everybody see a new wallet, or nobody if the block fails; the caller
        still holds the registry lock."""
        owner = wallet.identity.user_id, wallet.currency
        try:
            self._by_owner[owner] = wallet
            self._readable[wallet.id] = wallet
            self._wallets[wallet.id] = wallet
            yield
        except BaseException:
            self._wallets.pop(wallet.id, None)
            self._readable.pop(wallet.id, None)
            self._by_owner.pop(owner, None)
            raise

    def add_liquidity(self, ids: Iterable[tuple[str, str]], created_at: int) -> None:
        """Give the house wallets with these ids, by currency, where it has none."""
        with self.registry_lock:
            for currency, id in ids:
                if currency not in self._liquidity:
                    wallet = Wallet(
                        WalletIdentity(id, HOUSE, currency, created_at),
                        self._counters,
                        Policy(),
                        self._lock_factory(),
                        self._transactions,
                        balance_min=-AMOUNT_MAX,
                    )
                    self._readable[id] = wallet
                    try:
                        self._liquidity[currency] = wallet
                    except BaseException:
                        del self._readable[id]
                        raise

    def newest_first(self) -> Iterator[Wallet]:
        """Yield the wallets of users; the caller holds the registry lock."""
        return reversed(self._wallets.values())

    def of_user(self, user_id: str) -> list[Wallet]:
        """Return a user's wallets; the caller holds the registry lock."""
        owned = map(self._by_owner.get, product((user_id,), MINOR_DIGITS))
        return list(filter(None, owned))

    @contextmanager
    def all_locked(self) -> Iterator[list[Wallet]]:
        """Hold every wallet there is, in lock order, and let none be added."""
        with self.registry_lock, locked(self._readable.values()) as wallets:
            yield wallets
