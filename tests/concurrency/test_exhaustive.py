"""Small scenarios under every schedule up to a number of preemptions.

This is the one claim with the shape of a proof: for these programs, with these
switch points, there is no schedule with so few preemptions that breaks the service.
The number of schedules is stated, and that there were no more.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement, product

import pytest

from tests.concurrency.execution import Laboratory
from tests.concurrency.ledger import DECLINES, DOWN, PAYS, TIMES_OUT
from tests.concurrency.programs import OPERATIONS, WAITS, Program, before
from tests.concurrency.specification import (
    Add,
    Batch,
    Create,
    Deduct,
    Exchange,
    Freeze,
    Operation,
    Quote,
    SetLimits,
    Transfer,
    Unfreeze,
)
from tests.concurrency.specification_of_approvals import (
    Cancel,
    Confirm,
    GetApproval,
    Resend,
)
from tests.concurrency.specification_of_payments import (
    Attempt,
    Deposit,
    GetPayment,
    Retry,
    Withdraw,
)
from tests.concurrency.specification_of_reads import (
    Audit,
    Get,
    GetLimits,
    GetTransaction,
    History,
    ListLiquidity,
    ListWallets,
)
from tests.concurrency.trace import assert_held
from wallet_app.domain.transactions import AMOUNT_MAX

pytestmark = pytest.mark.slow

TWO = {"asha": 100, "ravi": 100}
THREE = TWO | {"mei": 100}
FULL = {"asha": 100, "ravi": AMOUNT_MAX - 60}
HALF_WAY = Transfer("asha", "ravi", 60, faults=(2,))
"""A transfer that has taken from one wallet, and fails before it gives."""
TWICE_FAILED = Transfer("asha", "ravi", 60, faults=(2, 3))
"""One that fails again where the wallet is put back from which it took."""

LIMITED: list[Operation] = [SetLimits("asha", 100)]
RICH = {"asha": 200, "ravi": 100}
EXCHANGE = Exchange("asha", "$ravi", 60, "quote")
QUOTED = before(EXCHANGE)
"""What makes the quote that an exchange uses."""

DECLINED: list[Operation] = [Withdraw("asha", 60, DECLINES, key="payment")]
PAID_IN: list[Operation] = [Deposit("asha", 60, PAYS, key="payment")]
LATE: list[Operation] = [Deposit("asha", 60, TIMES_OUT, key="payment")]
PARKED = [Withdraw("asha", 60, DOWN, key="payment"), Attempt("payment")]
ATTEMPT, RETRY, LOOK = Attempt("payment"), Retry("payment"), GetPayment("payment")
WORKERS: list[list[Operation]] = [[ATTEMPT, Audit()], [ATTEMPT, LOOK]]
CRASHES = Attempt("payment", faults=(1,))
"""An attempt that learns what the bank has done, and fails where it is booked."""

Record = Callable[[str, object], None]

SCENARIOS: dict[str, tuple[int, Program]] = {
    "crossing transfers": (
        3,
        Program(TWO, [Transfer("asha", "ravi", 60)], [Transfer("ravi", "asha", 60)]),
    ),
    "crossing transfers, twice": (
        3,
        Program(
            TWO,
            [Transfer("asha", "ravi", 60), Transfer("ravi", "asha", 100)],
            [Transfer("ravi", "asha", 60), Transfer("asha", "ravi", 100)],
        ),
    ),
    "batches in opposite order": (
        3,
        Program(
            THREE,
            [Batch((Transfer("asha", "ravi", 60), Transfer("ravi", "mei", 60)))],
            [Batch((Transfer("mei", "ravi", 60), Transfer("ravi", "asha", 60)))],
        ),
    ),
    "refused batch, reads of what it moved first": (
        2,
        Program(
            TWO,
            [Batch((Transfer("asha", "ravi", 60), Deduct("asha", 60)))],
            [Get("ravi"), Get("asha"), Audit()],
        ),
    ),
    "a ring of three": (
        2,
        Program(
            THREE,
            [Transfer("asha", "ravi", 60)],
            [Transfer("ravi", "mei", 60)],
            [Transfer("mei", "asha", 60)],
        ),
    ),
    "deduct, deduct": (2, Program(TWO, [Deduct("asha", 60)], [Deduct("asha", 60)])),
    "three who spend the same money": (
        2,
        Program(
            TWO,
            [Deduct("asha", 60)],
            [Transfer("asha", "ravi", 60)],
            [Deduct("asha", 100)],
        ),
    ),
    "a transfer to itself": (
        2,
        Program(TWO, [Transfer("asha", "asha", 60)], [Add("asha", 60)]),
    ),
    "two who fill the same wallet": (2, Program(FULL, *[[Add("ravi", 60)]] * 2)),
    "add and transfer fill the same wallet": (
        2,
        Program(FULL, [Add("ravi", 60)], [Transfer("asha", "ravi", 60)]),
    ),
    "transfer, audit": (2, Program(TWO, [Transfer("asha", "ravi", 60)], [Audit()])),
    "transfer, reads of both": (
        2,
        Program(
            TWO, [Transfer("asha", "ravi", 60)], [Get("asha"), Get("ravi"), Audit()]
        ),
    ),
    "add, failing transfer": (2, Program(TWO, [Add("ravi", 60)], [HALF_WAY])),
    "deduct, transfer that fails twice": (
        2,
        Program(TWO, [Deduct("asha", 40)], [TWICE_FAILED]),
    ),
    "get and history, failing transfer": (
        2,
        Program(TWO, [Get("asha"), History("asha")], [HALF_WAY]),
    ),
    "audit, failing transfer": (2, Program(TWO, [Audit()], [HALF_WAY])),
    "failing transfer, get its transaction": (
        2,
        Program(TWO, [HALF_WAY], [GetTransaction("asha", "0.0"), Get("asha")]),
    ),
    "same key twice": (
        2,
        Program(TWO, [Add("asha", 60, key="k")], [Add("asha", 60, key="k")]),
    ),
    "same key for a transfer that fails first": (
        2,
        Program(
            TWO,
            [Transfer("asha", "ravi", 60, key="k", faults=(2,))],
            [Transfer("asha", "ravi", 60, key="k")],
        ),
    ),
    "same key, other request": (
        2,
        Program(TWO, [Deduct("asha", 60, key="k")], [Deduct("asha", 40, key="k")]),
    ),
    "same key for one refusal": (
        2,
        Program(
            TWO,
            [Deduct("ravi", 100), Deduct("ravi", 60, key="k")],
            [Add("ravi", 60), Deduct("ravi", 60, key="k")],
        ),
    ),
    "freeze, transfer out": (
        3,
        Program(TWO, [Freeze("asha")], [Transfer("asha", "ravi", 60)]),
    ),
    "freeze, transfer in and audit": (
        2,
        Program(TWO, [Freeze("ravi")], [Transfer("asha", "ravi", 60), Audit()]),
    ),
    "freeze and look, deduct": (
        2,
        Program(TWO, [Freeze("asha"), Get("asha")], [Deduct("asha", 60)]),
    ),
    "freeze, freeze, unfreeze": (
        2,
        Program(TWO, [Freeze("asha")], [Freeze("asha")], [Unfreeze("asha")]),
    ),
    "freeze, crossing transfers": (
        2,
        Program(
            TWO,
            [Freeze("asha")],
            [Transfer("asha", "ravi", 60)],
            [Transfer("ravi", "asha", 60)],
        ),
    ),
    "three who spend under one limit": (
        2,
        Program(
            RICH,
            [Deduct("asha", 60)],
            [Transfer("asha", "ravi", 60)],
            [Deduct("asha", 40)],
            before=LIMITED,
        ),
    ),
    "a limit is set while two spend": (
        2,
        Program(
            RICH, [SetLimits("asha", 100)], [Deduct("asha", 60)], [Deduct("asha", 60)]
        ),
    ),
    "deduct, failing transfer under a limit": (
        2,
        Program(RICH, [Deduct("asha", 60)], [HALF_WAY], before=LIMITED),
    ),
    "what of a limit is used, failing transfer": (
        2,
        Program(RICH, [GetLimits("asha")], [HALF_WAY], before=LIMITED),
    ),
    "three who confirm one approval": (
        2,
        Program(RICH, *[[Confirm("waits")]] * 3, before=WAITS),
    ),
    "confirm, deduct, freeze": (
        2,
        Program(
            TWO,
            [Confirm("waits")],
            [Deduct("asha", 60)],
            [Freeze("asha")],
            before=WAITS,
        ),
    ),
    "confirm that fails first, confirm": (
        2,
        Program(
            TWO,
            [Confirm("waits", faults=(1,)), Confirm("waits")],
            [Confirm("waits")],
            before=WAITS,
        ),
    ),
    "confirm, cancel, look": (
        2,
        Program(
            TWO,
            [Confirm("waits")],
            [Cancel("waits")],
            [GetApproval("waits"), Get("asha")],
            before=WAITS,
        ),
    ),
    "the last resends, confirm": (
        2,
        Program(
            TWO,
            [Resend("waits"), Confirm("waits")],
            [Resend("waits"), GetApproval("waits")],
            before=[*WAITS, Resend("waits"), Resend("waits")],
        ),
    ),
    "two movements with one key wait": (
        2,
        Program(
            RICH,
            [Deduct("asha", 100, key="k")],
            [Deduct("asha", 100, key="k"), Confirm("k")],
            before=WAITS[:1],
        ),
    ),
    "two exchanges with one quote": (
        3,
        Program(TWO, [EXCHANGE], [EXCHANGE], before=QUOTED),
    ),
    "an exchange that fails, exchange": (
        2,
        Program(
            TWO,
            [Exchange("asha", "$ravi", 60, "quote", faults=(3,))],
            [EXCHANGE],
            before=QUOTED,
        ),
    ),
    "exchange, audit": (2, Program(TWO, [EXCHANGE], [Audit()], before=QUOTED)),
    "two who quote first, audit": (
        2,
        Program(TWO, [Quote(60)], [Quote(60)], [Audit()]),
    ),
    "withdraw, deduct the same money": (
        2,
        Program(TWO, [Withdraw("asha", 60, PAYS)], [Deduct("asha", 60)]),
    ),
    "withdraw and attempt, audit": (
        2,
        Program(
            TWO,
            [Withdraw("asha", 60, DECLINES, key="payment"), ATTEMPT],
            [Audit(), Audit()],
        ),
    ),
    "withdraw twice with one key": (
        2,
        Program(TWO, *[[Withdraw("asha", 60, PAYS, key="k")]] * 2),
    ),
    "withdraw that fails first, audit": (
        2,
        Program(
            TWO,
            [Withdraw("asha", 60, PAYS, key="k", faults=(1,))],
            [Withdraw("asha", 60, PAYS, key="k"), Audit()],
        ),
    ),
    "a withdrawal is confirmed twice": (
        2,
        Program(
            RICH,
            *[[Confirm("w")]] * 2,
            before=[WAITS[0], Withdraw("asha", 100, PAYS, key="w")],
        ),
    ),
    "money comes back, freeze": (
        3,
        Program(TWO, [ATTEMPT], [Freeze("asha"), Get("asha")], before=DECLINED),
    ),
    "money comes back, deduct and audit": (
        2,
        Program(TWO, [ATTEMPT], [Deduct("asha", 60), Audit()], before=DECLINED),
    ),
    "money comes back under a limit, deduct": (
        2,
        Program(
            RICH,
            [ATTEMPT],
            [Deduct("asha", 60), GetLimits("asha")],
            before=LIMITED + DECLINED,
        ),
    ),
    "money comes back, failing transfer": (
        2,
        Program(RICH, [ATTEMPT], [HALF_WAY], before=DECLINED),
    ),
    "money comes back to a full wallet": (
        2,
        Program(
            {"asha": AMOUNT_MAX},
            [Attempt("payment"), Attempt("payment")],
            [Add("asha", 60), Deduct("asha", 60)],
            before=DECLINED,
        ),
    ),
    "a deposit arrives, freeze": (
        3,
        Program(TWO, [ATTEMPT], [Freeze("asha"), Audit()], before=PAID_IN),
    ),
    "a deposit that was refused arrives, unfreeze": (
        2,
        Program(
            TWO,
            [ATTEMPT, ATTEMPT],
            [Unfreeze("asha"), Audit()],
            before=[*PAID_IN, Freeze("asha")],
        ),
    ),
    "two workers on one job, declined": (2, Program(TWO, *WORKERS, before=DECLINED)),
    "two workers on one job, paid in": (2, Program(TWO, *WORKERS, before=PAID_IN)),
    "two workers on one job, timed out": (2, Program(TWO, *WORKERS, before=LATE)),
    "two workers on one job, bank down": (2, Program(TWO, *WORKERS, before=PARKED[:1])),
    "three workers on one job": (1, Program(TWO, *[[ATTEMPT]] * 3, before=DECLINED)),
    "money comes back after a crash": (
        2,
        Program(TWO, [CRASHES, ATTEMPT], [ATTEMPT, Audit()], before=DECLINED),
    ),
    "a deposit arrives after a crash": (
        2,
        Program(TWO, [CRASHES, ATTEMPT], [Freeze("asha"), Audit()], before=PAID_IN),
    ),
    "retry, retry": (2, Program(TWO, [RETRY], [RETRY], before=PARKED)),
    "retry, its own late answer": (
        2,
        Program(TWO, [ATTEMPT], [RETRY, ATTEMPT, LOOK], before=[*LATE, ATTEMPT]),
    ),
    "retry, its own attempt without an answer": (
        2,
        Program(TWO, [ATTEMPT], [RETRY, ATTEMPT, LOOK], before=PARKED),
    ),
    "two payments end, audit": (
        2,
        Program(
            TWO,
            [ATTEMPT, Attempt("other")],
            [Audit(), Audit()],
            before=[*PAID_IN, Withdraw("asha", 40, PAYS, key="other")],
        ),
    ),
    "create twice": (2, Program({}, [Create("zoe")], [Create("zoe")])),
    "create twice with one key": (
        2,
        Program({}, [Create("zoe", key="k")], [Create("zoe", key="k")]),
    ),
    "create, audit": (2, Program(TWO, [Create("zoe")], [Audit()])),
    "a batch that is refused and crashes, audit": (
        2,
        Program(
            TWO,
            [Batch((Add("asha", 60), Deduct("ravi", 160)), faults=(2,))],
            [Audit(), Deduct("asha", 60)],
        ),
    ),
    "an exchange within a user's wallets, list": (
        2,
        Program(
            TWO,
            [Exchange("ravi", "$ravi", 60, "quote")],
            [ListWallets("ravi"), ListLiquidity()],
            before=QUOTED,
        ),
    ),
    "create and use, audit": (
        2,
        Program(TWO, [Create("zoe"), Transfer("asha", "zoe", 60)], [Audit()]),
    ),
}

LINE_BY_LINE: dict[str, Program] = {
    "create twice": Program({}, [Create("zoe")], [Create("zoe")]),
    "create two": Program({}, [Create("zoe")], [Create("asha")]),
    # What the second thread sees after its audit needs no scenario without it.
    "create, audit, and who has seen it": Program(
        {"asha": 0}, [Create("zoe")], [Audit(), Get("zoe")]
    ),
    "create, and a first movement": Program(
        {"asha": 0}, [Create("zoe"), Add("zoe", 60)], [Create("zoe"), Add("zoe", 60)]
    ),
    "create two of a user's, list": Program(
        {}, [Create("zoe"), Create("$zoe")], [ListWallets("zoe")]
    ),
    "two first movements of a wallet": Program(
        {"asha": 0}, [Add("asha", 60)], [Add("asha", 60)]
    ),
    "create twice with one key": Program(
        {}, [Create("zoe", key="k")], [Create("zoe", key="k")]
    ),
    "freeze, deduct": Program({"asha": 100}, [Freeze("asha")], [Deduct("asha", 60)]),
    "two who spend under one limit": Program(
        {"asha": 200}, [Deduct("asha", 60)], [Deduct("asha", 60)], before=LIMITED
    ),
    "two who confirm one approval": Program(
        {"asha": 200}, [Confirm("waits")], [Confirm("waits")], before=WAITS
    ),
    "two workers on one job, timed out": Program(
        {"asha": 100},
        [ATTEMPT],
        [ATTEMPT],
        before=[Withdraw("asha", 60, TIMES_OUT, key="payment")],
    ),
    "retry, retry": Program({"asha": 100}, [RETRY], [RETRY], before=PARKED),
    "history, failing transfer": Program(TWO, [History("asha")], [HALF_WAY]),
    "same key twice": Program(
        {"asha": 0}, [Add("asha", 60, key="k")], [Add("asha", 60, key="k")]
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_holds_under_every_schedule(
    name: str, record_property: Record
) -> None:
    preemptions, program = SCENARIOS[name]
    laboratory = Laboratory()
    with laboratory.open():
        schedules = exhaust(laboratory, program, preemptions)
    record_property(name, counted(schedules, preemptions))


@pytest.mark.parametrize("name", LINE_BY_LINE)
def test_a_scenario_holds_under_every_schedule_line_by_line(
    name: str, record_property: Record
) -> None:
    laboratory = Laboratory(lines=True)
    with laboratory.open():
        schedules = exhaust(laboratory, LINE_BY_LINE[name], 2)
    record_property(f"line by line: {name}", counted(schedules, 2))


KINDS = list(OPERATIONS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_operation_holds_beside_every_other(
    kind: type[Operation], record_property: Record
) -> None:
    """Of two operations, the one that is listed first has both in its test."""
    calls = OPERATIONS[kind].typical
    others = [call for each in later(kind) for call in OPERATIONS[each].typical]
    pairs = [*combinations_with_replacement(calls, 2), *product(calls, others)]
    laboratory = Laboratory()
    with laboratory.open():
        schedules = sum(
            exhaust(laboratory, pair(one, other), 2) for one, other in pairs
        )
    what = f"{kind.__name__} in each of {len(pairs)} pairs"
    record_property(what, counted(schedules, 2))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_operation_holds_beside_every_other_line_by_line(
    kind: type[Operation], record_property: Record
) -> None:
    one = OPERATIONS[kind].typical[0]
    others = [OPERATIONS[each].typical[0] for each in (kind, *later(kind))]
    laboratory = Laboratory(lines=True)
    with laboratory.open():
        schedules = sum(exhaust(laboratory, pair(one, other), 1) for other in others)
    what = f"line by line: {kind.__name__} in each of {len(others)} pairs"
    record_property(what, counted(schedules, 1))


def later(kind: type[Operation]) -> list[type[Operation]]:
    return KINDS[KINDS.index(kind) + 1 :]


def pair(one: Operation, other: Operation) -> Program:
    return Program(TWO, [one], [other], before=before(one, other))


def exhaust(laboratory: Laboratory, program: Program, preemptions: int) -> int:
    """Assert that the program is right under every schedule; return their number."""
    explored = laboratory.explore(program, preemptions)
    assert_held(explored, laboratory.line_by_line)
    assert explored.schedules > 1
    return explored.schedules


def counted(schedules: int, preemptions: int) -> str:
    plural = "s" * (preemptions > 1)
    return f"{schedules:7,} schedules, all with up to {preemptions} preemption{plural}"
