"""Each server does what the catalogue says of it, as far as one call after the other
shows it: the races are the judge's to find."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from uuid import uuid4

import pytest

from tests.judge.servers import asynchronous, express
from tests.judge.servers.asynchronous_races import WALLETS
from tests.judge.servers.catalogue import ALL, ASYNCIO, EXPRESS, RACES, THREADED
from tests.judge.servers.clients import (
    TIMEOUT_SECONDS,
    Client,
    connected,
    served,
    until,
)
from tests.judge.servers.parts import PARTS
from tests.judge.servers.running import running


@contextmanager
def served_asynchronously(name: str) -> Iterator[Client]:
    """Serve from an event loop in another thread."""
    urls: queue.Queue[str] = queue.Queue()
    end = threading.Event()
    serving = asynchronous.serve(WALLETS[name](), 0, urls.put, end.wait)
    thread = threading.Thread(target=asyncio.run, args=(serving,))
    thread.start()
    try:
        with connected(urls.get(timeout=TIMEOUT_SECONDS)) as client:
            yield client
    finally:
        end.set()
        thread.join(TIMEOUT_SECONDS)


SERVED = {THREADED: served, ASYNCIO: served_asynchronously}
BOTH = pytest.mark.parametrize("on", SERVED)


def walk(client: Client) -> None:
    """Do what a judge accepts a guess by: the sums must be those of the exercise."""
    one, other = client.create(), client.create()
    assert client.add(one, 7) in (200, 201, 202)
    assert client.balance(one) == 7
    assert client.add(one, 2) == 200
    assert client.deduct(one, 4) == 200
    assert client.transfer(one, other, 3) == 200
    assert (client.balance(one), client.balance(other)) == (2, 3)
    status, page = client.get(f"/wallet/{one}/transactions?limit=3&page=1")
    entries = page["transactions"]
    assert status == 200 and page["total"] == 4 and isinstance(entries, list)
    assert [entry["type"] for entry in entries] == ["TRANSFER_OUT", "DEBIT", "CREDIT"]
    assert [entry["balanceAfter"] for entry in entries] == [2, 5, 9]


def test_the_catalogue_names_what_is_served() -> None:
    for on, served_there in ((THREADED, PARTS), (ASYNCIO, WALLETS)):
        assert [name for name in ALL if on in ALL[name].servers] == [*served_there]


@pytest.mark.parametrize(
    "name, on",
    [
        (bug.name, on)
        for bug in (ALL["right"], *RACES)
        for on in bug.servers
        if on in SERVED
    ],
)
def test_one_call_after_the_other_goes_right(name: str, on: str) -> None:
    with SERVED[on](name) as client:
        walk(client)


@pytest.mark.parametrize(
    "amount", [0, -1, 1.5, 7.0, True, "7", None, [], 2**53, 10**400]
)
@BOTH
def test_a_bad_amount_is_refused_and_nothing_moves(amount: object, on: str) -> None:
    with SERVED[on]("right") as client:
        one, other = client.create(), client.create()
        client.add(one, 7)
        assert client.add(one, amount) == 400
        assert client.deduct(one, amount) == 400
        assert client.transfer(one, other, amount) == 400
        assert (client.balance(one), client.balance(other)) == (7, 0)


RIGHT_MONEY = (
    "slow",
    "one-at-a-time",
    "one-connection",
    "connection-close",
    "ok-with-failing-status",
    "early-answer",
    "rate-limit",
    "dies-under-load",
    "escape-sequences",
)


@pytest.mark.parametrize("name", RIGHT_MONEY)
def test_manners_do_not_touch_the_money(name: str) -> None:
    with served(name) as client:
        walk(client)


@BOTH
def test_what_the_exercise_refuses_is_refused(on: str) -> None:
    with SERVED[on]("right") as client:
        one, other = client.create(), client.create()
        client.add(one, 7)
        user = client.get(f"/wallet/{one}")[1]["userId"]
        assert client.post("/wallet/create", userId=user)[0] == 409
        assert client.post("/wallet/create")[0] == 400
        assert client.add(str(uuid4()), 1) == 404
        assert client.deduct(one, 8) == 400
        assert client.transfer(one, other, 8) == 400
        assert client.transfer(one, one, 1) == 400
        assert client.transfer(one, str(uuid4()), 1) == 404
        assert client.add(one, 2**53 - 1) == 400
        assert client.get(f"/wallet/{uuid4()}")[0] == 404
        assert client.get(f"/wallet/{one}/transactions?limit=0")[0] == 400
        assert client.get(f"/wallet/{one}/transactions?type=CREDIT")[1]["total"] == 1
        assert (client.balance(one), client.balance(other)) == (7, 0)


@BOTH
def test_a_key_has_one_effect(on: str) -> None:
    with SERVED[on]("right") as client:
        one = client.create()
        first = client.post("/wallet/add", "key", walletId=one, amount=7)
        assert client.post("/wallet/add", "key", walletId=one, amount=7) == first
        assert client.post("/wallet/add", "key", walletId=one, amount=8)[0] == 422
        assert client.balance(one) == 7


def test_entries_come_after_the_answer() -> None:
    with served("entries-after-answer") as client:
        wallet = client.create()
        client.add(wallet, 7)
        history = f"/wallet/{wallet}/transactions"
        assert client.get(history)[1]["total"] == 0
        until(lambda: client.get(history)[1]["total"] == 1)


def test_a_twin_is_swallowed() -> None:
    with served("swallowed-twin") as client:
        wallet = client.create()
        assert [client.add(wallet, 7), client.add(wallet, 7)] == [200, 200]
        assert client.balance(wallet) == 7


def test_the_sender_of_half_a_transfer_has_paid() -> None:
    with served("half-transfer") as client:
        wallet = client.create()
        client.add(wallet, 7)
        assert client.transfer(wallet, str(uuid4()), 3) == 404
        assert client.balance(wallet) == 4


def test_a_fee_is_missing() -> None:
    with served("fee") as client:
        one, other = client.create(), client.create()
        client.add(one, 7)
        client.transfer(one, other, 3)
        assert (client.balance(one), client.balance(other)) == (4, 2)


@pytest.mark.parametrize(
    "name, amounts, balance",
    [
        ("int32", [2**31 - 1, 1], -(2**31)),
        ("float", [0.1, 0.2], 0.1 + 0.2),
        ("float", [2**53, 1], 2**53),
        ("string-concatenation", [5, "7"], 57),
    ],
)
def test_the_sum_is_wrong(name: str, amounts: list[object], balance: object) -> None:
    with served(name) as client:
        wallet = client.create()
        assert {client.add(wallet, amount) for amount in amounts} == {200}
        assert client.balance(wallet) == balance


def test_a_bad_amount_leaks_the_lock() -> None:
    with served("lock-leaked-on-bad-input") as client:
        wallet = client.create()
        assert client.add(wallet, 7) == 200
        assert client.add(wallet, -1) == 400
        client.connection.timeout = 0.1
        client.connection.close()
        with pytest.raises(TimeoutError):
            client.balance(wallet)


def test_two_connections_find_two_memories() -> None:
    with served("two-memories") as client:
        walk(client)
        wallet = client.create()
        client.connection.close()
        assert client.get(f"/wallet/{wallet}")[0] == 404


def test_the_others_read_from_a_replica_that_is_behind() -> None:
    with served("cached-reads") as client:
        wallet = client.create()
        added = []

        def is_behind() -> bool:
            added.append(client.add(wallet, 7))
            client.connection.close()
            return client.balance(wallet) != 7 * len(added)

        until(is_behind)  # unless the machine is slow
        until(lambda: client.balance(wallet) == 7 * len(added))


def test_what_is_accepted_is_done_later() -> None:
    with served("accepted-later") as client:
        wallet = client.create()
        assert client.add(wallet, -1) == 400
        assert [client.add(wallet, 7), client.deduct(wallet, 4)] == [202, 202]
        assert client.balance(wallet) == 0
        until(lambda: client.balance(wallet) == 3)


def test_a_refusal_can_have_any_status() -> None:
    with served("ok-with-failing-status") as client:
        status, body = client.post("/wallet/add", walletId=str(uuid4()), amount=7)
        assert (status, body["status"]) == (200, "FAILED")


def test_more_than_so_many_in_a_second_are_turned_away() -> None:
    with served("rate-limit") as client:
        statuses = [client.get("/wallet/none")[0] for _ in range(120)]
        assert statuses[:100] == [404] * 100 and 429 in statuses


def test_an_answer_can_come_before_the_last_byte() -> None:
    with served("early-answer") as client:
        body = json.dumps({"userId": "asha"})
        client.connection.putrequest("POST", "/wallet/create")
        client.connection.putheader("Content-Length", str(len(body)))
        client.connection.endheaders(body[:-1].encode())
        assert client.connection.sock.recv(12) == b"HTTP/1.1 201"


def test_what_has_no_last_byte_is_answered_too() -> None:
    with served("early-answer") as client:
        assert client.ask("POST", "/wallet/create")[0] == 400


def test_a_connection_is_closed() -> None:
    with served("connection-close") as client:
        client.connection.request("GET", "/")
        assert client.connection.getresponse().headers["Connection"] == "close"


def test_errors_have_escape_sequences() -> None:
    with served("escape-sequences") as client:
        assert "\x1b[2J" in str(client.post("/wallet/create")[1]["error"])


@pytest.mark.parametrize("name", ["hangs", "endless-body"])
def test_no_answer_ends(name: str) -> None:
    with served(name) as client:
        client.connection.timeout = 0.2
        client.connection.request("GET", "/")
        end = time.monotonic() + 0.2
        with pytest.raises(TimeoutError):
            response = client.connection.getresponse()
            while response.read1(1 << 20):
                if time.monotonic() > end:
                    raise TimeoutError("still coming")


def test_garbage_is_no_http() -> None:
    with served("garbage") as client, pytest.raises(HTTPException):
        client.get("/")


def test_a_balance_has_more_digits_than_python_reads() -> None:
    with served("huge-balance") as client, pytest.raises(ValueError, match="digits"):
        client.create()


def test_brackets_are_too_deep() -> None:
    with served("deeply-nested") as client:
        wallet = client.create()
        with pytest.raises(RecursionError):
            client.balance(wallet)


@pytest.mark.server
def test_a_malformed_id_ends_the_process() -> None:
    with running("dies-on-malformed-id") as url, connected(url) as client:
        walk(client)
        with pytest.raises(OSError):
            client.get("/wallet/none")
        with pytest.raises(OSError):
            client.create()


@pytest.mark.server
def test_load_ends_the_process() -> None:
    with running("dies-under-load") as url, connected(url) as client:
        statuses = [client.get("/wallet/none")[0] for _ in range(300)]
        assert statuses == [404] * 300
        with pytest.raises(OSError):
            client.get("/wallet/none")


@pytest.mark.server
def test_who_follows_a_redirect_ends_the_process() -> None:
    with running("redirect") as url, connected(url) as client:
        client.connection.request("GET", "/wallet/none")
        response = client.connection.getresponse()
        response.read()
        assert response.status == 302
        with connected(response.headers["Location"]) as other:
            with pytest.raises(OSError):
                other.create()
        with pytest.raises(OSError):
            client.create()


@pytest.mark.server
def test_a_server_of_its_own_ends_with_the_block() -> None:
    with running("right") as url, connected(url) as client:
        walk(client)
    with pytest.raises(OSError), connected(url) as client:
        client.create()


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.skipif(not express.is_possible(), reason="node or npm is not here")
def test_express_has_the_same_wallets() -> None:
    for name in (name for name in ALL if EXPRESS in ALL[name].servers):
        with running(name, EXPRESS) as url, connected(url) as client:
            walk(client)
            one, other = client.create(), client.create()
            client.add(one, 7)
            assert client.add(one, 0) == client.deduct(one, 8) == 400
            assert client.transfer(one, other, 8) == client.transfer(one, one, 1) == 400
            assert client.transfer(one, str(uuid4()), 1) == 404
            assert (client.balance(one), client.balance(other)) == (7, 0)
