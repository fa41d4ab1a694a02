"""Locks that show which of them are held."""

from __future__ import annotations

from tests.ledgers import BoundedLock
from wallet_app.store import Wallet


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

    def touch(self, wallet: Wallet) -> None:
        self.touched.append((wallet, tuple(self.held)))
