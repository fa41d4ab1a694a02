"""Values that are kept for a while: bounded in number, evicted in constant time, and
with a share for each owner."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Generic, TypeVar

from msgspec import Struct

from wallet_app.domain.clock import SECOND
from wallet_app.domain.errors.families import WalletError
from wallet_app.store import Lock

T = TypeVar("T")

EVICTIONS_MAX = 32
"""The most that one call evicts, so that no request waits for all that expired since
the last one. More than one, so that memory is freed while few are added."""

SHARES = 4
"""One owner can hold a quarter of the table."""


class _Entry(Struct, Generic[T], frozen=True):
    value: T
    owner: str | None
    needed_until: int


class Expiring(Generic[T]):
    """Values by key. Each is needed for the same time, or until it is released. Then it
    is kept for a while, as long as no other value needs its slot.

    Both kinds are queues: what is needed expires in the order of time, and released
    values are evicted in the order of release. What is needed counts for its owner, if
    it has one, and an owner cannot hold more than a share. An expired value is absent,
    even if it is not evicted yet.

    Without memory a call changes nothing, except that it may have evicted. `on_evict`
    comes before the eviction, again if it fails.

    It has no lock: its user locks around it. Times are in nanoseconds of the monotonic
    clock. `full(maximum, retry_after_seconds)` is the refusal to raise.
    """

    def __init__(
        self,
        size_max: int,
        needed_seconds: int,
        kept_seconds: int,
        full: Callable[[int, int], WalletError],
        on_evict: Callable[[T], None] | None = None,
    ) -> None:
        self._size_max = size_max
        self._share_max = max(size_max // SHARES, 1)
        self._needed_ns = needed_seconds * SECOND
        self._kept_ns = kept_seconds * SECOND
        self._full = full
        self._on_evict = on_evict
        # OrderedDict, because the first item of a dict is found by walking over all
        # that was removed before it.
        self._needed: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._released: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._owned: dict[str, OrderedDict[str, _Entry[T]]] = {}

    def __len__(self) -> int:
        """Return how many slots are taken, including those of expired values."""
        return len(self._needed) + len(self._released)

    def owners(self) -> dict[str, int]:
        """Return how many slots each owner holds."""
        return {owner: len(owned) for owner, owned in self._owned.items()}

    def get(self, key: str, now: int) -> T | None:
        entry = self._needed.get(key) or self._released.get(key)
        if entry is None or now >= entry.needed_until + self._kept_ns:
            return None
        return entry.value

    def values(self, now: int) -> Iterator[T]:
        """Yield every value that is not absent: released ones first, then those that
        are needed, in the order of time."""
        for entry in chain(self._released.values(), self._needed.values()):
            if now < entry.needed_until + self._kept_ns:
                yield entry.value

    def ensure_slot(self, now: int, owner: str | None = None) -> None:
        """Evict some of what has expired, and raise `full` if there is no slot for
        another value of this owner."""
        owned = self._owned.get(owner) if owner is not None else None
        if owned is not None:
            self._release_expired(owned, now)
        self._release_expired(self._needed, now)
        self._evict(now)
        if len(self) >= self._size_max:
            raise self._refusal(self._size_max, self._needed, now)
        if owned is not None and len(owned) >= self._share_max:
            raise self._refusal(self._share_max, owned, now)

    def add(self, key: str, value: T, now: int, owner: str | None = None) -> None:
        """Keep a value under a key that is absent. `ensure_slot` comes first."""
        self.remove(key)  # one that expired may wait to be evicted
        assert len(self) < self._size_max
        entry = _Entry(value, owner, now + self._needed_ns)
        try:
            if owner is not None:
                self._owned.setdefault(owner, OrderedDict())[key] = entry
            self._needed[key] = entry
        except BaseException:
            self._disown(key, owner)
            raise

    def renew(self, key: str, now: int) -> None:
        """Let a value be needed for the whole time again, if it still is."""
        entry = self._needed.get(key)
        if entry is None:
            return
        renewed = _Entry(entry.value, entry.owner, now + self._needed_ns)
        queues = [self._needed]
        if entry.owner is not None:
            queues.append(self._owned[entry.owner])
        for queue in queues:
            queue[key] = renewed
            queue.move_to_end(key)

    def release(self, key: str) -> None:
        """Let a value be evicted when another one needs its slot. An absent key is
        ignored."""
        entry = self._needed.get(key)
        if entry is not None:
            self._released[key] = entry
            del self._needed[key]
            self._disown(key, entry.owner)

    def release_after_commit(self, key: str, lock: Lock) -> None:
        """Release a value under the lock of this table. It does not fail: without
        memory the value has its slot until it expires."""
        try:
            with lock:
                self.release(key)
        except MemoryError:
            pass

    def remove(self, key: str, value: T | None = None) -> None:
        """Remove what is there, or only this value if one is given. No memory is
        needed."""
        entry = self._needed.get(key) or self._released.get(key)
        if entry is not None and (value is None or entry.value is value):
            self._needed.pop(key, None)
            self._released.pop(key, None)
            self._disown(key, entry.owner)

    def _release_expired(self, queue: OrderedDict[str, _Entry[T]], now: int) -> None:
        for _ in range(min(len(queue), EVICTIONS_MAX)):
            key, entry = next(iter(queue.items()))
            if now < entry.needed_until:
                break
            self.release(key)

    def _evict(self, now: int) -> None:
        """Evict the first that were released: what has expired, or one for its slot."""
        for _ in range(min(len(self._released), EVICTIONS_MAX)):
            key, entry = next(iter(self._released.items()))
            is_expired = now >= entry.needed_until + self._kept_ns
            if not is_expired and len(self) < self._size_max:
                break
            if self._on_evict is not None:
                self._on_evict(entry.value)
            del self._released[key]

    def _disown(self, key: str, owner: str | None) -> None:
        owned = self._owned.get(owner) if owner is not None else None
        if owner is not None and owned is not None:
            owned.pop(key, None)
            if not owned:
                del self._owned[owner]

    def _refusal(
        self, maximum: int, queue: OrderedDict[str, _Entry[T]], now: int
    ) -> WalletError:
        """Return the refusal, with the seconds until the first of a queue expires."""
        first = next(iter(queue.values()))
        return self._full(maximum, seconds_until(first.needed_until, now))


def seconds_until(moment: int, now: int) -> int:
    """Return how long it is until a moment, in whole seconds, rounded up."""
    return -((now - moment) // SECOND)
