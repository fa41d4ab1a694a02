"""Programs: a few wallets, and a few threads that each make a few calls.

Hypothesis draws them here, with a bias to conflict: few wallets, amounts near the
balances, the same key again, frequent faults. What it draws first is the simplest,
and what fails shrinks towards that.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.concurrency.ledger import DECLINES, DOLLARS, PAYS, TIMES_OUT, Ledger
from tests.concurrency.scheduler import Schedule
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
    answer,
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
    Export,
    Get,
    GetLimits,
    GetTransaction,
    History,
    ListLiquidity,
    ListWallets,
    Summarize,
)
from tests.concurrency.specification_of_webhooks import (
    CreateWebhook,
    DeleteWebhook,
    GetWebhook,
    ListWebhooks,
)
from wallet_app.domain.transactions import AMOUNT_MAX

SETUP = "before"
"""The label of the calls that were made before the threads started."""


@dataclass(frozen=True, init=False)
class Program:
    """What each thread calls, in a ledger that holds these balances at first.

    `before` are calls that were made one at a time before the threads started; none
    of them crashes.
    """

    wallets: Mapping[str, int]
    threads: tuple[tuple[Operation, ...], ...]
    before: tuple[Operation, ...]

    def __init__(
        self,
        wallets: Mapping[str, int],
        *threads: Sequence[Operation],
        before: Sequence[Operation] = (),
    ) -> None:
        object.__setattr__(self, "wallets", dict(wallets))
        object.__setattr__(self, "threads", tuple(map(tuple, threads)))
        quiet = [replace(operation, faults=()) for operation in before]
        object.__setattr__(self, "before", tuple(quiet))

    def __repr__(self) -> str:
        """As the Python that makes it."""
        parts = [repr(self.wallets), *(repr(list(each)) for each in self.threads)]
        if self.before:
            parts.append(f"before={list(self.before)!r}")
        return f"Program({', '.join(parts)})"

    @property
    def setup(self) -> list[Operation]:
        """The calls that make the ledger what it is when the threads start."""
        opened: list[Operation] = []
        for name, balance in self.wallets.items():
            opened.append(Create(name))
            if balance:
                opened.append(Add(name, balance))
        return [*opened, *self.before]

    @property
    def alike(self) -> frozenset[int]:
        """The threads that make the same calls as one before them."""
        return frozenset(
            number
            for number, calls in enumerate(self.threads)
            if calls in self.threads[:number]
        )

    @property
    def calls(self) -> int:
        return sum(map(len, self.threads))

    def ledger(self) -> Ledger:
        """Return the specification's ledger when the threads start."""
        ledger = Ledger()
        for operation in self.setup:
            _, ledger = answer(ledger, operation, operation.key or SETUP)
        return ledger


NAMES = ("asha", "ravi", "mei")
NEW = "zoe"
"""Whose wallet there is only when a call of the program has created it."""

AMOUNTS = (60, 40, 100)
MOSTLY_ASHA = (("asha",), ("asha",), ("ravi",))
ONE = (("asha",), ("ravi",), ("asha",), ("ravi",), ("mei",), (NEW,))
TWO = (
    *(("asha", "ravi"), ("ravi", "asha")) * 3,
    ("ravi", "mei"),
    ("mei", "asha"),
    ("asha", "asha"),
    ("asha", NEW),
)
BATCHES = [
    ((Transfer("asha", "ravi", 60), Transfer("ravi", "asha", 100)),),
    ((Transfer("ravi", "asha", 60), Deduct("asha", 100)),),
    ((Add("asha", 60), Deduct("ravi", 160)),),
]
"""The last one is refused for its second operation, after the first one was made."""

MADE = [("asha", SETUP), ("ravi", SETUP), ("asha", "0.0")]
"""Whose transaction, and the label of the call that makes it."""

LEDGERS: tuple[dict[str, int], ...] = (
    {"asha": 100, "ravi": 100},
    {"asha": 100, "ravi": 0},
    {"asha": 100, "ravi": 100, "mei": 100},
    {"asha": 100, "ravi": AMOUNT_MAX - 60},
)
EXTRAS: tuple[dict[str, Any], ...] = (
    {},
    {"faults": (2,)},
    {"faults": (1,)},
    {"key": "k"},
    {"key": "k"},
    {},
    {},
    {"faults": (2,)},
    {"faults": (2, 3)},
    {"key": "k", "faults": (1,)},
)
PLAIN: tuple[dict[str, Any], ...] = ({}, {})
REPEATED: tuple[dict[str, Any], ...] = ({}, {}, {"faults": (1,)}, {"key": "k"})
HALF_WAY: tuple[dict[str, Any], ...] = ({}, {}, {"faults": (2,)}, {"key": "k"})

WAITS = (SetLimits("asha", None, 90), Deduct("asha", 100, key="waits"))
"""What leaves a deduct of asha's waiting for its approval."""

DECLINED = Withdraw("asha", 60, DECLINES, key="declined")
PAID = Deposit("asha", 60, PAYS, key="paid")
LATE = Withdraw("asha", 40, TIMES_OUT, key="late")
"""Payments that are there before the threads start, known by their keys."""

