"""Shows one execution as lanes: a column for each thread, a row for each step.

What stands to the right is where in the code the step was made. A line across the
lanes is a switch that the schedule asked for while a thread could have run on.
"""

from __future__ import annotations

import linecache
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from tests.concurrency.execution import Execution, Exploration
from tests.concurrency.judge import in_words
from tests.concurrency.scheduler import Lock, Step
from tests.concurrency.values import name_in
from wallet_app.store import Wallet

LANE_MIN, LANE_MAX = 24, 52
COLOURS = ("cyan", "magenta", "yellow", "green")
FATAL = "bold red"


@dataclass
class Row:
    """One line of a trace; no thread means that it goes across the lanes."""

    number: int | None
    thread: int | None
    text: str
    where: str = ""
    style: str = ""


def report(execution: Execution, mutant: str = "", lines: bool = False) -> Text:
    """Return the program, its lanes, what is wrong with it, and how to see it again.

    `report(...).plain` is the same without colours.
    """
    program = execution.program
    text = Text().append("At first: ", "bold")
    text.append(", ".join(f"{name} {held}" for name, held in program.wallets.items()))
    for operation in program.before:
        text.append(f"\n          {operation}")
    text.append("\n\n").append(lanes(execution)).append("\n\n")
    if execution.wrong is None:
        text.append("Nothing is wrong.", "bold green")
    else:
        text.append(execution.wrong, FATAL)
    words = [interpreter(), "-m tests.concurrency", mutant, "--lines" if lines else ""]
    words.append(f'--replay "{program!r}" "{dict(execution.schedule)}"')
    text.append("\n\nTo see it again:\n", "bold").append(" ".join(filter(None, words)))
    return text


def interpreter() -> str:
    """Return how the Python that runs is called from the current folder."""
    path = Path(sys.executable)
    is_inside = path.is_relative_to(Path.cwd())
    return shlex.quote(str(path.relative_to(Path.cwd()) if is_inside else path))


def assert_held(explored: Exploration, lines: bool = False) -> None:
    """Raise AssertionError with a report if a schedule broke the service, or if some
    were left out."""
    shown = explored.failure and report(explored.failure, lines=lines)
    # From one line, because Hypothesis distinguishes failures by where they come from.
    assert explored.ended, shown.plain if shown else "not every schedule was tried"


def lanes(execution: Execution) -> Text:
    """Return the steps of an execution, side by side."""
    rows = _rows(execution)
    count = len(execution.program.threads)
    widths = [
        min(max([LANE_MIN, *(len(r.text) for r in rows if r.thread == i)]), LANE_MAX)
        for i in range(count)
    ]
    header = Text().append("step  ", "bold")
    for thread, width in enumerate(widths):
        header.append(f"thread {thread}".ljust(width + 2), f"bold {_colour(thread)}")
    header.rstrip()
    return Text("\n").join([header, *(_line(row, widths) for row in rows)])


def _line(row: Row, widths: list[int]) -> Text:
    if row.thread is None:
        across = f"----- {row.text} "
        return Text(across.ljust(6 + sum(widths) + 2 * len(widths), "-"), row.style)
    number = "" if row.number is None else f"{row.number:4}"
    line = Text().append(number.ljust(6), "dim")
    for thread, width in enumerate(widths):
        cell = row.text if thread == row.thread else ""
        if len(cell) > width:
            cell = cell[: width - 1] + "…"
        line.append(cell.ljust(width + 2), row.style or _colour(thread))
    line.append(row.where, "dim")
    line.rstrip()
    return line


def _colour(thread: int) -> str:
    return COLOURS[thread % len(COLOURS)]


def _rows(execution: Execution) -> list[Row]:
    preempted = execution.preempted
    rows: list[Row] = []
    number: int | None = None
    for step in execution.run.steps:
        if step.number in preempted:
            stopped = preempted[step.number].default
            text = f"here thread {stopped} is stopped, and thread {step.thread} runs"
            rows.append(Row(None, None, text, style=FATAL))
        if step.what in ("start", "call"):
            number = step.number  # shown with the call that begins here
            continue
        rows.append(_row(step, number if step.what == "invoke" else step.number))
    if execution.run.deadlock is not None:
        for waiter in execution.run.deadlock.waiters:
            text = f"waits for {waiter.lock.name} for ever"
            where = str(waiter.site.statement)
            rows.append(Row(None, waiter.thread, text, where, FATAL))
    return rows


def _row(step: Step, number: int | None) -> Row:
    where = "" if step.site is None else str(step.site.statement)
    match step.what, step.subject:
        case "invoke", operation:
            return Row(number, step.thread, str(operation), style="bold")
        case "return", result:
            return Row(number, step.thread, f"= {in_words(result)}", style="bold")
        case "acquire", Lock() as lock:
            return Row(number, step.thread, f"locks {lock.name}", where)
        case "release", Lock() as lock:
            return Row(number, step.thread, f"unlocks {lock.name}")
        case "read", Wallet() as wallet:
            text = f"reads {named(wallet)}: {step.value}"
            return Row(number, step.thread, text, where)
        case "write", Wallet() as wallet:
            text = f"writes {named(wallet)}: {step.value}"
            return Row(number, step.thread, text, where)
        case "crash", Wallet() as wallet:
            text = f"crashes, not writing {named(wallet)}: {step.value}"
            return Row(number, step.thread, text, where, style=FATAL)
        case "line", (str(file), int(line)):
            source = linecache.getline(file, line).strip()
            return Row(number, step.thread, source, f"{Path(file).name}:{line}")
    raise TypeError(f"no words for {step.what} {step.subject!r}")


def named(wallet: Wallet) -> str:
    return name_in(wallet.currency, wallet.identity.user_id)
