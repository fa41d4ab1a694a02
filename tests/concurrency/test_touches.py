"""What a step touches is noted, in whichever thread and way."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from tests.concurrency.execution import Execution, Laboratory
from tests.concurrency.mutants import MUTANTS
from tests.concurrency.outbox import Listener
from tests.concurrency.reduction import Mode
from tests.concurrency.scenarios import SCENARIOS
from tests.concurrency.scheduler import Scheduler
from tests.concurrency.touches import CONTAINERS, Touches, watched_attributes
from tests.ledgers import new_service
from wallet_app import store
from wallet_app.services.service import WalletService
from wallet_app.store import Store, Wallet

PROGRAMS = {
    name: SCENARIOS[name]
    for name in (
        "deduct, deduct",
        "crossing transfers",
        "get and history, failing transfer",
        "refused batch, reads of what it moved first",
        "create, audit",
        "create twice",
        "same key twice",
        "freeze, transfer out",
        "confirm that fails first, confirm",
        "two exchanges with one quote",
        "withdraw that fails first, audit",
        "retry, its own late answer",
    )
}

RUNS_MAX = 200
"""More runs than the programs have without a bug. Without locks there are too many."""

NO_BUG = "no bug"
BUGS = [NO_BUG, *(name for name, mutant in MUTANTS.items() if not mutant.lines)]

Outcome = tuple[bool, bool, frozenset[object]]


def outcome(execution: Execution) -> Outcome:
    """Return what came of a run: what each call has answered and which had ended before
    it; equivalent runs have it in common."""
    calls = {
        (call.operation.by, type(call.operation.operation).__name__): call
        for call in execution.calls
    }
    answers = frozenset(
        (
            name,
            repr(call.result),
            frozenset(other for other in calls if calls[other].returned < call.invoked),
        )
        for name, call in calls.items()
    )
    return execution.deadlock is not None, execution.wrong is not None, answers


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_no_outcome_is_left_out(bug: str) -> None:
    """With a bug, too: what it touches without a lock is noted."""
    preemptions = 2 if bug == NO_BUG else 1
    plain, reduced = Laboratory(reduces=False), Laboratory()
    unbounded = Laboratory()
    for name, program in PROGRAMS.items():
        with MUTANTS[bug].planted() if bug != NO_BUG else nullcontext():
            with plain.open():
                every = set(map(outcome, plain.runs(program, preemptions)))
            with reduced.open():
                bounded = set(map(outcome, reduced.runs(program, preemptions)))
            with unbounded.open():
                runs = list(islice(unbounded.runs(program), RUNS_MAX))
        assert bounded == every, name
        if len(runs) < RUNS_MAX or bug == NO_BUG:
            assert set(map(outcome, runs)) >= every, name
    assert reduced.schedules < plain.schedules


WAIT_SECONDS = 10
NOT_OF_THE_LEDGER = (type, ModuleType, CodeType, Scheduler, Touches, Laboratory)


def reached(root: object) -> Iterator[tuple[str, Any]]:
    """Yield each object that this reaches, and where it is held."""
    seen: set[int] = set()
    left: list[tuple[str, Any]] = [("", root)]
    while left:
        where, each = left.pop()
        if id(each) not in seen and not isinstance(each, NOT_OF_THE_LEDGER):
            seen.add(id(each))
            yield where, each
            left += parts(each, where)


def parts(each: Any, where: str) -> Iterator[tuple[str, Any]]:
    kind = type(each)
    if isinstance(each, FunctionType):  # and not the module that it looks into
        yield from ((where, cell) for cell in each.__closure__ or ())
    elif hasattr(each, "__dict__") and not isinstance(each, CONTAINERS):
        slots = [
            name for base in kind.__mro__ for name in vars(base).get("__slots__", ())
        ]
        for name in {*vars(each), *slots} - {"__weakref__", "__dict__"}:
            if hasattr(each, name):
                yield f"{kind.__name__}.{name}", getattr(each, name)
    elif isinstance(each, CONTAINERS):
        yield from ((where, inner) for inner in each)
        if isinstance(each, dict):
            yield from ((where, inner) for inner in each.values())
    else:
        yield from ((f"{kind.__name__}", inner) for inner in gc.get_referents(each))


UNTOUCHED = {
    "AuditReport",
    "Quotes._rates",
    "FraudSignals",  # the wallets that were sent to: replaced, never changed
    "Receivers.posts",
    "Receivers.replies",
    "cell",  # the locks that the laboratory has made
}
"""What holds containers that no thread changes when others can see them."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_container_that_a_ledger_holds_notes_its_touches(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    services: list[WalletService] = []
    monkeypatch.setattr(
        Listener, "wrong", lambda listener: services.append(listener._service)
    )
    laboratory = Laboratory()
    with laboratory.open():
        laboratory.execute(PROGRAMS[name], {})
        plain = {
            where
            for where, each in reached(services[0])
            if isinstance(each, CONTAINERS) and not hasattr(each, "thing")
        }
    assert plain - UNTOUCHED == set()


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler()
    yield scheduler
    scheduler.close()


