"""A report is kept whole: what it says can be worked out again without a server."""

from __future__ import annotations

import msgspec
import pytest

from tests.judge import samples
from tests.judge.arithmetic.calls import Outcome, Plan, Record
from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.races.offline import decide, replayed
from tests.judge.reports.report import Report, read_report, write_report
from tests.judge.wire.adapter import Adapter
from tests.judge.wire.client import Client, Limits, Origin
from tests.judge.wire.subject import Subject

WITH_RECORDS = [
    samples.LOST_UPDATE,
    samples.HANG,
    samples.STALE_READ,
    samples.REFUSED_WITH_FUNDS,
]
NOBODY = Subject(Client(Origin("127.0.0.1", 9), Limits(0, 0)), Adapter())


@pytest.mark.parametrize("report", [samples.report(), samples.hostile()])
def test_a_report_that_is_read_back_has_equal_values(report: Report) -> None:
    assert read_report(write_report(report)) == report


def test_json_has_nothing_that_controls_a_terminal() -> None:
    text = write_report(samples.hostile()).decode("ascii")
    assert all(each.isprintable() or each == "\n" for each in text)


@pytest.mark.parametrize("result", WITH_RECORDS, ids=lambda each: each.probe)
def test_a_verdict_is_worked_out_again_from_what_was_kept(result: Result) -> None:
    kept = read_report(write_report(samples.report(result))).results[0]
    assert kept.record is not None
    assert decide(kept.record, kept.probe) == result.finding


def test_the_verdict_follows_the_record() -> None:
    record = samples.LOST_UPDATE.record
    assert record is not None
    assert (
        decide(msgspec.structs.replace(record, rest=(3,)), "races/lost-update") is None
    )
    unknown = tuple(
        msgspec.structs.replace(each, outcome=Outcome.UNKNOWN) for each in record.done
    )
    undecided = msgspec.structs.replace(record, done=unknown)
    assert decide(undecided, "races/lost-update") is None


class Sometimes(Subject):
    """It loses an update every other time."""

    times = 0

    def play(self, plan: Plan) -> Record:
        record = samples.LOST_UPDATE.record
        assert record is not None and record.plan == plan
        self.times += 1
        return msgspec.structs.replace(record, rest=(2 + self.times % 2,))


def test_the_calls_of_a_report_are_made_again() -> None:
    subject = Sometimes(NOBODY.client, NOBODY.adapter)
    came, tried = replayed(samples.report(), "races/lost-update", subject)
    assert (len(came), tried) == (5, 10)


def test_what_cannot_be_run_again_is_said() -> None:
    report = samples.report()
    for probe in ("races/nothing", "setup/one-memory"):
        with pytest.raises(ValueError, match="has no calls of"):
            replayed(report, probe, NOBODY)
    alive = msgspec.structs.replace(samples.HANG, probe="races/alive")
    with pytest.raises(ValueError, match="does not judge"):
        replayed(samples.report(alive), "races/alive", NOBODY)
    record = samples.LOST_UPDATE.record
    assert record is not None
    right = msgspec.structs.replace(record, rest=(3,))
    passed = msgspec.structs.replace(samples.LOST_UPDATE, record=right)
    with pytest.raises(ValueError, match="contradict nothing"):
        replayed(samples.report(passed), "races/lost-update", NOBODY)


def test_a_text_that_is_no_report_is_refused() -> None:
    with pytest.raises(ValueError, match="no report"):
        read_report(b'{"url": 1}')


@pytest.mark.parametrize(
    ("result", "is_whole", "status"),
    [
        (Result("races/a", Verdict.PASS, ""), True, 0),
        (Result("races/a", Verdict.WEAK, ""), True, 0),
        (Result("races/a", Verdict.FAIL, "", is_must=False), True, 0),
        (Result("races/a", Verdict.FAIL, ""), False, 1),
        (Result("races/a", Verdict.UNKNOWN, ""), True, 2),
        (Result("races/a", Verdict.UNKNOWN, "", is_must=False), True, 0),
        (Result("races/a", Verdict.PASS, ""), False, 2),
    ],
)
def test_the_exit_status_is_that_of_the_worst_must(
    result: Result, is_whole: bool, status: int
) -> None:
    assert samples.report(result, is_whole=is_whole).exit_status() == status
