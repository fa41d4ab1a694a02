"""The commands of the walkthrough show what it says that they show."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.concurrency.mutants import MUTANTS
from tests.server import PROJECT, free_port, started
from tests.walkthrough import FILE, Stage, code_after, code_spans, stages

pytestmark = pytest.mark.slow

COMMAND_SECONDS = 60
EXPLORE = 'explore() { .venv/bin/python -m tests.concurrency --code wallet.py "$@"; }'


class Command(NamedTuple):
    line: str
    stage: int
    status: int
    look_at: list[str]

    @property
    def name(self) -> str:
        return (
            f"{self.stage} {self.line.removeprefix('.venv/bin/python -m tests.')[:44]}"
        )


def commands(stage: Stage) -> list[Command]:
    """Return the commands of a stage, each with what is said to be seen."""
    run = stage.part("Run")
    lines = [line for fence in consoles(run) for line in fence.splitlines()]
    assert all(line.startswith("$ ") for line in lines), lines
    looks = re.findall(
        r"^\*\*Look at\*\* \(exit status (\d)(.*?)\n\n", run, re.M | re.S
    )
    assert len(looks) == len(lines), stage.title
    return [
        Command(line[2:], stage.number, int(status), code_spans(text))
        for line, (status, text) in zip(lines, looks, strict=True)
    ]


def consoles(text: str) -> list[str]:
    return re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S)


EXPLORED = EXPLORE.split("{ ")[1].split(' "$@"')[0]


def words_of(line: str) -> list[str]:
    python, *words = shlex.split(line.replace("explore ", f"{EXPLORED} ", 1))
    assert python == ".venv/bin/python"
    return [sys.executable, *words]


def run_line(line: str, file: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as in a pipe, whatever terminal the tests run in."""
    plain = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"}
    return subprocess.run(
        [str(file) if word == FILE else word for word in words_of(line)],
        cwd=PROJECT,
        env={name: os.environ[name] for name in os.environ.keys() - plain},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )


*EXPLORERS, JUDGE, _QUESTIONS = stages()[1:]
COMMANDS = [command for stage in EXPLORERS for command in commands(stage)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.name)
def test_a_command_shows_what_is_said_to_be_seen(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / FILE
    file.write_text(code_after(command.stage))
    look(command, file)


def look(command: Command, file: Path) -> None:
    """Run a command and see what the document says that it shows."""
    ran = run_line(command.line, file)
    assert ran.returncode == command.status, ran.stdout + ran.stderr
    assert command.look_at
    printed = " ".join(ran.stdout.replace(str(file), FILE).split())
    for seen in command.look_at:
        assert seen in printed, f"{seen!r} not in\n{ran.stdout}"


@pytest.mark.server
def test_the_server_that_was_typed_is_judged(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.write_text(code_after(JUDGE.number))
    ((_, line),) = JUDGE.fences("sh")
    program, *words, port = shlex.split(line)
    assert (program, words) == (".venv/bin/flask", ["--app", FILE, "run", "--port"])
    words[1], free = str(file), str(free_port())
    with started((sys.executable, "-m", "flask", *words, free)) as server:
        server.wait_for(f"Running on http://127.0.0.1:{free}")
        for command in commands(JUDGE):
            assert f" http://127.0.0.1:{port} --only" in command.line
            look(command._replace(line=command.line.replace(port, free)), file)


def test_every_command_explores_what_was_written_or_names_a_seeded_bug() -> None:
    assert f"```sh\n{EXPLORE}\n```" in stages()[0].text
    shown, explored = set(), set()
    for command in COMMANDS:
        _, m, package, *rest = words_of(command.line)
        assert (m, package) == ("-m", "tests.concurrency")
        if rest[:1] == ["--code"]:
            explored.add(command.stage)
        elif rest:
            assert rest[0] in MUTANTS
            shown.add(rest[0])
            assert rest[1:3] == ["--seed", "0"] or rest[1] == "--replay"
    assert explored >= {2, 3, 4, 5, 6, 8, 9, 10, 12}
    assert shown >= {
        *("lost-update", "double-spend", "unsorted-locks", "partial-transfer"),
        *("mark-outside-the-lock", "check-then-act", "torn-total"),
    }


def test_the_lines_about_floats_print_what_is_shown(tmp_path: Path) -> None:
    (shown,) = consoles(stages()[-1].text)
    lines = shown.splitlines()
    assert len(lines) == 4
    for line, printed in zip(lines[::2], lines[1::2], strict=True):
        ran = run_line(line.removeprefix("$ "), tmp_path)
        assert ran.stdout == printed + "\n"
