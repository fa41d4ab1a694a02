"""What can differ between wallet servers that do the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FIELDS = {
    "id": "id",
    "user": "userId",
    "currency": "currency",
    "opening": "balance",
    "wallet": "walletId",
    "from": "fromWalletId",
    "to": "toWalletId",
    "amount": "amount",
    "operation": "operationType",
    "key": "idempotencyKey",
    "note": "description",
}
NEEDS = {
    "add": ("wallet", "amount"),
    "deduct": ("wallet", "amount"),
    "operate": ("wallet", "operation", "amount"),
    "sign": ("wallet", "amount"),
    "transfer": ("from", "to", "amount"),
    "read": ("wallet",),
    "balance": ("wallet",),
    "history": ("wallet",),
}
"""What a request must say, by operation. A wallet may stand in the path."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs from the exercise. An amount with decimals has two of them."""

    routes: Mapping[str, str]
    """By operation: `POST /wallets/{wallet}/deposit`."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """The names that differ from those in FIELDS."""
    opens_with: tuple[str, ...] = ("user",)
    """The fields that a create must have."""
    ids: Literal["uuid", "integer", "user"] = "uuid"
    money: Literal["integer", "decimal", "text"] = "integer"
    is_snake_case: bool = False
    envelope: str = ""
    """The field beside `success` that the content of an answer stands in."""
    moved: Literal["entry", "balance", "message", "status"] = "entry"
    """What a movement is answered with."""
    without_funds: int = 400
    """The status for what a wallet cannot pay; with 200, the body says so."""
    key_in: Literal["", "header", "body"] = ""
    """Where a key must be."""
    history: Literal["page", "list", "inside", "csv"] = "page"
    is_latest_first: bool = True
    is_signed: bool = False
    """What is paid is negative in the history."""
    limit_max: int = 100
    """A page of more entries is refused."""
    types: Mapping[str, str] = field(default_factory=dict)
    """The types of entries that have other names."""
    needs_note: bool = False
    """A movement must say what it is for."""
    is_terse: bool = False
    """A field that is missing is not named: it is 404, as for a wallet."""
    is_described: bool = False
    """There is a description in OpenAPI."""

    def name(self, what: str) -> str:
        return self.fields.get(what, FIELDS[what])

    def needs(self, operation: str) -> tuple[str, ...]:
        """Return what a request must say, a wallet in its path included."""
        needs = NEEDS.get(operation, self.opens_with)
        if operation == "transfer":
            if "{wallet}" in self.routes[operation]:
                needs = ("wallet", "to", "amount")
            if self.key_in == "body":
                needs = (*needs, "key")
        if self.needs_note and operation in ("add", "deduct", "transfer"):
            needs = (*needs, "note")
        return needs
