"""Programs for the scheduler, in letters: `.` is a step, `a` takes lock a, and `A`
releases it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice

from tests.concurrency.scheduler import (
    Lock,
    Run,
    Schedule,
    Scheduler,
    explore,
)

Body = Callable[[], None]

UNLIMITED = 40
"""More preemptions than any program here has steps."""

RUNS_MAX = 2_000
"""More runs than any program here has."""

TIMEOUT_SECONDS = 10
"""How long a test waits for what should come at once."""

HANG_SECONDS = 0.2


def in_letters(scheduler: Scheduler, *programs: str) -> list[Body]:
    """Return bodies that do as the programs say; a thread's start is a step too."""
    locks: dict[str, Lock] = {}

    def body(program: str) -> Body:
        def follow() -> None:
            for letter in program:
                if letter == ".":
                    scheduler.step("step")
                elif letter.islower():
                    locks[letter].acquire()
                else:
                    locks[letter.lower()].release()

        return follow

    for letter in "".join(programs).lower():
        locks[letter] = scheduler.new_lock(f"lock {letter}")
    return [body(program) for program in programs]


def order(run: Run) -> str:
    """Return the threads that made the steps."""
    return "".join(str(step.thread) for step in run.steps if step.number is not None)


def explored(
    scheduler: Scheduler, preemptions: int, *programs: str, alike: Collection[int] = ()
) -> list[Run]:
    def execute(schedule: Schedule) -> Run:
        return scheduler.run(in_letters(scheduler, *programs), schedule)

    runs = list(islice(explore(execute, preemptions, alike), RUNS_MAX))
    assert len(runs) < RUNS_MAX, "it does not come to an end"
    return runs


def assert_usable(scheduler: Scheduler) -> None:
    run = scheduler.run(in_letters(scheduler, ".", "."), {1: 1})
    assert order(run) == "0110"
    assert run.deadlock is None
