"""The command: `python -m tests.concurrency` shows what the suite can find."""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tests.concurrency import examine_command
from tests.concurrency.difference import difference
from tests.concurrency.examine import SECONDS
from tests.concurrency.examine_command import name_of, source_of, tried
from tests.concurrency.execution import Execution, Laboratory
from tests.concurrency.hunt import hunt, preemptions_in
from tests.concurrency.judge import IN_TURN
from tests.concurrency.lanes import lanes
from tests.concurrency.mutants import MUTANTS, Mutant
from tests.concurrency.one_file import OPENED, OneFile
from tests.concurrency.programs import Program, program_from, schedule_from
from tests.concurrency.scheduler import Diverged, Schedule
from tests.concurrency.trace import columns_of, filled, report, verdict
from tests.lanes import LANE_MIN, printable

SERVICE_SECONDS = 30.0
SERVICE_THREADS = 3
EXAMPLES, EXAMPLES_BY_LINE = 200, 5
"""Programs of one seed: between two looks at the time it takes some seconds."""

SENTENCE_COLUMNS = 200
"""In a pipe, where a sentence is one line, as grep needs it."""

PROGRESS_COLUMNS, PROGRESS_SECONDS = 79, 0.1


class ProgressLine:
    """A line on the terminal's stderr that is written over again and again; if stderr
    is no terminal, nothing."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._due = 0.0

    def show(self, text: Callable[[], str]) -> None:
        if self._is_shown and time.monotonic() >= self._due:
            self._due = time.monotonic() + PROGRESS_SECONDS
            self._write(text()[:PROGRESS_COLUMNS].ljust(PROGRESS_COLUMNS))

    def clear(self) -> None:
        if self._is_shown:
            self._write(" " * PROGRESS_COLUMNS + "\r")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text}")
        sys.stderr.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 says that all came out as it should."""
    arguments = _arguments(argv)
    console = Console(highlight=False, width=columns_of())
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    mutant = MUTANTS[arguments.name] if arguments.name else None
    if arguments.replay is not None:
        return _replay(console, mutant, arguments.lines, *arguments.replay)
    if arguments.subject is not None:
        return _subject(console, arguments)
    if arguments.code is not None:
        file, code = arguments.code
        return _code(console, file, code, arguments.preemptions or 1)
    if arguments.service is not None:
        return _service(console, seed, arguments.service, arguments.lines)
    if arguments.all:
        return _all(console, seed)
    if mutant is not None and arguments.diff:
        return _diff(console, mutant)
    if mutant is not None:
        return _one(console, seed, mutant)
    return _list(console)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.concurrency",
        description="Hunt for the schedule that makes a wallet service lose money: "
        "in the service with a seeded bug, or in the service as it is. Without "
        "arguments, list the seeded bugs.",
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="plant this bug, find it, and show how it comes about",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--all", action="store_true", help="find every seeded bug, and report the times"
    )
    what.add_argument(
        "--diff",
        action="store_true",
        help="show the bug NAME as a diff against the real code",
    )
    what.add_argument(
        "--service",
        nargs="?",
        type=_seconds,
        const=SERVICE_SECONDS,
        metavar="SECONDS",
        help="explore the service as it is, with a fresh seed, for so long "
        f"({SERVICE_SECONDS:g})",
    )
    parser.add_argument(
        "--seed", type=int, help="of the programs that are drawn, to see them again"
    )
    what.add_argument(
        "--replay",
        nargs=2,
        metavar=("PROGRAM", "SCHEDULE"),
        help="run one program under one schedule, as a failure prints them",
    )
    what.add_argument(
        "--code",
        nargs="+",
        metavar=("FILE", "CALL"),
        help="explore the wallets of a file that you have written: each CALL in a "
        "thread of its own, switched between lines",
    )
    what.add_argument(
        "--subject",
        type=source_of,
        metavar="FILE[:CLASS]",
        help="examine the wallets of a file, or of MODULE:CLASS: which few calls lose "
        "money, and under which schedule",
    )
    parser.add_argument(
        "--called",
        type=name_of,
        action="append",
        default=[],
        metavar="KIND=NAME",
        help="what --subject calls create, add, deduct, transfer, balance or history "
        "there, if the name is not found by itself",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=SECONDS,
        help=f"when --subject stops at the latest ({SECONDS:g})",
    )
    parser.add_argument(
        "--preemptions",
        type=int,
        help="how often a thread is stopped in one run; --code stops one once, "
        "--subject tries every schedule up to equivalence",
    )
    parser.add_argument(
        "--json", action="store_true", help="report what --subject found as JSON"
    )
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="write a JUnit report of --subject"
    )
    parser.add_argument(
        "--lines",
        action="store_true",
        help="explore or replay with each line as a switch point",
    )
    arguments = parser.parse_args(argv)
    if arguments.name and arguments.name not in MUTANTS:
        parser.error(
            f"no seeded bug has the name {arguments.name!r}; "
            "without arguments, the command lists them"
        )
    if arguments.name and (arguments.all or arguments.service or arguments.code):
        parser.error("a NAME goes with --diff, --replay and --seed only")
    if arguments.diff and not arguments.name:
        parser.error("--diff needs the NAME of a seeded bug")
    if arguments.lines and not (arguments.replay or arguments.service):
        parser.error("--lines goes with --replay and --service only")
    if arguments.code:
        file, *calls = arguments.code
        if not calls:
            parser.error("--code needs a FILE and at least one CALL")
        try:
            arguments.code = file, OneFile(Path(file), calls)
        except Exception as error:  # noqa: BLE001 - whatever was written is no code
            parser.error(f"cannot run that: {error}")
    if arguments.replay:
        try:
            program, schedule = arguments.replay
            arguments.replay = program_from(program), schedule_from(schedule)
        except Exception as error:  # noqa: BLE001 - whatever has been typed is no program
            parser.error(f"cannot read that: {error}")
    return arguments


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < float(text) <= 86_400:
            return float(text)
    raise argparse.ArgumentTypeError("must be more than 0, and up to a day")


