"""What the judge says of each probe."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tests.judge.calls import Record


class Verdict(StrEnum):
    """How a probe ended; see `shared` words in the README of the judge."""

    PASS = "PASS"
    FAIL = "FAIL"
    WEAK = "WEAK"
    INFO = "INFO"
    SKIPPED = "SKIPPED"
    UNKNOWN = "UNKNOWN"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What contradicts the exercise in one round.

    `witnesses` are the numbers of the calls in the record that show it; `likely` is a
    cause that fits, not one that was seen.
    """

    sentence: str
    sums: str = ""
    witnesses: tuple[int, ...] = ()
    likely: str = ""
    verdict: Verdict = Verdict.FAIL


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a probe came to."""

    probe: str
    verdict: Verdict
    sentence: str
    is_must: bool = True
    rounds: int = 0
    overlap: str = ""
    finding: Finding | None = None
    record: Record | None = None
    curl: tuple[str, ...] = ()
    again: str = ""
