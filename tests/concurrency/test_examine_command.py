"""`python -m tests.concurrency --subject`, as a person and a script use it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.concurrency import __main__ as command
from tests.concurrency.examine import Examined, examine
from tests.concurrency.examine_command import in_words
from tests.documents import blocks
from tests.junit_schema import validate
from tests.server import PROJECT

README = Path(__file__).with_name("README.md")
SUBJECTS = Path(__file__).with_name("subjects")
WRONG = SUBJECTS / "check_outside.py"

HELD = """
class Wallet:
    def __init__(self): self.seen = []
    def add(self, n):
        self.seen.append(n)
"""

Written = Callable[[str], Path]


@pytest.fixture(autouse=True)
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Return a function that writes a file."""

    def write(text: str) -> Path:
        path = tmp_path / "my_wallet.py"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def run(
    capsys: pytest.CaptureFixture[str], subject: Path | str, *words: str
) -> tuple[int, str, str]:
    """Return the exit status, and what was printed on stdout and on stderr."""
    try:
        status = command.main(["--subject", str(subject), *words])
    except SystemExit as end:
        status = int(end.code or 0)
    return status, *capsys.readouterr()


# What it says


def test_0_says_that_it_held_and_how_far_it_was_tried(
    capsys: pytest.CaptureFixture[str], written: Written
) -> None:
    status, out, _ = run(capsys, written(HELD))
    assert status == 0
    said = " ".join(out.split())
    assert said.startswith("my_wallet.py held: 5 programs under ")
    assert "each up to equivalence." in said
    assert said.endswith(
        "Called: add. Not found: deduct, transfer, balance, history; "
        "if it is there, --called deduct=NAME."
    )


def test_a_bound_is_said(capsys: pytest.CaptureFixture[str], written: Written) -> None:
    _, out, _ = run(capsys, written(HELD), "--preemptions", "1")
    assert " ".join(out.split()).count("each up to 1 preemption.") == 1


def test_1_says_that_it_is_wrong_in_lines_that_fit_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, _ = run(capsys, WRONG)
    assert status == 1
    lines = out.splitlines()
    assert lines[0] == "check_outside.py: lost money"
    assert "20 is spent that was not there: asha should have 40 and has -20." in lines
    assert "----- here thread 0 is stopped, and thread 1 runs -----" in out
    assert max(map(len, lines)) <= 80


