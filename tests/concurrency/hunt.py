"""Hunts for a program and a schedule that show a bug, and shrinks them."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

from tests.concurrency.execution import Execution, Laboratory
from tests.concurrency.mutants import Mutant
from tests.concurrency.programs import Program, pairs, programs

EXAMPLES_MAX = 2_000


def hunt(mutant: Mutant, seed: int = 0) -> Execution | None:
    """Return the simplest failure that a mutant was brought to, if any was.

    A bug that needs lines as switch points gets smaller programs and one preemption
    more, because each call has so many more of them.
    """
    laboratory = Laboratory(lines=mutant.lines)
    preemptions = 2 if mutant.lines else 1
    drawn: SearchStrategy[Program] = pairs() if mutant.lines else programs(threads=2)

    def is_wrong(program: Program) -> bool:
        return laboratory.explore(program, preemptions).failure is not None

    with mutant.planted(), laboratory.open():
        try:
            program = find(
                drawn,
                is_wrong,
                settings=settings(
                    max_examples=EXAMPLES_MAX,
                    database=None,
                    deadline=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
                random=Random(seed),
            )
        except NoSuchExample:
            return None
        return laboratory.explore(program, preemptions).failure
