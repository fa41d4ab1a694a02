"""Memory and pauses with a ledger that takes minutes to fill."""

from __future__ import annotations

from tests.benchmarks.memory import memory_row
from tests.benchmarks.pauses import pause_row
from tests.benchmarks.report import Row, Scale

TIMES = 10
"""How many times the transactions of the other rows."""


def large_rows(scale: Scale) -> list[Row]:
    """What a transaction takes, and the longest pause in a storm."""
    transactions = TIMES * scale.transactions
    return [
        memory_row(transactions, bytes_max=300),
        pause_row(transactions, scale.storm_seconds, milliseconds_max=5.0),
    ]
