"""The score: by kind of failure, and what has to be fixed first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from tests.judge import samples
from tests.judge.arithmetic.verdicts import Finding, Harm, Result, Verdict
from tests.judge.contract import contract
from tests.judge.reports.score import COST, harm_of, score, to_fix
from tests.judge.samples import HANG, LOST_UPDATE, REFUSED_WITH_FUNDS, STALE_READ
from tests.judge.servers.parts import PARTS
from tests.judge.wire.adapter import Adapter
from tests.judge.wire.client import Client, Limits, Origin
from tests.judge.wire.subject import Subject

PASSED = Result("races/ring", Verdict.PASS, "")
FAILED = Result("contract/add/zero", Verdict.FAIL, "")
HISTORY = Result("races/history", Verdict.FAIL, "")


@pytest.mark.parametrize(
    ("results", "points"),
    [
        ([PASSED], 100),
        ([PASSED, REFUSED_WITH_FUNDS], 99),
        ([PASSED, *[REFUSED_WITH_FUNDS] * 30], 90),
        ([FAILED], 90),
        ([FAILED, FAILED], 89),
        ([STALE_READ], 90),
        ([HISTORY], 85),
        ([HANG], 69),
        ([HANG, STALE_READ], 59),
        ([LOST_UPDATE], 49),
        ([LOST_UPDATE, LOST_UPDATE], 48),
        ([LOST_UPDATE, HANG], 18),
        ([LOST_UPDATE, HANG, HISTORY, STALE_READ, FAILED], 0),
        ([LOST_UPDATE, Result("races/ring", Verdict.UNKNOWN, "")], None),
        ([PASSED, Result("races/a", Verdict.UNKNOWN, "", is_must=False)], 100),
        ([Result("races/ring", Verdict.SKIPPED, "")], None),
    ],
)
def test_a_score_is_by_kind_of_failure(
    results: list[Result], points: int | None
) -> None:
    assert score(samples.report(*results)).points == points


def test_a_run_that_was_interrupted_has_no_score() -> None:
    found = score(samples.report(PASSED, is_whole=False))
    assert found.points is None and found.why == "no score: interrupted"


def test_the_caps_are_those_of_the_design() -> None:
    assert 100 - COST[Harm.MONEY] == 49
    assert 100 - COST[Harm.HANGS] == 69


def test_the_harm_is_read_from_the_balances() -> None:
    """A race for hangs that lost money has lost money; one that hung has not."""
    assert harm_of(HANG) is Harm.HANGS
    moved = msgspec.structs.replace(LOST_UPDATE, probe="races/opposing")
    assert harm_of(moved) is Harm.MONEY
    assert harm_of(STALE_READ) is Harm.READS
    history = msgspec.structs.replace(FAILED, probe="contract/history/a")
    assert harm_of(history) is Harm.HISTORY


def test_a_finding_says_which_harm_no_record_shows() -> None:
    finding = Finding("after it the server takes no more connections", harm=Harm.HANGS)
    assert harm_of(msgspec.structs.replace(FAILED, finding=finding)) is Harm.HANGS


@pytest.mark.parametrize(
    ("bug", "cases", "harm"),
    [
        ("half-transfer", "contract/transfer/to-nobody", Harm.MONEY),
        ("int32", "contract/precision/int32-received", Harm.MONEY),
        ("lock-leaked-on-bad-input", "contract/bad-input/add-no-amount", Harm.HANGS),
    ],
)
def test_a_case_of_the_contract_says_its_harm(bug: str, cases: str, harm: Harm) -> None:
    with serving(bug) as port:
        ends_ns = time.monotonic_ns() + 20 * 10**9
        client = Client(Origin("127.0.0.1", port), Limits(2_000, ends_ns))
        client.timeout_seconds = 0.3
        found = contract.run(
            Subject(client, Adapter()), lambda name: name.startswith(cases), print
        )
        harms = {harm_of(each) for each in found if each.verdict is Verdict.FAIL}
        client.close()
    assert harm in harms


@contextmanager
def serving(bug: str) -> Iterator[int]:
    server = PARTS[bug].listening(0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_what_has_one_likely_cause_is_fixed_once() -> None:
    twins = msgspec.structs.replace(LOST_UPDATE, probe="races/equal-twins")
    order = msgspec.structs.replace(
        LOST_UPDATE, probe="races/linearizable", finding=Finding("no order")
    )
    zero = msgspec.structs.replace(FAILED, sentence="an add of 0 was acknowledged")
    one = msgspec.structs.replace(zero, sentence="an add of -1 was refused")
    fixes = to_fix([STALE_READ, LOST_UPDATE, twins, order, zero, one, zero])
    assert [(each.result.probe, each.also) for each in fixes] == [
        ("races/lost-update", ["races/equal-twins", "races/linearizable"]),
        ("races/stale-read", []),
        ("contract/add/zero", ["contract/add/zero"]),
        ("contract/add/zero", []),
    ]
