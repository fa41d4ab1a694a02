"""A wallet whose movements wait for a code."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.ledgers import Clock, Codes, new_service, nothing_moves, open_wallet
from wallet_app.domain.spending import Limits
from wallet_app.services.approvals.approval import ApprovalSnapshot

TTL_SECONDS = 300
WRONG = "999999"


class Waiting:
    """A service with a wallet of 1,000 that needs an approval above 100."""

    def __init__(self, **injected: Any) -> None:
        self.clock, self.codes = Clock(), Codes()
        owned: dict[str, Any] = {
            "clock": self.clock,
            "new_code": self.codes,
            "send_code": self.codes.send,
        }
        self.service = new_service(**owned | injected)
        self.approvals = self.service.approvals
        self.source = open_wallet(self.service, 1_000)
        self.target = open_wallet(self.service)
        self.service.set_limits(self.source, Limits(approval_threshold=100))

    def deduct(self, amount: int, **kept: Any) -> object:
        command = partial(self.service.money.deduct, self.source, amount)
        return self.approvals.run(command, **kept)

    def transfer(self, amount: int) -> object:
        return self.service.transfer(self.source, self.target, amount, "rent", "May")

    def request(self, amount: int = 500) -> ApprovalSnapshot:
        """Ask for an approval and return it."""
        with nothing_moves(self.service):
            approval = self.deduct(amount)
        assert isinstance(approval, ApprovalSnapshot)
        return approval

    def confirm(self, approval: ApprovalSnapshot) -> object:
        return self.approvals.confirm(approval.id, self.codes.sent[approval.id])


Call = Callable[[], object]
