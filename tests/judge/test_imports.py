"""The judge knows only what a server answers: nothing that it imports imports the
product, however far away."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.server import PROJECT

FOLDER = Path(__file__).parent
PRODUCT = "wallet_app"


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of each module that a file may import, also in a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield module
                yield from (f"{module}.{each.name}" for each in names)
            case ast.ImportFrom():
                raise AssertionError(f"a relative import in {path}")


def files_of(name: str, root: Path) -> Iterator[Path]:
    """Yield what is run when a module is imported: its packages, and itself."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:length])
        found = (place / "__init__.py", place.with_suffix(".py"))
        yield from (each for each in found if each.exists())


def way_to_the_product(files: Sequence[Path], root: Path) -> list[str]:
    """Return the files through which one of these imports the product; none if none
    does."""
    way: dict[Path, Path | None] = dict.fromkeys(files)
    waiting = [*files]
    for file in waiting:
        for name in imported(file):
            if name.split(".")[0] == PRODUCT:
                return [each.relative_to(root).as_posix() for each in steps(way, file)]
            for found in files_of(name, root):
                if found not in way:
                    way[found] = file
                    waiting.append(found)
    return []


def steps(way: dict[Path, Path | None], end: Path) -> list[Path]:
    before = way[end]
    return [*(steps(way, before) if before else []), end]


def test_the_judge_imports_nothing_of_the_product() -> None:
    modules = [each for each in FOLDER.rglob("*.py") if each.stem[:5] != "test_"]
    assert len(modules) > 50
    assert way_to_the_product(modules, PROJECT) == []


@pytest.mark.parametrize(
    "line",
    [
        "import wallet_app",
        "import wallet_app.store as kept",
        "from wallet_app import store",
        "def later() -> None:\n    from wallet_app.store import Wallet",
    ],
)
def test_an_import_is_found_however_far_away(tmp_path: Path, line: str) -> None:
    package = tmp_path / "tests"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "judge.py").write_text("from tests import lanes\n")
    (package / "lanes.py").write_text("import tests.deep\n")
    (package / "deep.py").write_text(f"import sys\n{line}\n")
    way = way_to_the_product([package / "judge.py"], tmp_path)
    assert way == ["tests/judge.py", "tests/lanes.py", "tests/deep.py"]
