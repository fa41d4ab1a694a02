"""No right server is convicted, whatever is lost on the way; wrong ones are."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.judge.arithmetic.calls import Entry, Lane, Op, Outcome, Plan
from tests.judge.arithmetic.checks import Check, first_finding, is_decided
from tests.judge.arithmetic.verdicts import Verdict
from tests.judge.races.races import AFTER_EVERY_RACE, RACES, Draw, Race
from tests.judge.simulated import Server, play

SEEDS = st.integers(0, 2**32)


def everything(race: Race) -> list[Check]:
    return [*race.checks, *(check for _, _, check in AFTER_EVERY_RACE)]


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, lost=st.sampled_from([0.0, 0.05, 0.3]))
def test_a_right_server_is_never_convicted(race: Race, seed: int, lost: float) -> None:
    random = Random(seed)
    plan = random.choice(race.plans)(Draw(random))
    record = play(plan, random, Server(list(plan.starts)), lost)
    assert first_finding(record, everything(race)) is None


class LosesUpdates(Server):
    """The second of two changes to a wallet begins from what the first one read."""

    def move(self, wallet: int, by: int) -> None:
        before = self.balances[wallet]
        super().move(wallet, by)
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls == 3:
            self.balances[wallet] = before


class AppliesRefused(Server):
    """A deduct beyond the balance is refused, and made."""

    def _call(self, op: Op) -> tuple[int, int | None]:
        status, balance = super()._call(op)
        if status == 400 and op.kind == "deduct":
            self.move(op.wallet, -op.amount)
        return status, balance


class HalfTransfers(Server):
    """A transfer to nobody is refused after the debit."""

    def _call(self, op: Op) -> tuple[int, int | None]:
        status, balance = super()._call(op)
        if status == 404 and op.kind == "transfer" and op.wallet >= 0:
            self.move(op.wallet, -op.amount)
        return status, balance


class RunsKeysTwice(Server):
    def call(self, op: Op) -> tuple[int, int | None]:
        return self._call(op)


class NoCheck(Server):
    """Funds are not looked at."""

    def _call(self, op: Op) -> tuple[int, int | None]:
        for wallet, by in op.changes().items():
            self.move(wallet, by)
        return 200, self.balances[op.wallet]


@pytest.mark.parametrize(
    ("server", "race", "words"),
    [
        (LosesUpdates, "races/lost-update", "acknowledged"),
        (LosesUpdates, "races/equal-twins", None),
        (NoCheck, "races/double-spend", "acknowledged, 1600 in all"),
        (NoCheck, "races/many-from-ten", "acknowledged, 140 in all"),
        (RunsKeysTwice, "races/same-key", "is in the balance 30 times"),
        (HalfTransfers, "races/partial-transfer", "refused"),
        (AppliesRefused, "races/dirty-read", "refused"),
    ],
)
def test_a_wrong_server_is_convicted(
    server: type[Server], race: str, words: str | None
) -> None:
    (probe,) = (each for each in RACES if each.name == race)
    for seed in range(8):
        random = Random(seed)
        plan = probe.plans[0](Draw(random))
        record = play(plan, random, server(list(plan.starts)))
        finding = first_finding(record, everything(probe))
        if words is None:
            assert finding is None  # it has too few calls for this bug
        else:
            assert finding is not None
            assert words in finding.sentence


def test_a_lost_call_is_named_by_the_missing_bits() -> None:
    ops = tuple(Op("add", 0, 1 << bit) for bit in range(6))
    plan = Plan((0,), (tuple(Lane((op,)) for op in ops),))
    record = play(plan, Random(1), Server([0]))
    wrong = msgspec.structs.replace(record, rest=(63 - 4 - 16,))
    finding = first_finding(wrong, list(RACES[0].checks))
    assert finding is not None
    assert finding.sentence == "six adds acknowledged, four are in the balance"
    assert "the add of 4 is lost, the add of 16 is lost" in finding.sums


def test_a_call_without_an_answer_acquits() -> None:
    plan = Plan((0,), ((Lane((Op("add", 0, 1),)), Lane((Op("add", 0, 2),))),))
    record = play(plan, Random(1), Server([0]))
    for rest in (1, 3):
        unknown = msgspec.structs.replace(record.done[1], outcome=Outcome.UNKNOWN)
        lost = msgspec.structs.replace(
            record, done=(record.done[0], unknown), rest=(rest,)
        )
        assert first_finding(lost, list(RACES[0].checks)) is None


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ((Entry(1, 1), Entry(2, 2)), "2 entries leave the balance 0"),
        ((Entry(1, 1), Entry(2, 9)), "no entry leaves"),
        ((Entry(1, -1), Entry(2, 3)), "1 entry leaves the balance -2, and none can"),
        ((Entry(3, 3),), "wallet wallet-0: 1 entry, balance 3"),
        ((Entry(2, 2),), "with 1 entry it should hold 2; it holds"),
    ],
)
def test_the_history_must_be_a_chain(entries: tuple[Entry, ...], words: str) -> None:
    plan = Plan((0,), ((Lane((Op("add", 0, 1),)), Lane((Op("add", 0, 2),))),))
    record = play(plan, Random(1), Server([0]))
    broken = msgspec.structs.replace(record, entries=(entries,))
    finding = first_finding(broken, [AFTER_EVERY_RACE[1][2]])
    assert finding is not None
    assert words in finding.sums


def test_a_credit_that_another_call_overwrote_names_both() -> None:
    ops = Op("transfer", 0, 1, to=2), Op("transfer", 1, 2, to=2)
    plan = Plan((5, 5, 0), (tuple(Lane((op,)) for op in ops),))
    record = play(plan, Random(2), Server([5, 5, 0]))
    wrong = msgspec.structs.replace(record, rest=(4, 3, 2))
    finding = first_finding(wrong, list(RACES[0].checks))
    assert finding is not None
    assert finding.sentence.startswith("two calls changed one wallet at once")
    assert len(finding.witnesses) == 2


def test_many_refused_calls_that_were_applied_are_named() -> None:
    ops = tuple(Op("deduct", 0, 1 << bit) for bit in range(8))
    plan = Plan((0,), (tuple(Lane((op,)) for op in ops),))
    record = play(plan, Random(1), Server([0]))
    wrong = msgspec.structs.replace(record, rest=(-(1 + 2 + 8 + 32 + 128),))
    finding = first_finding(wrong, [AFTER_EVERY_RACE[0][2]])
    assert finding is not None
    assert finding.sentence == "five deducts were refused and applied all the same"


def test_a_balance_that_is_read_after_the_commit_loses_no_money() -> None:
    """The answer to the first add has the balance after both."""
    ops = Op("add", 0, 1), Op("add", 0, 2)
    plan = Plan((0,), ((Lane(ops),),))
    record = play(plan, Random(1), Server([0]))
    first, second = record.done
    late = msgspec.structs.replace(first, balance=3)
    wrong = msgspec.structs.replace(record, done=(late, second))
    (race,) = (each for each in RACES if each.name == "races/linearizable")
    assert first_finding(wrong, list(race.checks)) is None
    finding = first_finding(wrong, list(race.weak))
    assert finding is not None
    assert finding.verdict is Verdict.WEAK


def test_a_round_with_too_few_answers_decides_nothing() -> None:
    plan = Plan((0,), (tuple(Lane((Op("add", 0, 1 << bit),)) for bit in range(16)),))
    record = play(plan, Random(1), Server([0]))
    done = [
        msgspec.structs.replace(each, outcome=Outcome.UNKNOWN) if place > 1 else each
        for place, each in enumerate(record.done)
    ]
    assert is_decided(record)
    assert not is_decided(msgspec.structs.replace(record, done=tuple(done)))
