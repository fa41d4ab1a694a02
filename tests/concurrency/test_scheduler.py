"""The scheduler: one schedule makes the same run each time."""

from __future__ import annotations

import re
import threading
from itertools import islice

from tests.concurrency import scheduler as module
from tests.concurrency.letters import (
    RUNS_MAX,
    TIMEOUT_SECONDS,
    assert_usable,
    in_letters,
    order,
)
from tests.concurrency.scheduler import (
    RUN_ON,
    Choice,
    Run,
    Schedule,
    Scheduler,
    explore,
)


def values(run: Run) -> object:
    """Return all that a run shows, without what is new each time."""
    steps = [
        (step.number, step.thread, step.what, str(step.site)) for step in run.steps
    ]
    return steps, run.choices, str(run.deadlock)


def test_a_schedule_makes_the_same_run_each_time(scheduler: Scheduler) -> None:
    programs = [".abAB", ".baBA", "a.A"]
    deadlocks = []

    def execute(schedule: Schedule) -> Run:
        run = scheduler.run(in_letters(scheduler, *programs), schedule)
        again = scheduler.run(in_letters(scheduler, *programs), schedule)
        assert values(again) == values(run)
        deadlocks.append(run.deadlock is not None)
        return run

    schedules = len(list(islice(explore(execute, 2), RUNS_MAX)))
    assert len(deadlocks) == schedules
    assert 0 < sum(deadlocks) < schedules


def test_the_drawing_at_the_head_of_the_scheduler_is_a_real_run(
    scheduler: Scheduler,
) -> None:
    """Of two threads that each read and write, under the schedule {2: 1}."""

    def body() -> None:
        scheduler.step("read")
        scheduler.step("write")

    rows = re.findall(r"^ +(\d)( +(?:\. +)?)\| (\w+)", module.__doc__ or "", re.M)
    drawn = [(int(step), int("." in before), what) for step, before, what in rows]
    run = scheduler.run([body, body], {2: 1})
    assert drawn == [(step.number, step.thread, step.what) for step in run.steps]


def test_threads_run_on_where_the_schedule_says_nothing(scheduler: Scheduler) -> None:
    def ran(schedule: Schedule) -> str:
        return order(scheduler.run(in_letters(scheduler, "..", "..", ".."), schedule))

    assert ran(RUN_ON) == "000111222"
    assert ran({0: 2}) == "222000111"
    assert ran({1: 1, 2: 2}) == "012220011"
    assert ran({2: 2, 4: 1, 5: 0}) == "002210112"


def test_a_step_says_who_made_it_and_what_it_was(scheduler: Scheduler) -> None:
    def body() -> None:
        step = scheduler.step("write", "a wallet")
        assert step is not None
        step.value = 60
        threads.append(scheduler.thread)

    threads: list[int | None] = []
    run = scheduler.run([body, body], {1: 1})
    assert threads == [1, 0]
    assert [(s.number, s.thread, s.what, s.subject, s.value) for s in run.steps] == [
        (0, 0, "start", None, None),
        (1, 1, "start", None, None),
        (2, 1, "write", "a wallet", 60),
        (3, 0, "write", "a wallet", 60),
    ]


def test_a_run_shows_each_choice_it_had(scheduler: Scheduler) -> None:
    run = scheduler.run(in_letters(scheduler, "a.A", "a"), {2: 1})
    assert order(run) == "00101"
    assert run.choices == [
        Choice(step=0, default=0, options=(0, 1), preempts=False),
        Choice(step=1, default=0, options=(0, 1), preempts=True),
        Choice(step=2, default=0, options=(0, 1), preempts=True),
    ], "at step 3 thread 1 waits, and at step 4 thread 0 has ended"
    run = scheduler.run(in_letters(scheduler, "a", "a", "."), {2: 1})
    assert run.choices[3:] == [], "nobody but thread 2 can run"


def test_a_moment_is_later_than_all_before_it(scheduler: Scheduler) -> None:
    moments = []

    def body() -> None:
        moments.append(scheduler.happened("invoke"))
        moments.append(scheduler.happened("return"))
        scheduler.step("step")
        moments.append(scheduler.happened("invoke"))

    run = scheduler.run([body, body], {1: 1, 2: 0})
    assert order(run) == "0101"
    assert len(moments) == 6
    assert moments == sorted(set(moments))


def test_between_runs_there_are_no_steps(scheduler: Scheduler) -> None:
    assert scheduler.step("early") is None
    run = scheduler.run(in_letters(scheduler, "."))
    assert scheduler.thread is None
    assert scheduler.step("late") is None
    assert scheduler.happened("late") == scheduler.happened("late")
    assert [step.what for step in run.steps] == ["start", "step"]


def test_runs_share_their_threads_until_the_scheduler_is_closed(
    scheduler: Scheduler,
) -> None:
    def body() -> None:
        threads.append(threading.current_thread())

    threads: list[threading.Thread] = []
    for _ in range(2):
        scheduler.run([body, body])
    assert threads[0] is not threads[1]
    assert threads[:2] == threads[2:]
    scheduler.close()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert_usable(scheduler)
