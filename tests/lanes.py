"""Lays out rows as lanes: columns side by side, and before them one that says when.

What the rows mean is not known here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.text import Text

LANE_MIN, LANE_MAX = 20, 52
GAP = 2
"""Characters between a lane and what is to its right."""

COLOURS = ("cyan", "magenta", "yellow", "green")
FATAL = "bold red"


@dataclass(frozen=True)
class Row:
    """One row; no lane means that it goes across the lanes.

    A text that has to stay whole wraps, another one is cut.
    """

    when: str
    lane: int | None
    text: str
    style: str = ""
    is_whole: bool = False


class Layout(NamedTuple):
    """How wide the column before the lanes is, and each lane, and what stands to the
    right of each row."""

    when: int
    widths: list[int]
    right: list[str]

    @property
    def end(self) -> int:
        """Where the lanes end."""
        return self.when + sum(self.widths) + GAP * len(self.widths)

    @property
    def width(self) -> int:
        longest = max(map(len, self.right), default=0)
        return self.end + longest if longest else self.end - GAP


def lane_widths(lengths: Iterable[tuple[int, int]], count: int) -> list[int]:
    """Return how wide each lane must be for texts of these lengths, lane by lane."""
    found = [LANE_MIN] * count
    for lane, length in lengths:
        found[lane] = max(found[lane], length)
    return found


def squeezed(layout: Layout, columns: int) -> Layout:
    """Return the layout with lanes so narrow that it fits, and nothing to the right."""
    count = len(layout.widths)
    each = max((columns - layout.when + GAP) // count - GAP, 1)
    narrow = [min(width, each) for width in layout.widths]
    return Layout(layout.when, narrow, [""] * len(layout.right))


def drawn(
    title: str, heads: Sequence[str], rows: Iterable[Row], layout: Layout
) -> Text:
    """Return the rows under the heads of their lanes."""
    text = Text().append(title.ljust(layout.when), "bold")
    for lane, (head, width) in enumerate(zip(heads, layout.widths, strict=True)):
        text.append(head.ljust(width + GAP), f"bold {_colour(lane)}")
    text.rstrip()
    for row, right in zip(rows, layout.right, strict=True):
        for line in _lines(row, right, layout):
            text.append("\n").append(line)
    return text


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def printable(text: str) -> str:
    """Return a text of somebody else's without what would control the terminal."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )


def _lines(row: Row, right: str, layout: Layout) -> Iterator[Text]:
    """Yield a row, in more than one line if it has to wrap."""
    if row.lane is None:
        across = f"----- {row.text} -----"
        yield Text(across.ljust(layout.end - GAP, "-"), row.style)
        return
    width = layout.widths[row.lane]
    before = sum(each + GAP for each in layout.widths[: row.lane])
    cells = [cut(row.text, width)]
    if row.is_whole:
        cells = textwrap.wrap(
            row.text, width, subsequent_indent="  ", break_on_hyphens=False
        )
    when = row.when
    for cell in cells:
        line = Text().append(when.ljust(layout.when), "dim").append(" " * before)
        line.append(cell, row.style or _colour(row.lane))
        if right:
            line.append(" " * (layout.end - len(line)) + right, "dim")
        line.rstrip()
        yield line
        when = right = ""


def _colour(lane: int) -> str:
    return COLOURS[lane % len(COLOURS)]
