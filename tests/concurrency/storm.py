"""A storm: real threads call the service at the same time, in many short rounds.

In each round some threads meet, each makes a few calls, and all rest. Then one order
of the calls must explain every answer and all that is left, and no money is made or
lost. It does not know how the service is asked: in process or over HTTP.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

from tests.concurrency.client import Asks, last_reads
from tests.concurrency.judge import Asked, in_words, judge
from tests.concurrency.ledger import Book, Ledger
from tests.concurrency.linearizability import Call
from tests.concurrency.programs import (
    DRAWS,
    LEDGERS,
    MONEY,
    NEW,
    OPERATIONS,
    SETUP,
    Draw,
    Program,
)
from tests.concurrency.results import Entry, Rest
from tests.concurrency.specification import Batch, Create, Exchange, Operation, Quote
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
from tests.concurrency.specification_of_reads import GetTransaction
from tests.concurrency.specification_of_webhooks import (
    CreateWebhook,
    DeleteWebhook,
    GetWebhook,
    ListWebhooks,
)
from wallet_app.store import Wallet

THREADS, CALLS = 4, 2
"""How many threads meet in a round, and how many calls each makes. Eight calls have
at most 2,520 orders; with three for each thread they would have 369,600."""

OF_MONEY = [OPERATIONS[kind] for kind in MONEY]

STORMED = [*DRAWS, *OF_MONEY]
"""What a storm draws from: all operations, and those that move money more often,
because by plain chance they would rarely meet."""

ROUNDS_OF_A_LEDGER = 10
"""When a new ledger is begun, so that histories stay short."""

ROUND_SECONDS_MAX = 60
"""More than all calls of a round can wait for locks or answers, which give up."""

SWITCH_SECONDS = 1e-6
YIELDS = 0.02

UNSEEN_AT_REST = (
    *(Confirm, GetApproval, Cancel, Resend, Quote, Exchange),
    *(Withdraw, Deposit, Attempt, Retry, GetPayment),
    *(CreateWebhook, GetWebhook, DeleteWebhook, ListWebhooks),
)
"""What a storm leaves out: a round begins with what was read at rest. Neither approvals
nor quotes nor webhooks are seen there, nor what the bank was asked for a payment; and
over HTTP nobody but the service's own workers makes an attempt, whenever they like."""

REPEATED, KEY_ONLY = 0.2, 0.05
"""How many calls are the round's one request again, and how many have just its key."""


class WrongRound(AssertionError):
    """No order of its calls explains a round, or its money does not add up."""


def storm(
    new_client: Callable[[], Asks],
    seed: int,
    rounds: int,
    draws: Sequence[Draw] = STORMED,
) -> int:
    """Let so many rounds pass, and return in how many of them calls overlapped.

    `new_client` returns the client of a ledger that has no wallets yet. Only what is
    called is drawn from the seed; real threads meet differently each time.

    Raises WrongRound.
    """
    random = Random(seed)
    overlapping = 0
    with ThreadPoolExecutor(THREADS) as threads:
        for number in range(rounds):
            if number % ROUNDS_OF_A_LEDGER == 0:
                client = new_client()
                ledger = _open(client, Program(random.choice(LEDGERS)))
            programs = _draw(random, ledger, number, draws)
            calls = _at_once(threads, client, programs, number)
            overlapping += _overlap(calls)
            calls += last_reads(client, 2 * len(calls))
            wrong = (judge(calls, ledger), _made_or_lost(calls, ledger))
            if any(wrong):
                raise WrongRound(_report(number, seed, ledger, calls, wrong))
            ledger = _left(calls)
    return overlapping


# What makes real threads switch


class YieldingBalance:
    """Stands in for the slot of the wallet's balance, and lets other threads run
    before some of the reads and writes.

    `sleep(0)` waits for nothing. It gives the interpreter away for a moment, at a
    place where CPython 3.11 would never take it.
    """

    def __init__(self, slot: Any, seed: int) -> None:
        self._slot = slot
        self._chance = _Chance(itertools.count(seed))

    def __get__(self, wallet: Wallet, owner: type[Wallet]) -> int:
        self._perhaps_yield()
        balance: int = self._slot.__get__(wallet, owner)
        return balance

    def __set__(self, wallet: Wallet, balance: int) -> None:
        self._perhaps_yield()
        self._slot.__set__(wallet, balance)

    def _perhaps_yield(self) -> None:
        if self._chance.random() < YIELDS:
            time.sleep(0)


class _Chance(threading.local):
    """Each thread's own chance: every thread that comes here calls `__init__`."""

    def __init__(self, seeds: Iterator[int]) -> None:
        self.random = Random(next(seeds)).random