WEBHOOKS = (CreateWebhook(), CreateWebhook(key="hook"))
"""The first one is never deleted: without any, the outbox keeps nothing."""

CRASHING: tuple[dict[str, Any], ...] = ({}, {}, {"faults": (1,)})


@dataclass(frozen=True)
class Draw:
    """How an operation is drawn: whose wallets, which amounts, and which extras.

    Each takes three draws, counting which operation it is. So Hypothesis can leave
    one out (it tries up to five draws at a time), and none looks simpler to it than
    those that stand before it.
    """

    kind: Callable[..., Operation]
    wallets: Sequence[tuple[Any, ...]]
    amounts: Sequence[int | None] | None = AMOUNTS
    extras: Sequence[dict[str, Any]] = EXTRAS
    before: Sequence[Operation] = ()
    """What must have been called before, for the operation to have something to do."""

    @property
    def values(self) -> list[tuple[Any, ...]]:
        if self.amounts is None:
            return list(self.wallets)
        return [(*who, amount) for who in self.wallets for amount in self.amounts]

    @property
    def strategy(self) -> SearchStrategy[Operation]:
        return st.builds(
            lambda value, extra: self.kind(*value, **extra),
            st.sampled_from(self.values),
            st.sampled_from(self.extras),
        )

    def pick(self, random: Random, key: str | None) -> Operation:
        """Draw by plain chance, for real threads: what they do differs each time,
        which Hypothesis takes for a mistake."""
        keyed = {"key": key} if any("key" in extra for extra in self.extras) else {}
        return self.kind(*random.choice(self.values), **keyed)

    @property
    def typical(self) -> list[Operation]:
        """The first amount: on the first wallet with each extra that makes a
        difference, and on the next one without any."""
        step = 1 if self.amounts is None else len(self.amounts)
        first, second = self.values[: step + 1 : step]
        calls = [self.kind(*first, **extra) for extra in self.extras]
        calls.append(self.kind(*second))
        return list(
            dict.fromkeys(
                call for call in calls if min(call.faults, default=0) <= call.writes
            )
        )


OPERATIONS: dict[type[Operation], Draw] = {
    Add: Draw(Add, ONE),
    Deduct: Draw(Deduct, ONE),
    Transfer: Draw(Transfer, TWO),
    Batch: Draw(Batch, BATCHES, None, HALF_WAY),
    Get: Draw(Get, ONE, None, PLAIN),
    History: Draw(History, ONE, None, PLAIN),
    GetTransaction: Draw(GetTransaction, MADE, None, PLAIN),
    Export: Draw(Export, MOSTLY_ASHA, None, PLAIN),
    Summarize: Draw(Summarize, MOSTLY_ASHA, None, PLAIN),
    ListWallets: Draw(
        ListWallets,
        [(who,) for who in ("ravi", "ravi", NEW)],
        None,
        PLAIN,
        [Create(DOLLARS + "ravi")],
    ),
    ListLiquidity: Draw(ListLiquidity, [(), ()], None, PLAIN),
    Audit: Draw(Audit, [(), ()], None, PLAIN),
    Create: Draw(Create, [(NEW,), ("asha",)], None),
    Freeze: Draw(Freeze, MOSTLY_ASHA, None, PLAIN),
    Unfreeze: Draw(Unfreeze, MOSTLY_ASHA, None, PLAIN, [Freeze("asha")]),
    SetLimits: Draw(SetLimits, MOSTLY_ASHA, (60, 100, None), PLAIN),
    GetLimits: Draw(GetLimits, MOSTLY_ASHA, None, PLAIN, [SetLimits("asha", 60)]),
    Confirm: Draw(Confirm, [("waits",), ("waits",), ("k",)], None, REPEATED, WAITS),
    GetApproval: Draw(GetApproval, [("waits",)] * 2, None, PLAIN, WAITS),
    Cancel: Draw(Cancel, [("waits",)] * 2, None, PLAIN, WAITS),
    Resend: Draw(Resend, [("waits",)] * 2, None, PLAIN, WAITS),
    Quote: Draw(Quote, [(60,), (60,), (100,)], None, PLAIN),
    Exchange: Draw(
        Exchange,
        [(who, DOLLARS + "ravi", 60, "quote") for who in ("asha", "ravi", "ravi")],
        None,
        REPEATED,
        [Create(DOLLARS + "ravi"), Quote(60, key="quote")],
    ),
    Withdraw: Draw(
        Withdraw,
        [("asha", 60, DECLINES), ("asha", 60, DECLINES), ("ravi", 100, PAYS)],
        None,
        REPEATED,
    ),
    Deposit: Draw(Deposit, [("asha", 60, PAYS)] * 2, None, PLAIN),
    Attempt: Draw(
        Attempt,
        [("declined",), ("paid",), ("late",), ("declined",)],
        None,
        CRASHING,
        [DECLINED, PAID, LATE],
    ),
    CreateWebhook: Draw(CreateWebhook, [(), ()], None, PLAIN),
    GetWebhook: Draw(GetWebhook, [("hook",)] * 2, None, PLAIN, WEBHOOKS),
    DeleteWebhook: Draw(DeleteWebhook, [("hook",)] * 2, None, PLAIN, WEBHOOKS),
    ListWebhooks: Draw(ListWebhooks, [(), ()], None, PLAIN),
    Retry: Draw(Retry, [("late",)] * 2, None, PLAIN, [LATE, Attempt("late")]),
    GetPayment: Draw(GetPayment, [("declined",)] * 2, None, PLAIN, [DECLINED]),
}
"""How each operation is drawn. A new operation is one line here."""

