"""The part of the specification that is about movements that wait for approval.

The `label` of each operation is that of the call that asked for the movement.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.concurrency.ledger import Held, Ledger, Refusal
from tests.concurrency.results import Result
from tests.concurrency.specification import Operation
from tests.concurrency.specification_of_payments import Withdraw


@dataclass(frozen=True, repr=False)
class Confirm(Operation):
    """Confirms what waits, with the right code."""

    label: str
    writes = 1

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        held = ledger.held(self.label)
        held.refuse_closed()
        pays = isinstance(held.movement, Withdraw)
        # A payment is known by who confirmed it, a transaction by who asked for it.
        result, ledger = held.movement.approved(ledger, by if pays else self.label)
        confirmed = held.approval._replace(status="CONFIRMED")
        return result, ledger.with_held(self.label, held._replace(approval=confirmed))


@dataclass(frozen=True, repr=False)
class GetApproval(Operation):
    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        return ledger.held(self.label).approval, ledger


@dataclass(frozen=True, repr=False)
class Cancel(Operation):
    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        held = ledger.held(self.label)
        held.refuse_closed()
        cancelled = held.approval._replace(status="CANCELLED")
        return cancelled, ledger.with_held(self.label, Held(held.movement, cancelled))


@dataclass(frozen=True, repr=False)
class Resend(Operation):
    """Has a new code sent, which is the same here."""

    label: str

    def apply(self, ledger: Ledger, by: str) -> tuple[Result, Ledger]:
        held = ledger.held(self.label)
        held.refuse_closed()
        left = held.approval.resends_left
        if left == 0:
            raise Refusal("too_many_resends", maximum=RESENDS_MAX)
        resent = held.approval._replace(resends_left=left - 1)
        return resent, ledger.with_held(self.label, Held(held.movement, resent))


RESENDS_MAX = 3
