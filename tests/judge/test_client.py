"""The client is bounded, whatever a server sends; its requests go at one moment."""

from __future__ import annotations

import itertools
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from tests.judge.wire import setup
from tests.judge.wire.adapter import Adapter
from tests.judge.wire.client import (
    BODY_BYTES_MAX,
    GATE_SECONDS,
    Client,
    Exchange,
    Limits,
    Origin,
    Request,
    Script,
    Spent,
)
from tests.judge.wire.subject import Subject

LIMIT_SECONDS = 10.0
TIMEOUT_SECONDS = 0.4

Behaviour = Callable[[socket.socket], None]
"""What a server does with a connection."""

GET = Request("GET", "/")
POST = Request("POST", "/", b"12345")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def served(behave: Behaviour, *, at_once: bool = True) -> Iterator[Client]:
    """Serve each connection by a function, in a thread or one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(LIMIT_SECONDS)
                try:
                    behave(connection)
                except OSError:
                    return  # the client has gone

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return  # the test is over
                if at_once:
                    threading.Thread(target=serve, args=(connection,)).start()
                else:
                    serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        client = client_of(listener.getsockname()[1])
        try:
            yield client
        finally:
            client.close()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT_SECONDS)


def client_of(port: int) -> Client:
    ends_ns = time.monotonic_ns() + int(LIMIT_SECONDS * 1e9)
    limits = Limits(1_000, ends_ns)
    return Client(Origin("127.0.0.1", port), limits, (), TIMEOUT_SECONDS)


def answers(answer: bytes) -> Behaviour:
    """Return a server that answers each request with these bytes."""

    def behave(connection: socket.socket) -> None:
        while connection.recv(1 << 16):
            connection.sendall(answer)

    return behave


def once(answer: bytes) -> Behaviour:
    """Return a server that answers one request, and closes the connection."""

    def behave(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(answer)

    return behave


def repeats(head: bytes, part: bytes, seconds: float = 0) -> Behaviour:
    """Return a server whose answer has no end."""

    def behave(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(head)
        while True:
            connection.sendall(part)
            time.sleep(seconds)

    return behave


def resets(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def waits(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\n"
LONG = f"HTTP/1.1 200 OK\r\nContent-Length: {10**12}\r\n\r\n".encode()
SMALL = b"1\r\n \r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNK = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
TOO_LONG = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("behave", "failure"),
    [
        (repeats(CHUNKED, CHUNK), "too long"),
        (repeats(CHUNKED, SMALL * 1_000), "too long|timed out"),
        (repeats(TO_THE_END, b" " * 0x1000), "too long"),
        (repeats(LONG, b" " * 0x1000), "too long"),
        (repeats(b"", CONTINUE * 100), "too long|timed out"),
        (repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100), "not HTTP"),
        (repeats(b"HTTP/1.1 200 ", b"O" * 1_000), "not HTTP"),
        (repeats(LONG, b" ", 0.02), "timed out"),
        (repeats(b"", b"H", 0.02), "timed out"),
        (answers(TOO_LONG), "not HTTP"),
        (answers(b"\x16\x03\x01\x00\xff\x1b[2J\r\n\r\n"), "not HTTP"),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), "closed"),
        (once(b"HTTP/1.1 200 OK\r\nContent-"), "closed"),
        (once(b""), "closed"),
        (resets, "reset"),
        (waits, "timed out"),
    ],
    ids=[
        "endless chunks",
        "endless small chunks",
        "endless to the end",
        "a body of 10^12 bytes",
        "endless 100",
        "endless headers",
        "endless status line",
        "a byte now and then",
        "no status line",
        "a length of 5,000 digits",
        "garbage",
        "a part of the body",
        "a part of the head",
        "closed at once",
        "reset",
        "silent",
    ],
)
def test_what_a_server_sends_is_bounded(behave: Behaviour, failure: str) -> None:
    began = time.monotonic()
    with served(behave) as client:
        exchange = client.send(GET)
        assert exchange.answer is None
        assert re.search(failure, exchange.failure)
        assert time.monotonic() - began < TIMEOUT_SECONDS + 3


def test_a_large_answer_is_read() -> None:
    size = BODY_BYTES_MAX - 1
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    with served(answers(head + b"a" * size)) as client:
        answer = client.send(GET).answer
    assert answer is not None and answer.body == b"a" * size


def test_the_last_byte_is_held_until_all_requests_are_sent() -> None:
    arrived: list[int] = []
    arriving = threading.Lock()

    def behave(connection: socket.socket) -> None:
        got = b""
        while not got.endswith(b"12345"):
            got += connection.recv(1)
        with arriving:
            arrived.append(time.monotonic_ns())
        connection.sendall(OK)

    with served(behave) as client:
        ran = [lane[0] for lane in client.race([Script([POST])] * 8)]
    assert all(each.answer is not None for each in ran)
    last_sent = max(each.began_ns for each in ran)
    assert min(arrived) >= min(each.released_ns for each in ran) - 10**6 > last_sent
    assert min(arrived) - last_sent >= GATE_SECONDS * 0.9e9


def test_a_script_begins_as_much_later_as_it_says() -> None:
    with served(answers(OK)) as client:
        scripts = [Script([GET]), Script([GET], offset_ns=20 * 10**6)]
        (first,), (second,) = client.race(scripts)
    assert second.released_ns - first.released_ns >= 19 * 10**6


def test_a_script_goes_on_after_each_answer_until_one_fails() -> None:
    with served(answers(OK)) as client:
        (ran,) = client.race([Script([GET, POST, GET])])
        assert [each.request for each in ran] == [GET, POST, GET]
        assert all(one.ended_ns <= two.began_ns for one, two in pairwise(ran))
    with served(resets) as client:
        (ran,) = client.race([Script([GET, POST, GET])])
        assert len(ran) == 1


def test_a_script_that_is_beside_others_ends_with_them() -> None:
    with served(answers(OK)) as client:
        (one,), beside = client.race(
            [Script([GET]), Script([GET] * 900, is_beside=True)]
        )
    assert one.answer is not None and 1 <= len(beside) < 900


@pytest.mark.parametrize("answer", [CLOSING, CLOSING.replace(b"1.1", b"1.0")])
def test_a_connection_that_the_server_closes_is_not_used_again(answer: bytes) -> None:
    with served(once(answer)) as client:
        (ran,) = client.race([Script([GET, POST, GET])])
        assert [each.failure for each in ran] == ["", "", ""]
        assert client.send(GET).answer is not None


def test_a_connection_that_was_closed_while_idle_is_not_used_again() -> None:
    closed = threading.Event()

    def behave(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(OK)
        connection.close()
        closed.set()

    with served(behave) as client:
        assert client.send(POST).answer is not None
        assert closed.wait(LIMIT_SECONDS)
        second = client.send(GET)
        assert client.sent == 2 and second.answer is not None


def test_what_nobody_asked_for_is_no_answer() -> None:
    with served(answers(OK + OK.replace(b"ok", b"no"))) as client:
        bodies = [
            each.answer and each.answer.body for each in map(client.send, [GET] * 3)
        ]
    assert bodies == [b"ok"] * 3


def test_an_answer_before_the_request_is_complete_is_read() -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(CLOSING)

    with served(behave) as client:
        ((exchange,),) = client.race([Script([POST])])
    assert exchange.answer is not None and exchange.answer.body == b"ok"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with served(answers(OK)) as other:
        away = f"HTTP/1.1 307 No\r\nLocation: http://{other.origin.authority}/\r\n"
        with served(answers(away.encode() + b"Content-Length: 0\r\n\r\n")) as client:
            answer = client.send(POST).answer
        assert answer is not None and answer.status == 307
        assert answer.header("location").endswith(f"{other.origin.authority}/")
        assert client.sent == 1 and other.sent == 0


def test_who_turns_requests_away_is_counted() -> None:
    busy = b"HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n"
    with served(answers(busy)) as client:
        client.race([Script([GET, GET]), Script([GET])])
        assert client.busy == 3


def test_a_server_that_is_not_there_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ran: list[Exchange] = [client_of(port).send(GET)]
    ran += [lane[0] for lane in client_of(port).race([Script([GET])] * 2)]
    assert all(each.failure.startswith("cannot connect") for each in ran)


def test_requests_and_time_are_bounded() -> None:
    with served(answers(OK)) as client:
        client.limits.requests = 2
        client.race([Script([GET]), Script([GET])])
        with pytest.raises(Spent, match="2 requests"):
            client.send(GET)
        client.limits.requests, client.limits.ends_ns = 9, time.monotonic_ns()
        with pytest.raises(Spent, match="time"):
            client.send(GET)
        assert client.sent == 2


def test_one_connection_for_each_request_says_so() -> None:
    heads: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        heads.append(connection.recv(1 << 16))
        connection.sendall(OK)

    with served(behave) as client:
        client.closes_each = True
        client.race([Script([GET, GET])])
    assert len(heads) == 2 and all(b"Connection: close" in head for head in heads)


@pytest.mark.slow
def test_who_serves_one_connection_at_a_time_is_found_and_served() -> None:
    with served(answers(OK), at_once=False) as client:
        subject = Subject(client, Adapter())
        assert setup.one_connection_at_a_time(subject)
        client.closes_each = True
        ran = client.race([Script([GET])] * 4)
        assert all(lane[0].answer is not None for lane in ran)
    with served(answers(OK)) as client:
        assert not setup.one_connection_at_a_time(Subject(client, Adapter()))


def test_after_an_error_of_the_server_the_next_call_has_a_new_connection() -> None:
    accepted = itertools.count()

    def behave(connection: socket.socket) -> None:
        status = b"200 OK" if next(accepted) else b"500 Oops"
        head = b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"
        while connection.recv(1 << 16):
            connection.sendall(head)

    with served(behave) as client:
        (two,) = client.race([Script([GET, GET])])
        found = [
            each.answer and each.answer.status for each in [*two, client.send(GET)]
        ]
    assert found == [500, 200, 200]
