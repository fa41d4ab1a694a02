"""The wallets of the Flask peer and of the FastAPI peer: a dict, and one lock.

It imports nothing of the service, whose libraries the FastAPI peer does not have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from uuid import uuid4

UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
CURRENCY = "^[A-Z]{3}$"
CATEGORY = "^[a-z][a-z0-9-]{0,31}$"
DESCRIPTION = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]{0,500}$"
AMOUNT_MAX = 2**53 - 1

Json = dict[str, Any]


class Refused(Exception):
    """A request that is answered with a problem."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.problem = {"status": status, "code": code}


@dataclass(slots=True)
class Wallet:
    id: str
    user_id: str
    currency: str
    created_at: str
    updated_at: str
    balance: int = 0
    history: list[Json] = field(default_factory=list)

    def json(self) -> Json:
        return {
            "id": self.id,
            "walletId": self.id,
            "userId": self.user_id,
            "currency": self.currency,
            "balance": self.balance,
            "status": "ACTIVE",
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
        }


class Ledger:
    """Each call happens as a whole or not at all, and raises Refused."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wallets: dict[str, Wallet] = {}
        self._owned: dict[tuple[str, str], Wallet] = {}

    def create(self, user_id: str, currency: str | None = None) -> Json:
        now, owner = _now(), (user_id.lower(), currency or "INR")
        with self._lock:
            if owner in self._owned:
                raise Refused(409, "wallet_exists")
            wallet = Wallet(str(uuid4()), *owner, created_at=now, updated_at=now)
            self._wallets[wallet.id] = self._owned[owner] = wallet
            return wallet.json()

    def add(
        self,
        wallet_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
    ) -> Json:
        details = category, description, _now()
        with self._lock:
            wallet = self._find(wallet_id)
            _check_room(wallet, amount)
            return _move(wallet, "CREDIT", amount, str(uuid4()), None, None, *details)

    def transfer(
        self,
        source_id: str,
        target_id: str,
        amount: int,
        category: str | None = None,
        description: str | None = None,
    ) -> Json:
        id, details = str(uuid4()), (category, description, _now())
        with self._lock:
            source, target = self._find(source_id), self._find(target_id)
            if source is target:
                raise Refused(400, "same_wallet")
            if source.currency != target.currency:
                raise Refused(400, "currency_mismatch")
            if source.balance < amount:
                raise Refused(400, "insufficient_funds")
            _check_room(target, amount)
            sent = _move(source, "TRANSFER_OUT", -amount, id, id, target, *details)
            received = _move(
                target, "TRANSFER_IN", amount, str(uuid4()), id, source, *details
            )
        return {"referenceId": id, "from": sent, "to": received}

    def _find(self, wallet_id: str) -> Wallet:
        wallet = self._wallets.get(wallet_id.lower())
        if wallet is None:
            raise Refused(404, "wallet_not_found")
        return wallet


def _check_room(wallet: Wallet, amount: int) -> None:
    if wallet.balance + amount > AMOUNT_MAX:
        raise Refused(400, "balance_overflow")


def _move(
    wallet: Wallet,
    type: str,
    change: int,
    id: str,
    reference_id: str | None,
    other: Wallet | None,
    category: str | None,
    description: str | None,
    now: str,
) -> Json:
    """Change a balance, record it, and return the wallet and the transaction."""
    wallet.balance += change
    wallet.updated_at = now
    transaction = {
        "id": id,
        "walletId": wallet.id,
        "type": type,
        "amount": abs(change),
        "currency": wallet.currency,
        "balanceAfter": wallet.balance,
        "referenceId": reference_id,
        "counterparty": other
        and {"kind": "wallet", "walletId": other.id, "userId": other.user_id},
        "category": category,
        "description": description,
        "createdAt": now,
    }
    wallet.history.append(transaction)
    return {"wallet": wallet.json(), "transaction": transaction}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
