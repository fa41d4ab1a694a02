"""What each operation means when only one happens at a time.

A `Ledger` is immutable, and each operation is a pure function from one ledger to a
result and the next ledger. That is the whole specification of the service: no lock,
no thread and no rollback is in it, because a sequential ledger needs none.

An operation also says how the real service is asked for it, in process (`call`) and
over HTTP (`request`). A new operation is one class here, and one line in
`programs.py`.
"""

from __future__ import annotations

import re
from dataclasses import Field, dataclass, field, fields, replace
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.idempotency import Claim
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings

CURRENCY = "INR"
OUTGOING = ("DEBIT", "TRANSFER_OUT")

DOLLARS = "$"
"""The name of a wallet in USD begins with this: `$asha` is asha's."""

HOUSE = "house"
"""Whose wallets are the liquidity wallets."""

RATE = 2
"""How many cents one paisa is: dollars are cheap here."""

CODE = "000000"
"""The code of every approval."""

SETTINGS = Settings(
    fx_rates=(("INR", "USD", Decimal(RATE)),),
    payment_max_attempts=1,  # each that comes to nothing parks its payment
)
"""The settings of a service that is to do as the model does."""

PAYS, DECLINES = "sandbox-ok", "sandbox-declines"
TIMES_OUT, DOWN = "sandbox-times-out", "sandbox-down"
"""Bank accounts: the bank pays; refuses; pays, but its first answer never arrives; is
never available."""

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
    """A wallet at one moment. Wallets are named by their users. `frozen` is the label
    of the call that froze it."""

    name: str
    currency: str
    balance: int
    frozen: str | None = None


class Usage(NamedTuple):
    """How much may leave a wallet in a day, and how much of that has left it."""

    name: str
    daily: int | None
    spent: int


class Waiting(NamedTuple):
    """A movement that waits for its approval."""

    wallet: str
    amount: int


class Quoted(NamedTuple):
    """What an amount of INR comes to in USD."""

    from_amount: int
    to_amount: int


class Payment(NamedTuple):
    """A deposit or a withdrawal, and how far it has come."""

    wallet: str
    direction: str
    amount: int
    status: str

    @property
    def is_open(self) -> bool:
        return self.status in ("PENDING", "PARKED")


class Attempted(NamedTuple):
    """What a worker is told: nothing."""


class HistoryPage(NamedTuple):
    entries: tuple[Entry, ...]
    total: int


class Totals(NamedTuple):
    currency: str
    balances: int
    credits: int
    debits: int
    withdrawals_in_flight: int = 0
    deposits_in_flight: int = 0


class Report(NamedTuple):
    """An audit."""

    problems: tuple[str, ...]
    wallets: int
    transactions: int
    currencies: tuple[Totals, ...]


class Rest(NamedTuple):
    """Each wallet, what it has spent, and its history, oldest first, by name; and the
    payments, in any order."""

    wallets: tuple[tuple[Snapshot, Usage, tuple[Entry, ...]], ...]
    payments: tuple[Payment, ...] = ()


class Refused(NamedTuple):
    """A refusal, with the numbers that it tells."""

    code: str
    numbers: tuple[tuple[str, int], ...] = ()


class Failed(NamedTuple):
    """A call that ended in an error that is no refusal."""

    error: str
    detail: str = ""


NOBODY = ""
"""The label of transactions without a description: those of payments."""

CRASHED = Failed("Crash")
"""What a call answers into which a fault was injected."""

Result = Any

# The ledger


class Book(NamedTuple):
    """A wallet: its history, oldest first, which tells the balance too, and what was
    spent, less what the bank has not paid: all of it on one day, because no test lasts
    until the next."""

    currency: str = CURRENCY
    history: tuple[Entry, ...] = ()
    frozen: str | None = None
    daily: int | None = None
    threshold: int | None = None
    refunded: int = 0

    @property
    def balance(self) -> int:
        return self.history[-1].balance_after if self.history else 0

    @property
    def spent(self) -> int:
        left = sum(each.amount for each in self.history if each.type in OUTGOING)
        return left - self.refunded

    def snapshot(self, name: str) -> Snapshot:
        return Snapshot(name, self.currency, self.balance, self.frozen)

    def usage(self, name: str) -> Usage:
        return Usage(name, self.daily, self.spent)


