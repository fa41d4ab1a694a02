"""The documents show what was run and name what exists: each README is held to the code
that it describes."""

from __future__ import annotations

import ast
import re
import subprocess
import textwrap
from dataclasses import fields
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.concurrency.mutants import MUTANTS
from tests.documents import DOCUMENTS, anchors, block, blocks, code_spans, links
from tests.ledgers import nothing_moves, open_wallet
from tests.server import DEMO, PROJECT, TIMEOUT_SECONDS, running
from wallet_app.domain.errors.wallet_errors import InsufficientFunds
from wallet_app.services import rules
from wallet_app.services.service import WalletService
from wallet_app.settings import PREFIX, Settings

README = PROJECT / "README.md"
API = PROJECT / "wallet_app/api/README.md"
SERVICES = PROJECT / "wallet_app/services/README.md"
BENCHMARKS = PROJECT / "tests/benchmarks/README.md"

LINES_MAX, LINE_LENGTH_MAX = 150, 200

COMMANDS_MIN = 9


# The README


def test_the_readme_is_short() -> None:
    lines = README.read_text().splitlines()
    assert len(lines) <= LINES_MAX
    assert [line for line in lines if len(line) > LINE_LENGTH_MAX] == []


@pytest.mark.server
def test_the_transcript_is_what_the_server_answers() -> None:
    shown = block(README, "console")
    commands = [line[2:] for line in shown.splitlines() if line[:2] == "$ "]
    assert len(commands) >= COMMANDS_MIN
    with running(DEMO) as server:
        script = "\n".join(
            f"cat <<'EOF'\n$ {command}\nEOF\n"
            + command.replace("http://127.0.0.1:8000", server.url)
            + "\necho"
            for command in commands
        )
        ran = subprocess.run(
            ["bash", "-euc", script],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    answered = [line for line in without_chance(ran.stdout).splitlines() if line]
    expected = without_chance(shown).splitlines()
    assert len(answered) == len(expected), ran.stdout
    for line, answer in zip(expected, answered, strict=True):
        assert re.fullmatch(pattern(line), answer), f"{line}\n{answer}"


def without_chance(text: str) -> str:
    """Return a text with its ids and its times replaced by their kind."""
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]*Z", "TIME", text)


def pattern(line: str) -> str:
    """Return what matches a line of the transcript: `...` stands for fields of one
    answer that are left out. A command is shown whole."""
    if line[:2] == "$ ":
        return re.escape(line)
    return ".*?".join(map(re.escape, line.split("...")))


def test_the_code_that_is_shown_is_the_code() -> None:
    source = (PROJECT / "wallet_app/services/money.py").read_text()
    assert textwrap.indent(block(README, "python"), " " * 8) in source


def test_the_seeded_bugs_are_counted() -> None:
    assert f"| {len(MUTANTS)} concurrency bugs, planted" in README.read_text()


def test_every_folder_has_one_line_in_the_map() -> None:
    _, _, the_map = README.read_text().partition("\n## The map\n")
    cells = re.findall(r"^\| (`[^|]*`) \|", the_map, re.MULTILINE)
    mapped = [folder for cell in cells for folder in re.findall(r"`([\w/]+)/`", cell)]
    folders = [
        path.parent.relative_to(PROJECT).as_posix()
        for package in ("wallet_app", "tests")
        for path in (PROJECT / package).rglob("__init__.py")
    ]
    assert len(folders) > 15
    assert sorted(mapped) == sorted(folders)


def test_every_module_of_the_product_opens_with_its_role() -> None:
    modules = list((PROJECT / "wallet_app").rglob("*.py"))
    assert len(modules) > 50
    for path in modules:
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_the_readme_says_that_there_is_no_authentication(client: FlaskClient) -> None:
    """Should this fail because there is some, the section has to be written again."""
    assert "## There is no authentication" in README.read_text()
    assert not [each.name for each in fields(Settings) if "auth" in each.name]
    assert client.get("/audit").status_code == 200
    assert client.get("/audit", headers={"Authorization": "nonsense"}).json


# The README of the API


