"""What a wallet's history comes to, by type and by category."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice

from wallet_app.domain.transactions import OUTGOING, TransactionType
from wallet_app.services.history import History, HistoryFilter
from wallet_app.store import Store

CATEGORIES_MAX = 1000
"""Categories that one summary lists: clients may invent any number of them."""


@dataclass(slots=True)
class TypeTotals:
    """Transactions of one type, their amounts added up in minor units."""

    count: int = 0
    amount: int = 0


@dataclass(slots=True)
class CategoryTotals:
    """Transactions of one category, added up in minor units by their direction."""

    count: int = 0
    incoming: int = 0
    outgoing: int = 0


@dataclass(slots=True)
class OtherCategories(CategoryTotals):
    """The categories that are not listed, all together."""

    categories: int = 0


def _nothing_of_each_type() -> dict[TransactionType, TypeTotals]:
    return {type: TypeTotals() for type in TransactionType}


@dataclass(slots=True)
class Totals:
    """What was added up; the category of transactions without one is None.

    The sums are exact, however large: unlike a balance, they may pass AMOUNT_MAX.
    """

    currency: str
    count: int = 0
    by_type: dict[TransactionType, TypeTotals] = field(
        default_factory=_nothing_of_each_type
    )
    by_category: dict[str | None, CategoryTotals] = field(default_factory=dict)
    other_categories: OtherCategories = field(default_factory=OtherCategories)


class Summary:
    """Adds up histories without keeping anyone from moving money meanwhile."""

    def __init__(self, store: Store, history: History) -> None:
        self._wallets = store.readable
        self._history = history

    def totals(
        self, wallet_id: str, since: int | None = None, until: int | None = None
    ) -> Totals:
        history, length = self._history.committed(wallet_id)
        start, stop = HistoryFilter(since=since, until=until).span(history, length)
        totals = Totals(self._wallets[wallet_id].currency, stop - start)
        by_category: Categories = defaultdict(CategoryTotals)
        for transaction in islice(history, start, stop):
            amount = transaction.amount
            of_type = totals.by_type[transaction.type]
            of_type.count += 1
            of_type.amount += amount
            of_category = by_category[transaction.category]
            of_category.count += 1
            if transaction.type in OUTGOING:
                of_category.outgoing += amount
            else:
                of_category.incoming += amount
        totals.by_category, totals.other_categories = _split(by_category)
        return totals


Categories = dict[str | None, CategoryTotals]


def _split(by_category: Categories) -> tuple[Categories, OtherCategories]:
    """Return the categories that moved most, as many as are listed, and the others
    together. Of equals, those are listed that were used first."""
    largest_first = sorted(
        by_category.items(),
        key=lambda item: item[1].incoming + item[1].outgoing,
        reverse=True,
    )
    others = OtherCategories()
    for _, category in largest_first[CATEGORIES_MAX:]:
        others.categories += 1
        others.count += category.count
        others.incoming += category.incoming
        others.outgoing += category.outgoing
    return dict(largest_first[:CATEGORIES_MAX]), others
