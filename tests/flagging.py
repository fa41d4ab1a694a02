"""A wallet that the fraud rules watch."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.ledgers import Clock, Codes, new_service, open_wallet
from wallet_app.domain.fraud_signals import FraudSignals, Thresholds
from wallet_app.settings import FRAUD_RULES, Settings

BY = Thresholds(
    rules=FRAUD_RULES,
    velocity_count=3,
    velocity_seconds=60,
    spike_factor=10,
    spike_count=5,
    new_payee_amount=1_000,
    drain_percent=90,
    drain_seconds=3_600,
    drain_amount=500,
    structuring_percent=90,
    structuring_count=3,
    structuring_seconds=600,
)


class Watched:
    """A service with fraud rules, and a wallet in it."""

    def __init__(self, rules: str, balance: int = 100_000, **others: int) -> None:
        self.clock, self.codes = Clock(), Codes()
        names = {f"fraud_{name}": number for name, number in others.items()}
        self.service = new_service(
            Settings(fraud_rules=tuple(rules.split(",")), **names),  # type: ignore[arg-type]
            clock=self.clock,
            new_code=self.codes,
            send_code=self.codes.send,
        )
        self.source = open_wallet(self.service, balance)
        self.target = open_wallet(self.service)
        self.deduct = partial(self.service.money.deduct, self.source)
        self.transfer = partial(self.service.money.transfer, self.source, self.target)

    def run(self, movement: Any, *arguments: Any) -> object:
        return self.service.approvals.run(partial(movement, *arguments))

    def signals(self) -> FraudSignals:
        return self.service.store.wallets[self.source].counters.signals
