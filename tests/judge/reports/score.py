"""What the failures of a run mean: which harm they do, what to fix first, a score."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.judge.arithmetic import balances
from tests.judge.arithmetic.checks import first_finding
from tests.judge.arithmetic.verdicts import Harm, Result, Verdict
from tests.judge.reports.report import Report

COST = {
    Harm.MONEY: 51,
    Harm.HANGS: 31,
    Harm.HISTORY: 15,
    Harm.READS: 10,
    Harm.CONTRACT: 10,
}
WEAK_COST_MAX = 10
"""What all that is WEAK costs at most, at one point each."""

HARMS = {
    "setup/one-memory": Harm.MONEY,
    "contract/history": Harm.HISTORY,
    "races/opposing": Harm.HANGS,
    "races/ring": Harm.HANGS,
    "races/alive": Harm.HANGS,
    "races/history": Harm.HISTORY,
    "races/dirty-read": Harm.READS,
    "races/torn-transfer": Harm.READS,
    "races/stale-read": Harm.READS,
    "races/linearizable": Harm.READS,
}
"""What failures of a probe do if no balance is wrong; of the others: CONTRACT."""

MONEY = (balances.overspent, balances.wrong_balance, balances.refused_but_applied)


@dataclass(frozen=True)
class Score:
    """0 to 100 points, or None if the run decides too little; and why, in words."""

    points: int | None
    why: str

    def __str__(self) -> str:
        return self.why if self.points is None else f"{self.points} of 100: {self.why}"


@dataclass
class Fix:
    """A failure, and other probes that show the same."""

    harm: Harm
    result: Result
    also: list[str] = field(default_factory=list)


def score(report: Report) -> Score:
    """Return the score of a run.

    It begins at 100. Each kind of failure costs once, however often it is found: money
    lost or made 51, hanging or dying 31, a wrong history 15, wrong reads 10, a broken
    contract 10; each further FAIL costs 1, and each WEAK 1, at most 10 together. So it
    is at most 49 where money can be lost or made, and at most 69 where the server hangs
    or dies. Where a MUST could not be decided there is none.
    """
    undecided = sum(
        each.verdict is Verdict.UNKNOWN and each.is_must for each in report.results
    )
    failed = [each for each in report.results if each.verdict is Verdict.FAIL]
    kinds = sorted({harm_of(each) for each in failed}, key=list(Harm).index)
    if undecided or not report.is_whole or report.only:
        what = f"{undecided} MUST undecided" if undecided else "interrupted"
        if report.only:
            what = "only some probes were asked for"
        wrong = f"{', '.join(kinds)}; " if kinds else ""
        return Score(None, f"{wrong}no score: {what}")
    weak = sum(each.verdict is Verdict.WEAK for each in report.results)
    if not any(each.verdict is Verdict.PASS for each in report.results) and not failed:
        return Score(None, "no score: nothing was tried")
    cost = sum(COST[kind] for kind in kinds)
    cost += len(failed) - len(kinds) + min(weak, WEAK_COST_MAX)
    why = ", ".join(kinds) or ("something is weak" if weak else "nothing failed")
    return Score(max(100 - cost, 0), why)


def harm_of(result: Result) -> Harm:
    """Return what a failure does: what its finding says, else the worst that its
    record shows, else what failures of its probe do."""
    if result.finding is not None and result.finding.harm is not None:
        return result.finding.harm
    if result.record is not None and first_finding(result.record, MONEY):
        return Harm.MONEY
    group = "/".join(result.probe.split("/")[:2])
    return HARMS.get(group, Harm.CONTRACT)


def to_fix(results: Sequence[Result]) -> list[Fix]:
    """Return what failed, the worst first, with what has one likely cause together."""
    failed = [each for each in results if each.verdict is Verdict.FAIL]
    found: list[Fix] = []
    for result in failed:
        harm = harm_of(result)
        same = [each for each in found if each.harm is harm and _alike(each, result)]
        if same:
            same[0].also.append(result.probe)
        else:
            found.append(Fix(harm, result))
    return sorted(
        found,
        key=lambda each: (
            list(Harm).index(each.harm),
            not each.result.probe.startswith("races/"),
        ),
    )


def _alike(fix: Fix, result: Result) -> bool:
    """Tell whether two failures have one likely cause, whatever its numbers.

    Calls in no order are what every other failure of a race is, too.
    """
    if result.probe == "races/linearizable":
        return fix.result.probe.startswith("races/")
    cause = _cause(result)
    return bool(cause) and cause == _cause(fix.result)


def _cause(result: Result) -> str:
    likely = result.finding.likely if result.finding else ""
    return re.sub(r"\d+", "", likely or result.sentence)
