"""The storm of the demo: its clients, what it counts, when it stops, and what is lost
without locks. No process and no connection: clients are made by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from random import Random
from threading import Event
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.ledgers import SECOND, Clock
from wallet_app import create_app
from wallet_app.demo.storm.client import NO_ANSWER, Client
from wallet_app.demo.storm.conduct import Conductor, history_of
from wallet_app.demo.storm.losses import losses
from wallet_app.demo.storm.report import (
    BOUNDS_MILLISECONDS,
    LostUpdate,
    Order,
    Report,
    StormState,
    StormWallet,
    Update,
    WrongBalance,
)
from wallet_app.demo.storm.storm import AMOUNT_MAX, SILENCES_MAX, Storm
from wallet_app.services.json_forms import Json
from wallet_app.services.service import WalletService

TIMEOUT_SECONDS = 20.0
MILLISECOND = SECOND // 1000
WALLETS = ("asha", "ravi", "mei")
MOVED: tuple[int, Json] = (200, {})


class Scripted:
    """A client that is answered what a function returns."""

    def __init__(self, answer: Callable[[], tuple[int, Json]]) -> None:
        self._answer = answer
        self.asked: list[tuple[str, str, Json | None]] = []
        self.is_closed = False

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        self.asked.append((method, path, body))
        return self._answer()

    def close(self) -> None:
        self.is_closed = True


def storm_of(
    transfers: int,
    connect: Callable[[], Client],
    *,
    clients: int = 1,
    seconds: int = 60,
    monotonic: Callable[[], int] = time.monotonic_ns,
) -> Storm:
    return Storm(
        WALLETS,
        clients=clients,
        transfers=transfers,
        seconds=seconds,
        connect=connect,
        monotonic=monotonic,
    )


def ended(storm: Storm) -> Storm:
    storm.start()
    assert storm.wait(TIMEOUT_SECONDS)
    return storm


def test_clients_make_all_transfers_between_different_wallets() -> None:
    clients: list[Scripted] = []

    def connect() -> Scripted:
        clients.append(Scripted(lambda: MOVED))
        return clients[-1]

    storm = ended(storm_of(200, connect, clients=3))
    assert len(clients) == 3 and all(client.is_closed for client in clients)
    asked = [each for client in clients for each in client.asked]
    assert {each[:2] for each in asked} == {("POST", "/wallet/transfer")}
    bodies = [body for _, _, body in asked if body is not None]
    assert len(bodies) == 200
    changes = dict.fromkeys(WALLETS, 0)
    for body in bodies:
        assert body["fromWalletId"] != body["toWalletId"]
        assert 1 <= body["amount"] <= AMOUNT_MAX
        changes[body["fromWalletId"]] -= body["amount"]
        changes[body["toWalletId"]] += body["amount"]
    assert storm.changes == changes and sum(changes.values()) == 0
    figures = storm.figures()
    assert figures.answered == 200 and figures.answers == {"200 moved": 200}
    assert figures.example in bodies and storm.why_stopped == ""


def test_what_a_client_was_not_told_has_moved_is_not_counted_as_moved() -> None:
    answers = [
        (200, {}),
        (202, {"approvalId": "a"}),
        (400, {"code": "insufficient_funds"}),
        (500, {"code": "internal_error"}),
        (NO_ANSWER, {}),
    ]
    client = Scripted(iter(answers).__next__)
    storm = ended(storm_of(5, lambda: client))
    assert storm.figures().answers == {
        "200 moved": 1,
        "202 waits for a code": 1,
        "400 insufficient_funds": 1,
        "500 internal_error": 1,
        "no answer": 1,
    }
    first = client.asked[0][2]
    assert first is not None
    assert storm.changes[first["toWalletId"]] == first["amount"]


def test_latencies_are_counted_by_bounds_and_percentiles() -> None:
    clock = Clock()
    took = [1] * 50 + [3] * 45 + [40] * 4 + [700]
    Random(1).shuffle(took)
    waits = iter(took)

    def answer() -> tuple[int, Json]:
        clock.now += next(waits) * MILLISECOND
        return MOVED

    client = Scripted(answer)
    storm = storm_of(100, lambda: client, monotonic=clock)
    figures = ended(storm).figures()
    columns = dict(zip((*BOUNDS_MILLISECONDS, None), figures.latencies))
    assert {bound: count for bound, count in columns.items() if count} == {
        1: 50,
        5: 45,
        50: 4,
        None: 1,
    }
    assert figures.p50_microseconds == 1_000
    assert figures.p95_microseconds == 3_000
    assert figures.p99_microseconds == 40_000
    assert figures.milliseconds == sum(took)
    clock.now += SECOND
    assert storm.figures().milliseconds == sum(took), "it ended with the last answer"


def test_a_storm_stops_when_it_is_told_to() -> None:
    def answer() -> tuple[int, Json]:
        if len(client.asked) == 10:
            storm.stop()
        return MOVED

    client = Scripted(answer)
    storm = storm_of(100, lambda: client)
    assert ended(storm).figures().answered == 10 and storm.why_stopped == ""


def test_a_storm_stops_when_its_time_is_over() -> None:
    clock = Clock()

    def answer() -> tuple[int, Json]:
        clock.now += SECOND
        return MOVED

    client = Scripted(answer)
    storm = ended(storm_of(100, lambda: client, seconds=5, monotonic=clock))
    assert storm.figures().answered == 5 and storm.why_stopped == "Its time was over."


def test_a_storm_stops_when_the_service_is_gone() -> None:
    client = Scripted(lambda: (NO_ANSWER, {}))
    storm = ended(storm_of(1_000, lambda: client))
    assert storm.figures().answered == SILENCES_MAX
    assert storm.why_stopped == "The service does not answer."


# A storm from the first audit to the last


class InProcess:
    """A client of an app in this process."""

    def __init__(self, app: FlaskClient) -> None:
        self.app = app

    def ask(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        answer = self.app.open(path, method=method, json=body)
        return answer.status_code, answer.get_json()

    def close(self) -> None: ...


def opened(balances: Sequence[int]) -> tuple[InProcess, list[StormWallet]]:
    """Return a client of a new service, and wallets there."""
    service = WalletService()
    wallets = []
    for name, balance in zip(WALLETS, balances):
        wallet = service.create_wallet(name, "INR")
        service.add(wallet.id, balance)
        wallets.append(StormWallet(wallet.id, name, balance))
    return InProcess(create_app(service).test_client()), wallets


def ordered(wallets: list[StormWallet], locks: bool = True) -> Order:
    return Order(
        id="one",
        locks=locks,
        clients=4,
        transfers=100,
        seconds=60,
        address=("127.0.0.1", 8000),
        host="127.0.0.1",
        wallets=wallets,
    )


@pytest.mark.parametrize("locks", [True, False])
def test_with_locks_nothing_is_lost_whatever_the_storm_is_called(locks: bool) -> None:
    client, wallets = opened([100_000, 50_000])
    reports: list[Report] = []
    conductor = Conductor(
        ordered(wallets, locks), "url", connect=lambda: client, emit=reports.append
    )
    conductor.run()
    report = reports[-1]
    assert report.state is StormState.DONE and report.figures.answered == 100
    assert report.sum_before == report.sum_after == 150_000
    assert report.audits == report.balanced >= 2
    assert report.audit is not None
    assert report.audit.balanced and report.audit.transactions == 2 + 200
    if locks:
        assert report.losses is None
    else:
        assert report.losses is not None
        assert (report.losses.wrong, report.losses.breaks) == ([], 0)
        assert report.losses.example is None and report.losses.transactions == 202


def test_a_storm_that_is_stopped_says_so() -> None:
    app, wallets = opened([100_000, 50_000])
    reports: list[Report] = []
    reported = Event()

    class Held(InProcess):
        """Makes no transfer before the first report, which follows the stop."""

        def ask(
            self, method: str, path: str, body: Json | None = None
        ) -> tuple[int, Json]:
            if body is not None:
                assert reported.wait(TIMEOUT_SECONDS)
            return app.ask(method, path, body)

    def emit(report: Report) -> None:
        reports.append(report)
        reported.set()

    order = ordered(wallets)
    conductor = Conductor(order, "url", connect=lambda: Held(app.app), emit=emit)
    conductor.stopped.set()
    conductor.run()
    report = reports[-1]
    assert report.state is StormState.STOPPED and report.problem == ""
    assert report.figures.answered == order.clients
    assert report.sum_before == report.sum_after


def test_a_service_that_does_not_answer_fails_the_storm() -> None:
    reports: list[Report] = []
    silent = Scripted(lambda: (NO_ANSWER, {}))
    Conductor(ordered([]), "url", connect=lambda: silent, emit=reports.append).run()
    (report,) = reports
    assert report.state is StormState.FAILED
    assert report.problem == "GET /audit was not answered." and silent.is_closed


def test_a_history_is_read_whole_oldest_first() -> None:
    client, (wallet,) = opened([1])
    for amount in range(2, 206):
        body = {"walletId": wallet.id, "amount": amount}
        assert client.ask("POST", "/wallet/add", body)[0] == 200
    amounts = [each["amount"] for each in history_of(client, wallet.id)]
    assert amounts == list(range(1, 206))


# What is lost


ASHA, RAVI = StormWallet("asha", "Asha", 500), StormWallet("ravi", "Ravi", 300)


def credit(amount: int) -> Json:
    change = {"type": "CREDIT", "amount": amount, "balanceAfter": amount}
    return change | {"counterparty": None}


def transfer(change: int, balance_after: int, other: str = "ravi") -> Json:
    """Return one side of a transfer as the API has it."""
    return {
        "type": "TRANSFER_IN" if change > 0 else "TRANSFER_OUT",
        "amount": abs(change),
        "balanceAfter": balance_after,
        "counterparty": {"kind": "wallet", "walletId": other},
    }


def lost_in(*history: Json) -> LostUpdate | None:
    """Return the example of a lost update in Asha's history."""
    found = losses(
        [ASHA, RAVI],
        changes={},
        balances={"asha": 0, "ravi": 0},
        histories={"asha": history, "ravi": []},
    )
    return found.example


