"""The money path without HTTP: what the service adds to the bare minimum, and that
the length of a history costs neither movements nor readers anything."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from tests.benchmarks.conditions import in_fresh_process, settle_as_the_server
from tests.benchmarks.filled import BALANCE, WALLETS, fill, new_wallets, random_pairs
from tests.benchmarks.report import Row, Scale, at_least, at_most, median_ratio
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.movement import Operation
from wallet_app.services.service import WalletService
from wallet_app.settings import FRAUD_RULES, Settings

TRANSFERS = 60_000
"""Transfers in a slice of the first row: many times the interpreter's switch
interval, so that several threads do meet."""

PAIRS = 1_000
"""Pairs that a slice goes round and round: few, so that fetching them from memory
costs next to nothing beside the work."""

CALLS = 2_000
"""Calls in a slice of the other rows: a few milliseconds, so that the two sides
meet the same noise."""

SHORT_HISTORY = 100
BARE_LEAST = 0.26
"""0.30 without rules, and 15 % for them."""

BATCHED_US_MAX = 5.0

PAIRS_OF_SLICES = 20
"""For each round of the scale, because these slices are short."""

Work = Callable[[], None]
Call = Callable[[], object]
Timings = tuple[list[float], list[float]]


def transfer_rows(scale: Scale) -> list[Row]:
    """Transfers in the service against locks, integers and lists alone."""
    return [
        at_least(
            f"transfers in the service, {threads} thread{'s' * (threads > 1)}, "
            "against locks, integers and lists alone",
            "/s",
            *in_fresh_process(transfer_rates, threads, scale.rounds),
            BARE_LEAST,
        )
        for threads in (1, 4)
    ]


def histories_rows(scale: Scale) -> list[Row]:
    """A transfer between long histories against one between empty ones."""
    what = f"a transfer, {scale.transactions:,} transactions in two histories or none"
    times = in_fresh_process(transfer_times, scale.transactions, scale.rounds)
    return [at_most(what, "us", *times, 1.10)]


def rules_rows(scale: Scale) -> list[Row]:
    """The same with every rule on."""
    what = f"a transfer with all rules on, {scale.transactions:,} transactions or none"
    times = in_fresh_process(ruled_times, scale.transactions, scale.rounds)
    return [at_most(what, "us", *times, 1.10)]


def page_rows(scale: Scale) -> list[Row]:
    """The first page of a long history against that of a short one."""
    what = f"page 1 of {scale.transactions:,} transactions or of {SHORT_HISTORY}"
    times = in_fresh_process(page_times, scale.transactions, scale.rounds)
    return [at_most(what, "us", *times, 2.0)]


def batch_rows(scale: Scale) -> list[Row]:
    """A transfer as one of a batch, against one alone."""
    batched, alone = in_fresh_process(batch_times, scale.rounds)
    each = median(batched)
    return [
        Row(
            f"a transfer in a batch of {PAIRS:,} in process, or alone",
            f"{each:.2f} us",
            f"{median(alone):.2f} us",
            f"{median_ratio(batched, alone):.3f}",
            f"<= {BATCHED_US_MAX:.0f} us",
            each <= BATCHED_US_MAX,
        )
    ]


class BareWallet:
    """What no ledger can do without: an id, a balance, a lock and a history."""

    __slots__ = ("id", "balance", "lock", "history")

    def __init__(self, id: str) -> None:
        self.id = id
        self.balance = BALANCE
        self.lock = threading.Lock()
        self.history: list[tuple[str, int, int]] = []


def transfer_rates(threads: int, rounds: int) -> Timings:
    """Return transfers per second, in the service and bare, of each round."""
    settle_as_the_server()
    return in_turns(
        rounds * 2,
        lambda: TRANSFERS / _seconds(_service_slices(threads)),
        lambda: TRANSFERS / _seconds(_bare_slices(threads)),
    )


def _service_slices(threads: int) -> list[Work]:
    """Return each thread's work on a new ledger, with its pairs drawn."""
    service = WalletService()
    pairs = random_pairs(new_wallets(service), PAIRS)
    transfer = service.transfer

    def work() -> None:
        for _ in range(TRANSFERS // PAIRS // threads):
            for source, target in pairs:
                transfer(source, target, 1)

    return [work] * threads


def _bare_slices(threads: int) -> list[Work]:
    """Return the same work without a service; each pair is sorted beforehand."""
    wallets = {id: BareWallet(id) for id in (f"{n:036}" for n in range(WALLETS))}
    pairs = [
        (wallets[min(pair)], wallets[max(pair)])
        for pair in random_pairs(list(wallets), PAIRS)
    ]

    def work() -> None:
        for _ in range(TRANSFERS // PAIRS // threads):
            for a, b in pairs:
                with a.lock, b.lock:
                    a.balance -= 1
                    b.balance += 1
                    a.history.append((a.id, 1, a.balance))
                    b.history.append((b.id, 1, b.balance))

    return [work] * threads


def _seconds(slices: list[Work]) -> float:
    """Run each slice in a thread of its own, all from one start, and time them."""
    began: list[float] = []
    start = threading.Barrier(len(slices), lambda: began.append(time.perf_counter()))

    def run(work: Work) -> None:
        start.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in slices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began[0]


def transfer_times(transactions: int, rounds: int) -> Timings:
    """Return microseconds per transfer, with long histories and with empty ones."""
    service = WalletService()
    settle_as_the_server()
    source, target = new_wallets(service, 2)
    fill(service, [source, target], transactions)
    transfer = partial(service.transfer, source, target, 1)
    return in_turns(
        rounds * PAIRS_OF_SLICES,
        lambda: microseconds(transfer),
        lambda: microseconds(_transfer_between_empty()),
    )


def ruled_times(transactions: int, rounds: int) -> Timings:
    """Return microseconds per transfer under limits, a threshold and all fraud rules,
    with long histories and with empty ones. Seconds pass between two transfers, so
    that none is too many."""
    service = _ruled_service()
    settle_as_the_server()
    source, target = new_wallets(service, 2)
    fill(service, [source, target], transactions)
    transfer = partial(service.transfer, source, target, 1)
    return in_turns(
        rounds * PAIRS_OF_SLICES,
        lambda: microseconds(transfer),
        lambda: microseconds(_transfer_between_empty(_ruled_service())),
    )


def _ruled_service() -> WalletService:
    most = AMOUNT_MAX
    settings = Settings(
        limit_per_transaction=most,
        limit_daily=most,
        limit_monthly=most,
        approval_threshold=most,
        fraud_rules=FRAUD_RULES,
    )
    seconds = itertools.count(1_767_225_600_000_000_000, 10_000_000_000)
    clock = seconds.__next__
    return WalletService(settings, clock=clock, monotonic=clock)


def _transfer_between_empty(service: WalletService | None = None) -> Call:
    service = service or WalletService()
    source, target = new_wallets(service, 2)
    return partial(service.transfer, source, target, 1)


def page_times(transactions: int, rounds: int) -> Timings:
    """Return microseconds per page, of a long history and of a short one."""
    service = WalletService()
    settle_as_the_server()
    long_id, short_id = new_wallets(service, 2)
    for wallet_id, length in ((long_id, transactions), (short_id, SHORT_HISTORY)):
        for _ in range(length - 1):
            service.add(wallet_id, 1000)
    return in_turns(
        rounds * PAIRS_OF_SLICES,
        lambda: microseconds(partial(service.history.page, long_id)),
        lambda: microseconds(partial(service.history.page, short_id)),
    )


def batch_times(rounds: int) -> Timings:
    """Return microseconds per transfer, of a batch and of single ones."""
    service = WalletService()
    settle_as_the_server()
    pairs = random_pairs(new_wallets(service), PAIRS)
    operations = [
        Operation(source_id=source, target_id=target, amount=1)
        for source, target in pairs
    ]

    def batched() -> None:
        service.batch(operations)

    def alone() -> None:
        for source, target in pairs:
            service.transfer(source, target, 1)

    return in_turns(
        rounds * PAIRS_OF_SLICES,
        lambda: _seconds([batched]) / PAIRS * 1e6,
        lambda: _seconds([alone]) / PAIRS * 1e6,
    )


def in_turns(
    rounds: int, this: Callable[[], float], reference: Callable[[], float]
) -> Timings:
    """Measure both in each round, in the other order each time."""
    timings: Timings = ([], [])
    turns = [(this, timings[0]), (reference, timings[1])]
    for _ in range(rounds):
        turns.reverse()
        for measure, measured in turns:
            measured.append(measure())
    return timings


def microseconds(call: Call) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6
