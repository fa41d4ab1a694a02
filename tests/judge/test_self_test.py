"""Broken servers of our own are convicted by their probes, right ones by none."""

from __future__ import annotations

import pytest

from tests.judge.self_test import as_expected, convictions, once
from tests.judge.servers.catalogue import ASYNCIO, FAULTS, RACES, RIGHT, THREADED, Bug

pytestmark = pytest.mark.server

RUNS_MAX = 5
"""A race may miss its window; how often is measured by hand, with `self-test`."""

BROKEN = [
    (bug, on)
    for bug in (*RACES, *FAULTS)
    for on in (THREADED, ASYNCIO)
    if on == THREADED or bug.name == "read-add-write"
    if not bug.convicted_by[0].startswith("contract")  # test_contract.py has these
]
LATER = {"races/refused-but-applied": "races/lost-update"}
"""What is looked at after a race, and the race that it is looked at after here."""


@pytest.mark.parametrize(
    ("bug", "on"), BROKEN, ids=[f"{bug.name}-{on}" for bug, on in BROKEN]
)
def test_a_bug_is_convicted_by_its_probe(bug: Bug, on: str) -> None:
    probe = bug.convicted_by[0]
    only = (probe, LATER[probe]) if probe in LATER else (probe,)
    runs = (
        once(bug, on, seed, only, seconds=20, timeout_seconds=1)
        for seed in range(RUNS_MAX)
    )
    assert any(as_expected(bug, report) for report in runs)


@pytest.mark.parametrize("on", [THREADED, ASYNCIO])
def test_a_right_server_is_convicted_of_nothing(on: str) -> None:
    report = once(RIGHT[0], on, seed=1, only=("races",), seconds=4)
    assert report is not None
    assert len(report.results) > 15
    assert convictions(report) == []
