"""What reports say in words, however they are written: what was tried, and of each
failure its calls, one after another, and how to see it again."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.judge.adapter import Adapter, read_adapter
from tests.judge.answers import shown
from tests.judge.calls import NOBODY, Done, Op, Outcome, Record
from tests.judge.report import Report
from tests.judge.subject import PLACEHOLDER
from tests.judge.verdicts import Result, Verdict
from tests.judge.wording import short

CALLS_MAX = 8
"""Of more calls than that, the witnesses are shown, or none."""

LANES_MAX = 4
ENTRIES_MAX = 16
CURL_MAX = 4
FIX_FIRST = 3
SAID_MAX = 48
MS = 1_000_000

FIELD = re.compile(r'"(\w+)"\s*:\s*("[^"]*"|\{-?\w+\}|[^\s,}]+)')
REASON = re.compile(r'"(?:message|error|detail|reason|title)"\s*:\s*"([^"]{1,200})"')
NAMES = {"{wallet}": "wallet", "{from}": "from", "{to}": "to"}

UNSEEN = (
    '"Not found" is not "safe": a race that never met its window passes.',
    "Whether anything is still there after a crash or a restart.",
    "Isolation as such: only what answers, reads and histories show of it.",
    "Balances that no endpoint shows, such as fees and float accounts.",
)
"""What a black box cannot see; every report says so."""


@dataclass(frozen=True)
class Shown:
    """A call in its lane, in words; moments in ns since the first of them."""

    lane: int
    asked_ns: int
    answered_ns: int
    asked: str
    answered: str
    is_refused: bool = False
    is_unknown: bool = False


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

    @property
    def lanes(self) -> int:
        return max((call.lane + 1 for call in self.calls), default=0)


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
        calls = in_lanes(record, done, adapter)
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
        told = ", ".join(said) or "no entries"
        yield printed(f"history of {short(id)}, which began at {start}: {told}")


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
            said = f"{len(passed[group])} of {groups[group]}"
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


# Lanes


def _witnesses(record: Record, places: Sequence[int]) -> list[Done]:
    """Return the calls that show it, or all if they are few; in order of time."""
    done = [record.done[place] for place in places if place < len(record.done)]
    if not done and len(record.done) <= CALLS_MAX:
        done = list(record.done)
    return sorted(done, key=lambda each: each.released)


def in_lanes(
    record: Record, done: Sequence[Done], adapter: Adapter
) -> tuple[Shown, ...]:
    """Return calls in lanes, as many as stand side by side."""
    lanes = list(dict.fromkeys(each.lane for each in done))[:LANES_MAX]
    zero = min((each.released for each in done), default=0)
    return tuple(
        Shown(
            lanes.index(each.lane),
            each.released - zero,
            each.ended - zero,
            asked(each.op, record.ids, adapter),
            answered(each),
            each.outcome is Outcome.REFUSED,
            each.outcome is Outcome.UNKNOWN,
        )
        for each in done
        if each.lane in lanes
    )


def asked(op: Op, ids: Sequence[str], adapter: Adapter) -> str:
    """Return a call as `POST /wallet/add {amount: 1}`.

    Which wallet it is for is said where there is more than one.
    """
    call = adapter.call(op.kind)
    method, _, target = call.request.partition(" ")
    path = target.partition("?")[0]
    values = {
        "wallet": _name(ids, op.wallet),
        "from": _name(ids, op.wallet),
        "to": _name(ids, op.to) if op.to is not None else "",
        "amount": str(op.amount),
        "-amount": str(-op.amount),
        "user": f"user {op.wallet + 1}",
        "key": op.key,
    }
    fields = []
    for name, template in FIELD.findall(call.body):
        value = template.strip('"')
        if value == "{wallet}" and len(ids) == 1:
            continue
        fields.append(f"{NAMES.get(value, name)}: {_filled(value, values)}")
    if op.key and adapter.key.header and "{key}" not in call.body:
        fields.append(f"key: {op.key}")
    body = f" {{{', '.join(fields)}}}" if fields else ""
    return shown(f"{method} {_filled(path, values)}{body}")


def _filled(text: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def _name(ids: Sequence[str], wallet: int) -> str:
    if wallet == NOBODY or wallet >= len(ids):
        return "nobody"
    return short(ids[wallet])


def answered(done: Done) -> str:
    """Return an answer as `200 balanceAfter 1`."""
    if done.status is None:
        return shown(f"no answer: {done.said}", SAID_MAX)
    said = f"{done.status}"
    if done.outcome is not Outcome.ACKNOWLEDGED:
        reason = REASON.search(done.said)
        return shown(f"{said} {reason[1] if reason else done.said}", SAID_MAX)
    if done.id:
        said += f" id {short(done.id)}"
    if done.entries is not None:
        said += f" {len(done.entries)} entries"
    if done.balance is not None:
        word = "balance" if done.op.kind == "read" else "balanceAfter"
        said += f" {word} {done.balance}"
    return shown(said, SAID_MAX)
