"""Every schedule up to equivalence: none is left out, and few are made twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from tests.concurrency.letters import UNLIMITED
from tests.concurrency.reduction import (
    EVERYTHING,
    Mode,
    Touch,
    explore_all,
    same_until,
)
from tests.concurrency.scheduler import (
    Lock,
    Run,
    Schedule,
    Scheduler,
    Step,
    explore,
)

READS, CHANGES = "12", {"x": "1", "y": "2"}
"""`1` reads what `x` changes, and `2` what `y` does; `a` takes lock a, `A` opens it."""

WITHIN = {"3": "1", "4": "2", "v": "x", "w": "y"}
"""What touches the same, but within the step before."""

PROGRAMS, STEPS_MAX, RUNS_MAX = 150, 7, 3_000


def bodies(scheduler: Scheduler, programs: Sequence[str]) -> list[Callable[[], None]]:
    locks = {name: scheduler.new_lock(name) for name in "ab"}

    def body(program: str) -> Callable[[], None]:
        def follow() -> None:
            for letter in program:
                if letter in locks:
                    locks[letter].acquire()
                elif letter.lower() in locks:
                    locks[letter.lower()].release()
                elif letter in WITHIN:
                    scheduler.happened("touch", WITHIN[letter])
                else:
                    scheduler.step("touch", letter)

        return follow

    return [body(program) for program in programs]


def touch(step: Step) -> Sequence[Touch]:
    match step.what, step.subject:
        case "acquire", Lock(key=key):
            return (Touch(key, Mode.TAKE),)
        case "release", Lock(key=key):
            return (Touch(key, Mode.OPEN),)
        case "touch", str(letter) if letter in READS:
            return (Touch(letter, Mode.READ),)
        case "touch", str(letter):
            return (Touch(CHANGES[letter], Mode.CHANGE),)
    return ()


Class = tuple[frozenset[object], bool]


def class_of(run: Run) -> Class:
    """Return what all equivalent runs have in common: the steps, which of two that meet
    came first, and whether it ended in a deadlock."""
    blocks: list[tuple[int, set[Touch]]] = []
    for step in run.steps:
        if step.number is not None:
            blocks.append((step.thread, set()))
        blocks[-1][1].update(touch(step))
    counts: Counter[int] = Counter()
    names: list[tuple[int, int]] = []
    order: set[object] = set()
    for number, (thread, touches) in enumerate(blocks):
        names.append((thread, counts[thread]))
        counts[thread] += 1
        order.add(names[-1])
        for earlier in range(number):
            other, touched = blocks[earlier]
            if other != thread and any(a.meets(b) for a in touched for b in touches):
                order.add((names[earlier], names[number]))
    return frozenset(order), run.deadlock is not None


def reduced(scheduler: Scheduler, programs: Sequence[str]) -> list[Class]:
    runs = explore_all(
        lambda choose: scheduler.run(bodies(scheduler, programs), choose=choose), touch
    )
    return [class_of(run) for run in runs]


def all_of(scheduler: Scheduler, programs: Sequence[str]) -> list[Class]:
    runs = explore(
        lambda schedule: scheduler.run(bodies(scheduler, programs), schedule), UNLIMITED
    )
    return [class_of(run) for _, run in zip(range(RUNS_MAX), runs, strict=False)]


@pytest.mark.parametrize(
    "programs, runs",
    [
        (("x", "y"), 1),
        (("1", "1"), 1),
        (("x", "1"), 2),
        (("x", "x"), 2),
        (("x", "1", "1"), 4),
        (("x", "x", "x"), 6),
        (("xy", "xy"), 4),
        (("x1", "y2"), 1),
        (("aA", "aA"), 2),
        (("axA", "axA"), 2),
        (("aA", "bB"), 1),
        (("abBA", "baAB"), 3),
        (("axyA", "byxB"), 3),
        (("aa", "x"), 1),
        (("a1v1A", "a3A"), 2),
        (("aw1A2a1v1A", "4a3A"), 5),
    ],
    ids=lambda value: " ∥ ".join(value) if isinstance(value, tuple) else "",
)
def test_programs_have_this_many_classes_of_schedules(
    scheduler: Scheduler, programs: tuple[str, ...], runs: int
) -> None:
    made = reduced(scheduler, programs)
    assert len(made) == len(set(made)) == runs


def random_program(rng: random.Random) -> str:
    """Return a program that releases only what it has; it may lock itself out."""
    program, held = "", ""
    for _ in range(rng.randint(1, 4)):
        letter = rng.choice("12xyab34vw" + 2 * held.upper())
        program += letter
        held = held.replace(letter.lower(), "") + letter * (letter in "ab")
    return program


def test_each_class_that_all_schedules_have_is_found(scheduler: Scheduler) -> None:
    """Which are few: those of all schedules together are a dozen times as many."""
    rng = random.Random(7)
    every = fewer = 0
    for _ in range(PROGRAMS):
        programs = [random_program(rng) for _ in range(rng.choice((2, 2, 3)))]
        if sum(map(len, programs)) > STEPS_MAX:
            continue
        classes = all_of(scheduler, programs)
        if len(classes) == RUNS_MAX:
            continue
        found = reduced(scheduler, programs)
        assert set(found) == set(classes), programs
        assert len(found) == len(set(found)), f"a class of {programs} came twice"
        every, fewer = every + len(classes), fewer + len(found)
    assert every > 10 * fewer > 0


@pytest.mark.parametrize("preemptions", [1, 2, 3])
def test_within_a_bound_no_class_of_two_threads_is_left_out(
    scheduler: Scheduler, preemptions: int
) -> None:
    rng = random.Random(preemptions)
    every = fewer = 0
    for _ in range(PROGRAMS):
        programs = [random_program(rng) for _ in range(2)]

        def execute(schedule: Schedule, of: Sequence[str] = programs) -> Run:
            return scheduler.run(bodies(scheduler, of), schedule)

        runs = list(explore(execute, preemptions))
        left = list(
            explore(
                execute,
                preemptions,
                same_until=lambda run, step: same_until(run, step, touch),
            )
        )
        assert set(map(class_of, left)) == set(map(class_of, runs)), programs
        every, fewer = every + len(runs), fewer + len(left)
    assert 4 * every > 5 * fewer


def test_a_deadlock_is_found_without_a_bound(scheduler: Scheduler) -> None:
    found = reduced(scheduler, ("abBA", "baAB"))
    assert [is_deadlock for _, is_deadlock in found].count(True) == 1


def test_what_touches_nobody_knows_what_meets_everything(scheduler: Scheduler) -> None:
    def anything(step: Step) -> Sequence[Touch]:
        return (EVERYTHING,) if step.what == "touch" else ()

    runs = explore_all(
        lambda choose: scheduler.run(bodies(scheduler, ("xx", "yy")), choose=choose),
        anything,
    )
    assert len(list(runs)) == 6, "of two steps each, as many as there are orders"
