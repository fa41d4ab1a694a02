"""What reports say in words, however they are written: what was tried, and of each
failure its calls, one after another, and how to see it again."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.judge.arithmetic.calls import Done, Record
from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.arithmetic.wording import short
from tests.judge.reports.report import Report
from tests.judge.reports.shown_calls import Shown, in_lanes
from tests.judge.wire.adapter import read_adapter
from tests.judge.wire.answers import shown

CALLS_MAX = 8
"""Of more calls than that, the witnesses are shown, or none."""

ENTRIES_MAX = 16
CURL_MAX = 4
FIX_FIRST = 3

UNSEEN = (
    '"Not found" is not "safe": a race that never met its window passes.',
    "Whether anything is still there after a crash or a restart.",
    "Isolation as such: only what answers, reads and histories show of it.",
    "Balances that no endpoint shows, such as fees and float accounts.",
)
"""What a black box cannot see; every report says so."""


@dataclass(frozen=True)
class Evidence:
    """All that is shown of a failure, printable."""

    sums: tuple[str, ...]
    """A line for each wallet."""
    calls: tuple[Shown, ...]
    notes: tuple[str, ...]
    likely: str
    curl: tuple[str, ...]
    came_back: str
    replay: str


NOTHING = Evidence((), (), (), "", (), "", "")


def evidence(report: Report, result: Result, run_json: str | None) -> Evidence | None:
    """Return what a FAIL or a WEAK is shown by; None if there is nothing."""
    if result.verdict not in (Verdict.FAIL, Verdict.WEAK):
        return None
    finding, record = result.finding, result.record
    adapter = read_adapter(report.adapter)
    calls: tuple[Shown, ...] = ()
    notes = []
    if record is not None:
        done = _witnesses(record, finding.witnesses if finding else ())
        calls = in_lanes(done, record.ids, adapter)
        if len(calls) < len(done):
            notes.append(f"and {len(done) - len(calls)} more calls on more connections")
    if finding is not None and record is not None and not finding.witnesses:
        notes += _histories(record, finding.sums)
    if adapter.scale and calls:
        notes.append(f"amounts are in minor units, {10**adapter.scale} to the whole")
    if len(result.curl) > CURL_MAX:
        notes.append(f"{len(result.curl) - CURL_MAX} more curl lines are in the JSON")
    shown = Evidence(
        _lines(finding.sums) if finding else (),
        calls,
        tuple(notes),
        printed(finding.likely) if finding else "",
        tuple(printed(each) for each in result.curl[:CURL_MAX]),
        printed(result.again),
        _replay(result, run_json),
    )
    return None if shown == NOTHING else shown


def _histories(record: Record, sums: str) -> Iterator[str]:
    """Yield the histories of the wallets that the sums name."""
    for id, start, entries in zip(
        record.ids, record.starts, record.entries, strict=True
    ):
        if entries is None or short(id) not in sums:
            continue
        said = [
            f"{each.change:+}" + ("" if each.after is None else f" = {each.after}")
            for each in entries[:ENTRIES_MAX]
        ]
        if len(entries) > ENTRIES_MAX:
            said.append(f"{len(entries) - ENTRIES_MAX} more")
        changes = ", ".join(said) or "no entries"
        yield printed(f"history of {short(id)}, which began at {start}: {changes}")


def printed(text: str) -> str:
    """Return a text of a report that no terminal takes for a command."""
    return shown(text, most=2000)


def _lines(sums: str) -> tuple[str, ...]:
    return tuple(re.split(r"; (?=wallet )", printed(sums))) if sums else ()


def _replay(result: Result, run_json: str | None) -> str:
    """Return the command that makes the calls again."""
    if result.record is None or run_json is None:
        return ""
    file = shlex.quote(printed(run_json))
    return f"python -m tests.judge replay {file} {printed(result.probe)}"


# Probes


def counted(report: Report) -> str:
    """Return how often each verdict was given."""
    count = Counter(each.verdict for each in report.results)
    said = ", ".join(f"{count[each]} {each}" for each in Verdict if count[each])
    return f"{said}.{'' if report.is_whole else ' The run was interrupted.'}"


def folded(results: Sequence[Result]) -> Iterator[tuple[Result, list[Result]]]:
    """Yield the results; those of one group of the contract that pass as one, with
    what it stands for."""
    groups = Counter(group_of(each) for each in results)
    passed = defaultdict(list)
    for result in results:
        if result.verdict is Verdict.PASS:
            passed[group_of(result)].append(result)
    for result in results:
        group = group_of(result)
        if not group or result.verdict is not Verdict.PASS:
            yield result, []
        elif result is passed[group][0]:
            said = f"{len(passed[group])} of {groups[group]} passed"
            yield Result(group, Verdict.PASS, said), passed[group]


def group_of(result: Result) -> str:
    """Return the group of a case of the contract: contract/add of contract/add/zero."""
    group, _, _ = result.probe.rpartition("/")
    return group if group.startswith("contract/") else ""


def tried(result: Result) -> str:
    """Return how much was tried, and whether the exercise says it in words."""
    parts = []
    if result.rounds:
        if result.verdict is Verdict.FAIL:
            parts.append(f"in round {result.rounds}")
        else:
            parts.append(f"{result.rounds} round{'s' * (result.rounds != 1)}")
    if result.overlap:
        parts.append(printed(result.overlap))
    if not result.is_must and result.verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        parts.append("no MUST")
    return ", ".join(parts)


def _witnesses(record: Record, places: Sequence[int]) -> list[Done]:
    """Return the calls that show it, or all if they are few; in order of time."""
    done = [record.done[place] for place in places if place < len(record.done)]
    if not done and len(record.done) <= CALLS_MAX:
        done = list(record.done)
    return sorted(done, key=lambda each: each.released)
