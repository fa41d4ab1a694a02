"""What the rules cost where none is configured: this service against the same service
as it was before them, which is fetched from the history of the repository."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.conditions import in_fresh_process, settle_as_the_server
from tests.benchmarks.filled import new_wallets, random_pairs
from tests.benchmarks.in_process import CALLS, PAIRS, Timings, in_turns, microseconds
from tests.benchmarks.report import Row, Scale, at_most

COMMIT = "7dec329d64fa5f16be6aad46cc29a9bc78ccd95e"
"""The last one without freeze, limits, approvals, fraud rules and exchanges."""

PROJECT = Path(__file__).parents[2]
PAIRS_OF_SLICES = 20


def before_rows(scale: Scale) -> list[Row]:
    """A transfer with no rule configured against one before there were rules."""
    what = "a transfer, no rule configured, against before there were rules"
    return [at_most(what, "us", *in_fresh_process(transfer_times, scale.rounds), 1.15)]


def transfer_times(rounds: int) -> Timings:
    """Return microseconds per transfer, now and then."""
    now, then = _services(PROJECT), _services_before()
    settle_as_the_server()
    return in_turns(rounds * PAIRS_OF_SLICES, lambda: _time(now), lambda: _time(then))


def _time(services: Any) -> float:
    """Time transfers in a new ledger, when each wallet has made its first of the day:
    that one looks into the calendar."""
    service = services.WalletService()
    pairs = random_pairs(new_wallets(service), PAIRS)
    for source, target in pairs:
        service.transfer(source, target, 1)
    transfers = iter(pairs * (CALLS // PAIRS))
    return microseconds(lambda: service.transfer(*next(transfers), 1))


def _services_before() -> Any:
    archive = subprocess.run(
        ["git", "-C", str(PROJECT), "archive", COMMIT, "wallet_app"],
        capture_output=True,
        check=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        return _services(Path(folder))


def _services(folder: Path) -> Any:
    """Import the services of the package in a folder, whichever came before."""
    for name in [name for name in sys.modules if name.split(".")[0] == "wallet_app"]:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("wallet_app.services")
    finally:
        sys.path.remove(str(folder))