def touched(scheduler: Scheduler, body: Callable[[Store, Wallet], object]) -> set[Any]:
    """Return what one thread touches, by attribute and mode."""
    touches = Touches(scheduler)
    with touches.recorded():
        ledger = Store()
        wallet = ledger.new_wallet("id", "asha", "INR", 0)
        with touches.noted():
            run = scheduler.run([lambda: body(ledger, wallet)])
    return {
        (thing[-1], mode)
        for step in run.steps
        for thing, mode in (step.touches or {}).items()
    }


READS, CHANGES = Mode.READ, Mode.CHANGE


@pytest.mark.parametrize(
    "body, expected",
    [
        (lambda ledger, wallet: wallet.spent, {("spent", READS)}),
        (
            lambda ledger, wallet: setattr(wallet, "policy", wallet.policy),
            {("policy", CHANGES)},
        ),
        (
            lambda ledger, wallet: wallet.history.append(1),
            {("history", READS), ("items", CHANGES)},
        ),
        (
            lambda ledger, wallet: len(wallet.history),
            {("history", READS), ("items", READS)},
        ),
        (
            lambda ledger, wallet: ledger.wallets.get("id"),
            {("wallets", READS), ("items", READS)},
        ),
        (
            lambda ledger, wallet: list(ledger.readable.values()),
            {("items", READS)},
        ),
        (
            lambda ledger, wallet: wallet.by_id.clear(),
            {("items", CHANGES)},
        ),
        (lambda ledger, wallet: wallet.id, set()),
    ],
    ids=["read", "set", "append", "len", "get", "list", "clear", "set once"],
)
def test_each_touch_is_noted(
    scheduler: Scheduler,
    body: Callable[[Store, Wallet], object],
    expected: set[tuple[str, Mode]],
) -> None:
    assert touched(scheduler, body) == expected


def test_each_step_through_a_dict_is_noted_when_it_is_made(
    scheduler: Scheduler,
) -> None:
    def body(ledger: Store, wallet: Wallet) -> None:
        ledger.wallets = {"a": wallet, "b": wallet}
        values = iter(ledger.wallets.values())
        for number in "12":
            scheduler.step(number)
            next(values)

    touches = Touches(scheduler)
    with touches.recorded():
        ledger = Store()
        wallet = ledger.new_wallet("id", "asha", "INR", 0)
        with touches.noted():
            run = scheduler.run([lambda: body(ledger, wallet)])
    assert [mode for step in run.steps[1:] for mode in step.touches.values()] == [
        READS,
        READS,
    ]


def test_what_a_seeded_bug_sets_is_watched() -> None:
    assert (Wallet, "_lock") in watched_attributes()


def test_nothing_is_watched_when_the_block_ends() -> None:
    before = {name: vars(Wallet)[name] for name in Wallet.__slots__}
    with Touches(Scheduler()).recorded():
        assert vars(Wallet)["policy"] is not before["policy"]
    assert {name: vars(Wallet)[name] for name in Wallet.__slots__} == before
    assert "wallets" not in vars(store.Store)


def test_another_ledger_in_use_at_the_same_time_is_not_looked_at() -> None:
    """A worker of another test may still run in this process."""
    program = SCENARIOS["deduct, deduct"]
    with Laboratory().open() as alone:
        schedules = alone.explore(program).schedules
    is_over = threading.Event()

    service = new_service()

    def use() -> None:
        while not is_over.is_set():
            service.list_alerts()
            service.list_approvals()

    worker = threading.Thread(target=use)
    worker.start()
    try:
        with Laboratory().open() as beside:
            explored = beside.explore(program)
    finally:
        is_over.set()
        worker.join(WAIT_SECONDS)
    assert explored.ended
    assert explored.schedules == schedules
