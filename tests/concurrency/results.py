"""What an operation answers, as values that can be compared.

Ids and times are left out, so two runs of one schedule are equal, and so are an answer
of the specification and the service's.
"""

from __future__ import annotations

from typing import Any, NamedTuple


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


class Approval(NamedTuple):
    """What a movement waits for, and what has become of it."""

    wallet: str
    amount: int
    status: str = "PENDING"
    resends_left: int = 3


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


class Webhook(NamedTuple):
    """`by` is the label of the call that created it."""

    by: str


class Done(NamedTuple):
    """What is returned where there is nothing to say."""


class HistoryPage(NamedTuple):
    entries: tuple[Entry, ...]
    total: int


class Summed(NamedTuple):
    """What a history comes to: for each type that occurs, how many transactions and how
    much; and what has come in and gone out."""

    currency: str
    types: tuple[tuple[str, int, int], ...]
    incoming: int
    outgoing: int


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
    """A refusal, with its numbers."""

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
