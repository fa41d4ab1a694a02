"""The one commit: a change becomes final together with all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wallet_app.services.events import Event


class OnCommit(Protocol):
    """What becomes final together with a change: the outcome of an idempotency key, a
    closed approval, the state of a payment. Called under the locks of the change."""

    def prepare(self, outcome: object) -> tuple[object, tuple[Event, ...]]:
        """Do all that can fail. Return the outcome that later hooks (the idempotency
        key) store, and events to report. If this or a later step fails, it has no
        visible effect."""
        ...

    def commit(self) -> None:
        """Make it final, after everything else. Plain stores, so it cannot fail."""
        ...


OnCommits = tuple[OnCommit, ...]


def nothing(*events: Event) -> None:
    """Report no events."""


def commit(
    on_commit: OnCommits,
    outcome: object,
    report: Callable[..., None] = nothing,
    *events: Event,
) -> None:
    """Make a change final, as the last step under its locks.

    What can fail comes first: every `prepare`, then `report` with all events. The
    stores come last. So if this raises, nothing was reported or stored, and the caller
    undoes the change; what the caller stores after it must not fail either.
    """
    for hook in on_commit:
        outcome, more = hook.prepare(outcome)
        events += more
    prepared = iter(on_commit)  # built before `report`: after it, nothing may fail
    report(*events)
    for hook in prepared:
        hook.commit()
