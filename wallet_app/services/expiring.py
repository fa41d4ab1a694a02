"""What is kept for a while, and not more of it than is good."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Expiring(Generic[T]):
    """Values by key, each kept for the same time, and so many of them at most.

    It has no lock: whoever shares one locks around it. Times are in nanoseconds since
    1970, UTC.
    """

    def __init__(self, ttl_seconds: int, at_most: int) -> None:
        self._ttl_nanoseconds = ttl_seconds * 1_000_000_000
        self._at_most = at_most
        self._entries: dict[str, tuple[int, T]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_full(self) -> bool:
        return len(self._entries) >= self._at_most

    def get(self, key: str) -> T | None:
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def add(self, key: str, value: T, now: int) -> None:
        """Keep a value under a key that is not there yet."""
        assert not self.is_full
        self._entries[key] = now + self._ttl_nanoseconds, value

    def remove(self, key: str) -> None:
        del self._entries[key]

    def drop_expired(self, now: int) -> list[T]:
        """Forget what has expired, and return it; the oldest stands in front."""
        dropped = []
        while self._entries and self._oldest[0] <= now:
            dropped.append(self.drop_oldest())
        return dropped

    def drop_oldest(self) -> T:
        """Forget the oldest, even before its time, and return it."""
        oldest = next(iter(self._entries))
        _, value = self._entries.pop(oldest)
        return value

    @property
    def oldest(self) -> T:
        return self._oldest[1]

    @property
    def oldest_expires_at(self) -> int:
        return self._oldest[0]

    @property
    def _oldest(self) -> tuple[int, T]:
        return next(iter(self._entries.values()))


def seconds_until(moment: int, now: int) -> int:
    """Return how long it is until a moment, in whole seconds, rounded up."""
    return -((now - moment) // 1_000_000_000)
