"""The documents of the repository, as the tests that hold them to the code read
them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.server import PROJECT

DOCUMENTS = sorted(
    [*PROJECT.glob("*.md")]
    + [*PROJECT.glob(".github/*.md")]
    + [*PROJECT.glob("wallet_app/**/*.md")]
    + [*PROJECT.glob("tests/**/*.md")]
)


def block(path: Path, language: str) -> str:
    """Return a document's first block in a language."""
    found = blocks(path, language)
    assert found, f"{path} has no block in {language}"
    return found[0]


def blocks(path: Path, language: str) -> list[str]:
    """Return a document's blocks in a language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE
    )


def prose(path: Path) -> str:
    """Return a document without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


def code_spans(path: Path) -> list[str]:
    """Return what stands between backticks in a document's prose."""
    return re.findall(r"`([^`\n]+)`", prose(path))


def links(path: Path) -> list[str]:
    """Return the targets of a document's links and pictures that are files here."""
    text = re.sub(r"`[^`\n]+`", "", prose(path))
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    return [each for each in targets if not each.startswith(("http:", "https:"))]


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
