"""Asks the service, in process or over HTTP, and makes a value of the model of every
answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID, uuid4, uuid5

from tests.concurrency.judge import Asked
from tests.concurrency.linearizability import Call
from tests.concurrency.model import (
    DOLLARS,
    AtRest,
    Audit,
    Create,
    Operation,
    Result,
)
from tests.concurrency.values import name_in, value_of, value_of_json
from wallet_app.domain.transactions import HOUSE
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.idempotency import Claim
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.quotes import Quote
from wallet_app.services.service import WalletService

NOBODY = str(UUID(int=0))
"""The id of no wallet."""


class Asks(Protocol):
    """Whoever can ask one service, in process or from afar."""

    def ask(self, operation: Operation, label: str) -> Result:
        """Return what the service answers, as a value of the model."""
        ...


@dataclass(frozen=True)
class _Asking:
    by: str
    id: Callable[[str], str]
    user: Callable[[str], str]
    made: Callable[[str], str]
    claim: Claim | None = None


class Client:
    """Asks one service in process. A wallet is known by its name as soon as it is
    there: a client may have its id from anywhere."""

    def __init__(self, service: WalletService) -> None:
        self._service = service
        self._made: dict[str, str] = {}

    def ask(self, operation: Operation, label: str) -> Result:
        label = operation.key or label
        asking = _Asking(label, self._id, user_of, lambda each: _made(self._made, each))
        try:
            answer = self._answer(operation, asking)
        except Exception as failure:  # whatever it is, the model judges it
            answer = failure
        if isinstance(answer, ApprovalSnapshot | Quote | PaymentSnapshot):
            self._made[label] = answer.id
        return value_of(answer, self._name)

    def _answer(self, operation: Operation, asking: _Asking) -> object:
        if operation.key is None:
            return operation.call(self._service, asking)
        return self._service.idempotency.run(
            operation.key,
            replace(operation, key=None, faults=()),
            lambda claim: operation.call(self._service, replace(asking, claim=claim)),
        )

    def _id(self, name: str) -> str:
        for wallet in list(self._service.store.readable.values()):
            if name_in(wallet.currency, wallet.user_id) == name:
                return wallet.id
        return NOBODY

    def _name(self, wallet_id: str) -> str:
        wallet = self._service.store.readable[wallet_id]
        return name_in(wallet.currency, wallet.user_id)


def user_of(name: str) -> str:
    """Return whose wallet is called so."""
    return name.removeprefix(DOLLARS)


def _made(ids: dict[str, str], label: str) -> str:
    """Return the id of what a call has made: known as soon as it was answered."""
    return ids.get(label, NOBODY)


Send = Callable[
    [str, str, dict[str, object] | None, str | None], tuple[int, dict[str, Any]]
]
"""Sends a method, a path, a body and an idempotency key; returns status and body."""


class HttpClient:
    """Asks one service over HTTP. A wallet is known by its name as soon as creating it
    has been answered. Users and keys are its own: others may use the same names."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._namespace = uuid4()
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {HOUSE: HOUSE}
        self._made: dict[str, str] = {}

    def ask(self, operation: Operation, label: str) -> Result:
        label = operation.key or label
        asking = _Asking(
            label, self._id, self._user, lambda each: _made(self._made, each)
        )
        key = operation.key and f"{self._namespace}-{operation.key}"
        status, body = self._send(*operation.request(asking), key)
        if isinstance(operation, Create) and "walletId" in body:
            self._ids[operation.name] = body["walletId"]
            self._names[body["walletId"]] = operation.name
        made = body.get("approvalId") or body.get("quoteId")
        if "direction" in body:
            made = body["id"]
        if made is not None and status < 400:
            self._made[label] = made
        return value_of_json(status, body, self._names.__getitem__)

    def _id(self, name: str) -> str:
        return self._ids.get(name, NOBODY)

    def _user(self, name: str) -> str:
        name = user_of(name)
        user = str(uuid5(self._namespace, name))
        self._names[user] = name
        return user


def last_reads(client: Asks, moment: int) -> list[Call]:
    """Read everything when all threads have ended, and audit it."""
    calls = []
    for operation in (AtRest(), Audit()):
        result = client.ask(operation, "")
        calls.append(Call(Asked(operation, ""), moment + 1, moment + 2, result))
        moment += 2
    return calls
