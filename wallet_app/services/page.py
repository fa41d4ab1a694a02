"""One page of a list, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

T = TypeVar("T")
R = TypeVar("R")


class Page(Struct, Generic[T], frozen=True):
    """At most `limit` rows of `total`. `page` counts from 1; it is None where the page
    starts after a row and not at a number."""

    rows: list[T]
    page: int | None
    limit: int
    total: int
    has_more: bool

    def map(self, form: Callable[[T], R]) -> Page[R]:
        """Return this page with another form of each row."""
        rows = [form(row) for row in self.rows]
        return Page(rows, self.page, self.limit, self.total, self.has_more)


class OfWallet(Protocol):
    """A row that belongs to a wallet and has a status."""

    @property
    def wallet_id(self) -> str: ...
    @property
    def status(self) -> object: ...


F = TypeVar("F", bound=OfWallet)


def filtered_page(
    newest_first: Iterable[F],
    wallet_id: str | None,
    status: object | None,
    limit: int,
    page: int,
) -> Page[F]:
    """Return a page of the rows of one wallet and with one status; None means any."""
    wanted = [
        row
        for row in newest_first
        if wallet_id in (None, row.wallet_id) and status in (None, row.status)
    ]
    return page_of(wanted, len(wanted), limit, page)


def page_of(newest_first: Iterable[T], total: int, limit: int, page: int) -> Page[T]:
    """Return the page with this number; past the last one it has no rows."""
    start = min((page - 1) * limit, total)
    stop = min(start + limit, total)
    rows = list(islice(newest_first, start, stop))
    return Page(rows, page, limit, total, has_more=stop < total)
