"""Runs programs on the real service under the scheduler.

One `Execution` is one program under one schedule; `Laboratory.explore` runs it under
every schedule up to a number of preemptions, until one of them is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from tests.concurrency.calls import CODE, SETTINGS
from tests.concurrency.client import Client, last_reads
from tests.concurrency.judge import Asked, judge
from tests.concurrency.ledger import Ledger
from tests.concurrency.linearizability import Call
from tests.concurrency.outbox import Listener
from tests.concurrency.programs import SETUP, Program
from tests.concurrency.scheduler import (
    Choice,
    Lock,
    Run,
    Schedule,
    Scheduler,
    explore,
    preempted,
)
from tests.concurrency.specification import Operation
from tests.concurrency.switch_points import Lines, watched_balances
from tests.concurrency.values import name_in
from tests.ledgers import Clock, new_service, passing_time
from wallet_app.services.payments.payment import PaymentStatus
from wallet_app.services.service import WalletService

SCHEDULES_MAX = 100_000
"""Where an exploration stops that was not meant to become so long."""


@dataclass
class Execution:
    """One run of a program: what happened, and what is wrong with it, if anything."""

    program: Program
    schedule: Schedule
    run: Run
    calls: list[Call]
    wrong: str | None

    @property
    def count(self) -> int:
        """How many threads there are."""
        return len(self.program.threads)

    @property
    def choices(self) -> Sequence[Choice]:
        return self.run.choices

    @property
    def preempted(self) -> dict[int, Choice]:
        return preempted(self.run)


@dataclass
class Exploration:
    """What came of running a program under many schedules."""

    schedules: int
    ended: bool
    """Whether there were no more schedules: else a failure or the cap was met."""
    failure: Execution | None


class Laboratory:
    """The service under the scheduler.

    Switch points are the locks and each touch of a balance; with `lines`, also each
    line of the service and the store. Then time passes as well: two calls that begin
    in one order and move money in the other show whether histories stay in order.
    """

    def __init__(self, *, lines: bool = False) -> None:
        self.line_by_line = lines
        self.programs = 0
        self.schedules = 0
        """How many it has run altogether."""
        self.progress: Callable[[], None] = lambda: None
        """Called for each of them."""
        self._scheduler = Scheduler()
        self._lines = Lines(self._scheduler) if lines else None
        self._calls: dict[int, tuple[Operation, int]] = {}

    @contextmanager
    def open(self) -> Iterator[Laboratory]:
        """Watch every wallet for as long as the block takes."""
        try:
            with watched_balances(self._scheduler, self):
                yield self
        finally:
            self._scheduler.close()

    def explore(
        self, program: Program, preemptions: int, at_most: int = SCHEDULES_MAX
    ) -> Exploration:
        """Run the program under every schedule with at most so many preemptions,
        fewest first, until one is wrong."""
        judged = _Judge(program.ledger())
        runs = explore(
            lambda plan: self._execute(program, plan, judged),
            preemptions,
            program.alike,
        )
        self.programs += 1
        schedules = 0
        for execution in islice(runs, at_most):
            schedules += 1
            if execution.wrong is not None:
                return Exploration(schedules, False, execution)
        return Exploration(schedules, next(runs, None) is None, None)

    def execute(self, program: Program, schedule: Schedule) -> Execution:
        """Run the program once."""
        return self._execute(program, schedule, _Judge(program.ledger()))

    def strikes(self) -> bool:
        """Count one more write of the running call, and return whether it fails."""
        thread = self._scheduler.thread
        assert thread is not None
        operation, writes = self._calls[thread]
        self._calls[thread] = operation, writes + 1
        return writes + 1 in operation.faults

    def _execute(
        self, program: Program, schedule: Schedule, judged: _Judge
    ) -> Execution:
        self.schedules += 1
        self.progress()
        locks: list[Lock] = []

        def new_lock() -> Lock:
            lock = self._scheduler.new_lock(f"lock {len(locks) + 1}")
            locks.append(lock)
            return lock

        clock = passing_time() if self.line_by_line else Clock()
        service = new_service(
            SETTINGS, lock_factory=new_lock, clock=clock, new_code=lambda: CODE
        )
        listener = Listener(service)
        client = Client(service)
        for operation in program.setup:
            client.ask(operation, SETUP)
        calls: list[Call] = []
        run = self._scheduler.run(
            [
                self._body(client, thread, operations, calls)
                for thread, operations in enumerate(program.threads)
            ],
            schedule,
        )
        _name_locks(service)
        wrong = _wrong(run, locks)
        if wrong is None:
            calls += last_reads(client, len(run.steps))
            wrong = judged(calls) or listener.wrong() or _misplaced(service)
        return Execution(program, schedule, run, calls, wrong)

    def _body(
        self,
        client: Client,
        thread: int,
        operations: Sequence[Operation],
        calls: list[Call],
    ) -> Callable[[], None]:
        """Return what one thread does: its calls, one after the other."""
        scheduler = self._scheduler

        def body() -> None:
            for position, operation in enumerate(operations):
                if position:  # the first call begins where the thread does
                    scheduler.step("call")
                asked = Asked(operation, f"{thread}.{position}", thread)
                self._calls[thread] = operation, 0
                invoked = scheduler.happened("invoke", operation)
                result = client.ask(operation, asked.by)
                returned = scheduler.happened("return", result)
                calls.append(Call(asked, invoked, returned, result))

        return self._lines.traced(body) if self._lines else body


class _Judge:
    """Judges histories that begin with one ledger; most of them come many times."""

    def __init__(self, initial: Ledger) -> None:
        self._initial = initial
        self._known: dict[tuple[object, ...], str | None] = {}

    def __call__(self, calls: Sequence[Call]) -> str | None:
        moments = sorted(m for call in calls for m in (call.invoked, call.returned))
        rank = {moment: number for number, moment in enumerate(moments)}
        history = tuple(
            [
                (call.operation, rank[call.invoked], rank[call.returned], call.result)
                for call in calls
            ]
        )
        if history not in self._known:
            self._known[history] = judge(calls, self._initial)
        return self._known[history]


def _wrong(run: Run, locks: Sequence[Lock]) -> str | None:
    """Return what is wrong with a run whatever its calls have answered."""
    if run.deadlock is not None:
        return f"Deadlock: every thread waits for ever.\n{run.deadlock}"
    for lock in locks:
        if lock.locked:
            return f"{lock.name} was never released; it was taken at {lock.site}."
    return None


def _misplaced(service: WalletService) -> str | None:
    """Return what is wrong with the number of payments that are under way."""
    taken = service.payments._table._under_way
    under_way = sum(
        payment.status is PaymentStatus.PENDING for payment in service.payments.all()
    )
    if len(taken) == under_way:
        return None
    return f"{len(taken)} slots are taken, but {under_way} payments are under way."


def _name_locks(service: WalletService) -> None:
    """Give the locks names that people know."""
    payments = service.payments._table
    named = [
        ("the registry", service.store.registry_lock),
        ("the audits", service.audits._turn),
        ("keys", service.idempotency._lock),
        ("approvals", service.approvals._table._lock),
        ("quotes", service.quotes._lock),
        ("payments", payments._lock),
        ("the queue", service.background._lock),
        ("the outbox", service.outbox._lock),
    ]
    for wallet in service.store.readable.values():
        named.append((name_in(wallet.currency, wallet.identity.user_id), wallet._lock))
    approvals = service.approvals._table._approvals
    for entry in (*approvals._needed.values(), *approvals._released.values()):
        approval = entry.value
        named.append((f"approval of {approval.state.amount}", approval.lock))
    for payment in payments._payments.values():
        named.append((f"payment of {payment.state.amount}", payment.lock))
    for name, lock in named:
        if isinstance(lock, Lock):  # it is not always, in a mutant
            lock.name = name
