"""Reading a wallet's history, latest first, filtered, in pages or whole."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from uuid_utils import UUID

from wallet_app.domain.errors.wallet_errors import TransactionNotFound
from wallet_app.domain.transactions import Transaction, TransactionType
from wallet_app.services.page import Page
from wallet_app.store import Store

_created_at = attrgetter("created_at")


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which transactions are asked for; None means any.

    Times are nanoseconds since 1970, UTC: `since` inclusive, `until` exclusive.
    """

    type: TransactionType | None = None
    category: str | None = None
    since: int | None = None
    until: int | None = None

    def select(self, history: Sequence[Transaction], length: int) -> Sequence[int]:
        """Return the positions that match among the first `length`, ascending."""
        start, stop = self.span(history, length)
        if self.type is None and self.category is None:
            return range(start, stop)
        return [i for i in range(start, stop) if self.matches(history[i])]

    def span(self, history: Sequence[Transaction], length: int) -> tuple[int, int]:
        """Return where the time asked for starts and stops in the first `length`.

        Times only grow along a history, so they are searched for by bisection.
        """
        start, stop = 0, length
        if self.since is not None:
            start = bisect_left(history, self.since, 0, length, key=_created_at)
        if self.until is not None:
            stop = bisect_left(history, self.until, start, length, key=_created_at)
        return start, stop

    def matches(self, transaction: Transaction) -> bool:
        """Return whether type and category are those asked for, whatever the time."""
        return (self.type is None or transaction.type is self.type) and (
            self.category is None or transaction.category == self.category
        )


class History:
    """Reads histories without keeping anyone from moving money meanwhile."""

    def __init__(self, store: Store) -> None:
        self._wallets = store.readable
        self._transactions = store.transactions

    def find(self, transaction_id: UUID) -> Transaction:
        """Return a committed transaction. One that is being made is seen when its
        wallet opens, if it is there then: it may be undone."""
        found = self._transactions.get(transaction_id)
        if found is not None:
            with self._wallets[found.wallet_id]:
                found = self._transactions.get(transaction_id)
        if found is None:
            raise TransactionNotFound(str(transaction_id))
        return found

    def page(
        self,
        wallet_id: str,
        wanted: HistoryFilter = HistoryFilter(),
        limit: int = 20,
        page: int = 1,
        before: UUID | None = None,
    ) -> Page[Transaction]:
        history, length = self.committed(wallet_id)
        matches = wanted.select(history, length)
        older: Sequence[int] = matches
        if before is not None:
            position = _position(wallet_id, history, length, before)
            older = matches[: bisect_left(matches, position)]
        stop = max(len(older) - (page - 1) * limit, 0)
        start = max(stop - limit, 0)
        return Page(
            rows=[history[i] for i in reversed(older[start:stop])],
            page=page if before is None else None,
            limit=limit,
            total=len(matches),
            has_more=start > 0,
        )

    def latest_first(
        self, wallet_id: str, wanted: HistoryFilter = HistoryFilter()
    ) -> Iterator[Transaction]:
        """Nothing is copied or locked while this is read, and what comes later is not
        in it."""
        history, length = self.committed(wallet_id)
        positions = reversed(range(*wanted.span(history, length)))
        return filter(wanted.matches, (history[i] for i in positions))

    def committed(self, wallet_id: str) -> tuple[Sequence[Transaction], int]:
        """Return the history and how far it may be read without the lock."""
        wallet = self._wallets[wallet_id]
        with wallet:
            return wallet.history, len(wallet.history)


def _position(
    wallet_id: str, history: Sequence[Transaction], length: int, transaction_id: UUID
) -> int:
    """Find a transaction, from the latest back: reading on mostly starts near the
    end."""
    for position in range(length - 1, -1, -1):
        if history[position].id == transaction_id:
            return position
    raise TransactionNotFound(str(transaction_id), f" in wallet {wallet_id}")
