"""A right wallet server without a network: plans are played in an order that is drawn.

Each call takes effect at one moment between its first byte and its last. Requests and
answers may be lost on the way, as on a network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import msgspec

from tests.judge.arithmetic.calls import Done, Entry, Op, Outcome, Plan, Record

LOST_ANSWER = "timed out"


@dataclass
class Server:
    """The wallets of one round, in a world without threads."""

    balances: list[int]
    entries: list[list[Entry]] = field(default_factory=list)
    users: dict[int, str] = field(default_factory=dict)
    answered: dict[str, tuple[int, int | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entries = [[] for _ in self.balances]

    def call(self, op: Op) -> tuple[int, int | None]:
        """Return the status and the balance afterwards."""
        if op.key and op.key in self.answered:
            return self.answered[op.key]
        answer = self._call(op)
        if op.key:
            self.answered[op.key] = answer
        return answer

    def _call(self, op: Op) -> tuple[int, int | None]:
        if op.kind == "create":
            if op.wallet in self.users:
                return 409, None
            self.users[op.wallet] = f"wallet-of-{op.wallet}"
            return 201, None
        wallets = [op.wallet] if op.to is None else [op.wallet, op.to]
        if any(not 0 <= wallet < len(self.balances) for wallet in wallets):
            return 404, None
        if op.kind == "transfer" and op.to == op.wallet:
            return 400, None
        changes = op.changes()
        if any(self.balances[wallet] + by < 0 for wallet, by in changes.items()):
            return 400, None
        for wallet, by in changes.items():
            self.move(wallet, by)
        return 200, self.balances[op.wallet]

    def move(self, wallet: int, by: int) -> None:
        self.balances[wallet] += by
        self.entries[wallet].append(Entry(by, self.balances[wallet]))


def play(plan: Plan, random: Random, server: Server, lost: float = 0.0) -> Record:
    """Return the record of a plan. `lost` is the share of requests, and again of
    answers, that do not arrive."""
    done: list[Done] = []
    clock = 0
    for number, stage in enumerate(plan.stages):
        queues = [list(lane.ops) for lane in stage]
        begun: dict[int, tuple[Op, int]] = {}
        came: dict[int, Done] = {}
        while any(queues) or begun:
            if not begun and all(
                lane.is_beside or not queue
                for lane, queue in zip(stage, queues, strict=True)
            ):
                break
            index = random.randrange(len(stage))
            clock += random.randrange(1, 1000)
            if index in came:
                done.append(_ended(came.pop(index), clock))
                begun.pop(index)
            elif index in begun:
                op, began = begun[index]
                came[index] = _run(server, op, random, lost, number, index, began)
                if came[index].status is None:
                    queues[index].clear()
            elif queues[index]:
                begun[index] = queues[index].pop(0), clock
    return Record(
        plan,
        tuple(f"wallet-{i}" for i in range(len(plan.starts))),
        plan.starts,
        tuple(sorted(done, key=lambda each: (each.stage, each.lane, each.began))),
        tuple(server.balances),
        tuple(tuple(each) for each in server.entries),
    )


def _ended(done: Done, clock: int) -> Done:

    return msgspec.structs.replace(done, ended=clock)


def _run(
    server: Server,
    op: Op,
    random: Random,
    lost: float,
    stage: int,
    lane: int,
    began: int,
) -> Done:
    """Return what the client learns of a call."""
    unknown = Done(
        op, stage, lane, began, began, began, Outcome.UNKNOWN, said=LOST_ANSWER
    )
    if random.random() < lost:
        return unknown
    status, balance = server.call(op)
    if random.random() < lost:
        return unknown
    outcome = Outcome.ACKNOWLEDGED if status < 400 else Outcome.REFUSED
    return Done(
        op,
        stage,
        lane,
        began,
        began,
        began,
        outcome,
        status,
        balance,
        id=server.users[op.wallet] if status == 201 else "",
        entries=tuple(server.entries[op.wallet]) if op.kind == "history" else None,
    )
