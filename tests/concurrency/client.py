"""Asks the service, in process or over HTTP, and returns the values of the answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from uuid import UUID, uuid4, uuid5

from tests.concurrency.calls import call
from tests.concurrency.http_requests import request
from tests.concurrency.judge import Asked
from tests.concurrency.ledger import DOLLARS
from tests.concurrency.linearizability import Call
from tests.concurrency.results import Result
from tests.concurrency.specification import Create, Operation
from tests.concurrency.specification_of_reads import AtRest, Audit, Export
from tests.concurrency.specification_of_webhooks import CreateWebhook
from tests.concurrency.values import name_in, value_of, value_of_json
from wallet_app.domain.transactions import HOUSE
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.payments.payment import PaymentSnapshot
from wallet_app.services.quotes import Quote
from wallet_app.services.service import WalletService
from wallet_app.services.webhooks.webhook import NewWebhook

NOBODY = str(UUID(int=0))
"""The id of no wallet."""


class Asks(Protocol):
    """Whoever can ask one service, in process or from afar."""

    def ask(self, operation: Operation, label: str) -> Result:
        """Return what the service answers, as a value of the specification."""
        ...


class Client:
    """Asks one service in process. A wallet is known by its name as soon as it is
    there: a client may have its id from anywhere."""

    def __init__(self, service: WalletService) -> None:
        self._service = service
        self._made: dict[str, str] = {}

    def ask(self, operation: Operation, label: str) -> Result:
        label = operation.key or label
        try:
            answer = call(self._service, operation, label, self)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is judged
            answer = failure
        if isinstance(answer, NewWebhook):
            self._made[label] = answer.webhook.id
        if isinstance(answer, ApprovalSnapshot | Quote | PaymentSnapshot):
            self._made[label] = answer.id
        return value_of(answer, self._name)

    def wallet(self, name: str) -> str:
        for wallet in list(self._service.store.readable.values()):
            if name_in(wallet.currency, wallet.identity.user_id) == name:
                return wallet.id
        return NOBODY

    def user(self, name: str) -> str:
        return user_of(name)

    def made(self, label: str) -> str:
        return self._made.get(label, NOBODY)

    def transaction(self, wallet: str, label: str) -> str:
        """It is known as soon as it is there, even if it may still be undone."""
        for each in list(self._service.store.transactions.values()):
            if (self._name(each.wallet_id), each.description) == (wallet, label):
                return str(each.id)
        return NOBODY

    def _name(self, wallet_id: str) -> str:
        wallet = self._service.store.readable[wallet_id]
        return name_in(wallet.currency, wallet.identity.user_id)


def user_of(name: str) -> str:
    """Return whose wallet is called so."""
    return name.removeprefix(DOLLARS)


Send = Callable[[str, str, dict[str, object] | None, str | None], tuple[int, bytes]]
"""Sends a method, a path, a body and an idempotency key; returns status and body."""


def read(body: bytes) -> dict[str, Any]:
    """Return what an answer says: JSON; or rows of CSV, which begin with a header."""
    if not body:
        return {}
    if body.startswith(b"{"):
        said: dict[str, Any] = json.loads(body)
        return said
    return {"transactions": list(csv.DictReader(io.StringIO(body.decode())))}


class HttpClient:
    """Asks one service over HTTP. A wallet is known by its name as soon as creating it
    has been answered. Users and keys are its own: others may use the same names."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._namespace = uuid4()
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {HOUSE: HOUSE}
        self._made: dict[str, str] = {}
        self._transactions: dict[tuple[str, str], str] = {}

    def ask(self, operation: Operation, label: str) -> Result:
        label = operation.key or label
        key = operation.key and f"{self._namespace}-{operation.key}"
        status, written = self._send(*request(operation, label, self), key)
        body = read(written)
        if isinstance(operation, Export):
            for row in body.get("transactions", ()):  # a file does not say whose it is
                row["walletId"] = self.wallet(operation.wallet)
        if isinstance(operation, Create) and "walletId" in body:
            self._ids[operation.name] = body["walletId"]
            self._names[body["walletId"]] = operation.name
        made = body.get("approvalId") or body.get("quoteId")
        if "direction" in body or isinstance(operation, CreateWebhook):
            made = body.get("id")
        if made is not None and status < 400:
            self._made[label] = made
        for each in transactions_in(body):
            made_by = self._names[each["walletId"]], label
            self._transactions.setdefault(made_by, each["id"])
        return value_of_json(status, body, self._names.__getitem__)

    def wallet(self, name: str) -> str:
        return self._ids.get(name, NOBODY)

    def user(self, name: str) -> str:
        name = user_of(name)
        user = str(uuid5(self._namespace, name))
        self._names[user] = name
        return user

    def made(self, label: str) -> str:
        return self._made.get(label, NOBODY)

    def transaction(self, wallet: str, label: str) -> str:
        return self._transactions.get((wallet, label), NOBODY)


def transactions_in(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the transactions that a call has made, by its answer."""
    match body:
        case {"transaction": dict(made)}:
            yield made
        case {"from": dict(sent), "to": dict(received)}:
            yield from (sent["transaction"], received["transaction"])
        case {"results": list(parts)}:
            for part in parts:
                yield from transactions_in(part)


def last_reads(client: Asks, moment: int) -> list[Call]:
    """Read everything when all threads have ended, and audit it."""
    calls = []
    for operation in (AtRest(), Audit()):
        result = client.ask(operation, "")
        calls.append(Call(Asked(operation, ""), moment + 1, moment + 2, result))
        moment += 2
    return calls
