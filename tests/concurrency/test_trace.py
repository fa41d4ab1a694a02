"""The lanes: what a reader sees of an execution."""

from __future__ import annotations

import re

import pytest

from tests.concurrency.execution import Execution, Exploration, Laboratory
from tests.concurrency.lanes import LINES_FIRST, LINES_LAST, lanes
from tests.concurrency.mutants import MUTANTS
from tests.concurrency.programs import Program
from tests.concurrency.specification import Add, Deduct, Operation, Transfer
from tests.concurrency.specification_of_reads import Audit, Get
from tests.concurrency.trace import EXPLAINED, assert_held, interpreter, report
from tests.lanes import FATAL, LANE_MAX

TWO = {"asha": 100, "ravi": 100}
WIDE = 200


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


def lost_update() -> Execution:
    add: list[Operation] = [Add("asha", 60)]
    return execute(add, add, schedule={4: 1}, mutant="lost-update")


def shown(execution: Execution, columns: int = WIDE) -> str:
    return lanes(execution, columns).plain


def without_places(text: str) -> list[str]:
    """Return the rows without what stands to the right of the lanes."""
    return re.sub(r" +\w+\.py:\d+.*$", "", text, flags=re.MULTILINE).splitlines()


def test_each_thread_has_a_lane_and_each_step_a_row() -> None:
    assert without_places(shown(lost_update())) == [
        "step  thread 0              thread 1",
        "   0  add(asha, 60)",
        "   3  reads asha: 100 (×3)",
        "----- here thread 0 is stopped, and thread 1 runs -----",
        "   4                        add(asha, 60)",
        "   7                        reads asha: 100 (×3)",
        "   8                        writes asha: 160",
        "   9                        locks the outbox",
        "                            unlocks the outbox",
        "                            = +60, balance 160",
        "  10  writes asha: 160",
        "  11  locks the outbox",
        "      unlocks the outbox",
        "      = +60, balance 160",
    ]


def test_only_reads_that_say_nothing_new_are_folded() -> None:
    rows = without_places(shown(execute([Transfer("asha", "ravi", 60)])))
    assert rows[2:10] == [
        "   1  locks asha",
        "   2  reads asha: 100",
        "   3  locks ravi",
        "   6  reads ravi: 100 (×2)",
        "   7  reads asha: 100 (×2)",
        "   8  writes asha: 40",
        "   9  reads ravi: 100",
        "  10  writes ravi: 160",
    ]


def test_locks_are_named_after_their_wallets_and_crashes_are_shown() -> None:
    crashed = execute([Transfer("asha", "ravi", 60, faults=(2,))], [Audit()])
    rows = "\n".join(without_places(shown(crashed)))
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
        assert row in rows, row


WRAPPED = "        ravi +60, balance 160"
TRANSFER = "      = asha -60, balance 40; ravi +60, balance 160"


@pytest.mark.parametrize(
    ("columns", "written", "answered"),
    [
        (120, r" +money\.py:\d+  +wallet\.balance = balance$", TRANSFER),
        (80, r" +money\.py:\d+  +wallet\.balance = balance$", WRAPPED),
        (64, r" +money\.py:\d+ in move$", WRAPPED),
        (50, r" +money\.py:\d+$", WRAPPED),
        (40, "$", WRAPPED),
    ],
)
def test_the_code_goes_first_where_there_is_no_room_and_the_place_last(
    columns: int, written: str, answered: str
) -> None:
    rows = shown(execute([Transfer("asha", "ravi", 60)]), columns)
    assert re.search(f"^   8  writes asha: 40{written}", rows, re.MULTILINE), rows
    assert answered in rows.splitlines(), rows


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
@pytest.mark.parametrize("lines", [False, True])
def test_no_row_is_wider_than_the_terminal(columns: int, lines: bool) -> None:
    call: Operation = Transfer("asha", "ravi", 60, key="k", faults=(2,))
    for threads in ([call],), ([call], [call]), ([call], [Audit()], [Get("asha")]):
        report_lines = report(execute(*threads, lines=lines), "", lines, columns).plain
        *rows, command = report_lines.splitlines()
        assert "--replay" in command
        assert max(map(len, rows)) <= columns


def test_who_waits_for_ever_is_shown_last() -> None:
    crossed = execute(
        [Transfer("asha", "ravi", 60)],
        [Transfer("ravi", "asha", 60)],
        schedule={2: 1},
        mutant="unsorted-locks",
    )
    assert without_places(shown(crossed))[-2:] == [
        "      waits for ravi for ever",
        "                                waits for asha for ever",
    ]
    assert "thread 0 waits for ravi at store.py:" in report(crossed).plain


def test_a_free_switch_is_not_marked() -> None:
    assert "stopped" not in shown(execute([Get("asha")], [Get("asha")]))


def test_line_by_line_the_code_itself_is_shown() -> None:
    rows = shown(execute([Get("asha")], lines=True))
    assert re.search(r"wallet = self\._store\.readable\[wallet_id\] +wallets\.py", rows)


def test_a_long_line_of_code_is_cut_so_that_the_lanes_stay_straight() -> None:
    rows = shown(execute([Deduct("asha", 600)], lines=True))
    cut = [row for row in rows.splitlines() if "…  " in row]
    assert cut
    assert all(row.index("…") == len("step  ") + LANE_MAX - 1 for row in cut)


def test_of_many_lines_of_code_the_first_and_the_last_are_shown() -> None:
    execution = execute([Deduct("asha", 60)], lines=True)
    rows = without_places(shown(execution))
    folded = next(i for i, row in enumerate(rows) if re.search(r"… \d+ lines …", row))
    before, after = int(rows[folded - 1][:4]), int(rows[folded + 1][:4])
    assert rows[folded].strip() == f"… {after - before - 1} lines …"
    assert before == LINES_FIRST
    locked = next(i for i, row in enumerate(rows) if "locks asha" in row)
    assert locked - folded - 1 == LINES_LAST


def test_the_fatal_switch_stands_out_in_colours() -> None:
    text = lanes(lost_update(), WIDE)
    marked = [text.plain[s.start : s.end] for s in text.spans if s.style == FATAL]
    assert len(marked) == 1
    assert marked[0].startswith("----- here thread 0 is stopped")


def test_a_report_shows_the_ledger_the_verdict_and_how_to_see_it_again() -> None:
    text = report(lost_update(), "lost-update").plain
    assert text.startswith("At first: asha 100, ravi 100\n")
    assert (
        "\n60 is lost: asha should have 220 and has 160.\n"
        "The wallets in the end: asha 160 (+100 +60 +60), ravi 100 (+100).\n"
        "One call at a time: asha 220 (+100 +60 +60), ravi 100 (+100).\n"
        f"{EXPLAINED}\n" in text
    )
    assert text.endswith(
        f"\n{interpreter()} -m tests.concurrency lost-update --replay "
        "\"Program({'asha': 100, 'ravi': 100}, "
        "[Add('asha', 60)], [Add('asha', 60)])\" \"{4: 1}\""
    )
    correct = report(execute([Get("asha")])).plain
    assert "Nothing is wrong." in correct and EXPLAINED not in correct


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