def test_a_deadlock_says_who_waits_for_what(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, _ = run(capsys, SUBJECTS / "unsorted_locks.py")
    assert status == 1
    assert out.startswith("unsorted_locks.py: deadlock\n")
    assert "waits for" in out
    assert max(map(len, out.splitlines())) <= 80


def test_when_the_time_is_up_nothing_else_is_claimed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, _ = run(capsys, SUBJECTS / "one_lock.py", "--seconds", "0.01")
    assert status == 0
    assert out.startswith("one_lock.py held so far: ")
    assert "Then the time was up" in " ".join(out.split())


def test_when_the_time_is_up_it_says_how_many_calls_were_tried_in_every_way() -> None:
    so_far: list[Examined] = []
    examined = examine(SUBJECTS / "counter.py", progress=so_far.append)
    assert examined.calls_tried == 3
    tried = [each.calls_tried for each in so_far]
    assert tried == sorted(tried) and {*tried} == {0, 1, 2}
    cut = replace(so_far[-1], ended=False)
    said = " ".join(in_words(Path("counter.py"), cut, 60, 80).plain.split())
    assert "the time was up; all programs of up to 2 calls were tried." in said


def test_what_a_subject_prints_is_left_out(
    capsys: pytest.CaptureFixture[str], written: Written
) -> None:
    path = written(f"print('imported')\n{HELD}        print('added')\n")
    status, out, err = run(capsys, path, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["verdict"] == "held"


# What scripts read


def test_json_has_the_verdict_the_calls_and_the_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, _ = run(capsys, WRONG, "--json")
    assert status == 1
    found = json.loads(out)
    assert found["verdict"] == "lost money"
    assert found["subject"] == str(WRONG)
    assert [each["call"] for each in found["calls"]] == ["withdraw(asha, 60)"] * 2
    assert {each["thread"] for each in found["calls"]} == {0, 1}
    assert found["trace"].startswith("step  thread 0")
    assert found["wrong"].startswith("20 is spent")
    assert found["schedules"] >= found["programs"] > 0


def test_json_of_what_held_has_no_trace(
    capsys: pytest.CaptureFixture[str], written: Written
) -> None:
    _, out, _ = run(capsys, written(HELD), "--json")
    found = json.loads(out)
    assert (found["verdict"], found["ended"]) == ("held", True)
    assert not {"calls", "trace", "wrong"} & set(found)


def test_junit_has_one_case_that_fails_or_does_not(
    capsys: pytest.CaptureFixture[str], written: Written, tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    for subject, count in ((WRONG, 1), (written(HELD), 0)):
        run(capsys, subject, "--junit", str(report))
        validate(report.read_bytes())
        root = ElementTree.parse(report).getroot()
        [suite] = root.findall("testsuite")
        [case] = suite.findall("testcase")
        failures = case.findall("failure")
        assert case.get("name") == subject.name
        assert (suite.get("tests"), suite.get("failures")) == ("1", str(count))
        assert len(failures) == count
    run(capsys, WRONG, "--junit", str(report))
    [failure] = ElementTree.parse(report).getroot().iter("failure")
    assert failure.get("type") == "lost money"
    assert str(failure.get("message")).startswith("20 is spent")
    assert "here thread 0 is stopped" in str(failure.text)


# What is no subject


NOT_EXAMINED = {
    "no wallets": ("x = 1", "neither add nor deduct nor transfer"),
    "no Python": ("def add(:", "SyntaxError: invalid syntax (my_wallet.py, line 1)"),
    "raises": ("raise RuntimeError('no\\nbase')", r"RuntimeError: no\nbase"),
    "leaves": ("raise SystemExit(0)", "it ends the program"),
    "leaves in a call": (
        "def add(name, n):\n    if name: raise SystemExit(0)",
        "it ends the program",
    ),
    "needs a pool": (
        "from concurrent.futures import ThreadPoolExecutor",
        "concurrent.futures does not run under the scheduler",
    ),
    "imports from its package": (
        "from .models import Wallet",
        "ImportError: the file is loaded alone, so a relative import fails",
    ),
    "asks somebody": ("limit = int(input('How many? '))", "nobody answers input()"),
    "controls the terminal": (
        "raise RuntimeError('\\x1b[2J')",
        r"RuntimeError: \x1b[2J",
    ),
}


@pytest.mark.parametrize(("text", "said"), NOT_EXAMINED.values(), ids=NOT_EXAMINED)
def test_2_says_in_one_line_why_nothing_was_examined(
    capsys: pytest.CaptureFixture[str], written: Written, text: str, said: str
) -> None:
    status, out, err = run(capsys, written(text))
    assert (status, err) == (2, "")
    assert out.startswith("Cannot examine that: ")
    assert said in " ".join(out.split())
    assert out.count("\n") <= 2


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("no_such_file.py", "there is no file 'no_such_file.py'"),
        ("no_such_module", "there is no module 'no_such_module'"),
        ("no.such.module:Wallet", "there is no module 'no.such.module'"),
        ("", "there is no module ''"),
        (":Wallet", "there is no module ''"),
        ("sys", "there is no file 'sys'"),
    ],
)
def test_2_says_that_there_is_no_such_file(
    capsys: pytest.CaptureFixture[str], subject: str, said: str
) -> None:
    status, out, err = run(capsys, subject)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].endswith(said)


@pytest.mark.parametrize("called", ["add", "add=", "pour=add", "add=1+1"])
def test_2_says_how_a_name_is_given(
    capsys: pytest.CaptureFixture[str], called: str
) -> None:
    status, _, err = run(capsys, WRONG, "--called", called)
    assert status == 2
    assert "must be as add=put_money, for create, add, deduct" in err


# What is examined


def test_a_module_and_its_class_can_be_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, _ = run(capsys, "tests.concurrency.subjects.check_outside")
    assert (status, out.splitlines()[0]) == (1, "check_outside.py: lost money")
    status, out, _ = run(capsys, "tests.concurrency.subjects.woken_once:Wallet")
    assert (status, out.splitlines()[0]) == (1, "woken_once.py: lost money")
    status, out, _ = run(capsys, f"{WRONG}:Nobody")
    assert (status, "there is no class 'Nobody'" in out) == (2, True)


def test_a_name_that_is_said_is_called(
    capsys: pytest.CaptureFixture[str], written: Written
) -> None:
    path = written(
        """\
        class Wallet:
            def __init__(self): self.balance = 0
            def pour(self, n): self.balance += n
        """
    )
    assert run(capsys, path)[0] == 2
    status, out, _ = run(capsys, path, "--called", "add=pour")
    assert status == 1
    assert "pour(asha, 60)" in out


