"""Reports one execution: its lanes, what is wrong with it, and how to see it again."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from pathlib import Path

from rich.text import Text

from tests.concurrency.execution import Execution, Exploration
from tests.concurrency.judge import IN_TURN
from tests.concurrency.lanes import lanes
from tests.lanes import FATAL

COLUMNS_IN_A_PIPE = 100
COLUMNS_IN_PYTEST = 80 - len("E   ")

EXPLAINED = f'"{IN_TURN}": each call ends before the next one begins, in any order.'


def columns_of(otherwise: int = COLUMNS_IN_A_PIPE) -> int:
    """Return what COLUMNS says, or the width of the terminal, if there is one."""
    return shutil.get_terminal_size((otherwise, 0)).columns


def report(
    execution: Execution,
    mutant: str = "",
    lines: bool = False,
    columns: int = COLUMNS_IN_A_PIPE,
) -> Text:
    """Return the program, its lanes, what is wrong with it, and how to see it again.

    `report(...).plain` is the same without colours.
    """
    program = execution.program
    text = Text().append("At first: ", "bold")
    text.append(", ".join(f"{name} {held}" for name, held in program.wallets.items()))
    for operation in program.before:
        text.append(f"\n          {operation}")
    text.append("\n\n").append(lanes(execution, columns))
    text.append("\n\n").append(verdict(execution.wrong, columns))
    words = [interpreter(), "-m tests.concurrency", mutant, "--lines" if lines else ""]
    words.append(f'--replay "{program!r}" "{dict(execution.schedule)}"')
    text.append("\n\nTo see it again:\n", "bold").append(" ".join(filter(None, words)))
    return text


def verdict(wrong: str | None, columns: int) -> Text:
    """Return what is wrong, and what the words for it mean."""
    if wrong is None:
        return Text("Nothing is wrong.", "bold green")
    first, *more = [filled(line, columns) for line in wrong.splitlines()]
    text = Text("\n").join([Text(first, FATAL), *map(Text, more)])
    if IN_TURN in wrong:
        text.append("\n" + filled(EXPLAINED, columns), "dim")
    return text


def filled(line: str, columns: int) -> str:
    """Return a line, wrapped at spaces."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.fill(
        line, columns, subsequent_indent=indent, break_on_hyphens=False
    )


def interpreter() -> str:
    """Return how the Python that runs is called from the current folder."""
    path = Path(sys.executable)
    is_inside = path.is_relative_to(Path.cwd())
    return shlex.quote(str(path.relative_to(Path.cwd()) if is_inside else path))


def assert_held(explored: Exploration, lines: bool = False) -> None:
    """Raise AssertionError with a report if a schedule broke the service, or if some
    were left out."""
    columns = columns_of(COLUMNS_IN_PYTEST)
    shown = explored.failure and report(explored.failure, "", lines, columns)
    # From one line, because Hypothesis distinguishes failures by where they come from.
    assert explored.ended, shown.plain if shown else "not every schedule was tried"
