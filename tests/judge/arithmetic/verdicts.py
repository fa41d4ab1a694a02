"""What the judge says of each probe."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tests.judge.arithmetic.calls import Record


class Verdict(StrEnum):
    """How a probe ended, as the README of the judge says."""

    PASS = "PASS"
    FAIL = "FAIL"
    WEAK = "WEAK"
    INFO = "INFO"
    SKIPPED = "SKIPPED"
    UNKNOWN = "UNKNOWN"


class Harm(StrEnum):
    """The kinds of failure, the worst first."""

    MONEY = "money can be lost or made"
    HANGS = "it hangs or dies"
    HISTORY = "the history is wrong"
    READS = "reads are wrong"
    CONTRACT = "an answer is not as the exercise says"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What contradicts the exercise in one round.

    `witnesses` are the numbers of the calls in the record that show it; `likely` is a
    cause that fits, not one that was seen; `harm` is set where no record shows it.
    """

    sentence: str
    sums: str = ""
    witnesses: tuple[int, ...] = ()
    likely: str = ""
    verdict: Verdict = Verdict.FAIL
    harm: Harm | None = None


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