def test_of_two_who_read_one_balance_the_first_to_write_is_lost() -> None:
    history = credit(500), transfer(60, 560), transfer(-20, 480), transfer(5, 485)
    assert lost_in(*history) == LostUpdate(
        name="Asha",
        read=500,
        lost=Update(60, "Ravi", 560),
        kept=Update(-20, "Ravi", 480),
    )


def test_what_comes_next_says_which_of_two_was_written_last() -> None:
    history = credit(500), transfer(60, 560), transfer(-20, 480), transfer(5, 565)
    found = lost_in(*history)
    assert found is not None
    assert (found.lost.change, found.kept.change) == (-20, 60)


@pytest.mark.parametrize(
    "history",
    [
        (),
        (credit(500),),
        (credit(500), transfer(60, 560), transfer(-20, 540), transfer(5, 545)),
        (credit(500), transfer(60, 560), transfer(-20, 480)),
        (credit(500), transfer(60, 560), transfer(-20, 480), transfer(5, 505)),
    ],
    ids=["none", "one", "one after the other", "nothing after them", "three at once"],
)
def test_nothing_is_called_lost_that_the_history_does_not_show(history: Any) -> None:
    assert lost_in(*history) is None


def test_an_example_in_which_money_that_came_in_is_lost_is_preferred() -> None:
    history = (
        credit(500),
        *(transfer(-90, 410), transfer(-10, 490)),
        *(transfer(50, 540), transfer(-1, 489)),
        *(transfer(30, 519), transfer(-9, 480)),
        transfer(1, 481),
    )
    found = lost_in(*history)
    assert found is not None and found.lost.change == 50


def test_a_wallet_should_have_what_the_answers_say() -> None:
    histories = {
        "asha": [credit(500), transfer(60, 560), transfer(-20, 480)],
        "ravi": [credit(300), transfer(-60, 240, "asha"), transfer(20, 260, "asha")],
    }
    found = losses(
        [ASHA, RAVI],
        changes={"asha": 40, "ravi": -40},
        balances={"asha": 480, "ravi": 260},
        histories=histories,
    )
    assert found.wrong == [WrongBalance("Asha", expected=540, balance=480)]
    assert (found.breaks, found.transactions) == (1, 6)
