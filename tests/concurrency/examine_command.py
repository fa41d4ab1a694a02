"""Examines somebody's wallets for the command, and reports: in words, JSON or JUnit."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.concurrency.examine import Examined, Verdict, examine
from tests.concurrency.lanes import lanes
from tests.concurrency.subject import NAMES, OPENED, NoSubject
from tests.concurrency.trace import filled
from tests.junit import Case, Failure, junit
from tests.lanes import FATAL


def source_of(text: str) -> tuple[Path, str]:
    """Return the file and the class of `FILE.py`, `FILE.py:CLASS` or `MODULE:CLASS`.

    Raises argparse.ArgumentTypeError.
    """
    where, _, cls = text.partition(":")
    if where.endswith(".py"):
        path = Path(where)
    else:
        try:
            spec = importlib.util.find_spec(where)
        except (ImportError, ValueError):
            spec = None
        if spec is None or spec.origin is None:
            raise argparse.ArgumentTypeError(f"there is no module {where!r}")
        path = Path(spec.origin)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {where!r}")
    return path, cls


def name_of(text: str) -> tuple[str, str]:
    """Return the two sides of `add=put_money`."""
    kind, equals, name = text.partition("=")
    if not equals or kind not in NAMES or not name.isidentifier():
        kinds = ", ".join(NAMES)
        raise argparse.ArgumentTypeError(f"must be as add=put_money, for {kinds}")
    return kind, name


def run(
    console: Console, arguments: argparse.Namespace, show: Callable[[str], None]
) -> int:
    """Examine a subject and report; 1 says that it is wrong. What it prints is left
    out.

    Raises NoSubject, and what the file raises where it is imported.
    """
    path, cls = arguments.subject
    started = time.monotonic()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        try:
            examined = examine(
                path,
                cls,
                dict(arguments.called),
                seconds=arguments.seconds,
                preemptions=arguments.preemptions,
                progress=lambda so_far: show(
                    f"{path.name}: {tried(so_far.programs, so_far.schedules)}"
                ),
            )
        except SystemExit as error:  # else its status would be the verdict
            raise NoSubject("it ends the program") from error
    seconds = time.monotonic() - started
    if arguments.junit:
        case = as_case(path, examined, seconds)
        arguments.junit.write_bytes(junit("tests.concurrency", [case]))
    if arguments.json:
        print(json.dumps(as_json(path, examined, seconds), indent=2))
    else:
        bound = "equivalence"
        if arguments.preemptions is not None:
            bound = _counted(arguments.preemptions, "preemption")
        report = in_words(path, examined, seconds, console.width, bound)
        console.print(report, soft_wrap=True)
    return 0 if examined.verdict is Verdict.HELD else 1


def in_words(
    path: Path,
    examined: Examined,
    seconds: float,
    columns: int,
    bound: str = "equivalence",
) -> Text:
    """Return the report: what lost money, its trace, and how much was tried."""
    failure = examined.failure
    extent = f"{tried(examined.programs, examined.schedules)} in {seconds:.1f} s"
    if failure is None:
        held = f"{path.name} held"
        said = f"{held}: {extent}, each up to {bound}."
        if not examined.ended:
            said = f"{held} so far: {extent}. Then the time was up"
            if examined.calls_tried:
                calls = _counted(examined.calls_tried, "call")
                said += f"; all programs of up to {calls} were tried"
            said += "."
        text = Text(filled(said, columns))
        text.stylize("bold green", 0, len(held))
        return text.append(
            "\n" + filled(_called(examined), columns), "not bold default"
        )
    text = Text(f"{path.name}: {examined.verdict}\n\n", FATAL)
    opened = ", ".join(f"{name} {held}" for name, held in OPENED.items())
    text.append(f"At first: {opened}\n\n", "not bold default")
    text.append(lanes(failure, columns)).append("\n\n")
    wrong = "\n".join(filled(line, columns) for line in examined.wrong.splitlines())
    text.append(wrong, FATAL)
    text.append(f"\n\nFound in {extent}.", "dim")
    return text


def as_json(path: Path, examined: Examined, seconds: float) -> dict[str, object]:
    """Return what a program needs to know of it."""
    failure = examined.failure
    found: dict[str, object] = {}
    if failure is not None:
        found = {
            "wrong": examined.wrong,
            "calls": [
                {
                    "thread": each.thread,
                    "call": repr(each.call),
                    "answer": str(each.answer),
                }
                for each in failure.history.made
            ],
            "trace": lanes(failure, 100).plain,
        }
    return {
        "subject": str(path),
        "verdict": str(examined.verdict),
        "ended": examined.ended,
        "calls_tried": examined.calls_tried,
        "programs": examined.programs,
        "schedules": examined.schedules,
        "called": list(examined.called),
        "missing": list(examined.missing),
        "seconds": round(seconds, 3),
        **found,
    }


def as_case(path: Path, examined: Examined, seconds: float) -> Case:
    """Return the case of a JUnit report."""
    if examined.failure is None:
        return Case(path.name, seconds)
    message = examined.wrong.partition("\n")[0]
    text = in_words(path, examined, seconds, 100).plain
    return Case(path.name, seconds, Failure(str(examined.verdict), message, text))


def _called(examined: Examined) -> str:
    """Return what was called, and what may be there under a name that nobody knows."""
    said = f"Called: {', '.join(examined.called)}."
    if not examined.missing:
        return said
    missing = examined.missing[0]
    names = ", ".join(examined.missing)
    return f"{said} Not found: {names}; if it is there, --called {missing}=NAME."


def tried(programs: int, schedules: int) -> str:
    """Return how much was explored, in words."""
    return f"{_counted(programs, 'program')} under {_counted(schedules, 'schedule')}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