class Kept(NamedTuple):
    """An idempotency key, the request that it came with, and what that answered."""

    key: str
    request: Operation
    result: Result


class Carried(NamedTuple):
    """A payment as it is carried through: `answer` is what the bank is known to have
    done, "UNKNOWN" after a time-out, and None when it was not reached."""

    payment: Payment
    account: str
    answer: str | None = None

    @property
    def answered(self) -> bool:
        return self.answer in ("PAID", "DECLINED")

    def asked(self) -> Carried:
        """Return it when the bank was asked once more."""
        if self.answered or self.account == DOWN:
            return self
        if self.account == TIMES_OUT and self.answer is None:
            return self._replace(answer="UNKNOWN")
        declined = self.account == DECLINES
        return self._replace(answer="DECLINED" if declined else "PAID")


class Ledger(NamedTuple):
    """All that the service knows: the wallets by name, the keys, and by the labels of
    their calls the movements that wait, and the quotes: None when they are used; the
    payments, oldest first, and the attempts that have asked the bank."""

    books: tuple[tuple[str, Book], ...] = ()
    kept: frozenset[Kept] = frozenset()
    waiting: frozenset[tuple[str, Deduct | Transfer | Withdraw | None]] = frozenset()
    quotes: frozenset[tuple[str, Quoted | None]] = frozenset()
    payments: tuple[tuple[str, Carried], ...] = ()
    asked: frozenset[str] = frozenset()

    def book(self, name: str) -> Book:
        for each, book in self.books:
            if each == name:
                return book
        raise Refusal("wallet_not_found")

    def with_book(self, name: str, book: Book) -> Ledger:
        others = [pair for pair in self.books if pair[0] != name]
        return self._replace(books=tuple(sorted([*others, (name, book)])))

    def wait(
        self, name: str, movement: Deduct | Transfer | Withdraw, by: str
    ) -> tuple[Waiting, Ledger]:
        waiting = self.waiting | {(by, movement)}
        return Waiting(name, movement.amount), self._replace(waiting=waiting)

    def move(self, name: str, type: str, change: int, by: str) -> tuple[Entry, Ledger]:
        book = self.book(name)
        entry = Entry(name, type, abs(change), book.balance + change, by)
        return entry, self.with_book(
            name, book._replace(history=(*book.history, entry))
        )

    def open(self, payment: Payment, account: str, by: str) -> tuple[Payment, Ledger]:
        carried = by, Carried(payment, account)
        return payment, self._replace(payments=(*self.payments, carried))

    def carried(self, label: str) -> Carried:
        """Return the payment that was last made with a label."""
        for each, carried in self.payments[::-1]:
            if each == label:
                return carried
        raise Refusal("payment_not_found")

    def with_carried(self, label: str, carried: Carried) -> Ledger:
        last = max(i for i, (each, _) in enumerate(self.payments) if each == label)
        payments = list(self.payments)
        payments[last] = label, carried
        return self._replace(payments=tuple(payments))

    def with_status(self, label: str, status: str) -> Ledger:
        carried = self.carried(label)
        payment = carried.payment._replace(status=status)
        return self.with_carried(label, carried._replace(payment=payment))


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

    def made(self, label: str, /) -> str:
        """Return the id of what a call has made: an approval, a quote, a payment."""
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

    of_workers: ClassVar[bool] = False
    """Whether the service's own workers do it: then it has no key, and cannot be asked
    for over HTTP, and it tells itself what a crash leaves behind."""

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
        name = re.sub("(?!^)([A-Z])", r"_\1", type(self).__name__).lower()
        text = f"{name}({', '.join(values)})"
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
        waits = isinstance(result, Waiting) or operation.of_workers
        writes = 0 if waits else operation.writes
        if any(fault <= writes for fault in operation.faults):
            result, after = CRASHED, ledger
    if operation.key is not None and is_kept(result):
        after = after._replace(kept=after.kept | {Kept(operation.key, request, result)})
    return result, after


