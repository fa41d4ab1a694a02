"""What the outbox has reported: what is lost, made up or out of order is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.concurrency.outbox import Listener
from tests.ledgers import new_service, open_wallet
from wallet_app.services.events import Event
from wallet_app.services.service import WalletService


@pytest.fixture
def listener(service: WalletService) -> Listener:
    """Return what is reported of two movements, and of a payment that ended."""
    listener = Listener(service)
    asha = open_wallet(service, 100, "asha")
    service.withdraw(asha, 40, "sandbox-ok")
    service.background.run_due()
    return listener


def test_what_was_reported_in_order_and_once_is_right(listener: Listener) -> None:
    assert listener.wrong() is None


def test_nothing_is_to_be_reported_of_nothing() -> None:
    assert Listener(new_service()).wrong() is None


WRONG: list[tuple[Callable[[list[Event]], object], str]] = [
    (lambda events: events.pop(1), "reported asha: -40, balance 60. What"),
    (lambda events: events.append(events[2]), "balance 60; -40, balance 60. What"),
    (lambda events: events.reverse(), "reported asha: -40, balance 60; +100"),
    (lambda events: events.pop(), "reported payments: nothing. What happened is: wi"),
    (lambda events: events.append(events[-1]), "succeeded, withdrawal of 40 succeed"),
]


@pytest.mark.parametrize("spoil, why", WRONG, ids=["lost", "twice", "order", "-", "+"])
def test_what_was_lost_or_reported_twice_or_out_of_order_is_wrong(
    listener: Listener, spoil: Callable[[list[Event]], object], why: str
) -> None:
    spoil(listener.events)
    wrong = listener.wrong()
    assert wrong is not None and why in wrong
