"""The report as JUnit, for CI servers: a case for each probe."""

from __future__ import annotations

from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.reports.evidence import printed
from tests.judge.reports.report import Report
from tests.judge.reports.score import harm_of
from tests.judge.reports.terminal import in_words
from tests.junit import Case, Failure, junit


def write(report: Report, run_json: str | None = None) -> bytes:
    """Return the report; `run_json` is where it is kept, for `replay`."""
    cases = [_case(report, result, run_json) for result in report.results]
    return junit("tests.judge", cases)


def _case(report: Report, result: Result, run_json: str | None) -> Case:
    name, sentence = printed(result.probe), printed(result.sentence)
    words = in_words(report, result, run_json)
    match result.verdict:
        case Verdict.FAIL:
            failure = Failure(harm_of(result), sentence, words)
            return Case(name, 0, failure)
        case Verdict.UNKNOWN if result.is_must:
            return Case(name, 0, error=Failure("not decided", sentence, words))
        case Verdict.SKIPPED | Verdict.UNKNOWN:
            return Case(name, 0, skipped=sentence or result.verdict)
    return Case(name, 0, out=words)
