"""What the outbox has told: what is lost, made up or out of order is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.concurrency.outbox import Told
from tests.ledgers import new_service, open_wallet
from wallet_app.services.events import Event
from wallet_app.services.service import WalletService


@pytest.fixture
def told(service: WalletService) -> Told:
    """Return what is told of two movements, and of a payment that ended."""
    told = Told(service)
    asha = open_wallet(service, 100, "asha")
    service.withdraw(asha, 40, "sandbox-ok")
    service.background.run_due()
    return told


def test_what_was_told_in_order_and_once_is_right(told: Told) -> None:
    assert told.wrong() is None


def test_nothing_is_to_be_told_of_nothing() -> None:
    assert Told(new_service()).wrong() is None


WRONG: list[tuple[Callable[[list[Event]], object], str]] = [
    (lambda events: events.pop(1), "told of asha: -40, balance 60. What"),
    (lambda events: events.append(events[2]), "balance 60; -40, balance 60. What"),
    (lambda events: events.reverse(), "told of asha: -40, balance 60; +100"),
    (lambda events: events.pop(), "told of payments: nothing. What happened is: wi"),
    (lambda events: events.append(events[-1]), "succeeded, withdrawal of 40 succeed"),
]


@pytest.mark.parametrize("spoil, why", WRONG, ids=["lost", "twice", "order", "-", "+"])
def test_what_was_lost_or_told_twice_or_out_of_order_is_wrong(
    told: Told, spoil: Callable[[list[Event]], object], why: str
) -> None:
    spoil(told._events)
    wrong = told.wrong()
    assert wrong is not None and why in wrong
