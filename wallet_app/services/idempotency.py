"""Idempotency keys: a request that is sent again is answered again, not run again.

Follows the IETF draft "The Idempotency-Key HTTP Header Field", and knows nothing
of HTTP: a request is a key and a fingerprint of all that the key must cover.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from wallet_app.domain.clock import Clock
from wallet_app.domain.errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IdempotencyKeysExhausted,
    WalletError,
)
from wallet_app.services.events import Event
from wallet_app.services.expiring import Expiring
from wallet_app.store import LockFactory

KEYS_MAX = 200_000
"""Keys kept at one time, at about 600 bytes each. A full store refuses new keys:
forgetting one that a client may still send again would run its request twice."""

T = TypeVar("T")


class Claim:
    """One key's hold on one request, and what came of it."""

    __slots__ = ("fingerprint", "outcome")

    def __init__(self, fingerprint: Hashable) -> None:
        self.fingerprint = fingerprint
        self.outcome: object = None

    def prepare(self, outcome: object) -> tuple[Event, ...]:
        return ()

    def keep(self, outcome: object) -> None:
        self.outcome = outcome


class IdempotencyKeys:
    """The keys of all clients, for as long as each is kept."""

    def __init__(
        self,
        monotonic: Clock,
        ttl_seconds: int,
        keys_max: int = KEYS_MAX,
        lock_factory: LockFactory = threading.Lock,
    ) -> None:
        self._monotonic = monotonic
        self._lock = lock_factory()
        self._claims = Expiring[Claim](
            keys_max, ttl_seconds, 0, IdempotencyKeysExhausted
        )

    def __len__(self) -> int:
        return len(self._claims)

    def run(
        self,
        key: str,
        fingerprint: Hashable,
        command: Callable[[Claim], T],
        on_replay: Callable[[], object] = lambda: None,
        caller: str | None = None,
    ) -> T:
        """Run `command` if the key is new, else answer what it answered then.

        `command` must pass the claim to the commit. A refusal is an outcome too, and is
        raised again. Whatever else ends the command leaves the key free. `on_replay` is
        called before a kept answer is given. The key counts for its caller, if one is
        given: each holds a share of the keys.

        Raises IdempotencyKeyReused, IdempotencyInProgress and
        IdempotencyKeysExhausted.
        """
        claim, is_new = self._claim(key, fingerprint, caller)
        if not is_new:
            on_replay()
            if isinstance(claim.outcome, WalletError):
                raise claim.outcome.again()
            return cast(T, claim.outcome)
        try:
            result = command(claim)
            assert claim.outcome is not None, "the command did not keep its outcome"
            return result
        except WalletError as refusal:
            if refusal.kept and claim.outcome is None:
                claim.keep(refusal.again())
            raise
        finally:
            if claim.outcome is None:
                self._forget(key, claim)

    def _claim(
        self, key: str, fingerprint: Hashable, caller: str | None
    ) -> tuple[Claim, bool]:
        """Return the key's claim, and whether this call made it."""
        now = self._monotonic()
        with self._lock:
            claim = self._claims.get(key, now)
            if claim is None:
                self._claims.make_room(now, caller)
                claimed = Claim(fingerprint), True  # what can fail comes first
                self._claims.add(key, claimed[0], now, caller)
                return claimed
        if claim.fingerprint != fingerprint:
            raise IdempotencyKeyReused()
        if claim.outcome is None:
            raise IdempotencyInProgress()
        return claim, False

    def _forget(self, key: str, claim: Claim) -> None:
        self._lock.acquire()  # `with` needs memory, of which there may be none
        try:
            self._claims.remove(key, claim)
        finally:
            self._lock.release()
