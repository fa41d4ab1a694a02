"""Reads the walkthrough: its stages, and the code as it is after each of them.

`python -m tests.walkthrough 4` writes the code as it is after stage 4.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import re
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

DOCUMENT = Path(__file__).parents[1] / "wallet_app/WALKTHROUGH.md"
FILE = "wallet.py"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
BLOCK = ("@", "def ", "class ")
PARTS = "Write|Say|Run|Open"


class Stage(NamedTuple):
    number: int
    title: str
    minutes: int
    text: str

    def fences(self, *languages: str) -> list[tuple[str, str]]:
        """Return the blocks in these languages, each with its language."""
        found = [
            (str(language), str(code)) for language, code in FENCE.findall(self.text)
        ]
        return [each for each in found if each[0] in languages]

    def part(self, name: str) -> str:
        """Return what stands under a bold word, up to the next."""
        _, _, rest = self.text.partition(f"\n**{name}**")
        return re.split(rf"^\*\*(?:{PARTS})\*\*", rest, flags=re.M)[0]


@cache
def text() -> str:
    return DOCUMENT.read_text()


@cache
def stages() -> list[Stage]:
    """Return the stages; number 0 is what comes before the first."""
    before, *rest = re.split(r"^## (?=\d+\. )", text(), flags=re.M)
    found = [Stage(0, "before", 0, before)]
    for each in rest:
        heading = re.match(r"(\d+)\. (.+) \((\d+) minutes\)\n", each)
        assert heading, each[:80]
        found.append(Stage(int(heading[1]), heading[2], int(heading[3]), each))
    assert [each.number for each in found] == list(range(len(found)))
    return found


def code_spans(text: str) -> list[str]:
    """Return what stands between backticks; a line break in it is a space."""
    without_fences = re.sub(FENCE, "", text)
    found = re.findall(r"`([^`]+)`", without_fences)
    return [" ".join(each.split()) for each in found]


@cache
def code_after(number: int) -> str:
    """Return the file as it is after a stage: imports first; a definition replaces the
    one of its name, and a diff is applied to the one that has its lines."""
    imports: dict[str, None] = {}
    pieces: dict[str, str] = {}
    for stage in stages()[: number + 1]:
        for language, code in stage.fences("python", "diff"):
            if language == "diff":
                _apply(code, pieces)
                continue
            for node in ast.parse(code).body:
                lines = code.splitlines()[_first_line(node) - 1 : node.end_lineno]
                if isinstance(node, ast.Import | ast.ImportFrom):
                    imports["\n".join(lines)] = None
                else:
                    pieces[_name(node)] = "\n".join(lines)
    parts = ["\n".join(imports)]
    for piece in pieces.values():
        is_block = piece.startswith(BLOCK) or parts[-1].startswith(BLOCK)
        parts += ["\n" if is_block or len(parts) == 1 else "", piece]
    return "\n".join(filter(None, parts)) + "\n"


def _apply(diff: str, pieces: dict[str, str]) -> None:
    rows = [row or " " for row in diff.splitlines()]
    old = "\n".join(row[1:] for row in rows if row[0] in " -")
    new = "\n".join(row[1:] for row in rows if row[0] in " +")
    (name,) = [name for name, piece in pieces.items() if old in piece]
    assert pieces[name].count(old) == 1, diff
    pieces[name] = pieces[name].replace(old, new)


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


def typed(number: int) -> list[str]:
    """Return the lines that are typed in a stage. A line that only moves is not."""
    before = _stripped(code_after(number - 1)) if number else []
    after = _stripped(code_after(number))
    rows = difflib.ndiff(before, after)
    return [row[2:] for row in rows if row.startswith("+ ")]


def _stripped(code: str) -> list[str]:
    return [line.strip() for line in code.splitlines() if line.strip()]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 says that it has done what it was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.walkthrough",
        description="Write the code of the walkthrough as it is after one of its "
        "stages. Without arguments, list the stages.",
    )
    numbers = range(1, len(stages()))
    parser.add_argument("stage", nargs="?", type=int, choices=numbers, metavar="STAGE")
    parser.add_argument("file", nargs="?", default=FILE, metavar="FILE", help=FILE)
    parser.add_argument("--force", action="store_true", help="overwrite the file")
    parser.add_argument("--list", action="store_true", help="list the stages")
    arguments = parser.parse_args(argv)
    if arguments.stage is None or arguments.list:
        print("stage  minutes  lines to type")
        for each in stages()[1:]:
            lines = len(typed(each.number)) or ""
            print(f"{each.number:5}  {each.minutes:7}  {lines:>5}  {each.title}")
        return 0
    path = Path(arguments.file)
    code = code_after(arguments.stage)
    try:
        with path.open("w" if arguments.force else "x") as file:
            file.write(code)
    except FileExistsError:
        print(f"{path} exists already; --force overwrites it.", file=sys.stderr)
        return 1
    title = stages()[arguments.stage].title
    print(f"{path} is as after stage {arguments.stage}, {title}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
