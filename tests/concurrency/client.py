"""Asks the service in process, and turns every answer into a value of the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from tests.concurrency.judge import Asked
from tests.concurrency.linearizability import Call
from tests.concurrency.model import AtRest, Audit, Operation, Result
from tests.concurrency.values import value_of
from wallet_app.services import WalletService
from wallet_app.services.idempotency import Claim
from wallet_app.store import Store

NOBODY = str(UUID(int=0))
"""The id of no wallet."""


class Asks(Protocol):
    """Whoever can ask one service, in process or from afar."""

    def ask(self, operation: Operation, label: str) -> Result:
        """Return what the service answers, as a value of the model."""
        ...


@dataclass(frozen=True)
class _Asking:
    """What one request needs. A wallet is known by its name as soon as it is there:
    a client may have its id from anywhere."""

    store: Store
    by: str
    claim: Claim | None = None

    def id(self, name: str) -> str:
        for wallet in list(self.store.wallets.values()):
            if wallet.user_id == name:
                return wallet.id
        return NOBODY

    def user(self, name: str) -> str:
        return name


class Client:
    """Asks one service, in process, and turns every answer into a value."""

    def __init__(self, service: WalletService) -> None:
        self._service = service

    def ask(self, operation: Operation, label: str) -> Result:
        asking = _Asking(self._service.store, operation.key or label)
        try:
            answer = self._answer(operation, asking)
        except Exception as failure:  # whatever it is, the model judges it
            answer = failure
        return value_of(answer, self._name)

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
