"""The service in a storm of real threads and real locks: nothing hides outside the
scheduler's model."""

from __future__ import annotations

import re
import sys
from unittest.mock import patch

import pytest

from tests import ledgers
from tests.concurrency.client import Client
from tests.concurrency.mutants import MUTANTS
from tests.concurrency.storm import CALLS, THREADS, WrongRound, storm, unsettled
from tests.ledgers import new_service, passing_time
from wallet_app.store import Wallet

pytestmark = pytest.mark.slow

ROUNDS = 1_000

HUNT_ROUNDS_MAX = 3_000
"""Ten times as many as a hunt has ever taken for the bugs below."""

HUNT_LOCK_TIMEOUT_SECONDS = 0.5
"""A deadlock is waited out, so it must not take long."""


def storm_in_process(seed: int, rounds: int) -> int:
    with unsettled(seed):
        return storm(lambda: Client(new_service(clock=passing_time())), seed, rounds)


def hunt(mutant: str) -> str:
    """Return what a storm reports of a bug that is planted in the service."""
    with (
        MUTANTS[mutant].planted(),
        patch.object(ledgers, "LOCK_TIMEOUT_SECONDS", HUNT_LOCK_TIMEOUT_SECONDS),
        pytest.raises(WrongRound) as found,
    ):
        storm_in_process(1, HUNT_ROUNDS_MAX)
    return str(found.value)


def test_whatever_threads_call_at_once_could_have_happened_one_call_at_a_time() -> None:
    overlapping = storm_in_process(1, ROUNDS)
    assert overlapping > ROUNDS / 10, "the threads ran one after the other"


@pytest.mark.parametrize(
    "mutant",
    ["lost-update", "mark-outside-the-lock", "two-sections", "dirty-total"],
)
def test_a_storm_finds_a_planted_bug(mutant: str) -> None:
    assert hunt(mutant)


def test_a_storm_finds_a_deadlock() -> None:
    assert "waited too long" in hunt("unsorted-locks")


def test_a_wrong_round_is_shown_call_by_call_and_explained() -> None:
    first, *lines = hunt("lost-update").splitlines()
    assert re.match(r"Round \d+ of seed 1 began with asha \d+, ", first)
    calls = [line for line in lines if re.match(r" *\d+ to +\d+  \S", line)]
    assert len(calls) == THREADS * CALLS + 2
    assert "in the end:" in calls[-1]
    why = "\n".join(lines[len(calls) :])
    assert "One call at a time:" in why or "no one order of the calls" in why


def test_after_a_storm_threads_switch_as_before() -> None:
    before = sys.getswitchinterval(), Wallet.__dict__["balance"]
    storm_in_process(1, 1)
    assert (sys.getswitchinterval(), Wallet.__dict__["balance"]) == before
