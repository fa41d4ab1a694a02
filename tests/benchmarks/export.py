"""How much memory an export takes besides what is exported."""

from __future__ import annotations

import tracemalloc

from tests.benchmarks.conditions import in_fresh_process
from tests.benchmarks.filled import fill, new_wallets
from tests.benchmarks.report import Row, Scale
from wallet_app.api.outgoing.csv_answers import csv_chunks
from wallet_app.services.service import WalletService

MOST_BYTES = 2_000_000


def export_rows(scale: Scale) -> list[Row]:
    """An export of one wallet, read to its end: the most that it held at one time."""
    peak = in_fresh_process(peak_bytes, scale.transactions)
    return [
        Row(
            f"memory of a CSV export of {scale.transactions:,} transactions",
            f"{peak / 1000:,.0f} kB",
            "",
            "",
            f"<= {MOST_BYTES / 1000:,.0f} kB",
            peak <= MOST_BYTES,
        )
    ]


def peak_bytes(transactions: int) -> int:
    service = WalletService()
    wallet_id, other = new_wallets(service, 2)
    fill(service, [wallet_id, other], transactions * 2)
    tracemalloc.start()
    for _ in csv_chunks(service.export_history(wallet_id)):
        pass
    return tracemalloc.get_traced_memory()[1]
