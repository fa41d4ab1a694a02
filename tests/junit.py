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
    name: str
    seconds: float
    failure: Failure | None = None


def junit(suite: str, cases: Sequence[Case]) -> bytes:
    """Return the report of one suite."""
    root = ElementTree.Element("testsuites")
    of_suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_escaped(suite),
        tests=str(len(cases)),
        failures=str(sum(case.failure is not None for case in cases)),
        errors="0",
        skipped="0",
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
        if case.failure is not None:
            failure = ElementTree.SubElement(
                of_case,
                "failure",
                type=_escaped(case.failure.type),
                message=_escaped(case.failure.message),
            )
            failure.text = _escaped(case.failure.text)
    written: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return written


def _escaped(text: str) -> str:
    return _NOT_IN_XML.sub(
        lambda found: found[0].encode("unicode_escape").decode(), text
    )


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"
