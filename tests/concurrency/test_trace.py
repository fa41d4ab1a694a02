"""The lanes: what a reader sees of an execution."""

from __future__ import annotations

import re

import pytest

from tests.concurrency.execution import Execution, Exploration, Laboratory
from tests.concurrency.mutants import MUTANTS
from tests.concurrency.programs import Program
from tests.concurrency.specification import Add, Deduct, Operation, Transfer
from tests.concurrency.specification_of_reads import Audit, Get
from tests.concurrency.trace import (
    FATAL,
    LANE_MAX,
    assert_held,
    interpreter,
    lanes,
    report,
)

TWO = {"asha": 100, "ravi": 100}


def execute(
    *threads: list[Operation],
    schedule: dict[int, int] | None = None,
    mutant: str = "",
    lines: bool = False,
) -> Execution:
    laboratory = Laboratory(lines=lines)
    program = Program(TWO, *threads)
    with laboratory.open():
        if not mutant:
            return laboratory.execute(program, schedule or {})
        with MUTANTS[mutant].planted():
            return laboratory.execute(program, schedule or {})


def without_places(text: str) -> str:
    """Return a trace without what stands to the right of the lanes."""
    return re.sub(r" +\w+\.py:\d+( in \w+)?$", "", text, flags=re.MULTILINE)


def test_each_thread_has_a_lane_and_each_step_a_row() -> None:
    lost = execute(
        [Add("asha", 60)], [Add("asha", 60)], schedule={4: 1}, mutant="lost-update"
    )
    assert without_places(lanes(lost).plain).splitlines() == [
        "step  thread 0                  thread 1",
        "   0  add(asha, 60)",
        "   1  reads asha: 100",
        "   2  reads asha: 100",
        "   3  reads asha: 100",
        "----- here thread 0 is stopped, and thread 1 runs --------",
        "   4                            add(asha, 60)",
        "   5                            reads asha: 100",
        "   6                            reads asha: 100",
        "   7                            reads asha: 100",
        "   8                            writes asha: 160",
        "   9                            locks the outbox",
        "                                unlocks the outbox",
        "                                = +60, balance 160",
        "  10  writes asha: 160",
        "  11  locks the outbox",
        "      unlocks the outbox",
        "      = +60, balance 160",
    ]


def test_locks_are_named_after_their_wallets_and_crashes_are_shown() -> None:
    crashed = execute([Transfer("asha", "ravi", 60, faults=(2,))], [Audit()])
    shown = without_places(lanes(crashed).plain)
    for row in (
        "   1  locks asha",
        "   3  locks ravi",
        "crashes, not writing ravi: 160",
        "writes asha: 100",
        "unlocks ravi",
        "unlocks asha",
        "= Crash",
        "locks the registry",
        "= balanced: 2 wallets with INR 200",
    ):
        assert row in shown, row


def test_where_a_step_was_made_stands_beside_it() -> None:
    shown = lanes(execute([Transfer("asha", "ravi", 60)])).plain
    assert re.search(r"locks asha +store\.py:\d+ in \w+$", shown, re.MULTILINE)
    assert re.search(r"writes asha: 40 +money\.py:\d+ in move$", shown, re.MULTILINE)


def test_who_waits_for_ever_is_shown_last() -> None:
    crossed = execute(
        [Transfer("asha", "ravi", 60)],
        [Transfer("ravi", "asha", 60)],
        schedule={2: 1},
        mutant="unsorted-locks",
    )
    rows = without_places(lanes(crossed).plain).splitlines()
    assert rows[-2:] == [
        "      waits for ravi for ever",
        "                                waits for asha for ever",
    ]
    assert "thread 0 waits for ravi at store.py:" in report(crossed).plain


def test_a_free_switch_is_not_marked() -> None:
    assert "stopped" not in lanes(execute([Get("asha")], [Get("asha")])).plain


def test_line_by_line_the_code_itself_is_shown() -> None:
    shown = lanes(execute([Get("asha")], lines=True)).plain
    assert re.search(
        r"wallet = self\._store\.readable\[wallet_id\] +wallets\.py", shown
    )


def test_a_long_cell_is_cut_so_that_the_lanes_stay_straight() -> None:
    rows = lanes(execute([Deduct("asha", 600)], lines=True)).plain
    cut = [row for row in rows.splitlines() if "…" in row]
    assert cut
    assert all(row.index("…") == len("step  ") + LANE_MAX - 1 for row in cut)


def test_the_fatal_switch_stands_out_in_colours() -> None:
    lost = execute(
        [Add("asha", 60)], [Add("asha", 60)], schedule={4: 1}, mutant="lost-update"
    )
    text = lanes(lost)
    marked = [text.plain[s.start : s.end] for s in text.spans if s.style == FATAL]
    assert len(marked) == 1
    assert marked[0].startswith("----- here thread 0 is stopped")


def test_a_report_shows_the_ledger_the_verdict_and_how_to_see_it_again() -> None:
    lost = execute(
        [Add("asha", 60)], [Add("asha", 60)], schedule={4: 1}, mutant="lost-update"
    )
    shown = report(lost, "lost-update").plain
    assert shown.startswith("At first: asha 100, ravi 100\n")
    assert (
        "\nThe wallets in the end: asha 160 (+100 +60 +60), ravi 100 (+100). "
        "One call at a time: asha 220 (+100 +60 +60), ravi 100 (+100).\n" in shown
    )
    assert shown.endswith(
        f"\n{interpreter()} -m tests.concurrency lost-update --replay "
        "\"Program({'asha': 100, 'ravi': 100}, "
        "[Add('asha', 60)], [Add('asha', 60)])\" \"{4: 1}\""
    )
    assert "Nothing is wrong." in report(execute([Get("asha")])).plain


def test_an_exploration_that_failed_or_was_cut_off_does_not_hold() -> None:
    program = Program(TWO, [Add("asha", 60)], [Add("asha", 60)])
    laboratory = Laboratory()
    with laboratory.open():
        assert_held(laboratory.explore(program, 1))
        with pytest.raises(AssertionError, match="not every schedule was tried"):
            assert_held(laboratory.explore(program, 1, at_most=2))
        with MUTANTS["lost-update"].planted():
            broken = laboratory.explore(program, 1)
    with pytest.raises(AssertionError, match="here thread 0 is stopped"):
        assert_held(broken)
    assert isinstance(broken, Exploration) and not broken.ended
