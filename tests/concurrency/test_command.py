"""`python -m tests.concurrency`, as a person uses it."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.concurrency import __main__ as command
from tests.concurrency.__main__ import PROGRESS_COLUMNS
from tests.concurrency.mutants import MUTANTS
from tests.concurrency.trace import interpreter
from tests.server import PROJECT, TIMEOUT_SECONDS

pytestmark = pytest.mark.slow

CROSSING = (
    "Program({'asha': 100}, [Add('asha', 60)], [Add('asha', 60)])",
    "{2: 1}",
)


@pytest.fixture(autouse=True)
def in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Return the exit status and what was printed, also on stderr."""
    try:
        status = command.main(words)
    except SystemExit as end:
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out + err


def test_it_lists_each_bug_in_one_line_with_what_goes_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, printed = run(capsys)
    assert status == 0
    title, _, *lines = printed.splitlines()
    assert title == f"{len(MUTANTS)} bugs that can be seeded here:"
    for line, mutant in zip(lines, MUTANTS.values(), strict=False):
        assert line.split(maxsplit=1) == [mutant.name, mutant.bug]


def test_on_a_terminal_what_goes_wrong_is_a_column(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, printed = run(capsys)
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 80
    column = lines[2].index("Nobody")
    rows = lines[2 : lines.index("", 2)]
    assert all(row[:column].strip() in {"", *MUTANTS} for row in rows)
    assert {row[column - 2 : column] for row in rows} == {"  "}
    assert {" ".join(row[column:] for row in rows)} == {
        " ".join(mutant.bug for mutant in MUTANTS.values())
    }


def test_hunting_shows_its_progress_on_a_terminal_and_in_no_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command.main(["lost-update", "--seed", "0"])
    piped = capsys.readouterr()
    assert piped.err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    command.main(["lost-update", "--seed", "0"])
    terminal = capsys.readouterr()
    assert terminal.out == piped.out
    _, *shown, cleared, rest = terminal.err.split("\r")
    assert shown and rest == "" and not cleared.strip()
    assert shown[0].rstrip() == "hunting lost-update, 1 program under 1 schedule"
    assert {len(each) for each in (*shown, cleared)} == {PROGRESS_COLUMNS}


def test_a_name_shows_the_program_the_lanes_and_the_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, printed = run(capsys, "double-spend", "--seed", "0")
    assert status == 0
    assert MUTANTS["double-spend"].bug in printed
    assert "At first: asha 100" in printed
    assert "thread 0" in printed and "thread 1" in printed
    assert "deduct(asha, 60)" in printed
    assert "reads asha: 100" in printed and "writes asha: -20" in printed
    assert printed.count("here thread 0 is stopped, and thread 1 runs") == 1
    assert "\n60 is lost" not in printed
    assert (
        "\n20 is spent that was not there: asha should have 40 and has -20." in printed
    )
    assert "answered -60, balance -20.\nOne call at a time: -60, balance 40" in printed
    assert "\x1b" not in printed


def test_what_is_printed_shows_the_same_failure_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, printed = run(capsys, "lost-update", "--seed", "0")
    shown = printed[printed.index("At first") : printed.index("\n\nFound in")]
    words = shlex.split(shown.splitlines()[-1])
    assert words[1:3] == ["-m", "tests.concurrency"]
    ran = subprocess.run(
        words,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    assert ran.returncode == 1
    assert ran.stdout.strip() == shown


def test_the_readme_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    readme = Path(__file__).with_name("README.md").read_text()
    shown = readme.split("```console\n")[1].split("```")[0]
    command_line, _, shown = shown.partition("\n")
    _, printed = run(capsys, *command_line.split()[4:])
    printed = printed.replace(interpreter(), ".venv/bin/python")
    assert without_line_numbers(printed) == without_line_numbers(shown)
    for name in re.findall(r"`(\w+\.py)`", readme):
        assert Path(__file__).with_name(name).exists(), name


def without_line_numbers(text: str) -> str:
    """Return a trace as it is wherever in its file a line of code stands."""
    return re.sub(r"\.py:\d+", ".py", text)


def test_a_bug_between_lines_shows_the_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, printed = run(capsys, "history-outside-the-lock", "--seed", "0")
    assert status == 0
    assert "history.append(transaction)" in printed
    assert printed.count("is stopped, and") == 1
    words = shlex.split(printed[printed.index("python -m") :].splitlines()[0])
    status, again = run(capsys, *words[3:])
    assert status == 1
    assert again.strip() in printed


@pytest.mark.parametrize("name", MUTANTS)
def test_each_bug_is_shown_as_a_diff_against_the_real_code(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    status, printed = run(capsys, name, "--diff")
    assert status == 0
    assert printed.startswith(f"{name}: {MUTANTS[name].bug}\n")
    lines = printed.splitlines()
    real = [line.split()[1] for line in lines if line.startswith("--- ")]
    wrong = [line.split()[1:] for line in lines if line.startswith("+++ ")]
    changed = re.findall(r"^[+-](?![+-]).*\S", printed, re.M)
    assert real and changed
    for file in real:
        assert file.startswith("wallet_app/") and (PROJECT / file).exists()
    for file, method in wrong:
        assert file == "tests/concurrency/mutants.py"
        assert method.split(".")[0] == MUTANTS[name].methods.__name__
    assert run(capsys, name, "--diff") == (0, printed), "twice the same"


def test_all_shows_what_each_took(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {name: MUTANTS[name] for name in ("lost-update", "self-transfer")}
    monkeypatch.setattr(command, "MUTANTS", some)
    status, printed = run(capsys, "--all", "--seed", "0")
    assert status == 0
    rows = [line.split() for line in printed.splitlines()]
    assert rows[0] == [
        *("bug", "found", "calls", "preemptions", "programs", "schedules", "seconds")
    ]
    assert rows[1][:4] == ["lost-update", "yes", "2", "1"]
    assert rows[2][:4] == ["self-transfer", "yes", "1", "0"]
    with patch.object(command, "hunt", return_value=None):
        status, printed = run(capsys, "--all")
    assert status == 1
    assert "lost-update    no" in printed


def test_the_service_holds_for_as_long_as_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "EXAMPLES", 10)
    status, printed = run(capsys, "--service", "0.1", "--seed", "7")
    assert status == 0
    assert printed.startswith("All held: ")
    assert "programs under" in printed and "seeds 7 to" in printed
    assert "up to 3 threads, every schedule with up to 1 preemption;" in printed


def test_the_service_is_explored_line_by_line_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "EXAMPLES_BY_LINE", 1)
    status, printed = run(capsys, "--service", "0.1", "--lines", "--seed", "7")
    assert status == 0
    assert "line by line, every schedule with up to 2 preemptions; seeds 7" in printed
    with MUTANTS["time-runs-back"].planted():
        status, printed = run(capsys, "--service", "60", "--lines", "--seed", "7")
    assert status == 1
    words = shlex.split(printed[printed.index("python -m") :].splitlines()[0])
    assert "--lines" in words
    with MUTANTS["time-runs-back"].planted():
        assert run(capsys, *words[3:])[0] == 1


def test_a_service_that_fails_is_shown_with_its_seed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with MUTANTS["lost-update"].planted():
        status, printed = run(capsys, "--service", "60", "--seed", "7")
    assert status == 1
    assert "here thread 0 is stopped" in printed
    assert "The service failed with seed 7." in printed


def test_a_terminal_gets_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    _, printed = run(capsys, "lost-update", "--replay", *CROSSING)
    assert "\x1b[1;31m" in printed, "the fatal switch is red"


def test_a_correct_service_has_nothing_to_show(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, printed = run(capsys, "--replay", *CROSSING)
    assert status == 0
    assert "Nothing is wrong." in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such-bug"], "no seeded bug has the name 'no-such-bug'"),
        (["no-such-bug", "--diff"], "no seeded bug has the name 'no-such-bug'"),
        (["--diff"], "--diff needs the NAME of a seeded bug"),
        (["lost-update", "--diff", "--all"], "not allowed with"),
        (["lost-update", "--diff", "--lines"], "--lines goes with"),
        (["lost-update", "--all"], "a NAME goes with"),
        (["--all", "--service"], "not allowed with"),
        (["--lines"], "--lines goes with"),
        (["lost-update", "--lines"], "--lines goes with"),
        (["--service", "0"], "more than 0"),
        (["--service", "nan"], "more than 0"),
        (["--service", "soon"], "more than 0"),
        (["--seed", "x"], "invalid int value"),
        (["--replay", "Program(", "{}"], "cannot read that"),
        (["--replay", "Add('asha', 60)", "{}"], "that is no program"),
        (["--replay", "__import__('os')", "{}"], "cannot read that"),
        (["--replay", CROSSING[0], "[1]"], "a schedule is {step: thread}"),
        (["--replay", CROSSING[0], "{'a': True}"], "a schedule is {step: thread}"),
        (["--replay", CROSSING[0], "{2: 7}"], "thread 7 cannot make step 2"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    status, printed = run(capsys, *words)
    assert status == 2
    assert said in printed
    assert "Traceback" not in printed
