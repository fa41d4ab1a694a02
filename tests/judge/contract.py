"""The contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.judge.subject import Subject
from tests.judge.verdicts import Result


def run(
    subject: Subject, is_wanted: Callable[[str], bool], progress: Callable[[str], None]
) -> Iterator[Result]:
    yield from ()
