"""How a server is spoken to: which request makes which call, and what stands where.

Every field has the exercise's default, so that a server that is as the exercise says
needs no adapter. An adapter is written as TOML. In paths and bodies stand {user},
{wallet}, {from}, {to}, {amount}, {-amount} and {key}; an amount that a server wants as
a text stands in quotes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FAILED = (
    "fail",
    "failed",
    "failure",
    "error",
    "rejected",
    "declined",
    "refused",
    "denied",
)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of an adapter: unknown fields are errors, defaults are not printed."""


BALANCES = ("wallet.balance", "transaction.balanceAfter", "balanceAfter", "balance")
IN_DATA = tuple(f"data.{each}" for each in BALANCES)


class Call(Part, frozen=True):
    """A request: `POST /wallet/add`. An empty one says that it is not offered.

    `balance` says where in the answer the balance afterwards may stand.
    """

    request: str = ""
    body: str = ""
    balance: tuple[str, ...] = BALANCES + IN_DATA


class Create(Part, frozen=True):
    """`id` says where in the answer the wallet's id stands.

    With `is_funded` the body has {amount}, the balance at first.
    """

    request: str = "POST /wallet/create"
    body: str = '{"userId": "{user}"}'
    id: tuple[str, ...] = (
        "walletId",
        "id",
        "wallet.walletId",
        "wallet.id",
        "data.walletId",
        "data.id",
    )
    user: Literal["uuid", "name", "integer"] = "uuid"
    is_funded: bool = False


class History(Part, frozen=True):
    """Where in the answer the entries are, and what stands where in each entry.

    `after` is the balance after it. An amount has its sign from its type, or is signed.
    """

    request: str = "GET /wallet/{wallet}/transactions?limit={limit}&page={page}"
    entries: tuple[str, ...] = (
        "transactions",
        "items",
        "data",
        "entries",
        "data.transactions",
        "data.items",
        "",
    )
    amount: str = "amount"
    type: str = "type"
    after: str = "balanceAfter"
    debits: tuple[str, ...] = ("DEBIT", "TRANSFER_OUT")
    is_signed: bool = False
    is_csv: bool = False
    is_latest_first: bool = True
    page_first: int = 1
    limit: int = 20


class Key(Part, frozen=True):
    """The idempotency key: the header that it is in, or {key} in the bodies."""

    header: str = "Idempotency-Key"
    is_required: bool = False


PAID = '{"walletId": "{wallet}", "amount": {amount}}'
MOVED = '{"fromWalletId": "{from}", "toWalletId": "{to}", "amount": {amount}}'


class Adapter(Part, frozen=True):
    """How one server is spoken to; without fields, as the exercise says.

    With a `scale` of 2 the judge's amount of 150 is written 1.50, and read so.
    `failing` says where in the answer a status stands that can say that a call failed
    although the HTTP status is a success. `wallets` are ids that are there already,
    if none can be made.
    """

    name: str = "the exercise"
    scale: int = 0
    create: Create = Create()
    add: Call = Call("POST /wallet/add", PAID)
    deduct: Call = Call("POST /wallet/deduct", PAID)
    transfer: Call = Call("POST /wallet/transfer", MOVED)
    read: Call = Call("GET /wallet/{wallet}")
    history: History = History()
    key: Key = Key()
    failing: tuple[str, ...] = (
        "status",
        "success",
        "ok",
        "data.status",
        "data.success",
        "data.ok",
    )
    failed: tuple[str, ...] = FAILED
    headers: dict[str, str] = {}
    wallets: tuple[str, ...] = ()

    def call(self, kind: str) -> Call:
        """Return how a kind of call is made."""
        match kind:
            case "create":
                return Call(self.create.request, self.create.body)
            case "history":
                return Call(self.history.request)
            case "add":
                return self.add
            case "deduct":
                return self.deduct
            case "transfer":
                return self.transfer
            case "read":
                return self.read
        raise ValueError(kind)


def read_adapter(text: str) -> Adapter:
    """Return the adapter that a TOML text describes. Raises ValueError."""
    try:
        return msgspec.toml.decode(text, type=Adapter)
    except (msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"the adapter cannot be used: {error}") from error


def write_adapter(adapter: Adapter) -> str:
    """Return an adapter as TOML, without what is as the exercise says."""
    return msgspec.toml.encode(adapter).decode()