@contextmanager
def unsettled(seed: int) -> Iterator[None]:
    """Make this process switch threads often, for as long as the block takes."""
    balance = YieldingBalance(Wallet.__dict__["balance"], seed)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with patch.object(Wallet, "balance", balance):
            yield
    finally:
        sys.setswitchinterval(before)


# What the threads call


def _draw(
    random: Random, ledger: Ledger, number: int, draws: Sequence[Draw]
) -> list[list[Operation]]:
    """Draw what each thread calls in one round. Its key is not used again later."""
    key = f"{number}.key"
    repeated = _operation(random, ledger, key, draws)

    def operation() -> Operation:
        chance = random.random()
        if chance < REPEATED:
            return repeated
        own_key = key if chance < REPEATED + KEY_ONLY else None
        return _operation(random, ledger, own_key, draws)

    return [[operation() for _ in range(CALLS)] for _ in range(THREADS)]


def _operation(
    random: Random, ledger: Ledger, key: str | None, draws: Sequence[Draw]
) -> Operation:
    """Draw a call that uses no wallet that its round creates.

    A client learns the id from an answer, and others may have seen the wallet
    before: no order explains that.
    """
    while True:
        draw = random.choice(draws)
        if draw.kind in UNSEEN_AT_REST:
            continue
        operation = draw.pick(random, key)
        new = NEW not in dict(ledger.books)
        if isinstance(operation, Create) or not (new and NEW in str(operation)):
            return operation


# One round


def _open(client: Asks, program: Program) -> Ledger:
    for operation in program.setup:
        client.ask(operation, SETUP)
    return program.ledger()


def _at_once(
    threads: Executor,
    client: Asks,
    programs: Sequence[Sequence[Operation]],
    number: int,
) -> list[Call]:
    """Make calls from several threads that start together, and wait for all."""
    moments, counting = itertools.count(), threading.Lock()
    gate = threading.Barrier(len(programs))

    def moment() -> int:
        with counting:  # a Python without its global lock can count one twice
            return next(moments)

    def run(thread: int, operations: Sequence[Operation]) -> list[Call]:
        calls = []
        gate.wait(ROUND_SECONDS_MAX)
        for position, operation in enumerate(operations):
            asked = Asked(operation, f"{number}.{thread}.{position}", thread)
            invoked = moment()
            result = client.ask(operation, asked.by)
            calls.append(Call(asked, invoked, moment(), result))
        return calls

    running = [
        threads.submit(run, thread, operations)
        for thread, operations in enumerate(programs)
    ]
    return [call for each in running for call in each.result(ROUND_SECONDS_MAX)]


def _overlap(calls: Sequence[Call]) -> bool:
    in_order = sorted(calls, key=lambda call: call.invoked)
    return any(
        later.invoked < call.returned for call, later in itertools.pairwise(in_order)
    )


def _left(calls: Sequence[Call]) -> Ledger:
    """Return what a round has left, as it was read at rest. When the round was
    right, that is what the specification's ledger holds, except for the keys."""
    (rest,) = [call.result for call in calls if isinstance(call.result, Rest)]
    return Ledger(
        tuple(
            (each.name, Book(each.currency, past, each.frozen, usage.daily))
            for each, usage, past in rest.wallets
        )
    )


def _made_or_lost(calls: Sequence[Call], before: Ledger) -> str | None:
    """Return what is wrong with the sum of all money, without the specification: what
    the calls say that they added came to it, and what they deducted left it."""
    entries = {entry for call in calls for entry in _entries(call)}
    sign = {"CREDIT": 1, "DEBIT": -1}
    right = _sum(before) + sum(sign[each.type] * each.amount for each in entries)
    held = _sum(_left(calls))
    return None if held == right else f"{held} is held, but {right} should be."


def _entries(call: Call) -> list[Entry]:
    """Return the transactions that a call has made, except for those of transfers."""
    made: Any = call.result
    if isinstance(call.operation.operation, GetTransaction):
        return []
    if not isinstance(call.operation.operation, Batch):
        made = [made]
    return [each for each in made if isinstance(each, Entry)]


def _sum(ledger: Ledger) -> int:
    return sum(book.balance for _, book in ledger.books)


def _report(
    number: int,
    seed: int,
    before: Ledger,
    calls: Sequence[Call],
    wrong: Sequence[str | None],
) -> str:
    """Return a round as people read it: each call with its two moments."""
    held = ", ".join(f"{name} {book.balance}" for name, book in before.books)
    return "\n".join(
        [
            f"Round {number} of seed {seed} began with {held}.",
            *(
                f"{call.invoked:3} to {call.returned:2}  "
                f"{call.operation} {in_words(call.result)}"
                for call in sorted(calls, key=lambda call: call.invoked)
            ),
            *filter(None, wrong),
        ]
    )
