"""The report as JUnit: valid, and a case for each probe."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.judge import samples
from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.reports.junit import write
from tests.judge.reports.report import Report
from tests.junit_schema import validate


@pytest.mark.parametrize("report", [samples.report(), samples.hostile()])
def test_a_report_is_valid_and_has_a_case_for_each_probe(report: Report) -> None:
    written = write(report, "run.json")
    validate(written)
    [suite] = ElementTree.fromstring(written)
    assert len(suite) == len(report.results)
    assert all(each.isprintable() or each == "\n" for each in written.decode())


@pytest.mark.parametrize(
    ("verdict", "is_must", "kind"),
    [
        (Verdict.PASS, True, "system-out"),
        (Verdict.FAIL, True, "failure"),
        (Verdict.FAIL, False, "failure"),
        (Verdict.WEAK, True, "system-out"),
        (Verdict.INFO, False, "system-out"),
        (Verdict.SKIPPED, True, "skipped"),
        (Verdict.UNKNOWN, True, "error"),
        (Verdict.UNKNOWN, False, "skipped"),
    ],
)
def test_only_what_failed_or_had_to_be_decided_is_no_success(
    verdict: Verdict, is_must: bool, kind: str
) -> None:
    result = Result("races/ring", verdict, "said", is_must)
    [[case]] = ElementTree.fromstring(write(samples.report(result)))
    assert case.attrib["name"] == "races/ring"
    assert [each.tag for each in case] == [kind]


def test_a_failure_has_its_evidence() -> None:
    report = samples.report(samples.LOST_UPDATE)
    [failure] = ElementTree.fromstring(write(report, "run.json")).iter("failure")
    assert failure.attrib == {
        "type": "money can be lost or made",
        "message": "two adds acknowledged, one is in the balance",
    }
    assert failure.text is not None
    assert "0.04 ms                                   POST /wallet/add" in failure.text
    assert "replay run.json races/lost-update" in failure.text