def _list(console: Console) -> int:
    columns = columns_of(SENTENCE_COLUMNS)
    _print(console, Text(f"{len(MUTANTS)} bugs that can be seeded here:\n", "bold"))
    indent = max(map(len, MUTANTS)) + 2
    for mutant in MUTANTS.values():
        bug = textwrap.wrap(mutant.bug, max(columns - indent, LANE_MIN))
        row = Text(mutant.name.ljust(indent), "bold cyan")
        _print(console, row.append(f"\n{' ' * indent}".join(bug), "not bold default"))
    console.print()
    _say(console, "Give a NAME to find that bug; --help shows what else there is.")
    return 0


def _one(console: Console, seed: int, mutant: Mutant) -> int:
    """Hunt one bug down and show it."""
    _title(console, mutant)
    laboratory = Laboratory(lines=mutant.lines)
    failure = _caught(laboratory, mutant, seed)
    if failure is None:
        console.print(f"[bold red]Not found[/] in {_tried(laboratory)}, seed {seed}.")
        return 1
    _print(console, report(failure, mutant.name, mutant.lines, console.width))
    console.print(f"\n[dim]Found in {_tried(laboratory)}, seed {seed}.[/]")
    return 0


def _title(console: Console, mutant: Mutant) -> None:
    _say(console, f"{mutant.name}: {mutant.bug}", len(mutant.name), "bold")
    console.print()


def _say(console: Console, text: str, end: int = 0, style: str = "") -> None:
    """Print a sentence, wrapped at spaces; its first words in a style."""
    said = Text(filled(text, columns_of(SENTENCE_COLUMNS)))
    said.stylize(style, 0, end)
    _print(console, said)


def _print(console: Console, text: Text) -> None:
    """Print what is as wide as it should be."""
    console.print(text, soft_wrap=True)


def _diff(console: Console, mutant: Mutant) -> int:
    """Show one bug as a diff against the real code."""
    _title(console, mutant)
    for line in difference(mutant).splitlines():
        style = {"-": "red", "+": "green", "@": "dim"}.get(line[:1], "")
        if line.startswith(("--- ", "+++ ")):
            style = "bold"
        _print(console, Text(line, style))
    return 0


def _all(console: Console, seed: int) -> int:
    """Hunt every bug down and report how long each took."""
    table = Table("bug", "found", box=None, pad_edge=False)
    for column in ("calls", "preemptions", "programs", "schedules", "seconds"):
        table.add_column(column, justify="right")
    missed = 0
    for number, mutant in enumerate(MUTANTS.values(), 1):
        laboratory = Laboratory(lines=mutant.lines)
        started = time.monotonic()
        failure = _caught(laboratory, mutant, seed, f"{number} of {len(MUTANTS)}: ")
        missed += failure is None
        table.add_row(
            mutant.name,
            "[bold red]no[/]" if failure is None else "[green]yes[/]",
            "" if failure is None else str(failure.program.calls),
            "" if failure is None else str(len(failure.preempted)),
            f"{laboratory.programs:,}",
            f"{laboratory.schedules:,}",
            f"{time.monotonic() - started:.1f}",
        )
    console.print(table)
    console.print(f"\n[dim]seed {seed}[/]")
    return 1 if missed else 0


