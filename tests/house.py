"""A service with rates, and a house that exchanges."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.ledgers import Clock, Codes, made, new_service, nothing_moves, open_wallet
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import Transaction
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.quotes import Quote
from wallet_app.settings import Settings

TTL_SECONDS = 60
RATES = (
    ("USD", "INR", Decimal("83.12")),
    ("JPY", "INR", Decimal("0.57")),
    ("BHD", "JPY", Decimal("401.237")),
)
Call = Callable[[], object]


class House:
    """A service with rates, a wallet of 1,000.00 INR and an empty one in USD."""

    def __init__(self, target: str = "USD") -> None:
        self.clock, self.codes = Clock(), Codes()
        self.service = new_service(
            Settings(fx_rates=RATES),
            clock=self.clock,
            new_code=self.codes,
            send_code=self.codes.send,
        )
        self.source = open_wallet(self.service, 100_000)
        self.target = open_wallet(self.service, currency=target)

    def quote(self, amount: int = 83_120) -> Quote:
        currency = self.service.get_wallet(self.target).currency
        return self.service.create_quote("INR", currency, amount)

    def exchange(self, quote: Quote, **others: Any) -> tuple[Transaction, Transaction]:
        asked: dict[str, Any] = {
            "source_id": self.source,
            "target_id": self.target,
            "amount": quote.from_amount,
            "quote_id": quote.id,
        }
        return made(self.service.transfer(**asked | others))

    def ask_for_approval(self, quote: Quote) -> ApprovalSnapshot:
        """Ask for an exchange that is above the threshold."""
        self.service.set_limits(
            self.source, Limits(approval_threshold=quote.from_amount - 1)
        )
        with nothing_moves(self.service):
            approval = self.service.transfer(
                self.source, self.target, quote.from_amount, quote_id=quote.id
            )
        assert isinstance(approval, ApprovalSnapshot)
        return approval
