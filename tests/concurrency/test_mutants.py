"""The suite has teeth: it finds every seeded bug, and shows how it comes about."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.concurrency.execution import Laboratory
from tests.concurrency.hunt import hunt
from tests.concurrency.mutants import MUTANTS
from tests.concurrency.programs import Program, program_from, schedule_from
from tests.concurrency.specification import Add
from tests.concurrency.trace import report

pytestmark = pytest.mark.slow

SEED = 4
CALLS_MAX = 3
REPLAYS = 10

TELLTALES = {
    "leaked-lock": r"never released|Deadlock",
    "double-spend": r"balance -\d+|insufficient_funds",
    "unsorted-locks": r"Deadlock.*held by thread [01]",
    "self-transfer": r"Deadlock.*held by itself",
    "create-during-audit": r"dictionary changed size|balanced: 3 wallets",
    "limit-outside-the-lock": r"limit_exceeded amount=\d+ limit=\d+|no one order",
    "code-confirmed-twice": r"approval_closed|insufficient_funds",
    "quote-used-twice": r"quote_used",
    "time-runs-back": r"transaction is older than what came before",
    "compensated-twice": r"\(.*\+(\d+) \+\1\)",
    "opened-after-the-lock": r"there is no payment",
    "ended-after-the-lock": r"and has moved|is on its way",
    "event-before-commit": r"The outbox reported asha: .*-\d+, balance \d+\. What",
    "event-after-the-lock": r"The outbox reported asha: ",
}
"""What must be said of the bugs that show in one way only."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_seeded_bug_is_found_and_shrunk_and_fails_each_time(name: str) -> None:
    mutant = MUTANTS[name]
    with mutant.planted():
        failure = hunt(Laboratory(lines=mutant.lines), SEED)
    assert failure is not None, "not found"
    assert failure.wrong is not None
    assert re.search(TELLTALES.get(name, ""), failure.wrong, re.DOTALL), failure.wrong
    assert failure.program.calls <= CALLS_MAX
    command = shlex.split(report(failure, name, mutant.lines).plain.splitlines()[-1])
    program, schedule = program_from(command[-2]), schedule_from(command[-1])
    lines = "--lines" in command
    for _ in range(REPLAYS):
        laboratory = Laboratory(lines=lines)
        with mutant.planted(), laboratory.open():
            assert laboratory.execute(program, schedule).wrong == failure.wrong
    laboratory = Laboratory(lines=lines)
    with laboratory.open():
        assert laboratory.explore(program).ended, "without the bug it fails too"


@pytest.mark.parametrize("name", [each for each in MUTANTS if MUTANTS[each].lines])
def test_what_is_found_line_by_line_is_missed_otherwise_under_every_schedule(
    name: str,
) -> None:
    program = Program({"asha": 0}, [Add("asha", 60)], [Add("asha", 60)])
    with MUTANTS[name].planted():
        for lines in (False, True):
            laboratory = Laboratory(lines=lines)
            with laboratory.open():
                explored = laboratory.explore(program)
                assert (explored.failure is not None) is lines
                assert explored.ended is not lines


def test_a_bug_is_gone_when_its_block_ends() -> None:
    program = Program({"asha": 100}, [Add("asha", 60)], [Add("asha", 60)])
    laboratory = Laboratory()
    with laboratory.open():
        with MUTANTS["lost-update"].planted():
            assert laboratory.explore(program).failure is not None
        assert laboratory.explore(program).ended
