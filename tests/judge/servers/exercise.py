"""What the servers share: the exercise's records, the fields of a body, the refusals.

It knows no lock and no socket: those are what the servers differ in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

AMOUNT_MAX = 2**53 - 1
"""The largest integer that every JSON client reads exactly."""

TEXT_MAX = 200
PAGE_SIZE = 20
PAGE_SIZE_MAX = 100

TYPES = ("CREDIT", "DEBIT", "TRANSFER_IN", "TRANSFER_OUT")

Json = Mapping[str, object]


class Refused(Exception):
    """A call that is answered with an error."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    key: str | None = None
    """The header Idempotency-Key."""

    @property
    def parts(self) -> list[str]:
        return self.path.strip("/").split("/")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(status: int, value: Json) -> Answer:
    return Answer(status, json.dumps(value))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a wallet's history."""

    id: str
    wallet_id: str
    type: str
    amount: int
    balance_after: int
    reference_id: str | None
    created_at: str

    def json(self) -> Json:
        return {
            "id": self.id,
            "walletId": self.wallet_id,
            "type": self.type,
            "amount": self.amount,
            "balanceAfter": self.balance_after,
            "referenceId": self.reference_id,
            "createdAt": self.created_at,
        }


@dataclass(slots=True, eq=False)
class Wallet:
    id: str
    user_id: str
    created_at: str
    updated_at: str
    balance: int = 0
    entries: list[Entry] = field(default_factory=list)

    def entry(self, type: str, amount: int, after: int, reference: str | None) -> Entry:
        return Entry(new_id(), self.id, type, amount, after, reference, now())

    def record(
        self, type: str, amount: int, after: int, reference: str | None = None
    ) -> Entry:
        """Set the balance, and write down why."""
        entry = self.entry(type, amount, after, reference)
        self.balance, self.updated_at = after, entry.created_at
        self.entries.append(entry)
        return entry

    def json(self) -> Json:
        return {
            "id": self.id,
            "walletId": self.id,
            "userId": self.user_id,
            "balance": self.balance,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
        }


def new_id() -> str:
    return str(uuid4())


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def object_of(body: bytes) -> Json:
    """Return what a body says; raise Refused if it is no JSON object."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is no JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "the body is no object")
    return value


def text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= TEXT_MAX:
        raise Refused(400, f"{name} must be a text of 1 to {TEXT_MAX} characters")
    return value


def amount(body: Json) -> int:
    value = body.get("amount")
    if type(value) is not int or not 1 <= value <= AMOUNT_MAX:
        raise Refused(400, f"amount must be an integer from 1 to {AMOUNT_MAX}")
    return value


def check_funds(wallet: Wallet, amount: int) -> None:
    if wallet.balance < amount:
        raise Refused(400, "insufficient funds")


def check_room(wallet: Wallet, amount: int) -> None:
    if wallet.balance + amount > AMOUNT_MAX:
        raise Refused(400, "the balance would be too large")


def page_of(entries: list[Entry], query: Mapping[str, str]) -> Json:
    """Return one page of a history, latest first."""
    limit = bounded(query, "limit", PAGE_SIZE, PAGE_SIZE_MAX)
    page = bounded(query, "page", 1, 10**6)
    wanted = query.get("type")
    if wanted is not None and wanted not in TYPES:
        raise Refused(400, f"type must be one of {', '.join(TYPES)}")
    found = [each for each in reversed(entries) if wanted in (None, each.type)]
    start = (page - 1) * limit
    return {
        "transactions": [each.json() for each in found[start : start + limit]],
        "page": page,
        "limit": limit,
        "total": len(found),
        "totalPages": -(-len(found) // limit),
    }


def bounded(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    given = query.get(name, str(default))
    if not re.fullmatch("[0-9]{1,9}", given) or not 1 <= int(given) <= most:
        raise Refused(400, f"{name} must be an integer from 1 to {most}")
    return int(given)
