"""The one commit: how a change becomes final together with all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wallet_app.services.events import Event


class Keeper(Protocol):
    """What keeps the outcome of a change: an idempotency key, an approval, a payment.
    Both methods are called under the locks of the change."""

    def prepare(self, outcome: object) -> tuple[Event, ...]:
        """Make all that can fail, and return the events of the keeper's own. If it
        fails, or what follows does, nothing of it shows."""
        ...

    def keep(self, outcome: object) -> None:
        """Keep the outcome, after everything else. This is plain stores: it cannot
        fail."""
        ...


def nothing() -> None:
    """What a commit does last that reports nothing."""


def commit(
    keeper: Keeper | None,
    outcome: object,
    last: Callable[..., None] = nothing,
    *events: Event,
) -> None:
    """Make a change final, as the last step under its locks.

    What can fail comes first: what the keeper prepares, then `last`, which is given the
    events. What is kept comes after that, and cannot fail. So if this raises, nothing
    was reported or kept, and the caller undoes the change; what the caller stores after
    it must not fail either.
    """
    if keeper is None:
        last(*events)
        return
    last(*events, *keeper.prepare(outcome))
    keeper.keep(outcome)
