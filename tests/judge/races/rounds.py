"""What the rounds of one race have come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.judge.arithmetic.calls import Record
from tests.judge.arithmetic.checks import is_decided, not_answered
from tests.judge.arithmetic.verdicts import Finding, Result, Verdict
from tests.judge.races.races import Race


@dataclass
class Rounds:
    """What the rounds of a race have come to so far."""

    race: Race
    is_serial: bool = False
    """The server handles one request at a time."""
    decided: int = 0
    records: list[Record] = field(default_factory=list)
    weak: tuple[Record, Finding] | None = None

    def add(self, record: Record, weak: tuple[Record, Finding] | None) -> None:
        self.records.append(record)
        self.decided += is_decided(record)
        self.weak = self.weak or weak

    def overlap(self) -> str:
        """Return how far the calls overlapped."""
        calls = [each for record in self.records for each in record.done]
        if not calls:
            return ""
        met = sum(
            any(
                one.lane != other.lane
                and one.released < other.ended
                and other.released < one.ended
                for other in record.done
            )
            for record in self.records
            for one in record.done
        )
        said = f"{100 * met // len(calls)} % of {len(calls):,} calls overlapped"
        return f"{said}, handled one at a time" if self.is_serial else said

    def result(self) -> Result:
        race, count = self.race, len(self.records)
        if not self.decided:
            came = Counter(
                each.status or each.said
                for record in self.records
                for each in record.done
            )
            said = ", ".join(f"{what} {times}×" for what, times in came.most_common(3))
            return left_out(race, Verdict.UNKNOWN, f"too few calls succeeded: {said}")
        stuck = sum(len(not_answered(record)) for record in self.records)
        if race.may_hang and stuck:
            said = f"{stuck} valid calls were not answered, or failed, but not twice"
            return left_out(race, Verdict.UNKNOWN, f"{said}, or also without a race")
        if self.weak is not None:
            record, finding = self.weak
            return Result(
                race.name,
                Verdict.WEAK,
                finding.sentence,
                race.is_must,
                count,
                self.overlap(),
                finding,
                record,
            )
        return Result(
            race.name, Verdict.PASS, race.shows, race.is_must, count, self.overlap()
        )


def left_out(race: Race, verdict: Verdict, said: str) -> Result:
    """Return a race that was not run, or that says nothing."""
    return Result(race.name, verdict, said, race.is_must)
