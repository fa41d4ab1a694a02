"""What a guess about a path is."""

from __future__ import annotations

from typing import NamedTuple


class Path(NamedTuple):
    """A request line, and the fields that its body may have; None if nobody knows."""

    line: str
    fields: tuple[str, ...] | None = None
