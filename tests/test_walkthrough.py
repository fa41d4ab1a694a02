"""The walkthrough is complete: its plan, its exercise, its questions, and everything
that it names, measures or calculates."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import pytest

from tests.server import PROJECT
from tests.walkthrough import FILE, PARTS, code_after, code_spans, stages, text, typed

TITLES = [
    "The model",
    "Add and deduct",
    "The lost update, shown",
    "The lock",
    "A transfer, and the deadlock shown",
    "Sorted locks",
    "The crash between debit and credit, shown",
    "Mark and restore",
    "Idempotency",
    "History and audit",
    "The HTTP endpoints",
    "The explorer on all of it",
    "The judge, from outside",
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

MINUTES, SLACK_MINUTES_MIN = 75, 5
LINES_TYPED_MAX = 150
"""As much as can be typed in 75 minutes while people watch."""

LINES_MAX, COLUMNS_MAX = 25, 88
"""Of one piece."""

NUMBERS = range(1, len(TITLES))
"""Of the stages before the questions."""


# The plan


def plan() -> dict[str, tuple[int, int, str]]:
    """Return what the table says: minutes, lines to type, and what to do when late."""
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| *(\d*) *\| *(.*?) *\|$", text(), re.M)
    return {
        title: (int(minutes), int(lines or 0), late)
        for title, minutes, lines, late in rows
    }


def test_the_minutes_add_up_to_75_with_slack() -> None:
    assert [stage.title for stage in stages()[1:]] == TITLES
    slack, _, _ = plan()["Slack"]
    assert sum(stage.minutes for stage in stages()) + slack == MINUTES
    assert slack >= SLACK_MINUTES_MIN
    assert 5 <= stages()[-1].minutes <= 8


def test_the_plan_says_what_each_stage_takes_and_what_to_skip() -> None:
    planned = plan()
    assert len(planned) == len(TITLES) + 1
    for stage in stages()[1:]:
        minutes, lines, _ = planned[f"{stage.number}. {stage.title}"]
        assert (minutes, lines) == (stage.minutes, len(typed(stage.number)))
    late = sorted(int(said.split()[0]) for _, _, said in planned.values() if said)
    assert late == [5, 10, 15]


def test_no_more_is_typed_than_there_is_time_for() -> None:
    assert sum(len(typed(number)) for number in NUMBERS) <= LINES_TYPED_MAX
    for stage in stages():
        for _, code in stage.fences("python", "diff"):
            lines = [line for line in code.splitlines() if line]
            assert len(lines) <= LINES_MAX, code
            assert max(map(len, lines)) <= COLUMNS_MAX + len("+"), code


def test_a_line_that_only_moves_is_not_typed() -> None:
    assert typed(6) == [
        "for wallet in sorted(filter(None, (source, target)), key=lambda w: w.id):"
    ]
    assert "check(source, target, amount)" not in typed(4)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_stage_has_something_to_say_to_run_and_to_open(number: int) -> None:
    stage = stages()[number]
    parts = re.findall(rf"^\*\*({PARTS})\*\*", stage.text, re.M)
    assert parts == ["Write", "Say", "Run", "Open"][not typed(number) :]
    assert stage.fences("pycon", "console")
    said = re.findall(r"^- (.*)$", stage.part("Say"), re.M)
    assert 3 <= len(said) <= 5
    assert stage.part("Say").split("\n\n")[1:2] == ["\n".join(f"- {s}" for s in said)]
    for sentence in said:
        assert re.fullmatch(r"[^.?!]*(\d\.\d+[^.?!]*)?[.?!]", sentence), sentence
        assert len(sentence) <= COLUMNS_MAX
    assert code_spans(stage.part("Open"))


def test_a_transfer_is_shown_in_at_most_five_files() -> None:
    _, _, shown = stages()[0].text.partition("\n## Show me a transfer\n")
    files = re.findall(r"^\d\. `([^`]+)`", shown, re.M)
    assert 3 <= len(files) <= 5
    assert files[0].startswith("wallet_app/api/views/")
    assert files[1] == "wallet_app/services/service.py"
    assert files[-2:] == ["wallet_app/services/money.py", "wallet_app/store.py"]
    for name in ("WalletService.transfer", "Money.transfer", "move", "Wallet.__exit__"):
        assert name in code_spans(shown)


# The exercise


def exercise() -> str:
    _, _, rest = text().partition("\n## The exercise\n")
    return rest.partition("\n## ")[0]


def test_the_exercise_is_in_the_walkthrough_and_its_endpoints_in_the_code() -> None:
    for endpoint in ("create", "add", "deduct", "transfer", ":id", ":id/transactions"):
        assert f"/wallet/{endpoint}`" in exercise()
    for status in ("400", "404", "409"):
        assert status in exercise()
    assert "eight questions" in exercise()
    code = code_after(len(TITLES) - 1)
    for route in (
        "/wallet/create",
        "/wallet/<any(add, deduct, transfer):what>",
        "/wallet/<wallet_id>",
        "/wallet/<wallet_id>/transactions",
    ):
        assert f'("{route}")' in code


# The questions


def test_the_eight_questions_are_answered_in_the_words_of_the_exercise() -> None:
    asked = re.findall(r"^### (\d+)\. (.*)$", stages()[-1].text, re.M)
    assert asked == [(str(n), each) for n, each in enumerate(QUESTIONS, 1)]
    for answer in re.split(r"^### .*$", stages()[-1].text, flags=re.M)[1:]:
        files = [span for span in code_spans(answer) if NAMED_FILE.fullmatch(span)]
        assert any(file.startswith("wallet_app/") for file in files), answer
        assert any(re.match(r"test_\w+$", each) for each in code_spans(answer)), answer


def test_each_answer_begins_with_two_sentences_to_say() -> None:
    for answer in re.split(r"^### .*$", stages()[-1].text, flags=re.M)[1:]:
        said, _, depth = answer.strip().partition("\n\n")
        for sentence in said.split("\n"):
            assert re.fullmatch(r"- [^.?!]*(0\.1)?[^.?!]*\.", sentence), sentence
        assert said.count("\n") == 1
        assert len(depth) > len(said)


# The names


NAMED_FILE = re.compile(rf"(wallet_app|tests)/[\w/]+\.(py|md)|{re.escape(FILE)}")
NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
SUM = re.compile(r"([\d_.+*/() -]+) (==|=|≈) ([\d_.]+)")


def references() -> Iterator[tuple[str, str]]:
    """Yield each code span that is in a file, with the file that its paragraph named
    last; the exercise, what a command prints, and sums are looked at by other tests."""
    for paragraph in re.split(r"\n\n", text().replace(exercise(), "")):
        if paragraph.startswith("**Look at**"):
            continue
        file = ""
        for span in code_spans(paragraph):
            if NAMED_FILE.fullmatch(span):
                file = span
            elif not SUM.fullmatch(span) and not span.endswith("requirements.txt"):
                yield file, span


@cache
def source(file: str) -> str:
    if file == FILE:
        return code_after(len(TITLES) - 1)
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
    named = {span for span in code_spans(text()) if NAMED_FILE.fullmatch(span)}
    assert len(named) > 30
    for file in named - {FILE}:
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


# The sums


SUMS = [span for span in code_spans(text()) if SUM.fullmatch(span)]


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
        r"a transfer at ([\d.]+) µs in the service, and ([\d,]+) a second", text()
    )
    assert said
    for ours, theirs in zip(said.groups(), (transfer[1], http[1]), strict=True):
        measured = float(theirs.replace(",", ""))
        assert float(ours.replace(",", "")) == pytest.approx(measured, rel=0.15)
