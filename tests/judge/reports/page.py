"""The report as one HTML page, without scripts and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from tests.judge.arithmetic.verdicts import Result
from tests.judge.reports.evidence import (
    FIX_FIRST,
    UNSEEN,
    Evidence,
    counted,
    evidence,
    folded,
    printed,
    tried,
)
from tests.judge.reports.report import Report
from tests.judge.reports.score import score, to_fix
from tests.judge.reports.shown_calls import Shown
from tests.judge.wire.client import MS

LANE, HEAD = 54, 20
"""Pixels from lane to lane, and from a lane to its bars."""

NARROWEST = 1.5
"""In percent: a bar that can still be seen."""


@dataclass(frozen=True)
class Bar:
    """A call in the drawing: across in percent, down in pixels."""

    number: int
    x: float
    width: float
    y: int
    outcome: str


@dataclass(frozen=True)
class Drawing:
    bars: tuple[Bar, ...]
    lanes: tuple[int, ...]
    """Where each lane begins."""
    height: int
    last: str
    """When the last answer came."""


@dataclass(frozen=True)
class Line:
    """A probe, or a group of the contract with its cases."""

    result: Result
    tried: str
    cases: Sequence[Result]
    evidence: Evidence | None
    drawing: Drawing | None


def write(report: Report, run_json: str | None = None) -> str:
    """Return the page; `run_json` is where the report is kept, for `replay`."""
    return _template().render(
        report=report,
        lines=[_line(report, *each, run_json) for each in folded(report.results)],
        fixes=to_fix(report.results)[:FIX_FIRST],
        score=score(report),
        counted=counted(report),
        unseen=UNSEEN,
        MS=MS,
    )


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    return environment.get_template("report.html.jinja")


def _finalize(value: Any) -> Any:
    """Return a text of a report without what would turn the text around it about."""
    return printed(value) if type(value) is str else value


def _line(
    report: Report, result: Result, cases: Sequence[Result], run_json: str | None
) -> Line:
    shown = evidence(report, result, run_json)
    drawing = drawn(shown.calls) if shown is not None and shown.calls else None
    return Line(result, tried(result), cases, shown, drawing)


def drawn(calls: Sequence[Shown]) -> Drawing:
    """Return calls as bars, from the first request to the last answer."""
    end = max(call.answered_ns for call in calls) or 1
    bars = []
    for number, call in enumerate(calls, 1):
        width = max(100 * (call.answered_ns - call.asked_ns) / end, NARROWEST)
        x = min(100 * call.asked_ns / end, 100 - width)
        y = call.lane * LANE + HEAD
        bars.append(Bar(number, round(x, 2), round(width, 2), y, _outcome(call)))
    lanes = tuple(lane * LANE for lane in range(max(call.lane for call in calls) + 1))
    height = len(lanes) * LANE + HEAD
    return Drawing(tuple(bars), lanes, height, f"{end / MS:.2f} ms")


def _outcome(call: Shown) -> str:
    if call.is_unknown:
        return "unknown"
    return "refused" if call.is_refused else "acknowledged"