def is_kept(result: Result) -> bool:
    """Tell whether this is the one result that its idempotency key will ever have."""
    return result not in (CRASHED, *map(Refused, CONFLICTS))


CONFLICTS = ("wallet_exists", "approval_closed", "quote_used", "payment_not_parked")
"""Refusals that no key keeps."""


KEY_REUSED, KEY_IN_PROGRESS = "idempotency_key_reused", "idempotency_in_progress"


@dataclass(frozen=True, repr=False)
class Create(Operation):
    name: str
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        if self.name in dict(ledger.books):
            raise Refusal("wallet_exists")
        book = Book(currency_of(self.name))
        return book.snapshot(self.name), ledger.with_book(self.name, book)

    def call(self, service: WalletService, asking: Asking) -> object:
        currency = currency_of(self.name)
        return service.wallets.create(asking.user(self.name), currency, asking.claim)

    def request(self, asking: Asking) -> Request:
        user, currency = asking.user(self.name), currency_of(self.name)
        return "POST", "/wallet/create", {"userId": user, "currency": currency}


@dataclass(frozen=True, repr=False)
class Add(Operation):
    wallet: str
    amount: int
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        _check(None, ledger.book(self.wallet), self.amount)
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
        book = ledger.book(self.wallet)
        _check(book, None, self.amount)
        if _waits(book, self.amount):
            return ledger.wait(self.wallet, self, by)
        return self.approved(ledger, by)

    def approved(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        _check(ledger.book(self.wallet), None, self.amount)
        return ledger.move(self.wallet, "DEBIT", -self.amount, by)

    def call(self, service: WalletService, asking: Asking) -> object:
        deduct = partial(
            service.money.deduct,
            asking.id(self.wallet),
            self.amount,
            description=asking.by,
        )
        return service.approvals.run(deduct, asking.claim)

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
        _check(source, target, self.amount)
        if _waits(source, self.amount):
            return ledger.wait(self.source, self, by)
        return self.approved(ledger, by)

    def approved(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        source, target = ledger.book(self.source), ledger.book(self.target)
        _check(source, target, self.amount)
        sent, ledger = ledger.move(self.source, "TRANSFER_OUT", -self.amount, by)
        received, ledger = ledger.move(self.target, "TRANSFER_IN", self.amount, by)
        return (sent, received), ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        transfer = partial(
            service.money.transfer,
            asking.id(self.source),
            asking.id(self.target),
            self.amount,
            description=asking.by,
        )
        return service.approvals.run(transfer, asking.claim)

    def request(self, asking: Asking) -> Request:
        body = _body(self, asking, fromWalletId=self.source, toWalletId=self.target)
        return "POST", "/wallet/transfer", body


@dataclass(frozen=True, repr=False)
class Get(Operation):
    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.book(self.wallet).snapshot(self.wallet), ledger

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
        totals: dict[str, list[int]] = {}
        for _, book in ledger.books:
            sums = totals.setdefault(book.currency, [0] * 5)
            sums[0] += book.balance
            for entry in book.history:
                sums[1] += entry.amount * (entry.type == "CREDIT")
                sums[2] += entry.amount * (entry.type == "DEBIT")
        for _, (payment, _, answered) in ledger.payments:
            if payment.is_open:
                sums = totals[ledger.book(payment.wallet).currency]
                out = payment.direction == "WITHDRAWAL"
                sums[3] += payment.amount * out
                sums[4] += payment.amount * (not out and answered == "PAID")
        currencies = tuple(
            Totals(currency, *sums) for currency, sums in sorted(totals.items())
        )
        entries = sum(len(book.history) for _, book in ledger.books)
        return Report((), len(ledger.books), entries, currencies), ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.audit.run()

    def request(self, asking: Asking) -> Request:
        return "GET", "/audit", None


@dataclass(frozen=True, repr=False)
class Freeze(Operation):
    """The reason is the label of the call, so that it shows which one froze it."""

    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)
        book = book._replace(frozen=by if book.frozen is None else book.frozen)
        return book.snapshot(self.wallet), ledger.with_book(self.wallet, book)

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.freeze.freeze(asking.id(self.wallet), asking.by, asking.claim)

    def request(self, asking: Asking) -> Request:
        path = f"/wallet/{asking.id(self.wallet)}/freeze"
        return "POST", path, {"reason": asking.by}


@dataclass(frozen=True, repr=False)
class Unfreeze(Operation):
    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)._replace(frozen=None)
        return book.snapshot(self.wallet), ledger.with_book(self.wallet, book)

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.freeze.unfreeze(asking.id(self.wallet), asking.claim)

    def request(self, asking: Asking) -> Request:
        return "POST", f"/wallet/{asking.id(self.wallet)}/unfreeze", {}


