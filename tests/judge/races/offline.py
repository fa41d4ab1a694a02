"""Works out a verdict again: from its record alone, or by the same calls once more."""

from __future__ import annotations

from tests.judge.arithmetic.calls import Record
from tests.judge.arithmetic.checks import Check, first_finding, not_answered
from tests.judge.arithmetic.verdicts import Finding
from tests.judge.races.races import AFTER_EVERY_RACE, RACES
from tests.judge.races.shrinking import replay
from tests.judge.reports.report import Report
from tests.judge.wire.subject import Subject


def decide(record: Record, probe: str) -> Finding | None:
    """Return what a probe finds in a record, without a server; None if nothing.

    Raises ValueError if the probe does not judge records.
    """
    return first_finding(record, checks_of(probe))


def replayed(
    report: Report, probe: str, subject: Subject
) -> tuple[list[tuple[Record, Finding]], int]:
    """Run what a probe has found again; return when it failed, and how often it was
    tried.

    Raises ValueError if the report has nothing of it that can be run again.
    """
    found = {each.probe: each.record for each in report.results}
    record = found.get(probe)
    if record is None:
        raise ValueError(f"the report has no calls of {probe}")
    if decide(record, probe) is None:
        raise ValueError(f"the calls of {probe} in the report contradict nothing")
    return replay(subject, checks_of(probe), record.plan)


def checks_of(probe: str) -> tuple[Check, ...]:
    """Return what decides about a record, in order. Raises ValueError."""
    for race in RACES:
        if race.name == probe:
            hangs = (unanswered,) if race.may_hang else ()
            return (*race.checks, *hangs, *race.weak)
    checks = tuple(check for name, _, check in AFTER_EVERY_RACE if name == probe)
    if not checks:
        raise ValueError(f"{probe} does not judge the calls of a race")
    return checks


def unanswered(record: Record) -> Finding | None:
    """Return the valid calls that were not answered, or failed within the server."""
    stuck = not_answered(record)
    if not stuck:
        return None
    return Finding(
        f"{len(stuck)} of {len(record.done)} valid calls were not answered, or failed",
        witnesses=record.places(stuck[:2]),
    )
