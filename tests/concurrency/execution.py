"""Runs programs on the real service under the scheduler.

One `Execution` is one program under one schedule; `Laboratory.explore` runs it under
every schedule, until one of them is wrong.

Without a bound on preemptions, one schedule is run of all that are equivalent. A bound
and the reduction of `reduction.explore_all` do not go together: it would count on
schedules that are over the bound. With a bound, of the switches between two threads
those are left out that come to the same as an earlier one (`reduction.same_until`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from uuid_utils import UUID

from tests.concurrency.calls import CODE, SETTINGS
from tests.concurrency.client import Client, last_reads
from tests.concurrency.judge import Asked, judge
from tests.concurrency.ledger import Ledger
from tests.concurrency.linearizability import Call
from tests.concurrency.outbox import Listener
from tests.concurrency.programs import SETUP, Program
from tests.concurrency.reduction import Mode, Touch, explore_all, same_until
from tests.concurrency.scheduler import (
    RUN_ON,
    Choice,
    Choose,
    Deadlock,
    Lock,
    Run,
    Schedule,
    Scheduler,
    Step,
    explore,
    preempted,
)
from tests.concurrency.specification import Operation
from tests.concurrency.switch_points import Lines, watched_balances
from tests.concurrency.touches import Touches
from tests.concurrency.values import name_in
from tests.ledgers import Clock, new_service
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
    def deadlock(self) -> Deadlock | None:
        return self.run.deadlock

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
    Unless it `reduces`, no schedule within a bound is left out, for comparisons.
    """

    def __init__(self, *, lines: bool = False, reduces: bool = True) -> None:
        self.line_by_line = lines
        self._reduces = reduces
        self.programs = 0
        self.schedules = 0
        """How many it has run altogether."""
        self.progress: Callable[[], None] = lambda: None
        """Called for each of them."""
        self._scheduler = Scheduler()
        self._touches = Touches(self._scheduler)
        self._ids: Counter[int | None] = Counter()
        self._lines = Lines(self._scheduler) if lines else None
        self._calls: dict[int, tuple[Operation, int]] = {}

    @contextmanager
    def open(self) -> Iterator[Laboratory]:
        """Watch every wallet for as long as the block takes."""
        try:
            recorded = self._touches.recorded() if self._reduces else nullcontext()
            with recorded, watched_balances(self._scheduler, self):
                yield self
        finally:
            self._scheduler.close()

    def explore(
        self,
        program: Program,
        preemptions: int | None = None,
        at_most: int = SCHEDULES_MAX,
    ) -> Exploration:
        """Make runs of the program until one is wrong."""
        self.programs += 1
        before = self.schedules
        runs = self.runs(program, preemptions)
        for execution in runs:
            schedules = self.schedules - before
            if execution.wrong is not None:
                return Exploration(schedules, False, execution)
            if schedules >= at_most:
                break
        ended = next(runs, None) is None
        return Exploration(self.schedules - before, ended, None)

    def runs(
        self, program: Program, preemptions: int | None = None
    ) -> Iterator[Execution]:
        """Run the program under every schedule up to equivalence. With a number of
        preemptions, run it under those with at most so many, fewest first."""
        judged = _Judge(program.ledger())
        if preemptions is None:
            return explore_all(
                lambda choose: self._execute(program, RUN_ON, judged, choose), touch
            )
        leaves_out = self._reduces and len(program.threads) == 2
        return explore(
            lambda plan: self._execute(program, plan, judged),
            preemptions,
            program.alike,
            _same_until if leaves_out else _only_then,
        )

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
        self,
        program: Program,
        schedule: Schedule,
        judged: _Judge,
        choose: Choose | None = None,
    ) -> Execution:
        self.schedules += 1
        self.progress()
        self._touches.reset()
        self._ids.clear()
        locks: list[Lock] = []

        def new_lock() -> Lock:
            lock = self._scheduler.new_lock(f"lock {len(locks) + 1}")
            locks.append(lock)
            return lock

        clock = self._touches.passing_time() if self.line_by_line else Clock()
        service = new_service(
            SETTINGS,
            lock_factory=new_lock,
            clock=clock,
            new_id=self._new_id,
            new_code=lambda: CODE,
        )
        listener = Listener(service)
        client = Client(service)
        for operation in program.setup:
            client.ask(operation, SETUP)
        calls: list[Call] = []
        bodies = [
            self._body(client, thread, operations, calls)
            for thread, operations in enumerate(program.threads)
        ]
        with self._touches.noted():
            run = self._scheduler.run(bodies, schedule, choose=choose)
        if choose is not None:
            schedule = run.schedule
        _name_locks(service)
        wrong = _wrong(run, locks)
        if wrong is None:
            calls += last_reads(client, len(run.steps))
            wrong = judged(calls) or listener.wrong() or _misplaced(service)
        return Execution(program, schedule, run, calls, wrong)

    def _new_id(self) -> UUID:
        """Return ids that ascend within each thread, whatever the others do."""
        thread = self._scheduler.thread
        self._ids[thread] += 1
        space = 0 if thread is None else thread + 1
        return UUID(int=space << 64 | self._ids[thread])

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


def _same_until(execution: Execution, step: int) -> int:
    return same_until(execution.run, step, touch)


def _only_then(execution: Execution, step: int) -> int:
    return step


def touch(step: Step) -> list[Touch]:
    """Return what a step touches."""
    touches = [Touch(*each) for each in (step.touches or {}).items()]
    match step.what:
        case "invoke":
            touches.append(Touch("calls", Mode.BEGIN))
        case "return":
            touches.append(Touch("calls", Mode.END))
        case "acquire":
            touches.append(Touch(step.subject.key, Mode.TAKE))
        case "release":
            touches.append(Touch(step.subject.key, Mode.OPEN))
    return touches


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
