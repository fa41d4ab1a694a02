"""The schema of JUnit reports: `junit-10.xsd` of Jenkins's xUnit plugin, by Gregory
Boissinot, under the MIT licence."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import xmlschema


@cache
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(Path(__file__).with_name("junit-10.xsd"))


def validate(report: bytes) -> None:
    """Raise XMLSchemaValidationError or ParseError if it is no JUnit report."""
    schema().validate(report.decode())
