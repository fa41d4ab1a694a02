"""What an audit comes to: what was read, and what does not hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from uuid_utils import UUID

from wallet_app.domain.transactions import Transaction, TransactionType

PROBLEMS_MAX = 100
"""Problems that one report lists. More of them say nothing new."""


@dataclass(slots=True)
class CurrencyTotals:
    """Sums in minor units of one currency; `credits` and `debits` are what came
    from outside and went there.

    In flight are withdrawals that have left their wallets, and that the bank is not
    known to have paid; and deposits that it has paid, and that have not arrived.
    """

    balances: int = 0
    credits: int = 0
    debits: int = 0
    withdrawals_in_flight: int = 0
    deposits_in_flight: int = 0

    def add(self, transaction: Transaction) -> None:
        """Count what came from outside or went there."""
        if transaction.type is TransactionType.CREDIT:
            self.credits += transaction.amount
        else:
            self.debits += transaction.amount


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not hold, and where."""

    detail: str
    wallet_id: str | None = None
    transaction_id: UUID | None = None


@dataclass(slots=True)
class AuditReport:
    """What was read, and what was found that does not hold."""

    wallets: int = 0
    transactions: int = 0
    currencies: defaultdict[str, CurrencyTotals] = field(
        default_factory=lambda: defaultdict(CurrencyTotals)
    )
    problems: list[Problem] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        return not self.problems

    def add_problem(
        self,
        detail: str,
        wallet_id: str | None = None,
        transaction_id: UUID | None = None,
    ) -> None:
        """List a problem, if the report does not list as many as it can."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(detail, wallet_id, transaction_id))

    def add_problem_of(self, transaction: Transaction, what: str) -> None:
        self.add_problem(f"transaction {what}", transaction.wallet_id, transaction.id)
