"""Idempotency keys: a request that is sent again is answered again, not run again.

Follows the IETF draft "The Idempotency-Key HTTP Header Field", and knows nothing
of HTTP: a request is a key and a fingerprint of all that the key must cover.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from wallet_app.domain.clock import Clock
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.request_errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IdempotencyKeysExhausted,
)
from wallet_app.services.commit import OnCommits
from wallet_app.services.events import Event
from wallet_app.services.expiring import Expiring
from wallet_app.store import LockFactory

KEYS_MAX = 200_000
"""Keys kept at one time, at about 600 bytes each. A full store refuses new keys:
forgetting one that a client may still send again would run its request twice."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Run(Protocol[T_co]):
    """A command that commits its outcome together with `on_commit`."""

    def __call__(self, *, on_commit: OnCommits) -> T_co: ...


@dataclass(slots=True, eq=False)
class Claim:
    """One key's hold on one request, and its outcome. On commit it keeps the outcome:
    so a request has one exactly when it has changed something."""

    fingerprint: Hashable
    outcome: object = None
    _prepared: object = None

    def prepare(self, outcome: object) -> tuple[object, tuple[Event, ...]]:
        self._prepared = outcome
        return outcome, ()

    def commit(self) -> None:
        self.outcome = self._prepared


class IdempotencyKeys:
    """The keys of all clients, for as long as each is kept."""

    def __init__(
        self,
        monotonic: Clock,
        ttl_seconds: int,
        lock_factory: LockFactory,
        keys_max: int = KEYS_MAX,
    ) -> None:
        self.on_replay: Callable[[], None] = lambda: None
        """Called in the thread that gets a kept outcome, before it does."""
        self._monotonic = monotonic
        self._lock = lock_factory()
        self._claims = Expiring[Claim](
            keys_max, ttl_seconds, 0, IdempotencyKeysExhausted
        )

    def __len__(self) -> int:
        with self._lock:
            return len(self._claims)

    def run(
        self,
        key: str | None,
        fingerprint: Hashable,
        command: Run[T],
        caller: str | None = None,
    ) -> T:
        """Run `command` if the key is new, else return what it returned then. Without
        a key, run it.

        `command` must pass what it is given to the commit. A refusal is an outcome too,
        and is raised again. Any other error leaves the key free. The key counts for its
        caller, if there is one: each has a share of the keys.

        Raises IdempotencyKeyReused, IdempotencyInProgress and
        IdempotencyKeysExhausted.
        """
        if key is None:
            return command(on_commit=())
        claim, is_new = self._claim(key, fingerprint, caller)
        if not is_new:
            self.on_replay()
            if isinstance(claim.outcome, WalletError):
                raise claim.outcome.again()
            return cast(T, claim.outcome)
        try:
            result = command(on_commit=(claim,))
            assert claim.outcome is not None, "the command did not commit its outcome"
            return result
        except WalletError as refusal:
            if refusal.kept and claim.outcome is None:
                claim.outcome = refusal.again()
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
                self._claims.ensure_slot(now, caller)
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
