"""Hunts for a program and a schedule that show a bug, and shrinks them.

Hypothesis draws and shrinks the programs; for each, the schedules are enumerated.
"""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample

from tests.concurrency.execution import Execution, Laboratory
from tests.concurrency.programs import Program, pairs, programs, simpler

EXAMPLES_MAX = 5_000


def hunt(
    laboratory: Laboratory,
    seed: int,
    examples: int = EXAMPLES_MAX,
    threads: int = 2,
) -> Execution | None:
    """Draw programs until one fails, and return the simplest failure found from it.

    Line by line a call has many more switch points, so that a program is two calls
    there; one preemption more is allowed.
    """
    preemptions = preemptions_in(laboratory)

    held: set[str] = set()
    """What was drawn before, and held."""

    def fails(program: Program) -> bool:
        if repr(program) in held:
            return False
        if laboratory.explore(program, preemptions).failure is not None:
            return True
        held.add(repr(program))
        return False

    with laboratory.open():
        try:
            program = find(
                pairs() if laboratory.line_by_line else programs(threads),
                fails,
                settings=settings(
                    settings.get_profile("default"),  # the seed alone decides
                    derandomize=False,
                    max_examples=examples,
                    database=None,
                    deadline=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
                random=Random(seed),
            )
        except NoSuchExample:
            return None
        return _simplest(laboratory, program, preemptions)


def preemptions_in(laboratory: Laboratory) -> int:
    """Return how many preemptions a hunt tries."""
    return 2 if laboratory.line_by_line else 1


def _simplest(
    laboratory: Laboratory, program: Program, preemptions: int
) -> Execution | None:
    """Leave out the calls that a failure does not need, which Hypothesis does not
    always see, and let the thread come first that begins."""
    failure = laboratory.explore(program, preemptions).failure
    if failure is None:
        return None
    for smaller in simpler(program):
        other = laboratory.explore(smaller, preemptions).failure
        if other is not None and _size(other) < _size(failure):
            return _simplest(laboratory, smaller, preemptions)
    return failure


def _size(execution: Execution) -> tuple[int, int]:
    return execution.program.calls, len(execution.schedule)
