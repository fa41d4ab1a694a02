"""What is kept for a while, and not more of it than is good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Expiring(Generic[T]):
    """Values by key, each kept for the same time, and so many of them at most.

    Where they are as many, the oldest may go before its time, as soon as it is no
    longer needed: `needed_until` tells when that is. It has no lock: whoever shares one
    locks around it. Times are in nanoseconds since 1970, UTC.
    """

    def __init__(
        self,
        ttl_seconds: int,
        at_most: int,
        needed_until: Callable[[T], int] | None = None,
    ) -> None:
        self._ttl_nanoseconds = ttl_seconds * 1_000_000_000
        self.at_most = at_most
        self._needed_until = needed_until
        self._entries: dict[str, tuple[int, T]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_full(self) -> bool:
        return len(self._entries) >= self.at_most

    def get(self, key: str) -> T | None:
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def add(self, key: str, value: T, now: int) -> None:
        """Keep a value under a key that is not there yet."""
        assert not self.is_full
        self._entries[key] = now + self._ttl_nanoseconds, value

    def remove(self, key: str) -> None:
        del self._entries[key]

    def make_room(self, now: int) -> list[T]:
        """Forget what has expired and, if that is not enough, the oldest that is not
        needed; return what was forgotten. It may still be full."""
        dropped = []
        while self._entries and self._oldest()[0] <= now:
            dropped.append(self._drop_oldest())
        if self.is_full and self._can_go_at() <= now:
            dropped.append(self._drop_oldest())
        return dropped

    def seconds_to_room(self, now: int) -> int:
        """Return when the oldest can go, in whole seconds, rounded up."""
        return seconds_until(self._can_go_at(), now)

    def _can_go_at(self) -> int:
        expires_at, value = self._oldest()
        return self._needed_until(value) if self._needed_until else expires_at

    def _oldest(self) -> tuple[int, T]:
        """The first, because all are kept for the same time."""
        return next(iter(self._entries.values()))

    def _drop_oldest(self) -> T:
        _, value = self._entries.pop(next(iter(self._entries)))
        return value


def seconds_until(moment: int, now: int) -> int:
    """Return how long it is until a moment, in whole seconds, rounded up."""
    return -((now - moment) // 1_000_000_000)
