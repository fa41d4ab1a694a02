"""The money path's rules, in the service and without HTTP."""

from __future__ import annotations

import pytest

from tests.ledgers import (
    SECOND,
    Clock,
    balances,
    made,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    CurrencyMismatch,
    InsufficientFunds,
    SameWallet,
    WalletNotFound,
)
from wallet_app.domain.transactions import AMOUNT_MAX, TransactionType
from wallet_app.services.service import WalletService

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_an_add_raises_the_balance_and_records_a_credit(service: WalletService) -> None:
    wallet_id = open_wallet(service)
    credit = service.add(wallet_id, 500, "gift", "Happy birthday")
    assert service.get_wallet(wallet_id).balance == 500
    assert credit.type is TransactionType.CREDIT
    assert (credit.amount, credit.balance_after) == (500, 500)
    assert (credit.category, credit.description) == ("gift", "Happy birthday")
    assert credit.reference_id is None
    assert service.get_history(wallet_id).rows == [credit]


def test_a_deduct_lowers_the_balance_and_records_a_debit(
    service: WalletService,
) -> None:
    wallet_id = open_wallet(service, 500)
    debit = made(service.deduct(wallet_id, 120, "food", "Lunch"))
    assert service.get_wallet(wallet_id).balance == 380
    assert debit.type is TransactionType.DEBIT
    assert (debit.amount, debit.balance_after) == (120, 380)
    assert (debit.category, debit.description) == ("food", "Lunch")
    assert debit.reference_id is None
    assert service.get_history(wallet_id).rows[0] == debit


@pytest.mark.parametrize("reverse", [False, True], ids=["up", "down"])
def test_a_transfer_moves_money_and_records_both_sides(
    service: WalletService, reverse: bool
) -> None:
    source, target = open_wallet(service, 500), open_wallet(service, 500)
    if reverse:  # against the order of the locks
        source, target = target, source
    sent, received = made(service.transfer(source, target, 200, "rent", "May"))
    assert balances(service, source, target) == [300, 700]
    assert sent.type is TransactionType.TRANSFER_OUT
    assert received.type is TransactionType.TRANSFER_IN
    assert (sent.wallet_id, received.wallet_id) == (source, target)
    assert (sent.amount, received.amount) == (200, 200)
    assert (sent.balance_after, received.balance_after) == (300, 700)
    assert sent.reference_id == received.reference_id == sent.id
    assert sent.id != received.id
    assert sent.created_at == received.created_at
    assert {(each.category, each.description) for each in (sent, received)} == {
        ("rent", "May")
    }


def test_the_whole_balance_can_be_spent_and_not_one_unit_more(
    service: WalletService,
) -> None:
    source, target = open_wallet(service, 500), open_wallet(service)
    with nothing_moves(service):
        with pytest.raises(InsufficientFunds) as refused:
            service.deduct(source, 501)
        with pytest.raises(InsufficientFunds):
            service.transfer(source, target, 501)
    assert refused.value.values == {"balance": 500, "amount": 501}
    service.transfer(source, target, 500)
    service.deduct(target, 500)
    assert balances(service, source, target) == [0, 0]


def test_a_balance_reaches_the_largest_integer_and_never_passes_it(
    service: WalletService,
) -> None:
    full, other = open_wallet(service, AMOUNT_MAX), open_wallet(service, 1)
    assert balances(service, full) == [2**53 - 1]
    with nothing_moves(service):
        with pytest.raises(BalanceOverflow):
            service.add(full, 1)
        with pytest.raises(BalanceOverflow):
            service.add(full, AMOUNT_MAX)
        with pytest.raises(BalanceOverflow):
            service.transfer(other, full, 1)


def test_a_transfer_to_the_same_wallet_is_refused(service: WalletService) -> None:
    wallet_id = open_wallet(service, 500)
    with nothing_moves(service), pytest.raises(SameWallet):
        service.transfer(wallet_id, wallet_id, 1)


def test_a_transfer_between_currencies_is_refused(service: WalletService) -> None:
    rupees, dollars = open_wallet(service, 500), open_wallet(service, currency="USD")
    with nothing_moves(service), pytest.raises(CurrencyMismatch):
        service.transfer(rupees, dollars, 1)


def test_currency_is_checked_before_funds_and_funds_before_room(
    service: WalletService,
) -> None:
    poor = open_wallet(service, 1)
    full_dollars = open_wallet(service, AMOUNT_MAX, currency="USD")
    full = open_wallet(service, AMOUNT_MAX)
    with nothing_moves(service):
        with pytest.raises(CurrencyMismatch):
            service.transfer(poor, full_dollars, 2)
        with pytest.raises(InsufficientFunds):
            service.transfer(poor, full, 2)


def test_a_movement_of_an_unknown_wallet_is_refused(service: WalletService) -> None:
    known = open_wallet(service, 500)
    with nothing_moves(service):
        for movement in (
            lambda: service.add(NOBODY, 1),
            lambda: service.deduct(NOBODY, 1),
            lambda: service.transfer(NOBODY, known, 1),
            lambda: service.transfer(known, NOBODY, 1),
        ):
            with pytest.raises(WalletNotFound) as refused:
                movement()
            assert refused.value.values == {"wallet_id": NOBODY}


def test_a_movement_tells_the_time_and_marks_the_wallet() -> None:
    clock = Clock()
    service = new_service(clock=clock)
    source, target = open_wallet(service, 5), open_wallet(service)
    clock.now += SECOND
    sent, received = made(service.transfer(source, target, 5))
    assert sent.created_at == received.created_at == clock.now
    for wallet_id in (source, target):
        wallet = service.get_wallet(wallet_id)
        assert wallet.created_at == clock.now - SECOND
        assert wallet.updated_at == clock.now


def test_a_clock_that_steps_back_does_not_turn_a_history_back() -> None:
    clock = Clock()
    service = new_service(clock=clock)
    wallet_id = open_wallet(service, 5)
    latest = clock.now
    clock.now -= 3600 * SECOND
    assert made(service.deduct(wallet_id, 5)).created_at == latest
    assert service.get_wallet(wallet_id).updated_at == latest
    assert service.audit().problems == []


def test_a_receipt_shows_the_wallet_as_its_transaction_left_it(
    service: WalletService,
) -> None:
    wallet_id = open_wallet(service)
    first = service.add(wallet_id, 500)
    as_left = service.get_wallet(wallet_id)
    service.add(wallet_id, 1)
    assert first.wallet_after == as_left
