"""Reports for tests: one of each verdict, and one whose every text is an attack."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.judge.arithmetic.calls import Done, Lane, Op, Outcome, Plan, Record
from tests.judge.arithmetic.verdicts import Finding, Result, Verdict
from tests.judge.races.offline import decide
from tests.judge.reports.report import Report

IDS = "3f2a90c1-0000-4000-8000-000000000001", "77b1d2e4-0000-4000-8000-000000000002"
MS = 1_000_000
AT_ONCE = (0, 2 * MS)

ATTACK = (
    "\x1b]0;owned\x07\x1b[31m<script>alert(1)</script>]]>&amp;"
    "[red]x[/red][link=http://evil.example]\u202eevil\u2066\x00\r\n'\"{{ 7*7 }}"
)


def done(
    op: Op,
    lane: int,
    balance: int | None = None,
    between: tuple[int, int] = AT_ONCE,
    **more: Any,
) -> Done:
    """Return an acknowledged call, or what `more` says."""
    known: dict[str, Any] = {"outcome": Outcome.ACKNOWLEDGED, "status": 200} | more
    asked, answered = between
    return Done(op, 0, lane, asked - MS, asked, answered, balance=balance, **known)


def record(
    starts: tuple[int, ...], calls: tuple[Done, ...], rest: tuple[int | None, ...]
) -> Record:
    """Return a round on as many wallets as there are starts."""
    lanes: dict[int, list[Op]] = {}
    for each in calls:
        lanes.setdefault(each.lane, []).append(each.op)
    plan = Plan(starts, (tuple(Lane(tuple(ops)) for ops in lanes.values()),))
    nothing = (None,) * len(starts)
    return Record(plan, IDS[: len(starts)], starts, calls, rest, nothing)


def failed(probe: str, shown: Record, **more: Any) -> Result:
    """Return the result of a probe that its record convicts."""
    finding = decide(shown, probe)
    assert finding is not None
    curl = (f'curl http://127.0.0.1:3000/wallet/add -d \'{{"walletId": "{IDS[0]}"}}\'',)
    again = "came back 7 of 10 times"
    return msgspec.structs.replace(
        Result(
            probe,
            finding.verdict,
            finding.sentence,
            rounds=2,
            overlap="100 % of 16 calls overlapped",
            finding=finding,
            record=shown,
            curl=curl,
            again=again,
        ),
        **more,
    )


LOST_UPDATE = failed(
    "races/lost-update",
    record(
        (0,),
        (
            done(Op("add", 0, 1), 3, 1, (0, 1_900_000)),
            done(Op("add", 0, 2), 7, 2, (40_000, 1_950_000)),
        ),
        (2,),
    ),
)
HANG = failed(
    "races/opposing",
    record(
        (64, 64),
        tuple(
            done(
                Op("transfer", one, 1 + one, to=1 - one),
                one,
                between=(one * 1000, 5_000 * MS),
                status=None,
                outcome=Outcome.UNKNOWN,
                said="timed out after 5 s",
            )
            for one in (0, 1)
        ),
        (64, 64),
    ),
    again="twice of two times",
)
STALE_READ = failed(
    "races/stale-read",
    record(
        (0,),
        (
            done(Op("add", 0, 4), 0, 4, (0, MS)),
            done(Op("read", 0), 1, 0, (3 * MS, 4 * MS)),
        ),
        (4,),
    ),
)
REFUSED_WITH_FUNDS = failed(
    "races/many-from-ten",
    record(
        (70,),
        (
            done(Op("deduct", 0, 7), 0, 63),
            done(
                Op("deduct", 0, 7),
                1,
                status=409,
                outcome=Outcome.REFUSED,
                said='{"code": 409, "message": "try again"}',
            ),
        ),
        (63,),
    ),
)

ONE_OF_EACH = (
    Result("setup/one-memory", Verdict.PASS, "24 reads on new connections found it"),
    Result("setup/at-once", Verdict.INFO, "16 reads took 3.0 ms", is_must=False),
    Result("contract/add/returns-balance", Verdict.PASS, "an add answers the balance"),
    Result("contract/add/is-read", Verdict.PASS, "an add is read"),
    Result("contract/add/negative", Verdict.FAIL, "an add of -1 was acknowledged"),
    LOST_UPDATE,
    HANG,
    STALE_READ,
    REFUSED_WITH_FUNDS,
    Result("races/same-key", Verdict.SKIPPED, "no idempotency keys", is_must=False),
)


def report(*results: Result, **more: Any) -> Report:
    """Return a report of these results, or of one of each verdict."""
    whole = Report(
        "http://127.0.0.1:3000",
        "",
        7,
        "2026-11-27T16:00:00Z",
        15.7,
        4956,
        ("the history begins with the oldest entry",),
        results or ONE_OF_EACH,
    )
    return msgspec.structs.replace(whole, **more)


def hostile() -> Report:
    """Return a report in which every text that a server can choose is an attack."""
    calls = tuple(
        msgspec.structs.replace(
            each, said=ATTACK, id=ATTACK, status=status, outcome=outcome
        )
        for each, status, outcome in zip(
            LOST_UPDATE.record.done if LOST_UPDATE.record else (),
            (200, 500),
            (Outcome.ACKNOWLEDGED, Outcome.UNKNOWN),
            strict=True,
        )
    )
    assert LOST_UPDATE.record is not None
    shown = msgspec.structs.replace(
        LOST_UPDATE.record, done=calls, ids=(ATTACK,), rest=(3,)
    )
    finding = Finding(ATTACK, ATTACK, (0, 1), ATTACK)
    results = [
        Result(
            "races/lost-update",
            verdict,
            ATTACK,
            overlap=ATTACK,
            finding=finding,
            record=shown,
            curl=(f"curl {ATTACK}",),
            again=ATTACK,
        )
        for verdict in Verdict
    ]
    return report(
        *results,
        msgspec.structs.replace(results[0], probe=f"races/{ATTACK}"),
        url=f"http://{ATTACK}",
        facts=(ATTACK,),
    )
