"""Opening wallets and looking at them."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from wallet_app.domain.clock import Clock, NewId
from wallet_app.domain.transactions import WalletSnapshot
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.events import Event, EventType, Outbox
from wallet_app.services.page import Page, page_of
from wallet_app.store import Store, Wallet, locked


class Wallets:
    """Creates wallets and reads them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        new_id: NewId,
        default_currency: str,
        outbox: Outbox,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._default_currency = default_currency
        self._outbox = outbox

    def create(
        self,
        user_id: str,
        currency: str | None = None,
        on_commit: OnCommits = (),
    ) -> WalletSnapshot:
        wallet_id, now = str(self._new_id()), self._clock()
        currency = currency or self._default_currency
        with self._store.registry_lock:
            wallet = self._store.new_wallet(wallet_id, user_id, currency, now)
            snapshot = wallet.snapshot()
            created = Event(EventType.WALLET_CREATED, now, snapshot)
            with self._store.publish(wallet):
                commit(on_commit, snapshot, self._outbox.put, created)
        return snapshot

    def get(self, wallet_id: str) -> WalletSnapshot:
        wallet = self._store.readable[wallet_id]
        with wallet:
            return wallet.snapshot()

    def page(self, limit: int = 20, page: int = 1) -> Page[WalletSnapshot]:
        store = self._store
        with store.registry_lock:
            some = page_of(store.newest_first(), len(store.wallets), limit, page)
            with locked(some.rows):
                return some.map(Wallet.snapshot)

    def of_user(self, user_id: str) -> list[WalletSnapshot]:
        with self._store.registry_lock, locked(self._store.of_user(user_id)) as wallets:
            return _by_currency(wallets)

    def liquidity(self) -> list[WalletSnapshot]:
        with (
            self._store.registry_lock,
            locked(self._store.liquidity.values()) as wallets,
        ):
            return _by_currency(wallets)


def _by_currency(wallets: Iterable[Wallet]) -> list[WalletSnapshot]:
    """Return what held wallets are now."""
    snapshots = [wallet.snapshot() for wallet in wallets]
    return sorted(snapshots, key=attrgetter("currency"))
