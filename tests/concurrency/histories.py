"""Histories written by hand, for the tests of the judge."""

from __future__ import annotations

from tests.concurrency.judge import Asked
from tests.concurrency.ledger import OUTGOING
from tests.concurrency.linearizability import Call
from tests.concurrency.programs import Program
from tests.concurrency.results import (
    Entry,
    Report,
    Rest,
    Result,
    Snapshot,
    Totals,
    Usage,
)
from tests.concurrency.specification import Operation

TWO = Program({"asha": 100, "ravi": 100}).ledger()
"""Where each history below begins."""

ASHA = Entry("asha", "CREDIT", 100, 100, "before")
RAVI = Entry("ravi", "CREDIT", 100, 100, "before")


def called(
    label: str, operation: Operation, during: tuple[int, int], result: Result
) -> Call:
    """Return a call; its label begins with the number of its thread."""
    return Call(Asked(operation, label, int(label[0])), *during, result)


def at_rest(operation: Operation, result: Result) -> Call:
    """Return a call that was made when all had ended."""
    return Call(Asked(operation, ""), 100, 101, result)


def added(amount: int, balance: int, by: str) -> Entry:
    return Entry("asha", "CREDIT", amount, balance, by)


def deducted(amount: int, balance: int, by: str) -> Entry:
    return Entry("asha", "DEBIT", amount, balance, by)


def wallets(*asha: Entry) -> Rest:
    """Return what is left when asha's wallet has these entries after its first."""
    balance = asha[-1].balance_after if asha else 100
    spent = sum(each.amount for each in asha if each.type in OUTGOING)
    return Rest(
        (
            (
                Snapshot("asha", "INR", balance),
                Usage("asha", None, spent),
                (ASHA, *asha),
            ),
            (Snapshot("ravi", "INR", 100), Usage("ravi", None, 0), (RAVI,)),
        )
    )


def balanced(total: int, transactions: int) -> Report:
    return Report((), 2, transactions, (Totals("INR", total, total, 0),))
