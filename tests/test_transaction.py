"""One transaction, found by its id."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NoReturn

import pytest
from flask.testing import FlaskClient
from uuid_utils import UUID

from tests.answers import NOBODY, assert_problem
from tests.house import House
from tests.ledgers import (
    FULL,
    BoundedLock,
    Crash,
    Ids,
    made,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app.domain.errors.wallet_errors import TransactionNotFound
from wallet_app.domain.transactions import Transaction
from wallet_app.services.service import WalletService

TIMEOUT_SECONDS = 10


def test_a_transaction_is_found_by_its_id(
    client: FlaskClient, service: WalletService
) -> None:
    source, target = open_wallet(service, 500), open_wallet(service)
    sent, received = made(service.transfer(source, target, 200))
    for each in (sent, received):
        found = client.get(f"/transactions/{str(each.id).upper()}")
        page = client.get(f"/wallet/{each.wallet_id}/transactions").get_json()
        assert (found.status_code, found.get_json()) == (200, page["transactions"][0])


def test_each_transaction_of_an_exchange_is_found(house: House) -> None:
    sent, received = house.exchange(house.quote())
    service = house.service
    rupees, dollars = (
        service.get_history(each.id).rows for each in service.list_liquidity()
    )
    for each in (sent, *rupees, *dollars, received):
        assert service.get_transaction(each.id) == each


def test_an_unknown_id_names_no_transaction(client: FlaskClient) -> None:
    problem = assert_problem(
        client.get(f"/transactions/{NOBODY}"), 404, "transaction_not_found"
    )
    assert problem["transactionId"] == NOBODY
    assert problem["detail"] == f"There is no transaction {NOBODY}."


def test_a_transaction_that_was_undone_is_not_found() -> None:
    ids, given = Ids(), list[UUID]()

    def new_id() -> UUID:
        given.append(ids())
        return given[-1]

    service = new_service(new_id=new_id)
    source, target = open_wallet(service, 500), open_wallet(service)
    given.clear()
    with nothing_moves(service), pytest.raises(Crash):
        service.money.transfer(source, target, 200, on_commit=FULL)
    assert len(given) == 2
    for each in given:
        with pytest.raises(TransactionNotFound):
            service.get_transaction(each)


class Announcing(BoundedLock):
    """A lock that says when somebody has to wait for it."""

    def __init__(self, is_waited_for: threading.Event) -> None:
        super().__init__()
        self._is_waited_for = is_waited_for
        self._is_held = False

    def acquire(self) -> bool:
        if self._is_held:
            self._is_waited_for.set()
        self._is_held = super().acquire()
        return True

    def release(self) -> None:
        self._is_held = False
        super().release()


class Undone:
    """A commit hook that fails when somebody has looked, or waits to look."""

    def __init__(self, look: Callable[[UUID], None]) -> None:
        self._look = look

    def prepare(self, outcome: object) -> NoReturn:
        assert isinstance(outcome, Transaction)
        self._look(outcome.id)
        raise Crash("full")

    def commit(self) -> NoReturn:
        raise AssertionError("it was committed without being prepared")


def test_a_transaction_that_may_be_undone_is_waited_for() -> None:
    has_looked = threading.Event()
    service = new_service(lock_factory=lambda: Announcing(has_looked))
    wallet_id, looks = open_wallet(service), list[Future[Transaction]]()
    has_looked.clear()

    def look(transaction_id: UUID) -> None:
        looks.append(threads.submit(service.get_transaction, transaction_id))
        looks[0].add_done_callback(lambda _: has_looked.set())
        assert has_looked.wait(TIMEOUT_SECONDS)

    with ThreadPoolExecutor(1) as threads:
        with pytest.raises(Crash):
            service.money.add(wallet_id, 5, on_commit=(Undone(look),))
        with pytest.raises(TransactionNotFound):
            looks[0].result(TIMEOUT_SECONDS)
