"""What each operation means when only one happens at a time.

A `Ledger` is immutable, and each operation is a pure function from one ledger to a
result and the next ledger. That is the whole specification of the service: no lock,
no thread and no rollback is in it, because a sequential ledger needs none.

An operation also says how the real service is asked for it, in process (`call`) and
over HTTP (`request`). A new operation is one class here, and one line in
`programs.py`.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple, Protocol

from wallet_app.domain import AMOUNT_MAX
from wallet_app.services import WalletService
from wallet_app.services.idempotency import Claim

CURRENCY = "INR"

# What an operation answers, as values that can be compared: two runs of the same
# schedule are equal, and so are an answer of the model and one of the service.


class Entry(NamedTuple):
    """A transaction; `by` is the label of the call that made it."""

    wallet: str
    type: str
    amount: int
    balance_after: int
    by: str


class Snapshot(NamedTuple):
    """A wallet at one moment. Wallets are named by their users."""

    name: str
    currency: str
    balance: int


class HistoryPage(NamedTuple):
    entries: tuple[Entry, ...]
    total: int


class Totals(NamedTuple):
    currency: str
    balances: int
    credits: int
    debits: int


class Report(NamedTuple):
    """An audit."""

    problems: tuple[str, ...]
    wallets: int
    transactions: int
    currencies: tuple[Totals, ...]


class Rest(NamedTuple):
    """Each wallet and its history, oldest first, by name."""

    wallets: tuple[tuple[Snapshot, tuple[Entry, ...]], ...]


class Refused(NamedTuple):
    """A refusal, with the numbers that it tells."""

    code: str
    numbers: tuple[tuple[str, int], ...] = ()


class Failed(NamedTuple):
    """A call that ended in an error that is no refusal."""

    error: str
    detail: str = ""


CRASHED = Failed("Crash")
"""What a call answers into which a fault was injected."""

Result = Any

# The ledger


class Book(NamedTuple):
    """A wallet: its history, oldest first, which tells the balance too."""

    currency: str = CURRENCY
    history: tuple[Entry, ...] = ()

    @property
    def balance(self) -> int:
        return self.history[-1].balance_after if self.history else 0


class Kept(NamedTuple):
    """An idempotency key, the request that it came with, and what that answered."""

    key: str
    request: Operation
    result: Result


class Ledger(NamedTuple):
    """All that the service knows: the wallets by name, and the keys."""

    books: tuple[tuple[str, Book], ...] = ()
    kept: frozenset[Kept] = frozenset()

    def book(self, name: str) -> Book:
        for each, book in self.books:
            if each == name:
                return book
        raise Refusal("wallet_not_found")

    def with_book(self, name: str, book: Book) -> Ledger:
        others = [pair for pair in self.books if pair[0] != name]
        return self._replace(books=tuple(sorted([*others, (name, book)])))

    def move(self, name: str, type: str, change: int, by: str) -> tuple[Entry, Ledger]:
        book = self.book(name)
        entry = Entry(name, type, abs(change), book.balance + change, by)
        return entry, self.with_book(
            name, book._replace(history=(*book.history, entry))
        )


class Refusal(Exception):
    """Raised where an operation refuses; the ledger stays what it was."""

    def __init__(self, code: str, **numbers: int) -> None:
        self.result = Refused(code, tuple(sorted(numbers.items())))


# The operations


class Asking(Protocol):
    """What a request to the real service needs besides its operation."""

    @property
    def by(self) -> str:
        """The label of the call: the description of its transactions."""
        ...

    @property
    def claim(self) -> Claim | None:
        """What keeps the result for the idempotency key."""
        ...

    def id(self, name: str, /) -> str:
        """Return the id of the wallet that is called so."""
        ...

    def user(self, name: str, /) -> str:
        """Return the id of the user whose wallet is called so."""
        ...


Request = tuple[str, str, dict[str, object] | None]
"""Method, path and body."""


@dataclass(frozen=True)
class Operation:
    """One request to the service.

    `key` is its Idempotency-Key. `faults` are the writes to a balance, counted from
    1 within the call, that fail: also those that put a balance back.
    """

    key: str | None = field(default=None, kw_only=True)
    faults: tuple[int, ...] = field(default=(), kw_only=True)

    writes: ClassVar[int] = 0
    """How many writes to a balance the operation needs to succeed."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        """Return the result and the next ledger, or raise Refusal. `by` is the label
        that the operation leaves on what it records."""
        raise NotImplementedError

    def call(self, service: WalletService, asking: Asking) -> object:
        """Ask the service in process."""
        raise NotImplementedError

    def request(self, asking: Asking) -> Request:
        """Say how to ask the service over HTTP."""
        raise NotImplementedError

    def __str__(self) -> str:
        """As people write it: `deduct(asha, 60)`."""
        values = [str(getattr(self, each.name)) for each in self._fields(False)]
        text = f"{type(self).__name__.lower()}({', '.join(values)})"
        if self.key is not None:
            text += f" key={self.key}"
        if self.faults:
            text += f" crash at write {' and '.join(map(str, self.faults))}"
        return text

    def __repr__(self) -> str:
        """As the Python that makes it."""
        values = [repr(getattr(self, each.name)) for each in self._fields(False)]
        values += [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in self._fields(True)
            if getattr(self, each.name) != each.default
        ]
        return f"{type(self).__name__}({', '.join(values)})"

    def _fields(self, kw_only: bool) -> list[Field[Any]]:
        return [each for each in fields(self) if each.kw_only is kw_only]


def answer(ledger: Ledger, operation: Operation, by: str) -> tuple[Result, Ledger]:
    """Return what the service answers, and the ledger after that: the one place that
    says what keys, refusals and crashes mean."""
    request = replace(operation, key=None, faults=())
    for kept in ledger.kept:
        if kept.key == operation.key:
            same = kept.request == request
            return kept.result if same else Refused(KEY_REUSED), ledger
    try:
        result, after = operation.apply(ledger, by)
    except Refusal as refusal:
        result, after = refusal.result, ledger
    else:
        if any(fault <= operation.writes for fault in operation.faults):
            result, after = CRASHED, ledger
    if operation.key is not None and is_kept(result):
        after = after._replace(kept=after.kept | {Kept(operation.key, request, result)})
    return result, after


def is_kept(result: Result) -> bool:
    """Tell whether this is the one result that its idempotency key will ever have."""
    return result not in (CRASHED, Refused("wallet_exists"))


KEY_REUSED, KEY_IN_PROGRESS = "idempotency_key_reused", "idempotency_in_progress"


@dataclass(frozen=True, repr=False)
class Create(Operation):
    name: str
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        if self.name in dict(ledger.books):
            raise Refusal("wallet_exists")
        return Snapshot(self.name, CURRENCY, 0), ledger.with_book(self.name, Book())

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.wallets.create(asking.user(self.name), claim=asking.claim)

    def request(self, asking: Asking) -> Request:
        return "POST", "/wallet/create", {"userId": asking.user(self.name)}


@dataclass(frozen=True, repr=False)
class Add(Operation):
    wallet: str
    amount: int
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        _refuse_overflow(ledger.book(self.wallet), self.amount)
        return ledger.move(self.wallet, "CREDIT", self.amount, by)

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.money.add(
            asking.id(self.wallet),
            self.amount,
            description=asking.by,
            claim=asking.claim,
        )

    def request(self, asking: Asking) -> Request:
        return "POST", "/wallet/add", _body(self, asking, walletId=self.wallet)


@dataclass(frozen=True, repr=False)
class Deduct(Operation):
    wallet: str
    amount: int
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        _refuse_overdraft(ledger.book(self.wallet), self.amount)
        return ledger.move(self.wallet, "DEBIT", -self.amount, by)

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.money.deduct(
            asking.id(self.wallet),
            self.amount,
            description=asking.by,
            claim=asking.claim,
        )

    def request(self, asking: Asking) -> Request:
        return "POST", "/wallet/deduct", _body(self, asking, walletId=self.wallet)


@dataclass(frozen=True, repr=False)
class Transfer(Operation):
    source: str
    target: str
    amount: int
    writes = 2

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        source, target = ledger.book(self.source), ledger.book(self.target)
        if self.source == self.target:
            raise Refusal("same_wallet")
        _refuse_overdraft(source, self.amount)
        _refuse_overflow(target, self.amount)
        sent, ledger = ledger.move(self.source, "TRANSFER_OUT", -self.amount, by)
        received, ledger = ledger.move(self.target, "TRANSFER_IN", self.amount, by)
        return (sent, received), ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.money.transfer(
            asking.id(self.source),
            asking.id(self.target),
            self.amount,
            description=asking.by,
            claim=asking.claim,
        )

    def request(self, asking: Asking) -> Request:
        body = _body(self, asking, fromWalletId=self.source, toWalletId=self.target)
        return "POST", "/wallet/transfer", body


@dataclass(frozen=True, repr=False)
class Get(Operation):
    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)
        return Snapshot(self.wallet, book.currency, book.balance), ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.wallets.get(asking.id(self.wallet))

    def request(self, asking: Asking) -> Request:
        return "GET", f"/wallet/{asking.id(self.wallet)}", None


@dataclass(frozen=True, repr=False)
class History(Operation):
    """The latest transactions of a wallet, all on one page."""

    wallet: str
    limit: ClassVar[int] = 100

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        latest_first = ledger.book(self.wallet).history[::-1]
        return HistoryPage(latest_first[: self.limit], len(latest_first)), ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.history.page(asking.id(self.wallet), limit=self.limit)

    def request(self, asking: Asking) -> Request:
        path = f"/wallet/{asking.id(self.wallet)}/transactions?limit={self.limit}"
        return "GET", path, None


@dataclass(frozen=True, repr=False)
class Audit(Operation):
    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        entries = [entry for _, book in ledger.books for entry in book.history]
        totals = Totals(
            CURRENCY,
            sum(book.balance for _, book in ledger.books),
            sum(entry.amount for entry in entries if entry.type == "CREDIT"),
            sum(entry.amount for entry in entries if entry.type == "DEBIT"),
        )
        currencies = (totals,) if ledger.books else ()
        return Report((), len(ledger.books), len(entries), currencies), ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.audit.run()

    def request(self, asking: Asking) -> Request:
        return "GET", "/audit", None


@dataclass(frozen=True, repr=False)
class AtRest(Operation):
    """Everything there is, read when nothing runs: the last call of each history."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return (
            Rest(
                tuple(
                    (Snapshot(name, book.currency, book.balance), book.history)
                    for name, book in ledger.books
                )
            ),
            ledger,
        )

    def call(self, service: WalletService, asking: Asking) -> object:
        return list(service.store.wallets.values())

    def __str__(self) -> str:
        return "The wallets"


def _refuse_overdraft(source: Book, amount: int) -> None:
    if source.balance < amount:
        raise Refusal("insufficient_funds", balance=source.balance, amount=amount)


def _refuse_overflow(target: Book, amount: int) -> None:
    if target.balance + amount > AMOUNT_MAX:
        raise Refusal("balance_overflow", amount=amount, maximum=AMOUNT_MAX)


def _body(
    movement: Add | Deduct | Transfer, asking: Asking, **wallets: str
) -> dict[str, object]:
    ids: dict[str, object] = {where: asking.id(name) for where, name in wallets.items()}
    return ids | {"amount": movement.amount, "description": asking.by}