REFUSALS = {
    "words": "return 'Insufficient funds'",
    "None": "return None",
    "a dict": "return {'ok': False}",
    "False": "return False",
    "an exception": "raise ValueError('insufficient funds')",
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_may_be_said_in_any_way(
    capsys: pytest.CaptureFixture[str], written: Written, refusal: str
) -> None:
    path = written(
        f"""\
        import threading
        class Wallet:
            def __init__(self):
                self.balance, self.lock = 0, threading.Lock()
            def add(self, n):
                with self.lock: self.balance += n
            def deduct(self, n):
                with self.lock:
                    if self.balance < n: {refusal}
                    self.balance -= n
        """
    )
    status, out, _ = run(capsys, path, "--preemptions", "0")
    assert (status, out.split(":")[0]) == (0, "my_wallet.py held")


def test_a_refusal_that_has_changed_something_is_wrong(
    capsys: pytest.CaptureFixture[str], written: Written
) -> None:
    path = written(
        """\
        class Wallet:
            def __init__(self): self.balance = 0
            def add(self, n): self.balance += n
            def deduct(self, n):
                self.balance -= n
                if self.balance < 0: raise ValueError("insufficient funds")
        """
    )
    status, out, _ = run(capsys, path)
    assert (status, out.splitlines()[0]) == (1, "my_wallet.py: not atomic")
    assert "asha should have 100 and has -400" in " ".join(out.split())


def test_nothing_that_a_subject_says_controls_the_terminal(
    capsys: pytest.CaptureFixture[str], written: Written, tmp_path: Path
) -> None:
    path = written(
        """\
        class Wallet:
            def __init__(self): self.balance, self.text = 0, ""
            def add(self, n):
                self.text = "\\x1b[2J\\n"
                self.balance += n
            def transfer(self, other, n):
                raise ValueError("\\x1b[2J\\r\\n\\u202e \x9b")
        """
    )
    report = tmp_path / "report.xml"
    for words in ((), ("--json",), ("--junit", str(report))):
        status, out, err = run(capsys, path, *words)
        assert status == 1
        assert all(each.isprintable() for each in (out + err).replace("\n", ""))
    [failure] = ElementTree.parse(report).getroot().iter("failure")
    assert r"self.text = \x1b[2J\n" in str(failure.text)


def test_not_even_the_name_of_a_thread_that_is_waited_for_does(
    capsys: pytest.CaptureFixture[str], written: Written
) -> None:
    path = written(
        """\
        import threading
        class Wallet:
            def add(self, n):
                wait = threading.Event().wait
                worker = threading.Thread(target=wait, name="\\x1b[2J")
                worker.start()
                if n < 100: worker.join()
        """
    )
    status, out, _ = run(capsys, path)
    assert (status, out.splitlines()[0]) == (1, "my_wallet.py: deadlock")
    assert r"the end of \x1b[2J" in " ".join(out.split())
    assert "\x1b" not in out


def test_an_exception_that_no_call_raises_alone_is_a_crash(
    capsys: pytest.CaptureFixture[str], written: Written
) -> None:
    path = written(
        """\
        class Wallet:
            def __init__(self):
                self.balance, self.is_busy = 0, False
            def add(self, n):
                if self.is_busy: raise RuntimeError("\\x1b[31mbusy")
                self.is_busy = True
                self.balance += n
                self.is_busy = False
        """
    )
    status, out, _ = run(capsys, path)
    assert (status, out.splitlines()[0]) == (1, "my_wallet.py: crashed")
    assert "\x1b" not in out
    said = " ".join(out.split())
    assert r"add(asha, 60) raised RuntimeError: \x1b[31mbusy." in said


def test_the_readme_shows_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    shown = next(each for each in blocks(README, "console") if "--subject" in each)
    typed, _, report = shown.partition("\n")
    assert command.main(typed.split("tests.concurrency ")[1].split()) == 1
    printed = capsys.readouterr().out
    seconds = re.compile(r" in \d+\.\d s\.")
    assert seconds.sub("", printed) == seconds.sub("", report)


def test_the_python_of_the_readme_finds_the_lost_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    exec(next(each for each in blocks(README, "python") if "explore(" in each), {})
    assert capsys.readouterr().out.count("self.value = 1") == 2
