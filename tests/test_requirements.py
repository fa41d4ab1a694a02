"""What the server needs is in `requirements.txt`, and nothing else is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.server import PROJECT

RUNTIME = PROJECT / "requirements.txt"
TESTS = PROJECT / "tests/requirements.txt"

NOT_IMPORTED = {"tzdata"}
"""Data that the standard library's `zoneinfo` finds by itself."""


def pinned(requirements: Path) -> set[str]:
    """Return the distributions of a file, each of which has one exact version."""
    lines = [
        line.split("#")[0].strip() for line in requirements.read_text().splitlines()
    ]
    needed = [line for line in lines if line and not line.startswith("-r ")]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in needed), needed
    return {line.split("==")[0].lower() for line in needed}


def imported(files: Iterable[Path]) -> set[str]:
    """Return the distributions whose modules these files import."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.split(".")[0])
    installed = packages_distributions()
    return {
        installed[module][0].lower().replace("_", "-")
        for module in modules & set(installed)
    }


def product() -> list[Path]:
    return [PROJECT / "wsgi.py", *(PROJECT / "wallet_app").rglob("*.py")]


def test_the_server_installs_what_it_imports_and_no_more() -> None:
    assert imported(product()) == pinned(RUNTIME) - NOT_IMPORTED


def test_the_tests_install_what_they_also_import() -> None:
    assert TESTS.read_text().startswith("-r ../requirements.txt\n")
    tests = imported(
        each
        for each in (PROJECT / "tests").rglob("*.py")
        if each.parent.name != "peers"  # they run in environments of their own
    )
    assert tests <= pinned(RUNTIME) | pinned(TESTS)
    assert not pinned(RUNTIME) & pinned(TESTS)


def test_the_readme_starts_with_the_one_and_tests_with_the_other() -> None:
    commands = re.findall(r"pip install -qr (\S+)", (PROJECT / "README.md").read_text())
    assert commands == ["requirements.txt", "tests/requirements.txt"]