@dataclass(frozen=True, repr=False)
class SetLimits(Operation):
    """None lets as much leave in a day as there is."""

    wallet: str
    daily: int | None
    threshold: int | None = None

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)
        book = book._replace(daily=self.daily, threshold=self.threshold)
        return book.usage(self.wallet), ledger.with_book(self.wallet, book)

    def call(self, service: WalletService, asking: Asking) -> object:
        limits = Limits(daily=self.daily, approval_threshold=self.threshold)
        return service.limits.put(asking.id(self.wallet), limits)

    def request(self, asking: Asking) -> Request:
        path = f"/wallet/{asking.id(self.wallet)}/limits"
        limits: dict[str, object] = {"daily": self.daily}
        return "PUT", path, limits | {"approvalThreshold": self.threshold}


@dataclass(frozen=True, repr=False)
class GetLimits(Operation):
    wallet: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.book(self.wallet).usage(self.wallet), ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.limits.get(asking.id(self.wallet))

    def request(self, asking: Asking) -> Request:
        return "GET", f"/wallet/{asking.id(self.wallet)}/limits", None


@dataclass(frozen=True, repr=False)
class Confirm(Operation):
    """Confirms what waits, with the right code; `label` is that of the movement."""

    label: str
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        waiting = dict(ledger.waiting)
        if self.label not in waiting:
            raise Refusal("approval_not_found")
        movement = waiting[self.label]
        if movement is None:
            raise Refusal("approval_closed")
        pays = isinstance(movement, Withdraw)  # a payment is known by who confirmed it
        result, ledger = movement.approved(ledger, by if pays else self.label)
        waiting[self.label] = None
        return result, ledger._replace(waiting=frozenset(waiting.items()))

    def call(self, service: WalletService, asking: Asking) -> object:
        approval_id = asking.made(self.label)
        return service.approvals.confirm(approval_id, CODE, asking.claim)

    def request(self, asking: Asking) -> Request:
        path = f"/approvals/{asking.made(self.label)}/confirm"
        return "POST", path, {"otp": CODE}


@dataclass(frozen=True, repr=False)
class Quote(Operation):
    """Quotes what an amount of INR comes to in USD."""

    amount: int

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        quoted = Quoted(self.amount, self.amount * RATE)
        for name in (HOUSE, DOLLARS + HOUSE):
            if name not in dict(ledger.books):
                ledger = ledger.with_book(name, Book(currency_of(name)))
        return quoted, ledger._replace(quotes=ledger.quotes | {(by, quoted)})

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.quotes.create("INR", "USD", self.amount, asking.claim)

    def request(self, asking: Asking) -> Request:
        pair: dict[str, object] = {"fromCurrency": "INR", "toCurrency": "USD"}
        return "POST", "/fx/quotes", pair | {"amount": self.amount}


