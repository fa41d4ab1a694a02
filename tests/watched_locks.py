"""Locks that show which of them are held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from tests.ledgers import BoundedLock
from wallet_app.services.expiring import Expiring
from wallet_app.store import Lock, Wallet


class WatchedLock(BoundedLock):
    """A lock that is listed while it is held."""

    def __init__(self, held: list[WatchedLock]) -> None:
        super().__init__()
        self._held = held

    def acquire(self) -> bool:
        super().acquire()
        self._held.append(self)
        return True

    def release(self) -> None:
        self._held.remove(self)
        super().release()


class Watch:
    """Records which locks were held at each touch of a balance."""

    def __init__(self) -> None:
        self.held: list[WatchedLock] = []
        self.touched: list[tuple[Wallet, tuple[WatchedLock, ...]]] = []

    def new_lock(self) -> WatchedLock:
        return WatchedLock(self.held)

    def lock_of(self, wallet: Wallet) -> WatchedLock:
        with wallet:
            return self.held[-1]

    def touch(self, wallet: Wallet) -> None:
        self.touched.append((wallet, tuple(self.held)))


class Guarded:
    """A table that may be touched only while a lock is held."""

    def __init__(self, watch: Watch, lock: WatchedLock, table: Any) -> None:
        self._is_held: Callable[[], bool] = lambda: lock in watch.held
        self._guarded = table

    @property
    def _table(self) -> Any:
        assert self._is_held(), "touched without its lock"
        return self._guarded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._table)

    def __contains__(self, key: object) -> bool:
        return key in self._table

    def __getitem__(self, key: Any) -> Any:
        return self._table[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._table[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._table[key]

    def release_after_commit(self, key: str, lock: Lock) -> None:
        """Run the table's own method, which takes the lock, on what is guarded."""
        Expiring.release_after_commit(cast(Any, self), key, lock)


def guard(watch: Watch, owner: object, *kinds: type) -> None:
    """Let the tables of an object be touched only under its one lock. Which those are
    is looked up, so that a new one is guarded, too."""
    attributes = vars(owner)
    (lock,) = [each for each in attributes.values() if isinstance(each, WatchedLock)]
    tables = {
        name: Guarded(watch, lock, each)
        for name, each in attributes.items()
        if isinstance(each, kinds or (dict, Expiring))
    }
    assert tables
    attributes.update(tables)
