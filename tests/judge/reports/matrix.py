"""Reports side by side: what each probe says of each implementation."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tests.judge.arithmetic.verdicts import Verdict
from tests.judge.reports.evidence import group_of, printed
from tests.judge.reports.report import Report
from tests.judge.reports.score import score
from tests.judge.reports.terminal import STYLES
from tests.lanes import cut

NAME_MAX = 80
SHORT = {Verdict.SKIPPED: "-", Verdict.UNKNOWN: "?"}
WORST_FIRST = (
    Verdict.FAIL,
    Verdict.UNKNOWN,
    Verdict.WEAK,
    Verdict.PASS,
    Verdict.INFO,
    Verdict.SKIPPED,
)


def table(reports: Mapping[str, Report]) -> Group:
    """Return a row for each probe, and a numbered column for each named report.

    Of a group of the contract it has the worst verdict. Below it are the names.
    """
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    drawn.add_column("probe")
    for number, _ in enumerate(reports, 1):
        drawn.add_column(str(number), no_wrap=True)
    found = [_worst(report) for report in reports.values()]
    for probe in dict.fromkeys(name for each in found for name in each):
        cells = [_cell(each.get(probe)) for each in found]
        drawn.add_row(Text(printed(probe)), *cells)
    drawn.add_section()
    drawn.add_row(Text("score"), *[_points(report) for report in reports.values()])
    names = [
        cut(f"{number}  {printed(name)}  {printed(report.url)}", NAME_MAX)
        for number, (name, report) in enumerate(reports.items(), 1)
    ]
    meaning = [*names, "?  could not be decided", "-  not tried"]
    return Group(drawn, Text("\n".join(meaning)))


def _worst(report: Report) -> dict[str, Verdict]:
    """Return the verdict of each probe, and the worst one of each group."""
    found: dict[str, Verdict] = {}
    for result in report.results:
        name = group_of(result) or result.probe
        both = (found.get(name, result.verdict), result.verdict)
        found[name] = min(both, key=WORST_FIRST.index)
    return found


def _cell(verdict: Verdict | None) -> Text:
    verdict = verdict or Verdict.SKIPPED
    return Text(SHORT.get(verdict, verdict.value), STYLES[verdict])


def _points(report: Report) -> Text:
    points = score(report).points
    return Text("?" if points is None else str(points), "bold")