@dataclass(frozen=True, repr=False)
class Exchange(Operation):
    """Transfers with a quote; `label` is that of the quote."""

    source: str
    target: str
    amount: int
    label: str
    writes = 4

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        source, target = ledger.book(self.source), ledger.book(self.target)
        quotes = dict(ledger.quotes)
        if self.label not in quotes:
            raise Refusal("quote_not_found")
        _refuse_frozen(source, target)
        quoted = quotes[self.label]
        if quoted is None:
            raise Refusal("quote_used")
        _check(source, None, self.amount)
        quotes[self.label] = None
        ledger = ledger._replace(quotes=frozenset(quotes.items()))
        comes_to, house = quoted.to_amount, (HOUSE, DOLLARS + HOUSE)
        sent, ledger = ledger.move(self.source, "TRANSFER_OUT", -self.amount, by)
        _, ledger = ledger.move(house[0], "TRANSFER_IN", self.amount, by)
        _, ledger = ledger.move(house[1], "TRANSFER_OUT", -comes_to, by)
        received, ledger = ledger.move(self.target, "TRANSFER_IN", comes_to, by)
        return (sent, received), ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.exchange.transfer(
            asking.id(self.source),
            asking.id(self.target),
            self.amount,
            description=asking.by,
            quote_id=asking.made(self.label),
            claim=asking.claim,
        )

    def request(self, asking: Asking) -> Request:
        body: dict[str, object] = {
            "fromWalletId": asking.id(self.source),
            "toWalletId": asking.id(self.target),
            "amount": self.amount,
            "description": asking.by,
            "quoteId": asking.made(self.label),
        }
        return "POST", "/wallet/transfer", body


