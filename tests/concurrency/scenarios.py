"""Small programs that are run under every schedule: `test_exhaustive` asserts that
they hold, and `tests.benchmarks` counts the schedules."""

from __future__ import annotations

from itertools import chain, combinations_with_replacement, product

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
from wallet_app.domain.transactions import AMOUNT_MAX

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

SCENARIOS: dict[str, Program] = {
    "crossing transfers": Program(
        TWO, [Transfer("asha", "ravi", 60)], [Transfer("ravi", "asha", 60)]
    ),
    "crossing transfers, twice": Program(
        TWO,
        [Transfer("asha", "ravi", 60), Transfer("ravi", "asha", 100)],
        [Transfer("ravi", "asha", 60), Transfer("asha", "ravi", 100)],
    ),
    "batches in opposite order": Program(
        THREE,
        [Batch((Transfer("asha", "ravi", 60), Transfer("ravi", "mei", 60)))],
        [Batch((Transfer("mei", "ravi", 60), Transfer("ravi", "asha", 60)))],
    ),
    "refused batch, reads of what it moved first": Program(
        TWO,
        [Batch((Transfer("asha", "ravi", 60), Deduct("asha", 60)))],
        [Get("ravi"), Get("asha"), Audit()],
    ),
    "a ring of three": Program(
        THREE,
        [Transfer("asha", "ravi", 60)],
        [Transfer("ravi", "mei", 60)],
        [Transfer("mei", "asha", 60)],
    ),
    "deduct, deduct": Program(TWO, [Deduct("asha", 60)], [Deduct("asha", 60)]),
    "three who spend the same money": Program(
        TWO,
        [Deduct("asha", 60)],
        [Transfer("asha", "ravi", 60)],
        [Deduct("asha", 100)],
    ),
    "a transfer to itself": Program(
        TWO, [Transfer("asha", "asha", 60)], [Add("asha", 60)]
    ),
    "two who fill the same wallet": Program(FULL, *[[Add("ravi", 60)]] * 2),
    "add and transfer fill the same wallet": Program(
        FULL, [Add("ravi", 60)], [Transfer("asha", "ravi", 60)]
    ),
    "transfer, audit": Program(TWO, [Transfer("asha", "ravi", 60)], [Audit()]),
    "transfer, reads of both": Program(
        TWO, [Transfer("asha", "ravi", 60)], [Get("asha"), Get("ravi"), Audit()]
    ),
    "add, failing transfer": Program(TWO, [Add("ravi", 60)], [HALF_WAY]),
    "deduct, transfer that fails twice": Program(
        TWO, [Deduct("asha", 40)], [TWICE_FAILED]
    ),
    "get and history, failing transfer": Program(
        TWO, [Get("asha"), History("asha")], [HALF_WAY]
    ),
    "audit, failing transfer": Program(TWO, [Audit()], [HALF_WAY]),
    "failing transfer, get its transaction": Program(
        TWO, [HALF_WAY], [GetTransaction("asha", "0.0"), Get("asha")]
    ),
    "same key twice": Program(
        TWO, [Add("asha", 60, key="k")], [Add("asha", 60, key="k")]
    ),
    "same key for a transfer that fails first": Program(
        TWO,
        [Transfer("asha", "ravi", 60, key="k", faults=(2,))],
        [Transfer("asha", "ravi", 60, key="k")],
    ),
    "same key, other request": Program(
        TWO, [Deduct("asha", 60, key="k")], [Deduct("asha", 40, key="k")]
    ),
    "same key for one refusal": Program(
        TWO,
        [Deduct("ravi", 100), Deduct("ravi", 60, key="k")],
        [Add("ravi", 60), Deduct("ravi", 60, key="k")],
    ),
    "freeze, transfer out": Program(
        TWO, [Freeze("asha")], [Transfer("asha", "ravi", 60)]
    ),
    "freeze, transfer in and audit": Program(
        TWO, [Freeze("ravi")], [Transfer("asha", "ravi", 60), Audit()]
    ),
    "freeze and look, deduct": Program(
        TWO, [Freeze("asha"), Get("asha")], [Deduct("asha", 60)]
    ),
    "freeze, freeze, unfreeze": Program(
        TWO, [Freeze("asha")], [Freeze("asha")], [Unfreeze("asha")]
    ),
    "freeze, crossing transfers": Program(
        TWO,
        [Freeze("asha")],
        [Transfer("asha", "ravi", 60)],
        [Transfer("ravi", "asha", 60)],
    ),
    "three who spend under one limit": Program(
        RICH,
        [Deduct("asha", 60)],
        [Transfer("asha", "ravi", 60)],
        [Deduct("asha", 40)],
        before=LIMITED,
    ),
    "a limit is set while two spend": Program(
        RICH, [SetLimits("asha", 100)], [Deduct("asha", 60)], [Deduct("asha", 60)]
    ),
    "deduct, failing transfer under a limit": Program(
        RICH, [Deduct("asha", 60)], [HALF_WAY], before=LIMITED
    ),
    "what of a limit is used, failing transfer": Program(
        RICH, [GetLimits("asha")], [HALF_WAY], before=LIMITED
    ),
    "three who confirm one approval": Program(
        RICH, *[[Confirm("waits")]] * 3, before=WAITS
    ),
    "confirm, deduct, freeze": Program(
        TWO,
        [Confirm("waits")],
        [Deduct("asha", 60)],
        [Freeze("asha")],
        before=WAITS,
    ),
    "confirm that fails first, confirm": Program(
        TWO,
        [Confirm("waits", faults=(1,)), Confirm("waits")],
        [Confirm("waits")],
        before=WAITS,
    ),
    "confirm, cancel, look": Program(
        TWO,
        [Confirm("waits")],
        [Cancel("waits")],
        [GetApproval("waits"), Get("asha")],
        before=WAITS,
    ),
    "the last resends, confirm": Program(
        TWO,
        [Resend("waits"), Confirm("waits")],
        [Resend("waits"), GetApproval("waits")],
        before=[*WAITS, Resend("waits"), Resend("waits")],
    ),
    "two movements with one key wait": Program(
        RICH,
        [Deduct("asha", 100, key="k")],
        [Deduct("asha", 100, key="k"), Confirm("k")],
        before=WAITS[:1],
    ),
    "two exchanges with one quote": Program(TWO, [EXCHANGE], [EXCHANGE], before=QUOTED),
    "an exchange that fails, exchange": Program(
        TWO,
        [Exchange("asha", "$ravi", 60, "quote", faults=(3,))],
        [EXCHANGE],
        before=QUOTED,
    ),
    "exchange, audit": Program(TWO, [EXCHANGE], [Audit()], before=QUOTED),
    "two who quote first, audit": Program(TWO, [Quote(60)], [Quote(60)], [Audit()]),
    "withdraw, deduct the same money": Program(
        TWO, [Withdraw("asha", 60, PAYS)], [Deduct("asha", 60)]
    ),
    "withdraw and attempt, audit": Program(
        TWO,
        [Withdraw("asha", 60, DECLINES, key="payment"), ATTEMPT],
        [Audit(), Audit()],
    ),
    "withdraw twice with one key": Program(
        TWO, *[[Withdraw("asha", 60, PAYS, key="k")]] * 2
    ),
    "withdraw that fails first, audit": Program(
        TWO,
        [Withdraw("asha", 60, PAYS, key="k", faults=(1,))],
        [Withdraw("asha", 60, PAYS, key="k"), Audit()],
    ),
    "a withdrawal is confirmed twice": Program(
        RICH,
        *[[Confirm("w")]] * 2,
        before=[WAITS[0], Withdraw("asha", 100, PAYS, key="w")],
    ),
    "money comes back, freeze": Program(
        TWO, [ATTEMPT], [Freeze("asha"), Get("asha")], before=DECLINED
    ),
    "money comes back, deduct and audit": Program(
        TWO, [ATTEMPT], [Deduct("asha", 60), Audit()], before=DECLINED
    ),
    "money comes back under a limit, deduct": Program(
        RICH,
        [ATTEMPT],
        [Deduct("asha", 60), GetLimits("asha")],
        before=LIMITED + DECLINED,
    ),
    "money comes back, failing transfer": Program(
        RICH, [ATTEMPT], [HALF_WAY], before=DECLINED
    ),
    "money comes back to a full wallet": Program(
        {"asha": AMOUNT_MAX},
        [Attempt("payment"), Attempt("payment")],
        [Add("asha", 60), Deduct("asha", 60)],
        before=DECLINED,
    ),
    "a deposit arrives, freeze": Program(
        TWO, [ATTEMPT], [Freeze("asha"), Audit()], before=PAID_IN
    ),
    "a deposit that was refused arrives, unfreeze": Program(
        TWO,
        [ATTEMPT, ATTEMPT],
        [Unfreeze("asha"), Audit()],
        before=[*PAID_IN, Freeze("asha")],
    ),
    "two workers on one job, declined": Program(TWO, *WORKERS, before=DECLINED),
    "two workers on one job, paid in": Program(TWO, *WORKERS, before=PAID_IN),
    "two workers on one job, timed out": Program(TWO, *WORKERS, before=LATE),
    "two workers on one job, bank down": Program(TWO, *WORKERS, before=PARKED[:1]),
    "three workers on one job": Program(TWO, *[[ATTEMPT]] * 3, before=DECLINED),
    "money comes back after a crash": Program(
        TWO, [CRASHES, ATTEMPT], [ATTEMPT, Audit()], before=DECLINED
    ),
    "a deposit arrives after a crash": Program(
        TWO, [CRASHES, ATTEMPT], [Freeze("asha"), Audit()], before=PAID_IN
    ),
    "retry, retry": Program(TWO, [RETRY], [RETRY], before=PARKED),
    "retry, its own late answer": Program(
        TWO, [ATTEMPT], [RETRY, ATTEMPT, LOOK], before=[*LATE, ATTEMPT]
    ),
    "retry, its own attempt without an answer": Program(
        TWO, [ATTEMPT], [RETRY, ATTEMPT, LOOK], before=PARKED
    ),
    "two payments end, audit": Program(
        TWO,
        [ATTEMPT, Attempt("other")],
        [Audit(), Audit()],
        before=[*PAID_IN, Withdraw("asha", 40, PAYS, key="other")],
    ),
    "create twice": Program({}, [Create("zoe")], [Create("zoe")]),
    "create twice with one key": Program(
        {}, [Create("zoe", key="k")], [Create("zoe", key="k")]
    ),
    "create, audit": Program(TWO, [Create("zoe")], [Audit()]),
    "a batch that is refused and crashes, audit": Program(
        TWO,
        [Batch((Add("asha", 60), Deduct("ravi", 160)), faults=(2,))],
        [Audit(), Deduct("asha", 60)],
    ),
    "an exchange within a user's wallets, list": Program(
        TWO,
        [Exchange("ravi", "$ravi", 60, "quote")],
        [ListWallets("ravi"), ListLiquidity()],
        before=QUOTED,
    ),
    "create and use, audit": Program(
        TWO, [Create("zoe"), Transfer("asha", "zoe", 60)], [Audit()]
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

BOUNDED = {"create, and a first movement": 2}
"""How many preemptions are tried line by line where there are too many schedules
otherwise."""


def pairs_with(kind: type[Operation], *, first_only: bool) -> list[Program]:
    """Return an operation beside itself and each that is listed after it, in all its
    typical forms or in the first."""
    kinds = list(OPERATIONS)
    calls, *others = [
        OPERATIONS[each].typical[: 1 if first_only else None]
        for each in kinds[kinds.index(kind) :]
    ]
    pairs = [*combinations_with_replacement(calls, 2), *product(calls, chain(*others))]
    return [Program(TWO, [one], [two], before=before(one, two)) for one, two in pairs]
