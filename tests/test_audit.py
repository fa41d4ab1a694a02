"""The audit finds every kind of corruption, and nothing in sound books."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from uuid_utils import UUID

from tests.ledgers import BoundedLock, new_service, open_wallet
from wallet_app.domain.transactions import AMOUNT_MAX, Transaction
from wallet_app.services.audit import audit
from wallet_app.services.audit.audit import Audit, prove
from wallet_app.services.audit.audit_report import (
    PROBLEMS_MAX,
    AuditReport,
    CurrencyTotals,
)
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings
from wallet_app.store import Wallet

TIMEOUT_SECONDS = 10


@pytest.fixture
def wallets(service: WalletService) -> tuple[Wallet, Wallet]:
    """Return two wallets that hold 700 and 300, with three and two transactions."""
    source, target = open_wallet(service, 1000), open_wallet(service, 50)
    service.transfer(source, target, 250)
    service.deduct(source, 50)
    return service.store.wallets[source], service.store.wallets[target]


def test_sound_books_are_balanced(
    service: WalletService, wallets: tuple[Wallet, Wallet]
) -> None:
    open_wallet(service, 7, currency="USD")
    report = service.audit()
    assert report.balanced
    assert (report.wallets, report.transactions) == (3, 6)
    assert report.currencies == {
        "INR": CurrencyTotals(balances=1000, credits=1050, debits=50),
        "USD": CurrencyTotals(balances=7, credits=7, debits=0),
    }


def test_an_empty_ledger_is_balanced(service: WalletService) -> None:
    report = service.audit()
    assert (report.balanced, report.wallets, report.transactions) == (True, 0, 0)


class CountedLock:
    """A lock that says how many threads have asked for it."""

    def __init__(self) -> None:
        self._lock = BoundedLock()
        self.asked = threading.Semaphore(0)

    def acquire(self) -> bool:
        self.asked.release()
        return self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()


class Audits:
    """Audits in threads, of which the first waits until it may go on."""

    def __init__(
        self, service: WalletService, monkeypatch: pytest.MonkeyPatch, fails: bool
    ) -> None:
        self.turn = CountedLock()
        self.audit = Audit(service.store, service.payments, lambda: self.turn)
        self.reports: list[AuditReport] = []
        self.runs = 0
        self.go_on, self._running = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

        def prove_slowly(*books: Any) -> AuditReport:
            self.runs += 1
            if self.runs == 1:
                self._running.set()
                assert self.go_on.wait(TIMEOUT_SECONDS)
                if fails:
                    raise MemoryError
            return prove(*books)

        monkeypatch.setattr(audit, "prove", prove_slowly)

    def ask(self, times: int) -> None:
        """Start threads that audit, and wait until each has asked for its turn."""
        for _ in range(times):
            self._threads.append(threading.Thread(target=self._run))
            self._threads[-1].start()
        for _ in range(times):
            assert self.turn.asked.acquire(timeout=TIMEOUT_SECONDS)
        assert self._running.wait(TIMEOUT_SECONDS)

    def _run(self) -> None:
        with suppress(MemoryError):
            self.reports.append(self.audit.run())

    def end(self) -> None:
        self.go_on.set()
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS)
            assert not thread.is_alive()


def test_those_who_ask_while_an_audit_runs_share_the_next_one(
    service: WalletService,
    wallets: tuple[Wallet, Wallet],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    audits = Audits(service, monkeypatch, fails=False)
    audits.ask(1)
    service.add(wallets[0].id, 1)
    audits.ask(8)
    audits.end()
    assert audits.runs == 2
    first, *shared = sorted(audits.reports, key=lambda report: report.transactions)
    assert (first.transactions, len(shared)) == (5, 8)
    assert len({id(report) for report in shared}) == 1
    assert shared[0].transactions == 6, "of a moment after it was asked for"
    assert audits.audit.run() is not shared[0]
    assert audits.runs == 3


def test_an_audit_that_fails_is_not_shared(
    service: WalletService, monkeypatch: pytest.MonkeyPatch
) -> None:
    audits = Audits(service, monkeypatch, fails=True)
    audits.ask(1)
    audits.ask(2)
    audits.end()
    assert audits.runs == 2
    assert [report.balanced for report in audits.reports] == [True, True]


def change(wallet: Wallet, position: int, /, **values: object) -> None:
    wallet.history[position] = msgspec.structs.replace(
        wallet.history[position], **values
    )


def lose_the_received_side(source: Wallet, target: Wallet) -> None:
    target.history.pop()
    target.balance -= 250


def duplicate_a_credit(source: Wallet, target: Wallet) -> None:
    first = target.history[0]
    target.history.insert(0, msgspec.structs.replace(first, id=UUID(int=99)))


def raise_all_that_follows(source: Wallet, target: Wallet) -> None:
    """Money from nowhere, carried on consistently within the wallet."""
    change(source, 0, amount=2000, balance_after=2000)
    change(source, 1, balance_after=1750)
    change(source, 2, balance_after=1700)
    source.balance = 1700
    change(source, 1, reference_id=UUID(int=98))


def send_to_itself(source: Wallet, target: Wallet) -> None:
    """Two sides that agree with each other and with their history, in one wallet."""
    out = msgspec.structs.replace(
        source.history[1], balance_after=450, reference_id=UUID(int=97)
    )
    back = msgspec.structs.replace(out, type=target.history[1].type, balance_after=700)
    source.history += [out, back]


def exchange_without_a_rate(source: Wallet, target: Wallet) -> None:
    """A transfer whose target held another currency all the time."""
    target.identity = msgspec.structs.replace(target.identity, currency="USD")
    target.currency = "USD"
    for position in range(2):
        change(target, position, wallet=target.identity)


def lose_the_reference(source: Wallet, target: Wallet) -> None:
    for wallet in (source, target):
        change(wallet, 1, reference_id=None)


CORRUPTIONS: dict[str, tuple[Callable[[Wallet, Wallet], object], str]] = {
    "a balance without a transaction": (
        lambda source, target: setattr(source, "balance", 701),
        "the transactions add up to 700",
    ),
    "a balance that is not the last one recorded": (
        lambda source, target: setattr(source, "balance", 701),
        "not the last balanceAfter",
    ),
    "a negative balance": (
        lambda source, target: setattr(source, "balance", -1),
        "the balance is -1",
    ),
    "a balance past the largest integer": (
        lambda source, target: setattr(source, "balance", AMOUNT_MAX + 1),
        f"the balance is {AMOUNT_MAX + 1}",
    ),
    "a changed amount": (
        lambda source, target: change(source, 0, amount=999),
        "says balanceAfter 1000, but 0 +999 is 999",
    ),
    "an amount of nothing": (
        lambda source, target: change(source, 0, amount=0),
        "has the amount 0",
    ),
    "a changed balanceAfter": (
        lambda source, target: change(source, 1, balance_after=749),
        "says balanceAfter 749, but 1000 -250 is 750",
    ),
    "a negative balanceAfter": (
        lambda source, target: change(source, 1, balance_after=-5),
        "left the balance -5",
    ),
    "a lost side of a transfer": (
        lose_the_received_side,
        "one side of a transfer without the other",
    ),
    "sides of different amounts": (
        lambda source, target: change(target, 1, amount=249),
        "does not match its transfer's other side",
    ),
    "both sides out": (
        lambda source, target: change(target, 1, type=source.history[1].type),
        "does not match its transfer's other side",
    ),
    "sides of different transfers": (
        raise_all_that_follows,
        "one side of a transfer without the other",
    ),
    "both sides in one wallet": (
        send_to_itself,
        "does not match its transfer's other side",
    ),
    "sides of different currencies": (
        exchange_without_a_rate,
        "is one side of a transfer without the other",
    ),
    "sides without a reference": (
        lose_the_reference,
        "does not match its transfer's other side",
    ),
    "a transaction of another wallet": (
        lambda source, target: change(source, 0, wallet=target.identity),
        "stands in the wrong history",
    ),
    "a transaction in another currency": (
        lambda source, target: change(
            source, 0, wallet=msgspec.structs.replace(source.identity, currency="USD")
        ),
        "stands in the wrong history",
    ),
    "a history that turns back": (
        lambda source, target: change(source, 1, created_at=0),
        "older than what came before it",
    ),
    "more spent than left the wallet": (
        lambda source, target: setattr(source, "spent", 301),
        "counts for its limits what it did not spend",
    ),
    "a day in which nothing was spent": (
        lambda source, target: setattr(
            source,
            "counters",
            msgspec.structs.replace(source.counters, spent_before_day=300),
        ),
        "counts for its limits what it did not spend",
    ),
    "a credit recorded twice": (duplicate_a_credit, "says balanceAfter"),
    "a currency that does not add up": (
        lambda source, target: setattr(source, "balance", 701),
        "the balances in INR are 1001, but credits less debits are 1000",
    ),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_planted_corruption_is_found(
    service: WalletService, wallets: tuple[Wallet, Wallet], name: str
) -> None:
    corrupt, found = CORRUPTIONS[name]
    corrupt(*wallets)
    report = service.audit()
    assert not report.balanced
    assert any(found in problem.detail for problem in report.problems)


@pytest.fixture
def exchanged() -> WalletService:
    """Return a service in which 83.12 INR became 1.00 USD."""
    service = new_service(Settings(fx_rates=(("USD", "INR", Decimal("83.12")),)))
    rupees, dollars = open_wallet(service, 8_312), open_wallet(service, 0, "", "USD")
    quote = service.create_quote("INR", "USD", 8_312)
    service.transfer(rupees, dollars, 8_312, quote_id=quote.id)
    assert service.audit().problems == []
    return service


def test_the_house_may_owe_and_no_user_may(exchanged: WalletService) -> None:
    wallets = exchanged.store.liquidity
    assert wallets["USD"].balance == -100
    wallets["USD"].balance_min = 0
    details = {problem.detail for problem in exchanged.audit().problems}
    assert {"the balance is -100", "transaction left the balance -100"} <= details


def test_an_exchange_in_one_currency_only_is_found(exchanged: WalletService) -> None:
    exchanged.store.liquidity["USD"].history.clear()
    exchanged.store.liquidity["USD"].balance = 0
    for wallet in exchanged.store.wallets.values():
        if wallet.currency == "USD":
            wallet.history.clear()
            wallet.balance = 0
    problems = exchanged.audit().problems
    lost = "transaction is in one currency of an exchange without the other"
    assert [each.detail for each in problems if "spend" not in each.detail] == [lost]


def test_a_problem_names_its_wallet_and_its_transaction(
    service: WalletService, wallets: tuple[Wallet, Wallet]
) -> None:
    source, _ = wallets
    wrong: Transaction = source.history[1]
    change(source, 1, balance_after=749)
    first, *_ = service.audit().problems
    assert (first.wallet_id, first.transaction_id) == (source.id, wrong.id)


def test_a_report_lists_a_bounded_number_of_problems(service: WalletService) -> None:
    wallet = service.store.wallets[open_wallet(service)]
    for _ in range(PROBLEMS_MAX + 1):
        service.add(wallet.id, 1)
    for position in range(len(wallet.history)):
        change(wallet, position, amount=3)
    report = service.audit()
    assert len(report.problems) == PROBLEMS_MAX
    assert report.currencies["INR"].credits == 3 * (PROBLEMS_MAX + 1)
