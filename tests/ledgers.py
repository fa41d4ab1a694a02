"""Ledgers for tests: chance and time are owned by the test, and every fact of a
ledger can be compared before and after."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from uuid_utils import UUID

from wallet_app.domain.transactions import Transaction, WalletSnapshot
from wallet_app.gateways.delivery import Transport, Undelivered
from wallet_app.gateways.delivery_connection import Reply
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings

START = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
SECOND = 1_000_000_000
LOCK_TIMEOUT_SECONDS = 5

T = TypeVar("T")

Everything = dict[str, tuple[WalletSnapshot, tuple[Transaction, ...], object]]


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def passing_time() -> Callable[[], int]:
    """Return a clock that is a nanosecond later each time."""
    return itertools.count(START).__next__


class Ids:
    """UUIDs in ascending order."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self) -> UUID:
        return UUID(int=next(self._numbers))


class Codes:
    """Codes in ascending order, and a channel that remembers what it was given."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.sent: dict[str, str] = {}
        """The code that was last sent, by the id of its approval."""

    def __call__(self) -> str:
        return f"{next(self._numbers):06}"

    def send(self, approval: ApprovalSnapshot, code: str) -> None:
        self.sent[approval.id] = code


class Crash(RuntimeError):
    """What goes wrong at the worst moment."""


class Full:
    """A commit hook without memory for an outcome: the commit fails."""

    def prepare(self, outcome: object) -> NoReturn:
        raise Crash("full")

    def commit(self) -> NoReturn:
        raise AssertionError("it was committed without being prepared")


FULL = (Full(),)


class BoundedLock:
    """A lock for which nobody waits for ever: a leak or a deadlock is a failure."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self) -> bool:
        assert self._lock.acquire(timeout=LOCK_TIMEOUT_SECONDS), "waited too long"
        return True

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()


class Receivers:
    """Stands where webhooks are sent: remembers what came, and answers what it is told
    to answer, in turn; then 204. Nothing leaves the process."""

    def __init__(self, *replies: int | str | Reply) -> None:
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.replies = list(replies)
        """A status, a whole reply, or why nobody answered."""

    def check(self, url: str) -> None:
        Transport().check(url)

    def sender(self, url: str) -> Posting:
        return Posting(self, url)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self.posts.append((url, dict(headers), body))
        reply = self.replies.pop(0) if self.replies else 204
        if isinstance(reply, str):
            raise Undelivered(reply)
        return Reply(reply, None) if isinstance(reply, int) else reply


class Posting:
    """Sends to one URL what receivers get."""

    def __init__(self, receivers: Receivers, url: str) -> None:
        self._receivers = receivers
        self._url = url

    def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        return self._receivers.post(self._url, headers, body)

    def close(self) -> None:
        pass


def new_service(settings: Settings = Settings(), **injected: Any) -> WalletService:
    """Return a service over an empty ledger in which nothing is left to chance. Dates
    and durations come from one clock, unless there is one for each."""
    clock = injected.get("clock") or Clock()
    owned: dict[str, Any] = {
        "lock_factory": BoundedLock,
        "clock": clock,
        "monotonic": clock,
        "new_id": Ids(),
        "new_code": Codes(),
        "send_code": lambda approval, code: None,
        "transport": Receivers(),
        "jitter": lambda longest: longest,
    }
    return WalletService(settings, **owned | injected)


def open_wallet(
    service: WalletService, balance: int = 0, user: str = "", currency: str = "INR"
) -> str:
    """Open a wallet that holds `balance`, for a new user if none is named."""
    user = user or f"user {len(service.store.wallets)}"
    wallet_id = service.create_wallet(user, currency).id
    if balance:
        service.add(wallet_id, balance)
    return wallet_id


def made(outcome: T | ApprovalSnapshot) -> T:
    """Return what was moved; fail if it waits for an approval."""
    assert not isinstance(outcome, ApprovalSnapshot)
    return outcome


def balances(service: WalletService, *wallet_ids: str) -> list[int]:
    return [service.get_wallet(wallet_id).balance for wallet_id in wallet_ids]


def everything(service: WalletService) -> Everything:
    """Return all that the ledger holds. For a ledger at rest: it takes no lock."""
    return {
        wallet.id: (
            wallet.snapshot(),
            tuple(wallet.history),
            (wallet.spent, wallet.counters, wallet.policy),
        )
        for wallet in service.store.readable.values()
    }


def recorded(service: WalletService) -> set[UUID]:
    """Return the ids of all transactions in the histories of a ledger at rest."""
    histories = (wallet.history for wallet in service.store.readable.values())
    return {each.id for history in histories for each in history}


@contextmanager
def nothing_moves(service: WalletService) -> Iterator[None]:
    """Assert that the block leaves the ledger as it was, and its books balanced."""
    before = everything(service)
    yield
    assert everything(service) == before
    assert set(service.store.transactions) == recorded(service)
    assert service.audit().problems == []


@contextmanager
def nothing_logged() -> Iterator[None]:
    """Log nothing in the block, where most of the time would go to tracebacks."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