def test_every_setting_is_listed_with_its_default() -> None:
    rows = re.findall(
        rf"^\| (`{PREFIX}[^|]*) \| ([^|]*) \|", API.read_text(), re.MULTILINE
    )
    listed = {
        name: default
        for names, defaults in rows
        for name, default in pairs(spans(names), spans(defaults))
    }
    assert listed == {
        PREFIX + each.name.upper(): as_text(each.default) for each in fields(Settings)
    }


def spans(cell: str) -> list[str]:
    """Return the code spans of a cell of a table; one without any is a span itself."""
    return re.findall(r"`([^`]*)`", cell) or [cell]


def pairs(names: list[str], values: list[str]) -> list[tuple[str, str]]:
    """Return each name with its value; one value stands for all names."""
    each = values * len(names) if len(values) == 1 else values
    return list(zip(names, each, strict=True))


def as_text(default: object) -> str:
    """Return a default as the environment states it."""
    if isinstance(default, bool):
        return str(int(default))
    if default is None or default == ():
        return "none"
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return str(default)


def test_every_endpoint_is_listed_and_no_other(client: FlaskClient) -> None:
    listed = {
        (method, re.sub(r"\{\w+\}", "{}", path))
        for each in code_spans(API)
        for method, path in re.findall(r"^(GET|POST|PUT|DELETE) (/[^ ?]*)", each)
    }
    served = {
        (method, re.sub(r"<[^>]+>", "{}", rule.rule).rstrip("/"))
        for rule in client.application.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/docs/")
    }
    served |= {("GET", "/docs")}
    assert listed == served


def test_the_endpoint_that_is_shown_is_the_code() -> None:
    view, use_case = blocks(API, "python")
    assert view in (PROJECT / "wallet_app/api/views/money_views.py").read_text()
    service = (PROJECT / "wallet_app/services/service.py").read_text()
    assert textwrap.indent(use_case, " " * 8) in service


# The README of the services


def test_the_rule_that_is_shown_refuses(
    service: WalletService, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha, ravi = open_wallet(service, 100), open_wallet(service, 100)
    names = vars(rules).copy()
    exec(block(SERVICES, "python"), names)
    # A rule that is added to the list, as the README says; no rule is replaced.
    monkeypatch.setattr(rules, "RULES", (*rules.RULES, names["at_most_half"]))
    with nothing_moves(service), pytest.raises(InsufficientFunds):
        service.deduct(asha, 51)
    service.add(ravi, 1000)
    service.transfer(asha, ravi, 50)
    assert service.get_wallet(asha).balance == 50


# The README of the benchmarks

MISSED = (
    "transfers in the service, 4 threads",
    "POST /wallet/transfer, 8 connections",
    "POST /wallet/transfer, 64 connections",
)
"""Rows that miss their target; the README says why."""


def test_every_row_of_the_benchmarks_is_shown_and_reached_its_target() -> None:
    rows = block(BENCHMARKS, "text").splitlines()[1:]
    assert len(rows) == 16
    for row in rows:
        assert row.endswith(" no" if row.startswith(MISSED) else "yes"), row


# All documents


@pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda each: str(each.relative_to(PROJECT))
)
def test_every_file_that_is_named_or_linked_exists(path: Path) -> None:
    for name in code_spans(path):
        if re.fullmatch(r"(wallet_app|tests|\.ci|\.github)/\S*", name):
            assert (PROJECT / name).exists(), name
        elif re.fullmatch(r"\w+(/\w+)*(\.py|/)", name) and path.name == "README.md":
            assert (path.parent / name).exists(), name
    for target in links(path):
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_the_documents_are_found() -> None:
    found = {path.relative_to(PROJECT).as_posix() for path in DOCUMENTS}
    assert found >= {
        "README.md",
        "tests/README.md",
        "tests/attacks/README.md",
        "tests/benchmarks/README.md",
        "tests/concurrency/README.md",
        "tests/judge/README.md",
        "wallet_app/WALKTHROUGH.md",
        "wallet_app/api/README.md",
        "wallet_app/services/README.md",
    }
