"""JUnit reports, as CI servers read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no document may have, not even escaped (XML 1.0, section 2.2)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong: its kind, in a line, and as long as it takes."""

    type: str
    message: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """A test: it passed, or failed, or could not be decided, or was skipped."""

    name: str
    seconds: float
    failure: Failure | None = None
    error: Failure | None = None
    skipped: str = ""
    """Why it was."""
    out: str = ""


def junit(suite: str, cases: Sequence[Case]) -> bytes:
    """Return the report of one suite."""
    root = ElementTree.Element("testsuites")
    of_suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_escaped(suite),
        tests=str(len(cases)),
        failures=str(sum(case.failure is not None for case in cases)),
        errors=str(sum(case.error is not None for case in cases)),
        skipped=str(sum(bool(case.skipped) for case in cases)),
        time=_time(sum(case.seconds for case in cases)),
    )
    for case in cases:
        of_case = ElementTree.SubElement(
            of_suite,
            "testcase",
            classname=_escaped(suite),
            name=_escaped(case.name),
            time=_time(case.seconds),
        )
        for tag, failure in (("failure", case.failure), ("error", case.error)):
            if failure is not None:
                _add_failure(of_case, tag, failure)
        if case.skipped:
            ElementTree.SubElement(of_case, "skipped", message=_escaped(case.skipped))
        if case.out:
            ElementTree.SubElement(of_case, "system-out").text = _escaped(case.out)
    written: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return written


def _add_failure(case: ElementTree.Element, tag: str, failure: Failure) -> None:
    added = ElementTree.SubElement(
        case,
        tag,
        type=_escaped(failure.type),
        message=_escaped(failure.message),
    )
    added.text = _escaped(failure.text)


def _escaped(text: str) -> str:
    return _NOT_IN_XML.sub(
        lambda found: found[0].encode("unicode_escape").decode(), text
    )


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"
