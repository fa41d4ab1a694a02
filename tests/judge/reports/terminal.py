"""The report as it is printed: a line for each probe, and what shows the failures."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from tests.judge.arithmetic.verdicts import Result, Verdict
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
from tests.lanes import LANE_MAX, Layout, Row, cut, drawn, lane_widths, squeezed

COLUMNS_MIN, COLUMNS_MAX = 60, 100
COLUMNS = 80
"""Where there is no terminal."""

VERDICT = 8
NAME_MAX, NAME_ROOM = 48, 25
"""Characters of a name: at most, and before its sentence has to move."""

INDENT = 5
STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.WEAK: "yellow",
    Verdict.INFO: "cyan",
    Verdict.SKIPPED: "dim",
    Verdict.UNKNOWN: "magenta",
}


def print_report(console: Console, report: Report, run_json: str | None) -> None:
    """Print a report; `run_json` is where it is kept, for `replay`."""
    columns = max(COLUMNS_MIN, min(console.width, COLUMNS_MAX))
    say = _Printer(console, columns)
    say.line(f"The judge of {printed(report.url)}", style="bold")
    say.line(
        f"seed {report.seed}, {report.requests:,} requests in {report.seconds:.1f} s"
    )
    for fact in report.facts:
        say.line(printed(fact))
    say.gap()
    lines = list(folded(report.results))
    room = _room([each for each, _ in lines])
    for result, _ in lines:
        _print_result(say, result, room)
        shown = evidence(report, result, run_json)
        if shown is not None:
            _print_evidence(say, shown)
    _print_end(say, report)


def in_words(report: Report, result: Result, run_json: str | None) -> str:
    """Return what is printed of one result, without colours."""
    file = io.StringIO()
    say = _Printer(Console(file=file, width=COLUMNS), COLUMNS)
    _print_result(say, result, _room([result]))
    shown = evidence(report, result, run_json)
    if shown is not None:
        _print_evidence(say, shown)
    return file.getvalue()


class _Printer:
    """Prints texts, wrapped and indented, and nothing that is markup."""

    def __init__(self, console: Console, columns: int) -> None:
        self.console = console
        self.columns = columns
        self.is_apart = True

    def line(
        self, text: str, indent: int = 0, style: str = "", first: str = ""
    ) -> None:
        """Print a text; `first` stands in its indent."""
        lines = textwrap.wrap(
            text,
            self.columns,
            initial_indent=first.rjust(indent),
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        )
        for line in lines:
            self.text(Text(line, style))

    def gap(self) -> None:
        """Print an empty line, if the last one was not."""
        if not self.is_apart:
            self.text(Text())

    def whole(self, text: str, indent: int) -> None:
        """Print what is to be copied: it is not broken into lines."""
        self.text(Text(" " * indent + text, "dim"))

    def text(self, text: Text) -> None:
        self.is_apart = not text.plain
        self.console.print(text, soft_wrap=True, highlight=False)


def _room(results: Sequence[Result]) -> int:
    """Return how many characters the names of the probes take."""
    longest = max((len(each.probe) for each in results), default=0)
    return min(longest, NAME_ROOM) + 2


def _print_result(say: _Printer, result: Result, room: int) -> None:
    """Print the verdict; a name that takes more room moves the sentence."""
    start = VERDICT + room
    name = cut(printed(result.probe), NAME_MAX).ljust(room - 2)
    first, *more = textwrap.wrap(
        printed(result.sentence) or "-",
        say.columns,
        initial_indent=" " * (VERDICT + len(name) + 2),
        subsequent_indent=" " * start,
        break_on_hyphens=False,
    )
    line = Text().append(f"{result.verdict:{VERDICT}}", STYLES[result.verdict])
    line.append(name, "bold" if result.finding else "")
    say.text(line.append(first[VERDICT + len(name) :]))
    for each in more:
        say.text(Text(each))
    if how := tried(result):
        say.line(how, start, "dim")


def _print_evidence(say: _Printer, shown: Evidence) -> None:
    say.gap()
    for line in shown.sums:
        say.line(line, INDENT)
    if shown.calls:
        lanes = in_columns(shown.calls, say.columns - INDENT)
        for row in lanes.split("\n"):
            say.text(Text(" " * INDENT).append(row))
    for note in shown.notes:
        say.line(note, INDENT, "dim")
    if shown.likely:
        say.line(f"likely: {shown.likely}", INDENT)
    for each in shown.curl:
        say.whole(each, INDENT)
    again = [shown.came_back, "see it again:" if shown.replay else ""]
    if any(again):
        say.line("; ".join(filter(None, again)), INDENT)
    if shown.replay:
        say.whole(shown.replay, INDENT)
    say.gap()


def in_columns(calls: Sequence[Shown], columns: int) -> Text:
    """Return calls as lanes: a row for each request, and one for each answer."""
    moments = [(call.asked_ns, 1, call.lane, f"{call.asked} ->") for call in calls]
    moments += [(call.answered_ns, 0, call.lane, _answer(call)) for call in calls]
    moments.sort(key=lambda moment: moment[:2])
    times = [f"{at / MS:.2f} ms" for at, _, _, _ in moments]
    longest = max(map(len, times))
    rows = [
        Row(time.rjust(longest), lane, text, is_whole=True)
        for time, (_, _, lane, text) in zip(times, moments, strict=True)
    ]
    count = max(call.lane for call in calls) + 1
    lengths = [(lane, min(len(text), LANE_MAX)) for _, _, lane, text in moments]
    layout = Layout(longest + 2, lane_widths(lengths, count), [""] * len(rows))
    if layout.width > columns:
        layout = squeezed(layout, columns)
    heads = [f"connection {lane + 1}" for lane in range(count)]
    return drawn("", heads, rows, layout)


def _answer(call: Shown) -> str:
    return f"<- {call.answered}"


def _print_end(say: _Printer, report: Report) -> None:
    fixes = to_fix(report.results)
    if fixes:
        say.gap()
        say.line("Fix first", style="bold")
    for number, fix in enumerate(fixes[:FIX_FIRST], 1):
        also = f" (also {', '.join(fix.also)})" if fix.also else ""
        said = f"{fix.harm}: {fix.result.sentence}. {fix.result.probe}{also}"
        say.line(printed(said), 5, first=f"{number}. ")
    if len(fixes) > FIX_FIRST:
        say.line(f"and {len(fixes) - FIX_FIRST} more", 5)
    say.gap()
    say.line("What this cannot see", style="bold")
    for unseen in UNSEEN:
        say.line(unseen, 5, first="- ")
    say.gap()
    say.line(counted(report))
    say.line(f"Score: {score(report)}", style="bold")
