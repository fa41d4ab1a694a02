"""How many schedules the concurrency suite runs, with its reductions and without."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.report import Scale, Table
from tests.concurrency.execution import Laboratory
from tests.concurrency.hunt import hunt
from tests.concurrency.mutants import MUTANTS, Mutant
from tests.concurrency.programs import OPERATIONS, Program
from tests.concurrency.scenarios import BOUNDED, LINE_BY_LINE, SCENARIOS, pairs_with

SEED = 4
"""That of the test."""

Work = Callable[[Laboratory], object]


def reduction_table(scale: Scale) -> Table:
    """What the tests explore. Without the reductions a bound on preemptions is needed,
    with them none, except in hunts and in one scenario."""
    counts: list[tuple[str, str, int, int]] = []

    def count(what: str, bound: str, lines: bool, plain: Work, reduced: Work) -> None:
        laboratories = [Laboratory(lines=lines, reduces=each) for each in (False, True)]
        plain(laboratories[0])
        reduced(laboratories[1])
        without, within = (each.schedules for each in laboratories)
        counts.append((what, bound, without, within))

    for mutant in MUTANTS.values():
        search = _hunt(mutant)
        bound = "2, 2" if mutant.lines else "1, 1"
        count(f"hunt: {mutant.name}", bound, mutant.lines, search, search)
    for name, program in SCENARIOS.items():
        count(name, "2, -", False, _explore([program], 2), _explore([program]))
    for name, program in LINE_BY_LINE.items():
        with_bound = _explore([program], 2)
        bounded = BOUNDED.get(name)
        reduced = _explore([program], bounded)
        bounds = f"2, {bounded or '-'}"
        count(f"line by line: {name}", bounds, True, with_bound, reduced)
    every, first = _pairs(first_only=False), _pairs(first_only=True)
    count("pairs", "2, -", False, _explore(every, 2), _explore(every))
    count("pairs line by line", "1, -", True, _explore(first, 1), _explore(first))
    counts.append(("altogether", "", *(sum(each) for each in list(zip(*counts))[2:])))
    return Table(
        ("what", "preemptions", "without", "with", "ratio"),
        [
            (what, bound, f"{without:,}", f"{within:,}", f"{within / without:.2f}")
            for what, bound, without, within in counts
        ],
    )


def _hunt(mutant: Mutant) -> Work:
    def search(laboratory: Laboratory) -> None:
        with mutant.planted():
            assert hunt(laboratory, SEED) is not None

    return search


def _explore(programs: list[Program], preemptions: int | None = None) -> Work:
    def explore(laboratory: Laboratory) -> None:
        with laboratory.open():
            for program in programs:
                assert laboratory.explore(program, preemptions).ended

    return explore


def _pairs(*, first_only: bool) -> list[Program]:
    return [
        pair for kind in OPERATIONS for pair in pairs_with(kind, first_only=first_only)
    ]
