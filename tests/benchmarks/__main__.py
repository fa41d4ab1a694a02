"""Run the measurements and print them as one table; exit with 1 if a row misses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tests.benchmarks import (
    against_peers,
    audits,
    expiry,
    explorers,
    export,
    garbage,
    in_process,
    large,
    memory,
    over_http,
    pauses,
    receivers,
    reduction,
    schedules,
    servers,
    tuning,
)
from tests.benchmarks.report import FULL, QUICK, Row, Scale, Table

ROWS: dict[str, Callable[[Scale], list[Row]]] = {
    "transfer": in_process.transfer_rows,
    "histories": in_process.histories_rows,
    "rules": in_process.rules_rows,
    "page": in_process.page_rows,
    "http": over_http.http_rows,
    "receivers": receivers.receivers_rows,
    "memory": memory.memory_rows,
    "export": export.export_rows,
    "expiry": expiry.expiry_rows,
    "pause": pauses.pause_rows,
    "schedules": schedules.schedules_rows,
}

BY_NAME: dict[str, Callable[[Scale], list[Row]]] = {
    "peers": against_peers.peers_rows,
    "large": large.large_rows,
}
"""Rows that install something, or take minutes."""

KNOWN = ROWS | BY_NAME

TUNING: dict[str, Callable[[Scale], Table]] = {
    "processor": tuning.processor_table,
    "switching": tuning.switching_table,
    "keepalive": tuning.keepalive_table,
    "collector": garbage.collector_table,
    "garbage": garbage.garbage_table,
    "audit": audits.audit_table,
    "servers": servers.servers_table,
    "long": servers.long_reads_table,
    "explorers": explorers.explorers_table,
    "reduction": reduction.reduction_table,
}


def main() -> int:
    options = _options()
    scale = QUICK if options.quick else FULL
    if options.tuning:
        for name in options.names or TUNING:
            print(f"{name}\n\n{TUNING[name](scale)}\n", flush=True)
        return 0
    measures = [KNOWN[name] for name in options.names or ROWS]
    rows = [row for measure in measures for row in measure(scale)]
    print(Table(Row.HEADINGS, [row.cells() for row in rows]))
    return 0 if all(row.reached for row in rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument(
        "names",
        nargs="*",
        help=f"rows to run: {', '.join(ROWS)}; only if named: {', '.join(BY_NAME)}; "
        f"with --tuning: {', '.join(TUNING)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds, a tenth of the histories"
    )
    parser.add_argument(
        "--tuning",
        action="store_true",
        help="print what settings are worth, and comparisons, in place of the rows",
    )
    options = parser.parse_args()
    known = TUNING if options.tuning else KNOWN
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(known)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