@dataclass(frozen=True, repr=False)
class Withdraw(Operation):
    wallet: str
    amount: int
    account: str
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        book = ledger.book(self.wallet)
        _check(book, None, self.amount)
        if _waits(book, self.amount):
            return ledger.wait(self.wallet, self, by)
        return self.approved(ledger, by)

    def approved(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        _check(ledger.book(self.wallet), None, self.amount)
        _, ledger = ledger.move(self.wallet, "DEBIT", -self.amount, NOBODY)
        payment = Payment(self.wallet, "WITHDRAWAL", self.amount, "PENDING")
        return ledger.open(payment, self.account, by)

    def call(self, service: WalletService, asking: Asking) -> object:
        withdraw = partial(
            service.payments.withdraw,
            asking.id(self.wallet),
            self.amount,
            self.account,
        )
        return service.approvals.run(withdraw, asking.claim)

    def request(self, asking: Asking) -> Request:
        return "POST", "/wallet/withdraw", _payment_body(self, asking)


@dataclass(frozen=True, repr=False)
class Deposit(Operation):
    wallet: str
    amount: int
    account: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        _check(None, ledger.book(self.wallet), self.amount)
        payment = Payment(self.wallet, "DEPOSIT", self.amount, "PENDING")
        return ledger.open(payment, self.account, by)

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.payments.deposit(
            asking.id(self.wallet), self.amount, self.account, asking.claim
        )

    def request(self, asking: Asking) -> Request:
        return "POST", "/wallet/deposit", _payment_body(self, asking)


@dataclass(frozen=True, repr=False)
class GetPayment(Operation):
    """`label` is that of the call that made the payment."""

    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.carried(self.label).payment, ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.payments.get(asking.made(self.label))

    def request(self, asking: Asking) -> Request:
        return "GET", f"/payments/{asking.made(self.label)}", None


@dataclass(frozen=True, repr=False)
class Retry(Operation):
    """Takes a parked payment up again."""

    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        if ledger.carried(self.label).payment.status != "PARKED":
            raise Refusal("payment_not_parked")
        ledger = ledger.with_status(self.label, "PENDING")
        return ledger.carried(self.label).payment, ledger

    def call(self, service: WalletService, asking: Asking) -> object:
        return service.payments.retry(asking.made(self.label), asking.claim)

    def request(self, asking: Asking) -> Request:
        return "POST", f"/payments/{asking.made(self.label)}/retry", {}


@dataclass(frozen=True, repr=False)
class Attempt(Operation):
    """A worker brings a payment one step on. Two at once are two workers that have
    picked one job."""

    label: str
    writes = 1
    of_workers = True

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        for half in self.halves:
            result, ledger = half.apply(ledger, by)
        return result, ledger

    @property
    def halves(self) -> tuple[Learn, Settle]:
        """What it does, one after the other, while others look: the bank is asked under
        no lock, and an audit sees what it has paid before the wallet has it."""
        return Learn(self.label), Settle(self.label, faults=self.faults)

    def call(self, service: WalletService, asking: Asking) -> object:
        lane = service.payments._lane
        payment = service.payments._table.find(asking.made(self.label))
        try:
            lane.run(payment)
        except Exception as error:  # as `Background` does
            lane.failed(payment, error)
            raise
        return Attempted()


@dataclass(frozen=True, repr=False)
class Learn(Attempt):
    """The first half of an attempt: what the bank has done is known."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        carried = ledger.carried(self.label)
        if carried.payment.is_open:
            ledger = ledger.with_carried(self.label, carried.asked())
        return Attempted(), ledger._replace(asked=ledger.asked | {by})


@dataclass(frozen=True, repr=False)
class Settle(Attempt):
    """The second half of an attempt: what the bank has done is booked. None says that
    the first half has not come yet."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        if by not in ledger.asked:
            return None, ledger
        ledger = ledger._replace(asked=ledger.asked - {by})
        payment, _, answered = carried = ledger.carried(self.label)
        if not payment.is_open:
            return Attempted(), ledger
        parked = ledger.with_status(self.label, "PARKED")
        if not carried.answered:
            return Attempted(), parked
        paid, deposit = answered == "PAID", payment.direction == "DEPOSIT"
        ended = ledger.with_status(self.label, "SUCCEEDED" if paid else "FAILED")
        if paid is not deposit:
            return Attempted(), ended
        book = ledger.book(payment.wallet)
        if not deposit:
            book = book._replace(frozen=None)  # what comes back, comes back
        try:
            _check(None, book, payment.amount)
        except Refusal:
            return Attempted(), parked
        if 1 in self.faults:
            return CRASHED, parked
        return Attempted(), _arrived(ended, payment)


@dataclass(frozen=True, repr=False)
class AtRest(Operation):
    """Everything there is, read when nothing runs: the last call of each history."""

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return (
            Rest(
                tuple(
                    (book.snapshot(name), book.usage(name), book.history)
                    for name, book in ledger.books
                ),
                tuple(sorted(carried.payment for _, carried in ledger.payments)),
            ),
            ledger,
        )

    def call(self, service: WalletService, asking: Asking) -> object:
        return [*service.store.readable.values(), *service.payments.all()]

    def __str__(self) -> str:
        return "The wallets"


def _check(source: Book | None, target: Book | None, amount: int) -> None:
    """Refuse a movement for the first reason that the service has."""
    _refuse_frozen(source, target)
    if source is not None and source.balance < amount:
        raise Refusal("insufficient_funds", balance=source.balance, amount=amount)
    if target is not None and target.balance + amount > AMOUNT_MAX:
        raise Refusal("balance_overflow", amount=amount, maximum=AMOUNT_MAX)
    if source is not None and source.daily is not None:
        remaining = max(source.daily - source.spent, 0)
        if amount > remaining:
            used = {"used": source.spent, "remaining": remaining}
            raise Refusal("limit_exceeded", amount=amount, limit=source.daily, **used)


def _refuse_frozen(source: Book | None, target: Book | None) -> None:
    if any(book is not None and book.frozen is not None for book in (source, target)):
        raise Refusal("wallet_frozen")


def _waits(source: Book, amount: int) -> bool:
    return source.threshold is not None and amount > source.threshold


def _arrived(ledger: Ledger, payment: Payment) -> Ledger:
    """Return the ledger when a wallet has what was paid in, or not paid out."""
    _, ledger = ledger.move(payment.wallet, "CREDIT", payment.amount, NOBODY)
    if payment.direction == "DEPOSIT":
        return ledger
    book = ledger.book(payment.wallet)
    refunded = book.refunded + payment.amount
    return ledger.with_book(payment.wallet, book._replace(refunded=refunded))


def currency_of(name: str) -> str:
    return "USD" if name.startswith(DOLLARS) else CURRENCY


def _body(
    movement: Add | Deduct | Transfer, asking: Asking, **wallets: str
) -> dict[str, object]:
    ids: dict[str, object] = {where: asking.id(name) for where, name in wallets.items()}
    return ids | {"amount": movement.amount, "description": asking.by}


def _payment_body(payment: Withdraw | Deposit, asking: Asking) -> dict[str, object]:
    return {
        "walletId": asking.id(payment.wallet),
        "amount": payment.amount,
        "bankAccount": payment.account,
    }
