"""How much memory a transaction takes."""

from __future__ import annotations

from tests.benchmarks.conditions import (
    in_fresh_process,
    resident_bytes,
    settle_as_the_server,
)
from tests.benchmarks.filled import fill, new_wallets
from tests.benchmarks.report import Row, Scale
from wallet_app.services.service import WalletService


def memory_rows(scale: Scale) -> list[Row]:
    """Memory with a ledger that is filled in seconds."""
    return [memory_row(scale.transactions, bytes_max=500)]


def memory_row(transactions: int, bytes_max: int) -> Row:
    """Resident memory that each transaction of a transfer adds."""
    each = in_fresh_process(bytes_per_transaction, transactions)
    return Row(
        f"memory of each of {transactions:,} transactions "
        "(transfers, with a category, without a description)",
        f"{each:.0f} bytes",
        "",
        "",
        f"<= {bytes_max} bytes",
        each <= bytes_max,
    )


def bytes_per_transaction(transactions: int) -> float:
    service = WalletService()
    settle_as_the_server()
    ids = new_wallets(service)
    fill(service, ids, 2_000)
    before = resident_bytes()
    fill(service, ids, transactions)
    return (resident_bytes() - before) / transactions
