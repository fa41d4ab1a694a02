"""Runs rounds again: smaller ones, the same ones, and ones that share no wallets."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import msgspec

from tests.judge.arithmetic.calls import Lane, Op, Plan, Record
from tests.judge.arithmetic.checks import Check, first_finding
from tests.judge.arithmetic.verdicts import Finding
from tests.judge.wire.client import Spent
from tests.judge.wire.subject import Subject, Undecided

AGAIN = 10
"""How often a round is run again, to say how often it fails."""

SMALLER_TRIES = 8
"""How often a smaller round is tried before it is taken to be too small."""

SMALLER_SECONDS = 3.0


def smallest(
    subject: Subject, checks: Sequence[Check], record: Record, finding: Finding
) -> tuple[Record, Finding]:
    """Return the smallest round that was found to fail too."""
    ends = time.monotonic() + SMALLER_SECONDS
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for plan in _smaller(record.plan, record.ops(finding.witnesses)):
            found = _fails(subject, checks, plan, ends)
            if found is not None:
                record, finding = found
                is_smaller = True
                break
    return record, finding


def _fails(
    subject: Subject, checks: Sequence[Check], plan: Plan, ends: float
) -> tuple[Record, Finding] | None:
    for _ in range(SMALLER_TRIES):
        if time.monotonic() > ends:
            return None
        try:
            record = subject.play(plan)
        except (Undecided, Spent):
            return None
        finding = first_finding(record, checks)
        if finding is not None:
            return record, finding
    return None


def replay(
    subject: Subject, checks: Sequence[Check], plan: Plan
) -> tuple[list[tuple[Record, Finding]], int]:
    """Run a round again; return when it failed, and how often it was tried."""
    came: list[tuple[Record, Finding]] = []
    tried = 0
    for _ in range(AGAIN):
        try:
            record = subject.play(plan)
        except (Undecided, Spent):
            break
        tried += 1
        finding = first_finding(record, checks)
        if finding is not None:
            came.append((record, finding))
    return came, tried


def _smaller(plan: Plan, witnesses: Sequence[Op]) -> Iterator[Plan]:
    """Yield plans with fewer calls: the witnesses alone, a half, all but one lane."""
    if len(plan.stages) != 1:
        return
    (stage,) = plan.stages
    candidates = [
        [lane for lane in stage if any(op in witnesses for op in lane.ops)],
        list(stage[: len(stage) // 2]),
        list(stage[len(stage) // 2 :]),
    ]
    if len(stage) <= 6:
        candidates += [[*stage[:i], *stage[i + 1 :]] for i in range(len(stage))]
    for lanes in candidates:
        if 2 <= len(lanes) < len(stage):
            yield Plan(plan.starts, (tuple(lanes),))


def in_turn(plan: Plan) -> Plan:
    """Return the same calls, one after another."""
    ops = [op for stage in plan.stages for lane in stage for op in lane.ops]
    return Plan(plan.starts, tuple((Lane((op,)),) for op in ops))


def apart(plan: Plan) -> Plan:
    """Return a plan of the same size in which no two calls share a wallet."""
    starts: list[int] = []
    lanes: list[Lane] = []
    for stage in plan.stages:
        for lane in stage:
            for op in lane.ops:
                source, target = len(starts), None
                starts.append(plan.starts[op.wallet])
                if op.to is not None:
                    target = len(starts)
                    starts.append(plan.starts[op.to])
                own = msgspec.structs.replace(op, wallet=source, to=target)
                lanes.append(Lane((own,), lane.offset_ns))
    return Plan(tuple(starts), (tuple(lanes),))
