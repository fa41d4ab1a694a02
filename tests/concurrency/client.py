"""Asks the service in process, and turns every answer into a value of the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from tests.concurrency.judge import Asked
from tests.concurrency.linearizability import Call
from tests.concurrency.model import AtRest, Audit, Operation, Result
from tests.concurrency.values import value_of
from wallet_app.domain import WalletSnapshot
from wallet_app.errors import WalletExists
from wallet_app.services import WalletService
from wallet_app.services.idempotency import Claim

NOBODY = str(UUID(int=0))
"""The id of no wallet."""


class Asks(Protocol):
    """Whoever can ask one service, in process or from afar."""

    def ask(self, operation: Operation, label: str) -> Result:
        """Return what the service answers, as a value of the model."""
        ...


@dataclass(frozen=True)
class _Asking:
    """What one request needs; wallets are known by what creating them answered."""

    ids: dict[str, str]
    by: str
    claim: Claim | None = None

    def id(self, name: str) -> str:
        return self.ids.get(name, NOBODY)

    def user(self, name: str) -> str:
        return name


class Client:
    """Asks one service, in process, and turns every answer into a value."""

    def __init__(self, service: WalletService) -> None:
        self._service = service
        self._ids: dict[str, str] = {}

    def ask(self, operation: Operation, label: str) -> Result:
        asking = _Asking(self._ids, operation.key or label)
        try:
            answer = self._answer(operation, asking)
        except Exception as failure:  # whatever it is, the model judges it
            answer = failure
        self._learn(answer)
        return value_of(answer, self._name)

    def _learn(self, answer: object) -> None:
        """Know a wallet from now on by the id that an answer has told."""
        match answer:
            case WalletSnapshot(id=id, user_id=name):
                self._ids[name] = id
            case WalletExists(values={"wallet_id": str(id)}):
                self._ids[self._name(id)] = id

    def _answer(self, operation: Operation, asking: _Asking) -> object:
        if operation.key is None:
            return operation.call(self._service, asking)
        return self._service.idempotency.run(
            operation.key,
            replace(operation, key=None, faults=()),
            lambda claim: operation.call(self._service, replace(asking, claim=claim)),
        )

    def _name(self, wallet_id: str) -> str:
        return self._service.store.wallets[wallet_id].user_id


def last_reads(client: Asks, moment: int) -> list[Call]:
    """Read everything when all threads have ended, and audit it."""
    calls = []
    for operation in (AtRest(), Audit()):
        result = client.ask(operation, "")
        calls.append(Call(Asked(operation, ""), moment + 1, moment + 2, result))
        moment += 2
    return calls