DRAWS = [*OPERATIONS.values(), *[OPERATIONS[Transfer], OPERATIONS[Get]] * 4]
"""Each operation as often as it is drawn."""

MONEY = (
    *(Add, Deduct, *(Transfer, Get) * 3, Batch),
    *(History, Export, Summarize, Audit, Create),
)
TERMS = (*(Deduct, Transfer, Get) * 2, Freeze, Unfreeze, SetLimits, GetLimits)
PROMISES = (
    *(Deduct, Transfer, Get, Audit, Quote, Exchange, Freeze),
    *(ListWallets, ListLiquidity, GetTransaction),
)
APPROVALS = (*(Confirm,) * 3, GetApproval, Cancel, Resend, Deduct, Get, Freeze)
PAYMENTS = (
    *(Attempt, Attempt, Retry, Withdraw, Audit) * 2,
    *(Deposit, GetPayment, Freeze, Get),
)
RECEIVERS = (*(CreateWebhook, DeleteWebhook, ListWebhooks) * 2, GetWebhook, Create)
FAMILIES: list[list[Draw]] = [
    *[
        [OPERATIONS[kind] for kind in family]
        for family in (*(MONEY, TERMS) * 2, PROMISES, APPROVALS, PAYMENTS, RECEIVERS)
    ],
    DRAWS,
]
"""Operations that have to do with each other. A program draws from one family: among
all operations, two that meet would be rare."""


def drawn_from(draws: Sequence[Draw]) -> SearchStrategy[Operation]:
    return st.sampled_from(draws).flatmap(lambda draw: draw.strategy)


operations = drawn_from(DRAWS)


def before(*operations: Operation) -> list[Operation]:
    """Return what must have been called before these have something to do: of calls
    with a key, those that they name."""
    needed = [
        call
        for each in operations
        for call in OPERATIONS[type(each)].before
        if call.key in (None, getattr(each, "label", None))
    ]
    return list(dict.fromkeys(needed))


def programs(threads: int = 3, calls: int = 4) -> SearchStrategy[Program]:
    """Draw programs with two threads or more, and up to so many calls altogether."""
    return st.sampled_from(FAMILIES).flatmap(
        lambda family: _programs(drawn_from(family), threads, calls)
    )


def _programs(
    drawn: SearchStrategy[Operation], threads: int, calls: int
) -> SearchStrategy[Program]:
    return st.builds(
        _program,
        st.sampled_from(LEDGERS),
        drawn,
        drawn,
        st.lists(st.tuples(st.integers(0, threads - 1), drawn), max_size=calls - 2),
    )


def _program(
    wallets: Mapping[str, int],
    one: Operation,
    other: Operation,
    more: Sequence[tuple[int, Operation]],
) -> Program:
    threads = {0: [one], 1: [other]}
    for thread, operation in more:
        threads.setdefault(thread, []).append(operation)
    calls = [operation for thread in threads.values() for operation in thread]
    return Program(wallets, *threads.values(), before=before(*calls))


def simpler(program: Program) -> Iterator[Program]:
    """Yield the program without each of its calls, and with its threads turned
    round."""
    for i, thread in enumerate(program.threads):
        for j in range(len(thread)):
            threads = list(program.threads)
            threads[i] = thread[:j] + thread[j + 1 :]
            if program.calls > 1:
                yield Program(
                    program.wallets, *filter(None, threads), before=program.before
                )
    turned = program.threads[::-1]
    yield Program(program.wallets, *turned, before=program.before)


def program_from(text: str) -> Program:
    """Return the program that is written as Python, as `repr` writes it.

    For what people type on their own machine: it is run.
    """
    names: dict[str, Any] = {kind.__name__: kind for kind in OPERATIONS}
    names["Program"] = Program
    program = eval(text, {"__builtins__": {}}, names)
    if not isinstance(program, Program):
        raise ValueError("that is no program")
    return program


def schedule_from(text: str) -> Schedule:
    """Return the schedule that is written as a dictionary of integers."""
    schedule = ast.literal_eval(text)
    if not isinstance(schedule, dict) or not all(
        type(number) is int for pair in schedule.items() for number in pair
    ):
        raise ValueError("a schedule is {step: thread}")
    return schedule


def pairs() -> SearchStrategy[Program]:
    """Draw two calls that overlap: small enough to be explored line by line. The
    simplest wallets are those that nobody has used."""
    return st.builds(
        lambda wallets, one, other: Program(
            wallets, [one], [other], before=before(one, other)
        ),
        st.sampled_from([{"asha": 0, "ravi": 0}, {"asha": 100, "ravi": 100}]),
        operations,
        operations,
    )
