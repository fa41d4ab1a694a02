"""Explores the classes of `explored.py` with frontrun and interleave-test, which are
installed where this is run, and prints JSON: {tool: {class: [schedules, seconds]}}."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import explored  # it is beside this file

SCHEDULES = 1_000


def with_frontrun(subject: Any) -> int:
    import frontrun

    result = frontrun.explore(
        setup=subject,
        workers=[subject.one, subject.other],
        invariant=subject.holds,
    )
    explored: int = result.num_explored
    return explored


def with_interleave_test(subject: Any) -> int:
    import interleave_test

    def model() -> None:
        made = subject()
        tasks = [interleave_test.spawn(each) for each in (made.one, made.other)]
        for task in tasks:
            task.join()
        assert made.holds()

    try:
        result = interleave_test.explore(model, strategy="dfs", iterations=SCHEDULES)
    except interleave_test.RaceFound as found:
        number: int = found.failure.iteration
        return number + 1
    run: int = result.schedules_run
    return run


def main() -> None:
    print(json.dumps({sys.argv[1]: measured(globals()[f"with_{sys.argv[1]}"])}))


def measured(explore: Callable[[Any], int]) -> dict[str, tuple[int, float]]:
    times = {}
    for subject in explored.SUBJECTS:
        started = time.perf_counter()
        schedules = explore(subject)
        times[subject.__name__] = schedules, time.perf_counter() - started
    return times


if __name__ == "__main__":
    main()
