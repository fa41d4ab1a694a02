"""What a storm is ordered to do, and what it reports: each a line of JSON in a pipe."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from wallet_app.services.json_forms import Json, JsonObject

CLIENTS_MAX = 50
TRANSFERS_MIN, TRANSFERS_MAX = 100, 10_000
SECONDS_MAX = 120
"""Then a storm stops by itself."""

BOUNDS_MILLISECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Latencies are counted up to each of these, and beyond the last."""


class StormState(StrEnum):
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    STOPPED = "STOPPED"
    FAILED = "FAILED"


class StormWallet(JsonObject):
    """A wallet of the storm, and whose it is."""

    id: str
    name: str
    balance: int


class Order(JsonObject):
    """A storm: on the service at `address`, or without locks on one of its own. The
    `host` is how that service is called."""

    id: str
    locks: bool
    clients: int
    transfers: int
    seconds: int
    address: tuple[str, int]
    host: str
    wallets: list[StormWallet]


class Figures(JsonObject):
    """What the clients were answered so far. `latencies` are counts by bound, `answers`
    counts by outcome, such as "400 insufficient_funds". `example` is one body."""

    answered: int
    milliseconds: int
    p50_microseconds: int
    p95_microseconds: int
    p99_microseconds: int
    latencies: list[int]
    answers: dict[str, int]
    example: Json | None


NO_FIGURES = Figures(
    answered=0,
    milliseconds=0,
    p50_microseconds=0,
    p95_microseconds=0,
    p99_microseconds=0,
    latencies=[0] * (len(BOUNDS_MILLISECONDS) + 1),
    answers={},
    example=None,
)


class StormAudit(JsonObject):
    """An audit meanwhile. Of `problems` there is the number, which is bounded."""

    balanced: bool
    wallets: int
    transactions: int
    problems: int


class WrongBalance(JsonObject):
    """A wallet that does not hold what all answers together say."""

    name: str
    expected: int
    balance: int


class Update(JsonObject):
    """One side of a transfer, as it changed a wallet's balance."""

    change: int
    with_name: str
    balance_after: int


class LostUpdate(JsonObject):
    """Two changes of one wallet that began from the same balance: `lost` was written,
    and then `kept` over it."""

    name: str
    read: int
    lost: Update
    kept: Update


class Losses(JsonObject):
    """What the storm has lost. `breaks` are transactions, of `transactions`, that do
    not begin from the balance at which the one before them ended."""

    wrong: list[WrongBalance]
    transactions: int
    breaks: int
    example: LostUpdate | None


class Report(JsonObject):
    """A storm so far. `url` is the service; `audit` is the latest of
    `audits`, of which `balanced` found nothing wrong. The sums are those of all INR
    wallets."""

    id: str
    locks: bool
    clients: int
    transfers: int
    state: StormState
    url: str
    figures: Figures
    audits: int
    balanced: int
    audit: StormAudit | None
    sum_before: int | None
    sum_after: int | None
    losses: Losses | None
    problem: str

    @classmethod
    def begun(cls, order: Order, state: StormState, url: str) -> Self:
        """Return the report of a storm that has not done anything yet."""
        return cls(
            id=order.id,
            locks=order.locks,
            clients=order.clients,
            transfers=order.transfers,
            state=state,
            url=url,
            figures=NO_FIGURES,
            audits=0,
            balanced=0,
            audit=None,
            sum_before=None,
            sum_after=None,
            losses=None,
            problem="",
        )
