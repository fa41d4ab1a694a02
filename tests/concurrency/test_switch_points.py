"""Where threads can be switched, and where faults strike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from tests.concurrency.mutants import MUTANTS
from tests.concurrency.mutants import __file__ as MUTANTS_FILE
from tests.concurrency.scheduler import Scheduler, Step
from tests.concurrency.switch_points import (
    Crash,
    Lines,
    changing_attributes,
    visible_lines,
    watched_balances,
)
from tests.ledgers import balances, new_service, open_wallet
from wallet_app import services, store
from wallet_app.domain.errors.wallet_errors import (
    InsufficientFunds,
    WalletExists,
    WalletFrozen,
    WalletNotFound,
)
from wallet_app.domain.spending import Limits
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import EventType
from wallet_app.services.service import WalletService
from wallet_app.services.work_queue import WorkQueue
from wallet_app.settings import Settings
from wallet_app.store import Store, Wallet

SLOT = Wallet.__dict__["balance"]
SERVICES = Path(services.__file__).parent


class Faults:
    """Makes the writes fail that have these numbers, counted from 1."""

    def __init__(self, *faults: int) -> None:
        self.writes = 0
        self._faults = faults

    def strikes(self) -> bool:
        self.writes += 1
        return self.writes in self._faults


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler()
    yield scheduler
    scheduler.close()


@pytest.fixture
def wallet() -> Wallet:
    return Store().new_wallet("id", "asha", "INR", 0)


def touches(steps: list[Step]) -> list[tuple[int, str, Any]]:
    """Return who touched a balance, how, and with which value."""
    return [
        (step.thread, step.what, step.value) for step in steps if step.what != "start"
    ]


# Balances


def test_each_read_and_write_of_a_balance_is_a_step_with_its_value(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    other = Store().new_wallet("other", "ravi", "INR", 0)

    def body() -> None:
        wallet.balance = 5
        wallet.balance += 1
        other.balance = wallet.balance

    with watched_balances(scheduler, Faults()):
        run = scheduler.run([body])
    assert touches(run.steps) == [
        (0, "write", 5),
        (0, "read", 5),
        (0, "write", 6),
        (0, "read", 6),
        (0, "write", 6),
    ]
    subjects = [step.subject for step in run.steps[1:]]
    assert subjects == [wallet, wallet, wallet, wallet, other]
    assert [step.number for step in run.steps] == [0, 1, 2, 3, 4, 5]
    assert (wallet.balance, other.balance) == (6, 6)


def test_a_step_knows_the_line_that_touched_the_balance(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    def body() -> None:
        wallet.balance = wallet.balance

    with watched_balances(scheduler, Faults()):
        run = scheduler.run([body])
    line = body.__code__.co_firstlineno + 1
    here = f"{Path(__file__).name}:{line} in body"
    assert [str(step.site) for step in run.steps[1:]] == [here, here]


def test_a_thread_can_be_stopped_between_its_read_and_its_write(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    def add() -> None:
        wallet.balance += 60

    with watched_balances(scheduler, Faults()):
        run = scheduler.run([add, add], {2: 1})
    assert touches(run.steps) == [
        (0, "read", 0),
        (1, "read", 0),
        (1, "write", 60),
        (0, "write", 60),
    ]
    assert wallet.balance == 60, "one of the two is lost"


def test_a_thread_is_stopped_before_it_reads_and_not_after(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    seen = []

    def read() -> None:
        seen.append(wallet.balance)

    def write() -> None:
        wallet.balance = 7

    with watched_balances(scheduler, Faults()):
        scheduler.run([read, write], {1: 1})
    assert seen == [7]


def test_a_thread_is_stopped_before_it_writes_and_not_after(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    def write() -> None:
        wallet.balance = 7

    with watched_balances(scheduler, Faults()):
        run = scheduler.run([write, lambda: wallet.balance], {1: 1})
    assert touches(run.steps) == [(1, "read", 0), (0, "write", 7)]


def test_every_touch_of_the_service_is_a_step(scheduler: Scheduler) -> None:
    service = new_service(lock_factory=scheduler.new_lock)
    asha, ravi = open_wallet(service, 100), open_wallet(service, 100)
    with watched_balances(scheduler, Faults()):
        run = scheduler.run([lambda: service.transfer(asha, ravi, 60)])
    written = [(s.subject.id, s.value) for s in run.steps if s.what == "write"]
    assert written == [(asha, 40), (ravi, 160)]
    assert {s.subject.id for s in run.steps if s.what == "read"} == {asha, ravi}


def test_the_slot_is_back_afterwards(scheduler: Scheduler, wallet: Wallet) -> None:
    with watched_balances(scheduler, Faults()):
        assert Wallet.__dict__["balance"] is not SLOT
        wallet.balance = 5
    assert Wallet.__dict__["balance"] is SLOT
    assert wallet.balance == 5


def test_the_slot_is_back_after_an_exception(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    def body() -> None:
        wallet.balance = 5
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with watched_balances(scheduler, Faults()):
            scheduler.run([body])
    assert Wallet.__dict__["balance"] is SLOT
    assert wallet.balance == 5


# Faults


def test_a_fault_strikes_before_the_write_is_made(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    seen = []

    def body() -> None:
        wallet.balance = 5
        with pytest.raises(Crash):
            wallet.balance = 6
        seen.append(wallet.balance)
        wallet.balance = 7

    with watched_balances(scheduler, Faults(2)):
        run = scheduler.run([body])
    assert touches(run.steps) == [
        (0, "write", 5),
        (0, "crash", 6),
        (0, "read", 5),
        (0, "write", 7),
    ]
    assert seen == [5]
    assert run.steps[2].subject is wallet and run.steps[2].site is not None


def test_reads_are_not_counted_as_writes(scheduler: Scheduler, wallet: Wallet) -> None:
    faults = Faults(2)

    def body() -> None:
        assert wallet.balance == wallet.balance == 0
        wallet.balance = 5
        assert wallet.balance == 5

    with watched_balances(scheduler, faults):
        scheduler.run([body])
    assert faults.writes == 1


def test_a_thread_can_be_stopped_before_the_write_at_which_it_crashes(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    def body() -> None:
        with pytest.raises(Crash):
            wallet.balance = 5

    with watched_balances(scheduler, Faults(1)):
        run = scheduler.run([body, lambda: wallet.balance], {1: 1})
    assert touches(run.steps) == [(1, "read", 0), (0, "crash", 5)]


def test_a_crash_half_way_through_a_transfer_is_rolled_back_by_the_service(
    scheduler: Scheduler,
) -> None:
    service = new_service(lock_factory=scheduler.new_lock)
    asha, ravi = open_wallet(service, 100), open_wallet(service, 100)

    def body() -> None:
        with pytest.raises(Crash):
            service.transfer(asha, ravi, 60)

    with watched_balances(scheduler, Faults(2)):
        run = scheduler.run([body])
    written = [(s.what, s.subject.id, s.value) for s in run.steps if s.value]
    assert ("write", asha, 40) in written and ("crash", ravi, 160) in written
    assert ("write", asha, 100) == [each for each in written if each[0] != "read"][-1]
    assert balances(service, asha, ravi) == [100, 100]


# Outside of runs


def test_between_runs_a_balance_is_touched_as_ever_and_nothing_is_counted(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    faults = Faults(1, 2)
    with watched_balances(scheduler, faults):
        wallet.balance = 5
        assert wallet.balance == 5
        run = scheduler.run([lambda: None])
        wallet.balance = 6
        assert wallet.balance == 6
    assert touches(run.steps) == []
    assert faults.writes == 0


def test_a_thread_of_a_run_that_is_given_up_still_puts_its_balance_back(
    scheduler: Scheduler, wallet: Wallet
) -> None:
    faults = Faults(2)
    lock = scheduler.new_lock()

    def body() -> None:
        wallet.balance = 5
        try:
            with lock, lock:
                pass
        finally:
            wallet.balance = wallet.balance + 4

    with watched_balances(scheduler, faults):
        run = scheduler.run([body])
    assert run.deadlock is not None
    assert wallet.balance == 9
    assert faults.writes == 1
    assert [step.what for step in run.steps] == ["start", "write", "acquire"]


# Lines


WAKE = WorkQueue.wake.__code__


def is_watched(code: CodeType) -> bool:
    file = code.co_filename
    watched = file == store.__file__ or SERVICES in Path(file).parents
    return watched and code is not WAKE


def lines_of(steps: list[Step]) -> list[tuple[str, int]]:
    return [step.subject for step in steps if step.what == "line"]


def recorded(body: Callable[[], None], lines: list[tuple[CodeType, int]]) -> None:
    """Run a body, and note each line that it runs, in whatever file."""

    def tracer(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            lines.append((frame.f_code, frame.f_lineno))
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        body()
    finally:
        sys.settrace(before)


def ask_for_everything() -> None:
    """Call each part of a new service, also where it refuses."""
    rates = (("USD", "INR", Decimal("83.12")),)
    service = new_service(Settings(fx_rates=rates), send_code=None)
    asha, ravi = open_wallet(service, 100, "asha"), open_wallet(service, 100)
    with pytest.raises(WalletExists):
        service.create_wallet("asha")
    with pytest.raises(InsufficientFunds):
        service.deduct(asha, 101)
    service.transfer(asha, ravi, 60, key="k", fingerprint="request")
    assert service.get_wallet(asha).balance == 40
    assert service.get_history(ravi).total == 2
    service.create_webhook("https://receiver.example/", list(EventType))
    assert service.list_alerts().rows == []
    service.withdraw(asha, 40, "sandbox-declines")
    service.freeze(asha, "Card stolen")
    service.set_limits(ravi, Limits(daily=160, approval_threshold=0))
    approval = service.deduct(ravi, 60)
    assert isinstance(approval, ApprovalSnapshot)
    service.cancel_approval(approval.id)
    quote = service.create_quote("INR", "USD", 100)
    dollars = service.create_wallet("ravi", "USD").id
    service.freeze(ravi, "Card stolen")
    with pytest.raises(WalletFrozen):
        service.transfer(ravi, dollars, 100, quote_id=quote.id)
    assert service.background.run_due() > 1, "the bank, and then the receiver"
    assert service.audit().balanced


def test_each_visible_line_of_the_store_and_the_services_is_a_step_and_no_other(
    scheduler: Scheduler,
) -> None:
    ask_for_everything()  # some lines run once in a process
    recorded_lines: list[tuple[CodeType, int]] = []
    scheduler.run([lambda: recorded(ask_for_everything, recorded_lines)])
    run = scheduler.run([Lines(scheduler).traced(ask_for_everything)])
    assert lines_of(run.steps) == [
        (code.co_filename, line)
        for code, line in recorded_lines
        if is_watched(code) and line in visible_lines(code)
    ]
    ran = {Path(code.co_filename) for code, _ in recorded_lines}
    files = {path for path in SERVICES.rglob("*.py") if path.name != "__init__.py"}
    assert ran >= {Path(store.__file__), *files}, "a file is left out"
    assert ran > {Path(file) for file, _ in lines_of(run.steps)}
    assert [step.number for step in run.steps] == list(range(len(run.steps)))


def everything_visible(wallet: Wallet, numbers: list[int]) -> int:
    n = wallet.updated_at
    wallet.updated_at = n
    n = numbers[0]
    numbers[0] = n
    n = len(numbers)
    for _ in numbers:
        n += 1
    if numbers:
        assert n > 1
    return n


def nothing_visible(wallet: Wallet, n: int | None) -> object:
    several: object = (
        wallet,
        None,
        SLOT,
    )
    if n is not None:
        _, several = wallet, (n,)
    return several


def test_a_line_is_visible_if_it_changes_or_reads_what_can_change() -> None:
    code = everything_visible.__code__
    first = code.co_firstlineno
    assert visible_lines(code) == set(range(first + 1, first + 10))


def test_a_line_is_not_visible_if_it_uses_only_local_variables_and_constants() -> None:
    assert visible_lines(nothing_visible.__code__) == set()


def test_an_attribute_changes_if_it_is_set_after_the_object_was_made() -> None:
    assert changing_attributes() >= {"balance", "counters", "policy", "updated_at"}
    assert not changing_attributes() & {"identity", "currency", "user_id"}


def test_an_attribute_that_is_set_once_does_not_make_a_line_visible() -> None:
    def reads(wallet: Wallet) -> tuple[object, ...]:
        return wallet.identity, wallet.currency

    assert visible_lines(reads.__code__) == set()


def test_the_lines_of_a_seeded_bug_are_steps_too(scheduler: Scheduler) -> None:
    with MUTANTS["lost-update"].planted():
        run = scheduler.run([Lines(scheduler).traced(ask_for_everything)])
    assert MUTANTS_FILE in {file for file, _ in lines_of(run.steps)}


def test_a_thread_can_be_stopped_between_two_lines(
    scheduler: Scheduler, service: WalletService
) -> None:
    asha = open_wallet(service, 100)

    def get() -> None:
        service.get_wallet(asha)

    traced = Lines(scheduler).traced(get)
    run = scheduler.run([traced, traced], {2: 1})
    assert [(step.thread, step.what) for step in run.steps[:4]] == [
        (0, "start"),
        (0, "line"),
        (1, "start"),
        (1, "line"),
    ]
    one, other = (
        [step.subject for step in run.steps if step.thread == thread]
        for thread in (0, 1)
    )
    assert one == other, "both run the same lines"


def tracing_of_ones_own(frame: FrameType, event: str, argument: Any) -> None:
    """Stands for the tracing of a coverage tool."""


@contextmanager
def traced_already() -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(tracing_of_ones_own)
    try:
        yield
    finally:
        sys.settrace(before)


def test_the_threads_own_tracing_goes_on_afterwards(scheduler: Scheduler) -> None:
    seen: list[object] = []
    lines = Lines(scheduler)

    def look() -> None:
        seen.append(sys.gettrace())

    def body() -> None:
        with traced_already():
            lines.traced(look)()
            look()

    scheduler.run([body])
    assert len(seen) == 2
    assert seen[0] is not tracing_of_ones_own
    assert seen[1] is tracing_of_ones_own


def test_the_threads_own_tracing_goes_on_after_an_exception(
    scheduler: Scheduler,
) -> None:
    seen: list[object] = []
    service = new_service()

    def fail() -> None:
        service.get_wallet("nobody")

    def body() -> None:
        with traced_already():
            with pytest.raises(WalletNotFound):
                Lines(scheduler).traced(fail)()
            seen.append(sys.gettrace())

    run = scheduler.run([body])
    assert lines_of(run.steps), "it was traced"
    assert seen == [tracing_of_ones_own]


def test_the_threads_own_tracing_goes_on_after_a_run_that_was_given_up(
    scheduler: Scheduler,
) -> None:
    seen: list[object] = []
    service = new_service(lock_factory=scheduler.new_lock)

    def stuck() -> None:
        with service.store.registry_lock:
            service.create_wallet("asha")

    def body() -> None:
        with traced_already():
            try:
                Lines(scheduler).traced(stuck)()
            finally:
                seen.append(sys.gettrace())

    run = scheduler.run([body])
    assert run.deadlock is not None
    assert seen == [tracing_of_ones_own]
    assert [step.what for step in scheduler.run([service.audit]).steps] == [
        "start",
        *("acquire", "acquire", "acquire", "release", "release", "release"),
    ]
