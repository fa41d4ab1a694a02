"""The races: which calls are made at once, and what decides about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.judge.arithmetic import balances, creations, histories, reads
from tests.judge.arithmetic.calls import NOBODY, Kind, Lane, Op, Plan, Stage
from tests.judge.arithmetic.checks import Check
from tests.judge.arithmetic.orders import not_linearizable, stated_late

SENDERS = 8
MOVES_MAX = 12
SPENDERS = 20
WITH_ONE_KEY = 30
READS_BESIDE = 40
"""A reader beside a race stops when the others have ended, at the latest here."""

OFFSET_NS_MAX = 2_000_000
"""Two calls that begin together are in step; if one is later, its read may fall
between the read and the write of the other."""


@dataclass(frozen=True)
class Draw:
    """What plans are drawn from."""

    random: Random
    at_once: int = 16
    latency_ns: int = 1_000_000

    @property
    def moves(self) -> int:
        """Return how many calls move money that must be there. The largest amount is
        two to this power, and wallets may have a limit."""
        return min(self.at_once, MOVES_MAX)

    def offset(self) -> int:
        """Return when a lane begins: often with the others, else a little later."""
        quarter = self.latency_ns // 4
        return self.random.choice(
            [
                0,
                0,
                0,
                quarter,
                2 * quarter,
                3 * quarter,
                self.random.randrange(OFFSET_NS_MAX),
            ]
        )

    def lanes(self, ops: Sequence[Op]) -> tuple[Lane, ...]:
        """Return a lane for each call, in an order of chance."""
        shuffled = self.random.sample(list(ops), len(ops))
        is_together = self.random.random() < 0.5
        return tuple(
            Lane((op,), 0 if is_together else self.offset()) for op in shuffled
        )


@dataclass(frozen=True)
class Race:
    """One probe: what is raced, and what contradicts the exercise.

    Rounds alternate between the plans.
    """

    name: str
    shows: str
    plans: Sequence[Callable[[Draw], Plan]]
    checks: Sequence[Check]
    needs: Sequence[Kind]
    is_must: bool = True
    rounds: int = 12
    needs_keys: bool = False
    needs_users: bool = False
    may_hang: bool = False
    """Calls that wait for each other: one that is never answered convicts."""
    weak: Sequence[Check] = field(default_factory=tuple)
    """What is safe, but not as the exercise says."""


MONEY: tuple[Check, ...] = (
    balances.overspent,
    balances.wrong_balance,
    balances.refused_but_applied,
)


def _adds(draw: Draw) -> Plan:
    ops = [Op("add", 0, 1 << bit) for bit in range(draw.at_once)]
    return Plan((0,), (draw.lanes(ops),))


def _adds_and_deducts(draw: Draw) -> Plan:
    """Powers of two in and out, so that the missing bits name the lost calls."""
    kinds: tuple[Kind, ...] = ("add", "deduct", "transfer")
    ops = [
        Op(kind, 0, 1 << bit, to=1 if kind == "transfer" else None)
        for bit, kind in zip(range(draw.moves), kinds * draw.moves, strict=False)
    ]
    return Plan((1 << draw.moves, 0), (draw.lanes(ops),))


def _spend_all(draw: Draw) -> Plan:
    ops = [Op("deduct", 0, 100) for _ in range(draw.at_once)]
    return Plan((100,), (draw.lanes(ops),))


def _spend_all_or_move(draw: Draw) -> Plan:
    half = draw.at_once // 2
    ops = [Op("deduct", 0, 100)] * half + [Op("transfer", 0, 100, to=1)] * half
    return Plan((100, 0), (draw.lanes(ops),))


def _many_from_ten(draw: Draw) -> Plan:
    return Plan((70,), (draw.lanes([Op("deduct", 0, 7)] * SPENDERS),))


def _hot_receiver(draw: Draw) -> Plan:
    ops = [Op("transfer", bit, 1 << bit, to=SENDERS) for bit in range(SENDERS)]
    starts = *(1 << bit for bit in range(SENDERS)), 0
    return Plan(starts, (draw.lanes(ops),))


def _opposing(draw: Draw) -> Plan:
    ops = [
        Op("transfer", bit % 2, 1 << bit, to=1 - bit % 2) for bit in range(draw.moves)
    ]
    return Plan((1 << draw.moves, 1 << draw.moves), (draw.lanes(ops),))


def _ring(draw: Draw) -> Plan:
    ops = [
        Op("transfer", bit % 3, 1 << bit, to=(bit + 1) % 3) for bit in range(draw.moves)
    ]
    return Plan((1 << draw.moves,) * 3, (draw.lanes(ops),))


def _partial(draw: Draw) -> Plan:
    """Transfers that must be refused, in a crowd of valid ones."""
    good = [
        Op("transfer", bit % 2, 1 << bit, to=1 - bit % 2)
        for bit in range(draw.moves // 2)
    ]
    top = 1 << draw.moves
    bad = [
        Op("transfer", 0, 1 << draw.moves // 2, to=NOBODY),
        Op("transfer", 1, 1 << draw.moves // 2 + 1, to=NOBODY),
        Op("transfer", 0, 1 << draw.moves // 2 + 2, to=0),
        Op("transfer", 1, 4 * top, to=0),
        Op("transfer", NOBODY, 1 << draw.moves // 2 + 3, to=1),
    ]
    return Plan((top, top), (draw.lanes([*good, *bad]),))


def _dirty(draw: Draw) -> Plan:
    """Calls that are refused, in a loop, and readers beside."""
    bad = [
        Op("deduct", 0, 101),
        Op("transfer", 0, 50, to=NOBODY),
        Op("transfer", 0, 101, to=1),
    ]
    refused = [Lane((op,) * 6, draw.offset()) for op in bad]
    readers = [
        Lane((Op("read", wallet),) * READS_BESIDE, is_beside=True)
        for wallet in (0, 0, 1)
    ]
    return Plan((100, 50), ((*refused, *readers),))


def _torn(draw: Draw) -> Plan:
    moves = [
        Lane(tuple(Op("transfer", 0, 1 << bit, to=1) for bit in bits), draw.offset())
        for bits in ((0, 1, 2, 3), (4, 5, 6, 7))
    ]
    readers = [
        Lane(
            (Op("read", one), Op("read", 1 - one)) * (READS_BESIDE // 2), is_beside=True
        )
        for one in (0, 1, 0, 1)
    ]
    return Plan((256, 0), ((*moves, *readers),))


def _stale(draw: Draw) -> Plan:
    del draw
    readers = tuple(Lane((Op("read"),)) for _ in range(5))
    stages: list[Stage] = []
    for bit in range(4):
        stages += [(Lane((Op("add", 0, 1 << bit),)),), readers]
    return Plan((0,), tuple(stages))


def _twins(draw: Draw) -> Plan:
    offset = draw.random.choice([0, draw.latency_ns // 2, 4 * draw.latency_ns])
    twins = Lane((Op("add", 0, 5),)), Lane((Op("add", 0, 5),), offset)
    return Plan((0,), (twins,))


def _one_key(draw: Draw) -> Plan:
    ops = [Op("add", 0, 5, key="one")] * WITH_ONE_KEY
    return Plan((0,), (draw.lanes(ops),))


def _creates(draw: Draw) -> Plan:
    return Plan((), (draw.lanes([Op("create")] * draw.at_once),))


def _entries(draw: Draw) -> Plan:
    """Calls, and after each its history on another connection."""
    del draw
    stages: list[Stage] = []
    for bit in range(4):
        stages += [
            (Lane((Op("add", 0, 1 << bit),)),),
            (Lane((Op("history"),)), Lane((Op("history"),))),
        ]
    return Plan((0,), tuple(stages))


def _drawn(draw: Draw) -> Plan:
    """At most eight calls on two wallets, with reads."""
    lanes = []
    for bits in ((0, 1), (2, 3), (4, 5), (6, 7)):
        ops: list[Op] = []
        for bit in bits:
            kind = draw.random.choice(["add", "deduct", "transfer", "read"])
            wallet = draw.random.randrange(2)
            amount = 0 if kind == "read" else 1 << bit
            to = 1 - wallet if kind == "transfer" else None
            ops.append(Op(_kind(kind), wallet, amount, to=to))
        lanes.append(Lane(tuple(ops), draw.offset()))
    return Plan((60, 60), (tuple(lanes),))


def _kind(text: str) -> Any:
    return text


RACES = (
    Race(
        "races/lost-update",
        "of many changes to one wallet at once, each is in the balance",
        (_adds, _adds_and_deducts),
        MONEY,
        ("add",),
    ),
    Race(
        "races/double-spend",
        "of many calls that each spend the whole balance, one succeeds",
        (_spend_all, _spend_all_or_move),
        MONEY,
        ("deduct",),
    ),
    Race(
        "races/many-from-ten",
        "of twenty deducts of a tenth, ten succeed",
        (_many_from_ten,),
        MONEY,
        ("deduct",),
        weak=(balances.refused_with_funds,),
    ),
    Race(
        "races/hot-receiver",
        "what eight wallets send to one at once has arrived",
        (_hot_receiver,),
        MONEY,
        ("transfer",),
        rounds=8,
    ),
    Race(
        "races/opposing",
        "transfers in both directions between two wallets are all answered",
        (_opposing,),
        MONEY,
        ("transfer",),
        may_hang=True,
        weak=(balances.refused_with_funds,),
    ),
    Race(
        "races/ring",
        "transfers round three wallets are all answered",
        (_ring,),
        MONEY,
        ("transfer",),
        may_hang=True,
        weak=(balances.refused_with_funds,),
    ),
    Race(
        "races/partial-transfer",
        "a transfer that must be refused takes and gives nothing, in a crowd too",
        (_partial,),
        MONEY,
        ("transfer",),
    ),
    Race(
        "races/dirty-read",
        "no read shows a call that was refused",
        (_dirty,),
        (reads.dirty_read, *MONEY),
        ("deduct", "read"),
    ),
    Race(
        "races/torn-transfer",
        "no reads show one half of a transfer",
        (_torn,),
        (reads.torn_read, *MONEY),
        ("transfer", "read"),
        is_must=False,
        rounds=40,
    ),
    Race(
        "races/stale-read",
        "what was acknowledged is in every later read",
        (_stale,),
        (reads.stale_read, *MONEY),
        ("add", "read"),
        rounds=4,
    ),
    Race(
        "races/create-twice",
        "of many creations for one user at once, one succeeds",
        (_creates,),
        (creations.created_twice,),
        ("create",),
        rounds=8,
        needs_users=True,
        weak=(creations.created_again,),
    ),
    Race(
        "races/equal-twins",
        "two equal adds are two adds",
        (_twins,),
        MONEY,
        ("add",),
        rounds=6,
    ),
    Race(
        "races/same-key",
        "equal calls with one idempotency key have one effect",
        (_one_key,),
        MONEY,
        ("add",),
        is_must=False,
        rounds=8,
        needs_keys=True,
    ),
    Race(
        "races/history",
        "after every race: the history adds up to the balance, entry by entry",
        (_entries, _adds, _adds_and_deducts, _opposing),
        (histories.late_entry, histories.wrong_history),
        ("add", "history"),
    ),
    Race(
        "races/linearizable",
        "answers and reads are those of some order of the calls",
        (_drawn,),
        (not_linearizable, *MONEY),
        ("add", "deduct", "read"),
        rounds=40,
        weak=(stated_late,),
    ),
)

AFTER_EVERY_RACE: tuple[tuple[str, str, Check], ...] = (
    (
        "races/refused-but-applied",
        "after every race: what was refused is not in the balance",
        balances.refused_but_applied,
    ),
    (
        "races/history",
        "after every race: the history adds up to the balance, entry by entry",
        histories.wrong_history,
    ),
)
