"""The part of the specification that is about movements that wait."""

from __future__ import annotations

from dataclasses import dataclass

from tests.concurrency.ledger import Ledger, Refusal
from tests.concurrency.results import Result
from tests.concurrency.specification import Operation
from tests.concurrency.specification_of_payments import Withdraw


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
