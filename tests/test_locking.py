"""Every touch of a balance is made by the thread that holds the wallet's lock.

Watching the locks finds a missing one at once and every time, where threads that
merely run at the same time would hide it for days: CPython rarely switches between
the read and the write of a balance.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn

import pytest

from tests.ledgers import (
    FULL,
    SECOND,
    BoundedLock,
    Clock,
    Codes,
    Crash,
    balances,
    everything,
    new_service,
    nothing_moves,
    open_wallet,
)
from tests.watched_locks import Watch, guard
from wallet_app.domain.errors.approval_errors import CodeInvalid
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.wallet_errors import WalletExists
from wallet_app.domain.spending import Limits
from wallet_app.services.approvals.approval import (
    Approval,
    ApprovalSnapshot,
    ApprovalStatus,
)
from wallet_app.services.background import Background
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.expiring import Expiring
from wallet_app.services.idempotency import Claim, IdempotencyKeys
from wallet_app.services.quotes import Quote
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings
from wallet_app.store import Lock, Wallet, locked

TIMEOUT_SECONDS = 10
RATES = (("USD", "INR", Decimal("83.12")),)


class WatchedSlot:
    """Stands in for a slot of the wallet and tells the watch of each touch."""

    def __init__(self, slot: Any, watch: Watch) -> None:
        self._slot = slot
        self._watch = watch

    def __get__(self, wallet: Wallet | None, owner: type[Wallet]) -> Any:
        if wallet is None:
            return self
        self._watch.touch(wallet)
        return self._slot.__get__(wallet, owner)

    def __set__(self, wallet: Wallet, value: object) -> None:
        if hasattr(wallet, "balance_min"):  # not while the wallet is being made
            self._watch.touch(wallet)
        self._slot.__set__(wallet, value)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    for slot in ("balance", "policy", "spent"):
        stand_in = WatchedSlot(Wallet.__dict__[slot], watch)
        monkeypatch.setattr(Wallet, slot, stand_in)
    return watch


@pytest.fixture
def watched(watch: Watch) -> WalletService:
    """Return a service of three wallets that hold 100 each."""
    service = new_service(lock_factory=watch.new_lock)
    for user in ("asha", "ravi", "mei"):
        open_wallet(service, 100, user)
    watch.touched.clear()
    return service


def ids(service: WalletService) -> list[str]:
    return sorted(service.store.wallets)


CALLS: dict[str, Callable[[WalletService], object]] = {
    "add": lambda service: service.add(ids(service)[0], 1),
    "deduct": lambda service: service.deduct(ids(service)[0], 1),
    "transfer up": lambda s: s.transfer(ids(s)[0], ids(s)[1], 1),
    "transfer down": lambda s: s.transfer(ids(s)[1], ids(s)[0], 1),
    "refused deduct": lambda service: service.deduct(ids(service)[0], 999),
    "refused transfer": lambda s: s.transfer(ids(s)[1], ids(s)[0], 999),
    "freeze": lambda service: service.freeze(ids(service)[0], "stolen"),
    "unfreeze": lambda service: service.unfreeze(ids(service)[0]),
    "put limits": lambda s: s.set_limits(ids(s)[0], Limits(daily=5)),
    "get limits": lambda service: service.get_limits(ids(service)[0]),
    "list": lambda service: service.list_wallets(),
    "of user": lambda service: service.list_user_wallets("asha"),
    "summary": lambda service: service.summarize(ids(service)[0]),
    "get": lambda service: service.get_wallet(ids(service)[0]),
    "audit": lambda service: service.audit(),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_balance_is_touched_only_under_its_lock(
    watch: Watch, watched: WalletService, name: str
) -> None:
    try:
        CALLS[name](watched)
    except WalletError:
        assert name.startswith("refused")
    assert watch.touched
    for wallet, held in list(watch.touched):
        assert watch.lock_of(wallet) in held
    assert watch.held == []


@pytest.mark.parametrize("name", ["transfer up", "transfer down"])
def test_a_transfer_changes_both_wallets_under_both_locks(
    watch: Watch, watched: WalletService, name: str
) -> None:
    CALLS[name](watched)
    touched = watch.touched[2:]  # the first two are the marks being set
    pair = [watch.lock_of(watched.store.wallets[id]) for id in ids(watched)[:2]]
    for _, held in touched:
        assert list(held) == pair, "not both, or not in the order of their ids"


def test_the_audit_holds_every_wallet_and_the_registry_at_one_moment(
    watch: Watch, watched: WalletService
) -> None:
    watched.audit()
    _, (turn, *held) = watch.touched[-1]
    locks = [watch.lock_of(watched.store.wallets[id]) for id in ids(watched)]
    assert held == [watched.store.registry_lock, *locks]
    assert turn not in held


def test_a_page_of_wallets_is_read_at_one_moment(
    watch: Watch, watched: WalletService
) -> None:
    watched.list_wallets(limit=2)
    touched = watch.touched[-2:]
    newest = list(watched.store.wallets.values())[1:]
    locks = [watch.lock_of(wallet) for wallet in sorted(newest, key=lambda w: w.id)]
    for _, held in touched:
        assert list(held) == [watched.store.registry_lock, *locks]


def test_a_history_is_measured_under_the_wallets_lock(
    watch: Watch, watched: WalletService
) -> None:
    wallet = watched.store.wallets[ids(watched)[0]]

    class Measured(list[Any]):
        def __len__(self) -> int:
            watch.touch(wallet)
            return super().__len__()

    wallet.history = Measured(wallet.history)
    watched.get_history(wallet.id)
    assert watch.touched
    touched = list(watch.touched)
    assert all(watch.lock_of(wallet) in held for _, held in touched)


def test_a_new_wallet_and_its_outcome_are_kept_under_one_lock(
    watch: Watch, watched: WalletService
) -> None:
    class Watching(Claim):
        def commit(self) -> None:
            assert watch.held == [watched.store.registry_lock]
            super().commit()

    claim = Watching("fingerprint")
    wallet = watched.wallets.create("new", on_commit=(claim,))
    assert claim.outcome == wallet


def test_keys_are_touched_only_under_their_lock(watch: Watch) -> None:
    clock = Clock()
    keys = IdempotencyKeys(clock, 60, watch.new_lock)
    guard(watch, keys)

    def crash(on_commit: OnCommits) -> NoReturn:
        raise Crash

    def answer(on_commit: OnCommits) -> str:
        commit(on_commit, "answer")
        return "answer"

    with pytest.raises(Crash):
        keys.run("key", "", crash)
    for _ in range(3):  # new, kept, and new again because it has expired
        keys.run("key", "", answer)
        assert len(keys) == 1
        clock.now += 30 * SECOND
    assert watch.held == []


class WatchedWrites:
    """Stands in for a slot of an approval, which is written only under its lock."""

    def __init__(self, slot: Any, watch: Watch) -> None:
        self._slot = slot
        self._watch = watch

    def __get__(self, approval: Approval, owner: type[Approval]) -> Any:
        return self._slot.__get__(approval, owner)

    def __set__(self, approval: Approval, value: object) -> None:
        if hasattr(approval, "deadline"):  # which is set last when one is made
            assert approval.lock in self._watch.held
        self._slot.__set__(approval, value)


def test_approvals_quotes_and_alerts_are_touched_only_under_their_locks(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slot in ("state", "command", "digest"):
        stand_in = WatchedWrites(Approval.__dict__[slot], watch)
        monkeypatch.setattr(Approval, slot, stand_in)
    clock, codes = Clock(), Codes()
    settings = Settings(
        approval_threshold=5,
        fraud_rules=("new-payee",),
        fraud_new_payee_amount=1,
        fx_rates=RATES,
    )
    service = new_service(
        settings,
        lock_factory=watch.new_lock,
        clock=clock,
        new_code=codes,
        send_code=codes.send,
    )
    quotes, alerts = service.quotes, service.alerts
    guard(watch, service.approvals.table)
    guard(watch, quotes, Expiring)  # and not the rates, which nobody writes
    guard(watch, alerts)
    source, target = open_wallet(service, 100), open_wallet(service)

    def ask() -> str:
        approval = service.transfer(source, target, 1)
        assert isinstance(approval, ApprovalSnapshot)
        return approval.id

    for _ in range(2):  # new, and again when all that was before has expired
        cancelled, rejected = ask(), ask()
        for _ in range(5):
            with pytest.raises(CodeInvalid):
                service.confirm_approval(rejected, "999999")
        service.resend_code(cancelled)
        service.cancel_approval(cancelled)
        assert service.get_approval(cancelled).status is ApprovalStatus.CANCELLED
        assert service.list_approvals().total == 2
        quote = quotes.create("USD", "INR", 100)
        assert quotes.find(quote.id) is quote
        assert alerts.page().total == sum(alerts.counts().values()) >= 2
        table = service.approvals.table
        assert len(table) >= 2
        assert table.wallets() == table.guessed_wallets() == {source}
        clock.now += 10 * 86_400 * SECOND
    approval_id = ask()
    service.confirm_approval(approval_id, codes.sent[approval_id])
    assert balances(service, target) == [1]
    assert watch.held == []


def test_the_house_gets_its_wallets_under_the_lock_of_the_registry(
    watch: Watch,
) -> None:
    held: list[object] = []

    def new_lock() -> Lock:
        held.append(list(watch.held))
        return watch.new_lock()

    service = new_service(Settings(fx_rates=RATES), lock_factory=new_lock)
    held.clear()
    service.create_quote("USD", "INR", 100)
    assert len(service.store.liquidity) == 2
    assert held == [[service.store.registry_lock]] * 2, "where their locks are made"


def test_the_wallets_of_the_house_are_read_under_their_locks(watch: Watch) -> None:
    service = new_service(Settings(fx_rates=RATES), lock_factory=watch.new_lock)
    service.create_quote("USD", "INR", 100)
    watch.touched.clear()
    service.list_liquidity()
    last_touches = {wallet.id: held for wallet, held in watch.touched}
    locks = {watch.lock_of(wallet) for wallet in service.store.liquidity.values()}
    assert len(last_touches) == 2
    for held in last_touches.values():
        assert set(held) == locks | {service.store.registry_lock}, "not at one moment"


def test_any_number_of_wallets_is_locked_in_the_order_of_their_ids(
    watch: Watch, watched: WalletService
) -> None:
    wallets = [watched.store.wallets[id] for id in ids(watched)]
    with locked(reversed(wallets)) as in_order:
        held = list(watch.held)
    assert held == [watch.lock_of(wallet) for wallet in wallets]
    assert in_order == wallets


class Meeting(str):
    """A text that lets two threads meet where it is looked up in a dict.

    Where a lock keeps the second thread out, the first waits in vain for a moment
    and goes on. Where there is none, both are let into the critical section.
    """

    _barrier = threading.Barrier(2)

    def __hash__(self) -> int:
        try:
            self._barrier.wait(0.1)
        except threading.BrokenBarrierError:
            self._barrier.reset()
        return super().__hash__()


def in_two_threads(call: Callable[[], object]) -> list[object]:
    """Return what the same call answered, or raised, in each of two threads."""
    answers: list[object] = []

    def run() -> None:
        try:
            answers.append(call())
        except WalletError as error:
            answers.append(type(error))

    threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    return answers


def test_two_who_create_the_same_wallet_get_one() -> None:
    service = new_service()
    answers = in_two_threads(lambda: service.create_wallet(Meeting("asha")))
    assert answers.count(WalletExists) == 1
    assert len(service.store.wallets) == 1


def test_two_with_one_idempotency_key_run_once() -> None:
    service = new_service()
    wallet_id = open_wallet(service)

    in_two_threads(lambda: service.add(wallet_id, 100, key=Meeting("key")))
    assert balances(service, wallet_id) == [100]


class Fault:
    """Fails some steps of a movement: each write to a wallet is one, also where it
    is put back, and each record is two."""

    def __init__(self, *steps: int) -> None:
        self._steps = steps
        self._number = 0
        self.struck: list[int] = []

    def step(self) -> None:
        self._number += 1
        if self._number in self._steps:
            self.struck.append(self._number)
            raise Crash


class Record(list[Any]):
    """A history that a fault can strike, before and after it is written."""

    fault = Fault()

    def append(self, transaction: Any) -> None:
        self.fault.step()
        super().append(transaction)
        self.fault.step()


class Struck:
    """Stands in for a slot of the wallet; a fault strikes after a write."""

    def __init__(self, slot: Any, fault: Fault) -> None:
        self._slot = slot
        self._fault = fault

    def __get__(self, wallet: Wallet, owner: type[Wallet]) -> Any:
        return self._slot.__get__(wallet, owner)

    def __set__(self, wallet: Wallet, value: int) -> None:
        self._slot.__set__(wallet, value)
        self._fault.step()


def exchange(service: WalletService, quote: Quote) -> object:
    wallets = service.list_user_wallets("asha")
    (dollars,) = [each.id for each in wallets if each.currency == "USD"]
    rupees = service.list_user_wallets("ravi")[0].id
    return service.transfer(rupees, dollars, quote.from_amount, quote_id=quote.id)


MOVEMENTS = ["add", "deduct", "transfer up", "transfer down", "exchange"]


def run_with_fault(
    service: WalletService,
    move: Callable[[], object],
    fault: Fault,
    patch: pytest.MonkeyPatch,
) -> None:
    """Make a movement in which some steps fail, if it comes so far."""
    for wallet in service.store.readable.values():
        patch.setattr(wallet, "history", Record(wallet.history))
        patch.setattr(wallet.history, "fault", fault, raising=False)
    for slot in ("balance", "updated_at", "spent", "counters"):
        patch.setattr(Wallet, slot, Struck(Wallet.__dict__[slot], fault))
    with contextlib.suppress(Crash):
        move()


@pytest.mark.parametrize("name", MOVEMENTS)
def test_a_movement_that_fails_at_any_step_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for step in itertools.count(1):
        if not leaves_no_trace(name, monkeypatch, step):
            break
        for again in itertools.count(step + 1):  # while the wallets are put back
            if len(leaves_no_trace(name, monkeypatch, step, again)) < 2:
                break
    steps = {"add": 4, "deduct": 6, "exchange": 20}  # what is taken out is counted
    assert step - 1 == steps.get(name, 4 + 6), "steps that were struck"


def leaves_no_trace(
    name: str, monkeypatch: pytest.MonkeyPatch, *steps: int
) -> list[int]:
    """Assert that a movement that fails in these steps has changed nothing; return
    those that it came to."""
    clock = Clock()
    rates = (("INR", "USD", Decimal(2)),)
    service = new_service(Settings(fx_rates=rates), clock=clock)
    for user in ("asha", "ravi"):
        open_wallet(service, 100, user)
    move: Callable[[], object]
    if name == "exchange":
        open_wallet(service, 0, "asha", "USD")
        move = partial(exchange, service, service.create_quote("INR", "USD", 60))
    else:
        move = partial(CALLS[name], service)
    before = everything(service)
    clock.now += SECOND
    fault = Fault(*steps)
    with monkeypatch.context() as patch:
        run_with_fault(service, move, fault, patch)
        after = everything(service)
    if fault.struck:
        assert after == before, f"after a crash at {fault.struck}"
        move()  # no lock was leaked, and no quote used
    return fault.struck


def transfer(service: WalletService, pair: list[str], on_commit: OnCommits) -> object:
    source, target = pair[:2]
    return service.money.transfer(source, target, 1, on_commit=on_commit)


COMMANDS: dict[str, Callable[[WalletService, OnCommits], object]] = {
    "create": lambda s, hooks: s.wallets.create("new", on_commit=hooks),
    "add": lambda s, hooks: s.money.add(ids(s)[0], 1, on_commit=hooks),
    "deduct": lambda s, hooks: s.money.deduct(ids(s)[0], 1, on_commit=hooks),
    "freeze": lambda s, hooks: s.freezes.freeze(ids(s)[0], "stolen", hooks),
    "transfer up": lambda s, hooks: transfer(s, ids(s), hooks),
    "transfer down": lambda s, hooks: transfer(s, ids(s)[::-1], hooks),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_whose_outcome_cannot_be_kept_leaves_no_trace(name: str) -> None:
    service = new_service()
    for user in ("asha", "ravi"):
        open_wallet(service, 100, user)
    with nothing_moves(service), pytest.raises(Crash):
        COMMANDS[name](service, FULL)
    COMMANDS[name](service, ())  # no lock was leaked


def test_the_queues_are_listed_under_their_lock() -> None:
    taken: list[str] = []

    class Counted(BoundedLock):
        def acquire(self) -> bool:
            taken.append("queues")
            return super().acquire()

    background = Background(Clock(), Clock(), Counted)
    taken.clear()
    assert background.queues == ()
    assert taken == ["queues"]
