"""The walkthrough can be followed: its pieces are put together and run, its commands
show what it says, and its names and sums are those of this project."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.concurrency.mutants import MUTANTS
from tests.server import PROJECT, TIMEOUT_SECONDS

pytestmark = pytest.mark.slow

WALKTHROUGH = (PROJECT / "wallet_app/WALKTHROUGH.md").read_text()

TITLES = [
    "The model",
    "Add and deduct",
    "The lost update, shown",
    "The lock",
    "A transfer, and the deadlock shown",
    "Sorted locks",
    "The crash between debit and credit, shown",
    "Snapshot and restore",
    "Idempotency",
    "History and audit",
    "Questions",
]

QUESTIONS = [
    "How would you ensure **atomicity** of transfer in distributed systems?",
    "Why should money use **DECIMAL** type instead of float?",
    "How would you detect and prevent **double spending**?",
    "How would you add **transaction rollback** on failure?",
    "How would you implement **idempotency** for API calls?",
    "How would you add **limits** (daily limit, transaction limit)?",
    "How would you add **bank withdrawal & deposit integration**?",
    "How would you add **fraud detection rules**?",
]
"""In the words of the exercise."""

LINES_MAX = 25
"""As much as can be typed while people watch."""

STAGES = list(range(1, len(TITLES)))

COMMAND_SECONDS, ALARM_SECONDS = 60, 70

MEET_SECONDS = 1.0
"""How long a thread waits for one that a lock keeps away."""

LOST, LOCKED, UNSORTED, SORTED, BROKEN, RESTORED, LAST = 3, 4, 5, 6, 7, 8, 10


# How the document is read


class Stage(NamedTuple):
    title: str
    minutes: int
    text: str

    def fences(self, language: str) -> list[str]:
        found = re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.M | re.S)
        return [str(each) for each in found]

    def part(self, name: str) -> str:
        """Return what stands under a bold word, up to the next."""
        _, _, rest = self.text.partition(f"\n**{name}**")
        return re.split(r"^\*\*(?:Write|Say|Run|Open)\*\*", rest, flags=re.M)[0]


def code_spans(text: str) -> list[str]:
    """Return what stands between backticks; a line break in it is a space."""
    without_fences = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    found = re.findall(r"`([^`]+)`", without_fences)
    return [" ".join(each.split()) for each in found]


def _read() -> list[Stage]:
    """Return the stages; that which comes before the first has no minutes."""
    before, *rest = re.split(r"^## \d+\. ", WALKTHROUGH, flags=re.M)
    numbers = re.findall(r"^## (\d+)\. ", WALKTHROUGH, flags=re.M)
    assert numbers == [str(n) for n in range(1, len(rest) + 1)]
    stages = [Stage("before", 0, before)]
    for text in rest:
        heading = re.match(r"(.+) \((\d+) minutes\)\n", text)
        assert heading, text[:80]
        stages.append(Stage(heading[1], int(heading[2]), text))
    return stages


DOCUMENT = _read()


@cache
def small_file(stage: int) -> str:
    """Return the file as it is after a stage: a definition replaces an earlier one of
    that name, and imports go to the top."""
    imports: dict[str, None] = {}
    pieces: dict[str, str] = {}
    for each in DOCUMENT[: stage + 1]:
        for code in each.fences("python"):
            for node in ast.parse(code).body:
                lines = code.splitlines()[_first_line(node) - 1 : node.end_lineno]
                if isinstance(node, ast.Import | ast.ImportFrom):
                    imports["\n".join(lines)] = None
                else:
                    pieces[_name(node)] = "\n".join(lines)
    return "\n".join([*imports, "", *pieces.values(), ""])


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _name(node: ast.stmt) -> str:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ast.unparse(node)


@pytest.fixture(autouse=True)
def no_test_waits_forever() -> Iterator[None]:
    """Interrupt a test that waits for a lock of the small file, which has no
    time-out."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError("waited too long")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(ALARM_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


