"""Decides whether creations for one user contradict the exercise."""

from __future__ import annotations

from tests.judge.arithmetic.calls import Outcome, Record
from tests.judge.arithmetic.verdicts import Finding, Verdict
from tests.judge.wire.client import BUSY


def created_twice(record: Record) -> Finding | None:
    """Return that one user got two wallets, or none."""
    creates = [each for each in record.done if each.op.kind == "create"]
    made = [each for each in creates if each.id]
    if len({each.id for each in made}) > 1:
        first = made[0]
        other = next(each for each in made if each.id != first.id)
        return Finding(
            "one user has two wallets",
            f"{len(creates)} creations for one user at once: "
            f"{len({each.id for each in made})} different wallets",
            record.places([first, other]),
            "the user is looked up, and the wallet is made later without a lock",
        )
    if creates and all(
        each.outcome is Outcome.REFUSED and each.status not in BUSY for each in creates
    ):
        return Finding(
            "no creation for a new user was acknowledged",
            f"{len(creates)} creations for one user at once, all refused",
            record.places(creates[:2]),
        )
    return None


def created_again(record: Record) -> Finding | None:
    """Return that a second creation was answered with the wallet of the first."""
    made = [each for each in record.done if each.op.kind == "create" and each.id]
    if len(made) < 2 or len({each.id for each in made}) > 1:
        return None
    return Finding(
        "a second creation answers with the wallet that is there, not with 409",
        witnesses=record.places(made[:2]),
        verdict=Verdict.WEAK,
    )
