"""`explore`: every run is made, each once, those with the fewest preemptions first."""

from __future__ import annotations

import random
from math import comb, factorial, prod
from typing import NamedTuple

import pytest

from tests.concurrency.letters import (
    UNLIMITED,
    explored,
    in_letters,
    order,
)
from tests.concurrency.scheduler import (
    Run,
    Schedule,
    Scheduler,
    explore,
)


class Outcome(NamedTuple):
    preemptions: int
    deadlocked: bool


def by_brute_force(*programs: str) -> dict[str, Outcome]:
    """Return what comes of each order, by trying every thread at every step."""
    found: dict[str, Outcome] = {}

    def search(left: tuple[str, ...], held: str, order: str, preemptions: int) -> None:
        able = [str(i) for i, rest in enumerate(left) if rest and rest[0] not in held]
        if not able:
            found[order] = Outcome(preemptions, any(left))
        for thread in able:
            i, holding = int(thread), held
            step, rest = left[i][0], left[i][1:]
            if step.islower():
                holding += step
            while rest[:1].isupper():  # to release is no step
                holding, rest = holding.replace(rest[0].lower(), ""), rest[1:]
            preempted = order[-1:] in able and order[-1] != thread
            after = left[:i] + (rest,) + left[i + 1 :]
            search(after, holding, order + thread, preemptions + preempted)

    search(tuple(f">{program}" for program in programs), "", "", 0)
    return found


def assert_explored(scheduler: Scheduler, preemptions: int, *programs: str) -> None:
    """Fail unless every run is made that brute force finds, once, fewest first."""
    outcomes = by_brute_force(*programs)
    runs = explored(scheduler, preemptions, *programs)
    orders = [order(run) for run in runs]
    used = [outcomes[order].preemptions for order in orders]
    assert used == sorted(used), programs
    assert sorted(orders) == sorted(
        order for order, outcome in outcomes.items() if outcome[0] <= preemptions
    ), programs
    assert [run.deadlock is not None for run in runs] == [
        outcomes[order].deadlocked for order in orders
    ], programs


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_two_threads_of_n_steps_have_2n_over_n_runs(
    scheduler: Scheduler, steps: int
) -> None:
    programs = ["." * (steps - 1)] * 2
    assert len(explored(scheduler, UNLIMITED, *programs)) == comb(2 * steps, steps)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 2, 3), (2, 2, 2), (1, 3, 3)])
def test_three_threads_have_a_multinomial_number_of_runs(
    scheduler: Scheduler, sizes: tuple[int, ...]
) -> None:
    programs = ["." * (size - 1) for size in sizes]
    runs = factorial(sum(sizes)) // prod(factorial(size) for size in sizes)
    assert len(explored(scheduler, UNLIMITED, *programs)) == runs


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_two_threads_have_this_many_runs_with_exactly_k_preemptions(
    scheduler: Scheduler, steps: int
) -> None:
    """With k preemptions the run has k + 2 parts, since the last switch is from a
    thread that has ended. Either thread is first, and the steps of each are cut
    into its parts, half of k + 2."""
    programs = ["." * (steps - 1)] * 2
    outcomes = by_brute_force(*programs).values()
    up_to = 0
    for k in range(2 * steps):
        exactly = 2 * comb(steps - 1, k // 2) * comb(steps - 1, (k + 1) // 2)
        assert exactly == sum(outcome.preemptions == k for outcome in outcomes)
        up_to += exactly
        assert len(explored(scheduler, k, *programs)) == up_to
    assert up_to == comb(2 * steps, steps)


def test_runs_come_with_the_fewest_preemptions_and_the_earliest_first(
    scheduler: Scheduler,
) -> None:
    runs = explored(scheduler, UNLIMITED, ".", ".")
    assert [order(run) for run in runs] == [
        "0011",
        "1100",
        "0110",
        "1001",
        "0101",
        "1010",
    ]


@pytest.mark.parametrize("preemptions", [0, 1, 2, 3, UNLIMITED])
@pytest.mark.parametrize(
    "programs",
    [
        ("...", "..."),
        (".", "..."),
        (".", ".", "."),
        ("a.A", "a.A"),
        ("abBA", "baAB"),
        (".", "aA", "aA"),
        ("aA.", "bB", "abAB"),
        ("aa", "a"),
    ],
    ids=" ∥ ".join,
)
def test_each_run_is_made_once_the_fewest_preemptions_first(
    scheduler: Scheduler, programs: tuple[str, ...], preemptions: int
) -> None:
    assert_explored(scheduler, preemptions, *programs)


def random_program(rng: random.Random, length: int) -> str:
    """Return a program that releases only what it has; it may well lock itself out,
    or end with a lock in its hands."""
    program, held = "", ""
    for _ in range(length):
        letter = rng.choice(".ab" + 2 * held.upper())
        program += letter
        if letter.islower():
            held += letter
        elif letter.isupper():
            held = held.replace(letter.lower(), "")
    return program


def test_drawn_programs_have_the_runs_that_brute_force_finds(
    scheduler: Scheduler,
) -> None:
    rng = random.Random(1)
    for _ in range(30):
        lengths = rng.choice([(4, 4), (3, 5), (2, 2, 2), (1, 2, 3)])
        programs = [random_program(rng, length) for length in lengths]
        assert_explored(scheduler, rng.choice([0, 1, 2, UNLIMITED]), *programs)


def test_the_first_run_is_made_before_the_others_are_known(
    scheduler: Scheduler,
) -> None:
    executed = []

    def execute(schedule: Schedule) -> Run:
        executed.append(schedule)
        return scheduler.run(in_letters(scheduler, ".", "."), schedule)

    runs = explore(execute, UNLIMITED)
    assert executed == []
    assert order(next(runs)) == "0011"
    assert executed == [{}]


@pytest.mark.parametrize("preemptions", [0, 1, 2, UNLIMITED])
def test_of_two_runs_that_differ_in_the_names_of_threads_alike_one_is_made(
    scheduler: Scheduler, preemptions: int
) -> None:
    programs = ["aA.bB"] * 2
    every = sorted(map(order, explored(scheduler, preemptions, *programs)))
    made = [*map(order, explored(scheduler, preemptions, *programs, alike={1}))]
    renamed = [each.translate(str.maketrans("01", "10")) for each in made]
    assert sorted(made + renamed) == every
