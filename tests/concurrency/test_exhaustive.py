"""Small scenarios under every schedule, up to equivalence.

This is the one claim with the shape of a proof: for these programs, with these
switch points, there is no schedule that breaks the service. Of schedules that differ
only in the order of steps that touch different things, one is made (`reduction`). The
number of schedules is stated, and that there were no more.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.concurrency.execution import Laboratory
from tests.concurrency.programs import OPERATIONS, Program
from tests.concurrency.scenarios import BOUNDED, LINE_BY_LINE, SCENARIOS, pairs_with
from tests.concurrency.specification import Operation
from tests.concurrency.trace import assert_held

pytestmark = pytest.mark.slow

Record = Callable[[str, object], None]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_holds_under_every_schedule(
    name: str, record_property: Record
) -> None:
    laboratory = Laboratory()
    with laboratory.open():
        schedules = exhaust(laboratory, SCENARIOS[name])
    record_property(name, counted(schedules))


@pytest.mark.parametrize("name", LINE_BY_LINE)
def test_a_scenario_holds_under_every_schedule_line_by_line(
    name: str, record_property: Record
) -> None:
    laboratory = Laboratory(lines=True)
    with laboratory.open():
        schedules = exhaust(laboratory, LINE_BY_LINE[name], BOUNDED.get(name))
    record_property(f"line by line: {name}", counted(schedules, BOUNDED.get(name)))


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("lines", [False, True], ids=["", "line by line"])
def test_an_operation_holds_beside_every_other(
    kind: type[Operation], lines: bool, record_property: Record
) -> None:
    """Of two operations, the one that is listed first has both in its test."""
    pairs = pairs_with(kind, first_only=lines)
    laboratory = Laboratory(lines=lines)
    with laboratory.open():
        schedules = sum(exhaust(laboratory, each) for each in pairs)
    what = f"{kind.__name__} in each of {len(pairs)} pairs"
    record_property("line by line: " * lines + what, counted(schedules))


def exhaust(
    laboratory: Laboratory, program: Program, preemptions: int | None = None
) -> int:
    """Assert that the program is right under every schedule; return their number."""
    explored = laboratory.explore(program, preemptions)
    assert_held(explored, laboratory.line_by_line)
    return explored.schedules


def counted(schedules: int, preemptions: int | None = None) -> str:
    bound = "" if preemptions is None else f" with up to {preemptions} preemptions"
    return f"{schedules:7,} schedules, all{bound} up to equivalence"
