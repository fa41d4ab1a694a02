"""Shows a seeded bug as a unified diff against the real code."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from types import FunctionType

from tests.concurrency.mutants import Mutant

ROOT = Path(__file__).parents[2]
WHOLE = 1_000
"""Lines of context: methods are short, so each is shown as a whole."""


def difference(mutant: Mutant) -> str:
    """Return the diff from the methods of the service to those of the mutant."""
    return "\n".join(
        line
        for real, wrong in _replaced(mutant)
        for line in unified_diff(
            _source(real),
            _source(wrong),
            _title(real),
            _title(wrong),
            lineterm="",
            n=WHOLE,
        )
    )


def _replaced(mutant: Mutant) -> Iterator[tuple[FunctionType, FunctionType]]:
    for name, wrong in vars(mutant.methods).items():
        for owner in mutant.methods.__bases__:
            real = vars(owner).get(name)
            if isinstance(real, FunctionType) and isinstance(wrong, FunctionType):
                yield real, wrong


def _source(method: FunctionType) -> list[str]:
    return textwrap.dedent(inspect.getsource(method)).splitlines()


def _title(method: FunctionType) -> str:
    file = Path(inspect.unwrap(method).__code__.co_filename).relative_to(ROOT)
    return f"{file.as_posix()} {method.__qualname__}"