Load = Callable[[int], Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return what runs the file as it is after a stage, as a new module."""

    def run(stage: int) -> Any:
        path = tmp_path / f"ledger_{stage}.py"
        path.write_text(small_file(stage))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec and spec.loader
        module: Any = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)
        spec.loader.exec_module(module)
        # However busy the machine is, threads that can meet or end have the time to.
        together = stage in (LOST, UNSORTED)
        module.MEET_SECONDS = TIMEOUT_SECONDS if together else MEET_SECONDS
        if stage != UNSORTED:
            module.END_SECONDS = TIMEOUT_SECONDS
        return module

    return run


# The plan


def test_the_minutes_of_the_stages_add_up_to_75() -> None:
    assert [stage.title for stage in DOCUMENT[1:]] == TITLES
    assert sum(stage.minutes for stage in DOCUMENT) == 75
    assert 5 <= DOCUMENT[-1].minutes <= 8


@pytest.mark.parametrize("number", STAGES)
def test_a_stage_has_something_to_write_to_say_to_run_and_to_open(number: int) -> None:
    stage = DOCUMENT[number]
    parts = re.findall(r"^\*\*(Write|Say|Run|Open)\*\*", stage.text, re.M)
    assert parts == ["Write", "Say", "Run", "Open"]
    assert stage.fences("python") and stage.fences("pycon") and commands(stage)
    said = " ".join(re.findall(r"^> (.*)$", stage.part("Say"), re.M))
    assert 2 <= len(re.findall(r"[.?!](?= |$)", said)) <= 5, said
    assert code_spans(stage.part("Open"))


def test_every_piece_can_be_typed_while_people_watch() -> None:
    for stage in DOCUMENT:
        for code in stage.fences("python"):
            lines = [line for line in code.splitlines() if line]
            assert len(lines) <= LINES_MAX, code
            assert max(map(len, lines)) <= 88, code


def test_a_transfer_is_shown_in_at_most_five_files() -> None:
    _, _, shown = DOCUMENT[0].text.partition("\n## Show me a transfer\n")
    files = re.findall(r"^\d\. `([^`]+)`", shown, re.M)
    assert 3 <= len(files) <= 5
    assert files[0].startswith("wallet_app/api/views/")
    assert files[1] == "wallet_app/services/service.py"
    assert files[-2:] == ["wallet_app/services/money.py", "wallet_app/store.py"]
    for name in ("WalletService.transfer", "Money.transfer", "move", "Wallet.__exit__"):
        assert name in code_spans(shown)


# The small file


@pytest.mark.parametrize("number", STAGES)
def test_a_session_answers_what_is_shown(number: int, load: Load) -> None:
    for session in DOCUMENT[number].fences("pycon"):
        module = load(number)
        example = doctest.DocTestParser().get_doctest(
            session, dict(vars(module)), f"stage {number}", "WALKTHROUGH.md", 0
        )
        printed: list[str] = []
        result = doctest.DocTestRunner().run(example, out=printed.append)
        assert result.attempted and not result.failed, "".join(printed)


@pytest.mark.parametrize(
    ("stage", "balance"), [(LOST, 160), (LOCKED, 220), (RESTORED, 220)]
)
def test_two_who_add_at_once_lose_an_update_until_there_is_a_lock(
    load: Load, stage: int, balance: int
) -> None:
    ledger = load(stage)
    asha = ledger.wallets["asha"] = ledger.Stepped("asha", 100)
    add = [lambda: ledger.add("asha", 60)] * 2
    assert ledger.at_once(*add) == ["done", "done"]
    assert asha.balance == balance
    assert [each.amount for each in asha.history] == [60, 60]


@pytest.mark.parametrize(("stage", "spent"), [(LOST, 120), (LOCKED, 60), (LAST, 60)])
def test_two_who_deduct_at_once_spend_the_money_twice_until_there_is_a_lock(
    load: Load, stage: int, spent: int
) -> None:
    ledger = load(stage)
    asha = ledger.wallets["asha"] = ledger.Stepped("asha", 100)
    outcomes = ledger.at_once(*[lambda: ledger.deduct("asha", 60)] * 2)
    assert outcomes.count("insufficient funds") == (stage != LOST)
    assert sum(each.amount for each in asha.history) == spent
    assert asha.balance == 40


@pytest.mark.parametrize(
    ("stage", "outcome"),
    [(UNSORTED, "waits forever"), (SORTED, "done"), (LAST, "done")],
)
def test_transfers_that_cross_wait_for_ever_until_the_locks_are_sorted(
    load: Load, stage: int, outcome: str
) -> None:
    ledger = load(stage)
    for name in ("asha", "ravi"):
        ledger.wallets[name] = ledger.Holding(name, 100)
    outcomes = ledger.at_once(
        lambda: ledger.transfer("asha", "ravi", 60),
        lambda: ledger.transfer("ravi", "asha", 30),
    )
    assert outcomes == [outcome, outcome]
    moved = 30 if outcome == "done" else 0
    assert ledger.wallets["asha"].balance == 100 - moved
    assert ledger.wallets["ravi"].balance == 100 + moved


@pytest.mark.parametrize(
    ("stage", "left"), [(BROKEN, 40), (RESTORED, 100), (LAST, 100)]
)
def test_a_crash_half_way_loses_money_until_there_is_a_mark(
    load: Load, stage: int, left: int
) -> None:
    ledger = load(stage)
    asha = ledger.wallets["asha"] = ledger.Wallet("asha", 100)
    ravi = ledger.wallets["ravi"] = ledger.Broken("ravi")
    for _ in range(2):  # the second time shows that no lock was leaked
        asha.balance, asha.history[:] = 100, []
        outcomes = ledger.at_once(lambda: ledger.transfer("asha", "ravi", 60))
        assert outcomes == ["the write failed"]
        assert asha.balance == left
        assert len(asha.history) == (left == 40)
        assert ravi.history == []


@pytest.mark.parametrize("stage", range(UNSORTED, LAST + 1))
def test_a_transfer_moves_money_from_its_stage_on(load: Load, stage: int) -> None:
    ledger = load(stage)
    asha, ravi = ledger.create("asha"), ledger.create("ravi")
    ledger.add("asha", 100)
    for source, target, amount in (("asha", "ravi", 60), ("ravi", "asha", 10)):
        sent, received = ledger.transfer(source, target, amount)
        assert (sent.wallet_id, received.wallet_id) == (source, target)
        assert sent.reference_id == received.reference_id
    assert (asha.balance, ravi.balance) == (50, 50)
    assert [each.balance_after for each in asha.history] == [100, 40, 50]
    assert [each.balance_after for each in ravi.history] == [60, 50]


def test_the_finished_file_refuses_what_the_exercise_refuses(load: Load) -> None:
    ledger = load(LAST)
    asha, ravi = ledger.create("asha"), ledger.create("ravi")
    ledger.add("asha", 100)
    refused: list[Callable[[], object]] = [
        lambda: ledger.create("asha"),
        lambda: ledger.add("asha", 0),
        lambda: ledger.deduct("asha", -1),
        lambda: ledger.deduct("asha", 101),
        lambda: ledger.transfer("asha", "ravi", 101),
        lambda: ledger.transfer("asha", "ravi", 0),
        lambda: ledger.transfer("asha", "asha", 1),
        lambda: ledger.add("asha", 2**53 - 100),
    ]
    for call in refused:
        with pytest.raises(ledger.Refused):
            call()
        assert (asha.balance, ravi.balance) == (100, 0)
        assert (len(asha.history), len(ravi.history)) == (1, 0)
    ledger.add("asha", 2**53 - 101)
    assert asha.balance == 2**53 - 1


def test_a_key_of_the_finished_file_runs_once_and_is_free_after_a_crash(
    load: Load,
) -> None:
    ledger = load(LAST)
    asha = ledger.create("asha")
    ledger.wallets["ravi"] = ledger.Broken("ravi")
    ledger.add("asha", 100)

    def send(on_commit: Any) -> object:
        return ledger.transfer("asha", "ravi", 60, on_commit)

    with pytest.raises(OSError, match="the write failed"):
        ledger.once("rent", send)
    assert (asha.balance, len(asha.history)) == (100, 1)
    ravi = ledger.wallets["ravi"] = ledger.Wallet("ravi")
    first = ledger.once("rent", send)
    assert ledger.once("rent", send) == first
    assert (asha.balance, ravi.balance) == (40, 60)


def test_the_finished_file_outlives_a_storm_of_threads(load: Load) -> None:
    ledger = load(LAST)
    names = ["asha", "mei", "omar", "ravi"]
    for name in names:
        ledger.create(name)
        ledger.add(name, 100)
    came, problems, unexpected = [100 * len(names)], [], list[Exception]()

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(200):
                source, target = chance.sample(names, 2)
                amount = chance.randint(1, 120)
                try:
                    match chance.randrange(8):
                        case 0:
                            ledger.add(source, amount)
                            came.append(amount)
                        case 1:
                            ledger.deduct(source, amount)
                            came.append(-amount)
                        case 2:
                            problems.extend(ledger.audit())
                        case _:
                            ledger.transfer(source, target, amount)
                except ledger.Refused:
                    pass
        except Exception as error:  # noqa: BLE001 - the test compares it
            unexpected.append(error)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(8)]
    with switching_often():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive(), "waits forever"
    assert not unexpected and not problems
    assert ledger.audit() == []
    assert sum(ledger.wallets[name].balance for name in names) == sum(came)
    for name in names:
        history = ledger.wallets[name].history
        assert len(history) > 50
        assert min(each.balance_after for each in history) >= 0


@contextmanager
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_the_audit_of_the_finished_file_finds_each_kind_of_corruption(
    load: Load,
) -> None:
    def lose_a_side(ledger: Any) -> None:
        del ledger.wallets["ravi"].history[:]
        ledger.wallets["ravi"].balance = 0

    def lose_a_transaction(ledger: Any) -> None:
        del ledger.wallets["asha"].history[0]

    def lose_money(ledger: Any) -> None:
        ledger.wallets["ravi"].balance -= 1

    for corrupt, found in (
        (lose_a_side, "has one side"),
        (lose_a_transaction, "does not follow"),
        (lose_money, "ravi holds 59, its history says 60"),
    ):
        ledger = load(LAST)
        for name in ("asha", "ravi"):
            ledger.create(name)
        ledger.add("asha", 100)
        ledger.transfer("asha", "ravi", 60)
        assert ledger.audit() == []
        corrupt(ledger)
        assert any(found in problem for problem in ledger.audit())


# The commands


class Command(NamedTuple):
    line: str
    status: int
    look_at: list[str]


def commands(stage: Stage) -> list[Command]:
    """Return the commands of a stage, each with what is said to be seen."""
    run = stage.part("Run")
    lines = [line for fence in _console(run) for line in fence.splitlines()]
    assert all(line.startswith("$ ") for line in lines), lines
    looks = re.findall(
        r"^\*\*Look at\*\* \(exit status (\d)(.*?)\n\n", run, re.M | re.S
    )
    assert len(looks) == len(lines), stage.title
    return [
        Command(line[2:], int(status), code_spans(text))
        for line, (status, text) in zip(lines, looks, strict=True)
    ]


def _console(text: str) -> list[str]:
    return re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S)


def words_of(line: str) -> list[str]:
    python, *words = shlex.split(line)
    assert python == ".venv/bin/python"
    return [sys.executable, *words]


def run_line(line: str) -> subprocess.CompletedProcess[str]:
    """Run a command as in a pipe, whatever terminal the tests run in."""
    plain = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"}
    return subprocess.run(
        words_of(line),
        cwd=PROJECT,
        env={name: os.environ[name] for name in os.environ.keys() - plain},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )


COMMANDS = [command for n in STAGES for command in commands(DOCUMENT[n])]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.line[28:60])
def test_a_command_shows_what_is_said_to_be_seen(command: Command) -> None:
    ran = run_line(command.line)
    assert ran.returncode == command.status, ran.stdout + ran.stderr
    assert command.look_at
    for seen in command.look_at:
        assert seen in ran.stdout, seen


def test_every_command_names_a_seeded_bug_or_runs_the_service_as_it_is() -> None:
    assert len(COMMANDS) >= len(STAGES)
    shown = set()
    for command in COMMANDS:
        _, m, package, *rest = words_of(command.line)
        assert (m, package) == ("-m", "tests.concurrency")
        if rest and not rest[0].startswith("-"):
            assert rest[0] in MUTANTS
            shown.add(rest[0])
            assert rest[1:3] == ["--seed", "0"] or rest[1] == "--replay"
    assert shown >= {
        *("lost-update", "double-spend", "unsorted-locks", "partial-transfer"),
        *("mark-outside-the-lock", "check-then-act", "torn-total"),
    }


def test_the_lines_about_floats_print_what_is_shown() -> None:
    (shown,) = _console(DOCUMENT[-1].text)
    lines = shown.splitlines()
    assert len(lines) == 4
    for line, printed in zip(lines[::2], lines[1::2], strict=True):
        assert run_line(line.removeprefix("$ ")).stdout == printed + "\n"


# The names


FILE = re.compile(r"(wallet_app|tests)/[\w/]+\.(py|md)|ledger\.py")
NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
SUM = re.compile(r"([\d_.+*/() -]+) (==|=|≈) ([\d_.]+)")


def references() -> Iterator[tuple[str, str]]:
    """Yield each code span that is in a file, with the file that its paragraph named
    last; what a command prints, and sums, are looked at by other tests."""
    for paragraph in re.split(r"\n\n", WALKTHROUGH):
        if paragraph.startswith("**Look at**"):
            continue
        file = ""
        for span in code_spans(paragraph):
            if FILE.fullmatch(span):
                file = span
            elif not SUM.fullmatch(span):
                yield file, span


@cache
def source(file: str) -> str:
    if file == "ledger.py":
        return small_file(LAST)
    return (PROJECT / file).read_text()


@cache
def names_in(file: str) -> frozenset[str]:
    """Return all that a Python file defines: in modules and classes, with and without
    the class before it."""
    names: set[str] = set()

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            targets: list[ast.expr] = []
            match node:
                case ast.FunctionDef(name=name):
                    names.update((name, prefix + name))
                case ast.ClassDef(name=name):
                    names.update((name, prefix + name))
                    visit(node.body, f"{prefix}{name}.")
                case ast.Assign():
                    targets = node.targets
                case ast.AnnAssign():
                    targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    names.update((target.id, prefix + target.id))

    visit(ast.parse(source(file)).body, "")
    return frozenset(names)


def test_every_file_that_is_named_exists() -> None:
    named = {span for span in code_spans(WALKTHROUGH) if FILE.fullmatch(span)}
    assert len(named) > 30
    for file in named - {"ledger.py"}:
        assert (PROJECT / file).exists(), file


def test_every_code_span_is_in_the_file_that_is_named_before_it() -> None:
    seen = list(references())
    assert len(seen) > 100
    for file, span in seen:
        assert file, f"no file is named before `{span}`"
        if NAME.fullmatch(span) and file.endswith(".py"):
            assert span in names_in(file), f"`{span}` is not defined in {file}"
        else:
            assert span in " ".join(source(file).split()), f"`{span}` not in {file}"


# The questions


def test_the_eight_questions_are_answered_in_the_words_of_the_exercise() -> None:
    asked = re.findall(r"^### (\d+)\. (.*)$", DOCUMENT[-1].text, re.M)
    assert asked == [(str(n), each) for n, each in enumerate(QUESTIONS, 1)]
    answers = re.split(r"^### .*$", DOCUMENT[-1].text, flags=re.M)[1:]
    for answer in answers:
        files = [span for span in code_spans(answer) if FILE.fullmatch(span)]
        assert any(file.startswith("wallet_app/") for file in files), answer
        assert any(re.match(r"test_\w+$", each) for each in code_spans(answer)), answer


SUMS = [span for span in code_spans(WALKTHROUGH) if SUM.fullmatch(span)]


@pytest.mark.parametrize("equation", SUMS)
def test_a_sum_comes_to_what_is_said(equation: str) -> None:
    match = SUM.fullmatch(equation)
    assert match
    left, sign, right = match.groups()
    if sign == "==":
        assert eval(left) == float(right)
        return
    exact = eval(re.sub(r"[\d_.]+", r"Fraction('\g<0>')", left), {"Fraction": Fraction})
    said = Fraction(right)
    assert exact == said if sign == "=" else abs(exact - said) <= exact / 100


def test_there_is_a_sum_for_each_engine() -> None:
    assert len(SUMS) >= 15


def test_the_measured_figures_are_those_of_the_benchmarks() -> None:
    table = (PROJECT / "tests/benchmarks/README.md").read_text()
    transfer = re.search(r"^a transfer, 1,000,000 .*? ([\d.]+) us", table, re.M)
    http = re.search(
        r"^POST /wallet/transfer, 8 connections.*? ([\d,]+) /s", table, re.M
    )
    assert transfer and http
    said = re.search(
        r"a transfer at ([\d.]+) µs in the service, and ([\d,]+) a second", WALKTHROUGH
    )
    assert said
    for ours, theirs in zip(said.groups(), (transfer[1], http[1]), strict=True):
        measured = float(theirs.replace(",", ""))
        assert float(ours.replace(",", "")) == pytest.approx(measured, rel=0.15)
