"""The service's app with one of the server's settings changed, and with routes that
a measurement needs; for `tuning.py`. The environment says which setting."""

from __future__ import annotations

import gc
import os
from typing import Any
from unittest.mock import patch

from flask import request

from tests.benchmarks.conditions import resident_bytes
from tests.benchmarks.filled import fill, new_wallets
from wallet_app import create_app
from wallet_app.services.service import WalletService

if "BENCHMARK_UNPINNED" in os.environ:
    patch("wallet_app.server.worker.settle_processor", lambda: None).start()
if "BENCHMARK_SWITCH_SECONDS" in os.environ:
    seconds = float(os.environ["BENCHMARK_SWITCH_SECONDS"])
    patch("wallet_app.server.worker.SWITCH_SECONDS", seconds).start()
service = WalletService()
app = create_app(service)


@app.post("/benchmark/fill")
def fill_ledger() -> Any:
    """Make as many transactions as the body says; answer the wallets' ids."""
    ids = new_wallets(service)
    fill(service, ids, request.get_json())
    return ids


@app.get("/benchmark/objects")
def objects() -> Any:
    """Count what the collector tracks, and what only a full collection frees."""
    gc.collect(1)
    tracked = len(gc.get_objects())
    return {
        "tracked": tracked,
        "unreachable": gc.collect(),
        "resident_bytes": resident_bytes(),
    }
