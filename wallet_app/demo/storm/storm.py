"""The storm itself: clients that transfer small amounts between wallets, each in a
thread, and counts of what came of it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from random import Random
from threading import Event, Lock, Thread

from wallet_app.demo.storm.client import NO_ANSWER, Client
from wallet_app.demo.storm.report import BOUNDS_MILLISECONDS, Figures
from wallet_app.domain.clock import SECOND, Clock
from wallet_app.services.json_forms import Json

AMOUNT_MAX = 500
"""In minor units: small, so that the wallets last."""

SILENCES_MAX = 50
"""Requests without an answer. Then the service is gone, and asking on is pointless."""

MOVED = "200 moved"


class Storm:
    """Transfers between wallets, by so many clients; over when all are answered, when
    its time is, or soon after `stop()`."""

    def __init__(
        self,
        wallet_ids: Sequence[str],
        *,
        clients: int,
        transfers: int,
        seconds: int,
        connect: Callable[[], Client],
        monotonic: Clock = time.monotonic_ns,
        random: Random | None = None,
    ) -> None:
        self._wallet_ids = wallet_ids
        self._transfers = transfers
        self._connect = connect
        self._monotonic = monotonic
        self._lock = Lock()
        self._stopped = Event()
        self._random = random or Random()
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(clients)]
        self._started = 0
        self._silences = 0
        self._nanoseconds: list[int] = []
        self._answers = Counter[str]()
        self._example: Json | None = None
        self.changes = Counter[str]()
        """What each wallet was changed by, as the answers say."""

        self._began = self._monotonic()
        self._ended = 0
        self._deadline = self._began + seconds * SECOND

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the clients at most so long; return whether all have ended."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def why_stopped(self) -> str:
        """Why not all transfers were made, unless somebody stopped the storm."""
        if self._silences >= SILENCES_MAX:
            return "The service does not answer."
        if self._started < self._transfers and not self._stopped.is_set():
            return "Its time was over."
        return ""

    def figures(self) -> Figures:
        with self._lock:
            ascending = sorted(self._nanoseconds)
            ended = self._ended or self._monotonic()
            return Figures(
                answered=len(ascending),
                milliseconds=(ended - self._began) // 1_000_000,
                p50_microseconds=percentile(ascending, 50) // 1_000,
                p95_microseconds=percentile(ascending, 95) // 1_000,
                p99_microseconds=percentile(ascending, 99) // 1_000,
                latencies=counts(ascending),
                answers=dict(self._answers),
                example=self._example,
            )

    def _run(self) -> None:
        with closing(self._connect()) as client:
            while (body := self._next()) is not None:
                self._transfer(client, body)

    def _next(self) -> Json | None:
        """Return another transfer to make; None if there are to be no more."""
        with self._lock:
            if (
                self._stopped.is_set()
                or self._started == self._transfers
                or self._silences >= SILENCES_MAX
                or self._monotonic() >= self._deadline
            ):
                return None
            self._started += 1
            return random_transfer(self._wallet_ids, self._random)

    def _transfer(self, client: Client, body: Json) -> None:
        began = self._monotonic()
        status, answer = client.ask("POST", "/wallet/transfer", body)
        ended = self._monotonic()
        with self._lock:
            self._nanoseconds.append(ended - began)
            self._answers[outcome(status, answer)] += 1
            self._silences += status == NO_ANSWER
            self._example = body
            self._ended = max(ended, self._ended)
            if status == 200:
                self.changes[body["fromWalletId"]] -= body["amount"]
                self.changes[body["toWalletId"]] += body["amount"]


def outcome(status: int, answer: Json) -> str:
    """Return what came of a transfer, in a few words."""
    if status == NO_ANSWER:
        return "no answer"
    words = {200: "moved", 202: "waits for a code"}.get(status) or answer.get("code")
    return f"{status} {words}"


def random_transfer(wallet_ids: Sequence[str], random: Random) -> Json:
    source, target = random.sample(wallet_ids, 2)
    return {
        "fromWalletId": source,
        "toWalletId": target,
        "amount": random.randint(1, AMOUNT_MAX),
        "category": "storm",
    }


def percentile(ascending: Sequence[int], percent: int) -> int:
    """Return what so many percent of the numbers do not exceed; 0 if there are none."""
    if not ascending:
        return 0
    return ascending[max(0, -(-len(ascending) * percent // 100) - 1)]


def counts(ascending: Sequence[int]) -> list[int]:
    """Return how many nanoseconds lie within each of the bounds, and beyond them."""
    bounds = [bound * 1_000_000 for bound in BOUNDS_MILLISECONDS]
    columns = [0] * (len(bounds) + 1)
    for each in ascending:
        columns[bisect_left(bounds, each)] += 1
    return columns
