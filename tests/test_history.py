"""Reading a history: order, filters, pages."""

from __future__ import annotations

import pytest
from uuid_utils import UUID

from tests.ledgers import SECOND, START, Clock, new_service, nothing_moves, open_wallet
from wallet_app.domain.errors.wallet_errors import TransactionNotFound
from wallet_app.domain.transactions import Transaction, TransactionType
from wallet_app.services.history import HistoryFilter
from wallet_app.services.page import Page
from wallet_app.services.service import WalletService


@pytest.fixture
def wallet_id(service: WalletService) -> str:
    """Return a wallet with ten credits of 1 to 10."""
    wallet_id = open_wallet(service)
    for amount in range(1, 11):
        service.add(wallet_id, amount, "odd" if amount % 2 else "even")
    return wallet_id


def amounts(page: Page[Transaction]) -> list[int]:
    return [transaction.amount for transaction in page.rows]


def test_a_page_is_latest_first(service: WalletService, wallet_id: str) -> None:
    page = service.get_history(wallet_id, limit=3)
    assert amounts(page) == [10, 9, 8]
    assert (page.page, page.limit, page.total, page.has_more) == (1, 3, 10, True)


def test_pages_follow_one_another_to_the_end(
    service: WalletService, wallet_id: str
) -> None:
    pages = [service.get_history(wallet_id, limit=4, page=n) for n in (1, 2, 3, 4)]
    assert [amounts(page) for page in pages] == [
        [10, 9, 8, 7],
        [6, 5, 4, 3],
        [2, 1],
        [],
    ]
    assert [page.has_more for page in pages] == [True, True, False, False]


def test_an_empty_history_has_an_empty_page(service: WalletService) -> None:
    page = service.get_history(open_wallet(service))
    assert (amounts(page), page.total, page.has_more) == ([], 0, False)


def test_types_and_categories_are_filtered(
    service: WalletService, wallet_id: str
) -> None:
    service.deduct(wallet_id, 1, "odd")
    debits = HistoryFilter(type=TransactionType.DEBIT)
    assert amounts(service.get_history(wallet_id, debits)) == [1]
    odd = service.get_history(wallet_id, HistoryFilter(category="odd"), limit=2)
    assert (amounts(odd), odd.total) == ([1, 9], 6)
    both = HistoryFilter(type=TransactionType.CREDIT, category="odd")
    assert amounts(service.get_history(wallet_id, both)) == [9, 7, 5, 3, 1]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, [4, 3, 2, 1]),
        (2, None, [4, 3, 2]),
        (None, 3, [2, 1]),
        (2, 3, [2]),
        (3, 2, []),
        (5, None, []),
        (None, 1, []),
    ],
)
def test_from_is_inclusive_and_to_is_exclusive(
    since: int | None, until: int | None, expected: list[int]
) -> None:
    clock = Clock()
    service = new_service(clock=clock)
    wallet_id = open_wallet(service)
    for second in (1, 2, 3, 4):
        clock.now = START + second * SECOND
        service.add(wallet_id, second)
    wanted = HistoryFilter(
        since=None if since is None else START + since * SECOND,
        until=None if until is None else START + until * SECOND,
    )
    assert amounts(service.get_history(wallet_id, wanted)) == expected


def test_before_reads_on_whatever_was_added_since(
    service: WalletService, wallet_id: str
) -> None:
    first = service.get_history(wallet_id, limit=4)
    service.add(wallet_id, 11)
    last_seen = first.rows[-1].id
    page = service.get_history(wallet_id, limit=4, before=last_seen)
    assert amounts(page) == [6, 5, 4, 3]
    assert (page.page, page.total, page.has_more) == (None, 11, True)


def test_before_goes_with_filters_that_do_not_match_it(
    service: WalletService, wallet_id: str
) -> None:
    an_even_one = service.get_history(wallet_id).rows[4]
    assert an_even_one.category == "even"
    page = service.get_history(
        wallet_id, HistoryFilter(category="odd"), before=an_even_one.id
    )
    assert amounts(page) == [5, 3, 1]


def test_before_the_oldest_there_is_nothing(
    service: WalletService, wallet_id: str
) -> None:
    oldest = service.get_history(wallet_id).rows[-1]
    page = service.get_history(wallet_id, before=oldest.id)
    assert (amounts(page), page.has_more) == ([], False)


def test_before_must_be_a_transaction_of_this_wallet(
    service: WalletService, wallet_id: str
) -> None:
    elsewhere = service.add(open_wallet(service), 1)
    for transaction_id in (elsewhere.id, UUID(int=2**127)):
        with nothing_moves(service), pytest.raises(TransactionNotFound):
            service.get_history(wallet_id, before=transaction_id)
