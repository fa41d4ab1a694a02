"""Reports in JUnit's format are what its common schema asks for."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.junit import Case, Failure, junit
from tests.junit_schema import validate

LOST = Failure("lost money", "60 <is> \"lost\" & 'gone'", "step\n   0  ]]> ₹ 🦀")
SMUGGLED = Failure("\0", "\x1b[2J", "\ud800 \ufffe \x85")

CASES = {
    "none": [],
    "one that holds": [Case("wallet.py", 0.25)],
    "one that fails": [Case("wallet.py", 61, LOST)],
    "more": [Case("a", 0), Case("b", 1_000, LOST), Case("c", 0.0004, LOST)],
    "with what XML cannot say": [
        Case("\b.py", 1, SMUGGLED),
        Case("c", 1, error=SMUGGLED, out="\0"),
        Case("d", 1, skipped="\x1b"),
    ],
    "of each kind": [
        Case("a", 1, out="a line"),
        Case("b", 1, LOST, out="]]>"),
        Case("c", 1, error=LOST),
        Case("d", 1, skipped="not offered"),
    ],
}


@pytest.mark.parametrize("cases", CASES.values(), ids=CASES)
def test_a_report_is_valid_and_counts_its_cases(cases: list[Case]) -> None:
    report = junit("tests.concurrency", cases)
    validate(report)
    [suite] = ElementTree.fromstring(report)
    counts = {
        "tests": ("testcase", len(cases)),
        "failures": ("failure", sum(each.failure is not None for each in cases)),
        "errors": ("error", sum(each.error is not None for each in cases)),
        "skipped": ("skipped", sum(bool(each.skipped) for each in cases)),
    }
    for attribute, (tag, count) in counts.items():
        assert suite.get(attribute) == str(count)
        assert len(list(suite.iter(tag))) == count


def test_a_report_says_what_went_wrong() -> None:
    [failure] = ElementTree.fromstring(junit("suite", [Case("b", 1, LOST)])).iter(
        "failure"
    )
    assert failure.attrib == {"type": LOST.type, "message": LOST.message}
    assert failure.text == LOST.text


def test_what_xml_cannot_say_is_escaped() -> None:
    [failure] = ElementTree.fromstring(junit("suite", [Case("b", 1, SMUGGLED)])).iter(
        "failure"
    )
    assert failure.attrib == {"type": r"\x00", "message": r"\x1b[2J"}
    assert failure.text == "\\ud800 \\ufffe \x85"
