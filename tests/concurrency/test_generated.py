"""Programs that Hypothesis draws, each under every schedule with one preemption.

The breadth that the scenarios of `test_exhaustive.py` lack: whatever threads may call
together. `--hypothesis-profile=thorough` draws others each time, larger and more.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

from tests.concurrency.execution import Laboratory
from tests.concurrency.programs import Program, pairs, programs
from tests.concurrency.trace import assert_held

pytestmark = pytest.mark.slow

THOROUGH = settings.get_current_profile_name() == "thorough"
CALLS_MAX = 6 if THOROUGH else 4
PREEMPTIONS = 2 if THOROUGH else 1

Record = Callable[[str, object], None]


def test_no_program_breaks_the_service(record_property: Record) -> None:
    laboratory = Laboratory()
    hold(laboratory, programs(calls=CALLS_MAX), 20_000 if THOROUGH else 300)
    record_property("programs drawn by Hypothesis", counted(laboratory))


def test_no_two_calls_break_the_service_line_by_line(record_property: Record) -> None:
    laboratory = Laboratory(lines=True)
    hold(laboratory, pairs(), 2_000 if THOROUGH else 60)
    record_property("line by line: pairs drawn by Hypothesis", counted(laboratory))


def hold(laboratory: Laboratory, drawn: SearchStrategy[Program], examples: int) -> None:
    """Assert that what is drawn holds, under every schedule. What is drawn again has
    held."""
    held: set[str] = set()

    @settings(max_examples=examples)
    @given(drawn)
    def holds(program: Program) -> None:
        if repr(program) in held:
            return
        assert_held(laboratory.explore(program, PREEMPTIONS), laboratory.line_by_line)
        held.add(repr(program))

    with laboratory.open():
        holds()


def counted(laboratory: Laboratory) -> str:
    return (
        f"{laboratory.schedules:7,} schedules of {laboratory.programs} programs, "
        f"all with up to {PREEMPTIONS} preemption{'s' * (PREEMPTIONS > 1)}"
    )
