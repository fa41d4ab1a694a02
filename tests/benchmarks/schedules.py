"""How many schedules the concurrency suite tries in a second."""

from __future__ import annotations

import time
from statistics import median

from tests.benchmarks.report import Row, Scale
from tests.concurrency.execution import Laboratory
from tests.concurrency.programs import Program
from tests.concurrency.specification import Transfer

LEAST = 1_000
RING = Program(
    {"asha": 100, "ravi": 100, "mei": 100},
    [Transfer("asha", "ravi", 60)],
    [Transfer("ravi", "mei", 60)],
    [Transfer("mei", "asha", 60)],
)


def schedules_rows(scale: Scale) -> list[Row]:
    """A ring of three transfers under all its schedules with two preemptions."""
    laboratory = Laboratory(reduces=False)
    rates = []
    with laboratory.open():
        for _ in range(scale.rounds):
            started = time.perf_counter()
            schedules = laboratory.explore(RING, 2).schedules
            rates.append(schedules / (time.perf_counter() - started))
    return [
        Row(
            "schedules of a ring of three transfers, run and judged",
            f"{median(rates):,.0f} /s",
            "",
            "",
            f">= {LEAST:,} /s",
            median(rates) >= LEAST,
        )
    ]