def _service(console: Console, seed: int, seconds: float, lines: bool) -> int:
    """Explore the service as it is, with one seed after the other."""
    started = time.monotonic()
    laboratory = Laboratory(lines=lines)
    examples = EXAMPLES_BY_LINE if lines else EXAMPLES

    def so_far() -> str:
        passed = time.monotonic() - started
        return f"{passed:.0f} of {seconds:.0f} s: {_tried(laboratory)}"

    for each in itertools.count(seed):
        with _progress(laboratory, so_far):
            failure = hunt(laboratory, each, examples, SERVICE_THREADS)
        passed = time.monotonic() - started
        if failure is not None:
            _print(console, report(failure, "", lines, console.width))
            console.print(f"\n[bold red]The service failed[/] with seed {each}.")
            return 1
        if passed > seconds:
            break
    tried = "two calls, line by line" if lines else f"up to {SERVICE_THREADS} threads"
    bound = f"{preemptions_in(laboratory)} preemption{'s' * lines}"
    _say(
        console,
        f"All held: {_tried(laboratory)} in {passed:.0f} s, "
        f"{laboratory.schedules / passed:,.0f} schedules each second; {tried}, "
        f"every schedule with up to {bound}; seeds {seed} to {each}.",
        len("All held"),
        "bold green",
    )
    return 0


def _code(console: Console, file: str, code: OneFile, preemptions: int) -> int:
    """Explore code that somebody has written; 1 says that it is wrong."""
    failure = code.failure(preemptions)
    if failure is None:
        bound = f"{preemptions} preemption{'s' * (preemptions != 1)}"
        held = f"{file} held: all {code.schedules:,} schedules with up to {bound}."
        _say(console, held, len(f"{file} held"), "bold green")
        _say(console, f"{IN_TURN}, they answer: {' / '.join(code.answers())}.")
        return 0
    opened = ", ".join(f"{name} {held}" for name, held in OPENED.items())
    console.print(f"At first: {opened}\n")
    _print(console, lanes(failure, console.width))
    console.print()
    _print(console, verdict(failure.wrong, console.width))
    return 1


def _subject(console: Console, arguments: argparse.Namespace) -> int:
    """Examine somebody's wallets; 1 says that they are wrong, 2 that there are none."""
    line = ProgressLine()
    try:
        return examine_command.run(
            console, arguments, lambda text: line.show(lambda: text)
        )
    except Exception as error:  # noqa: BLE001 - whatever the file does, it is no wallet
        console.print(
            f"[bold red]Cannot examine that[/]: {type(error).__name__}: "
            f"{escape(printable(str(error)))}"
        )
        return 2
    finally:
        line.clear()


def _replay(
    console: Console,
    mutant: Mutant | None,
    lines: bool,
    program: Program,
    schedule: Schedule,
) -> int:
    """Run one program under one schedule; 1 says that it fails."""
    laboratory = Laboratory(lines=lines)
    with mutant.planted() if mutant else nullcontext(), laboratory.open():
        try:
            execution = laboratory.execute(program, schedule)
        except Diverged as error:
            console.print(f"The program does not follow this schedule: {error}.")
            return 2
    name = mutant.name if mutant else ""
    _print(console, report(execution, name, lines, console.width))
    return 0 if execution.wrong is None else 1


def _caught(
    laboratory: Laboratory, mutant: Mutant, seed: int, prefix: str = ""
) -> Execution | None:
    def so_far() -> str:
        return f"{prefix}hunting {mutant.name}, {_tried(laboratory)}"

    with mutant.planted(), _progress(laboratory, so_far):
        return hunt(laboratory, seed)


@contextmanager
def _progress(laboratory: Laboratory, so_far: Callable[[], str]) -> Iterator[None]:
    """Show how far a hunt has come, for as long as the block takes."""
    line = ProgressLine()
    laboratory.progress = lambda: line.show(so_far)
    try:
        yield
    finally:
        line.clear()


def _tried(laboratory: Laboratory) -> str:
    return tried(laboratory.programs, laboratory.schedules)


if __name__ == "__main__":
    sys.exit(main())
