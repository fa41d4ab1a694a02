"""A connection is reused for a while, if nothing is left to read on it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.delivery.receivers_by_hand import (
    BODY,
    OK,
    SHORT_SECONDS,
    WAIT_SECONDS,
    Keeping,
    here,
    read_request,
    receiving,
    silent,
)
from wallet_app.gateways.delivery import Transport, Undelivered
from wallet_app.gateways.delivery_connection import (
    IDLE_SECONDS,
    REQUESTS_MAX,
    REUSED_SECONDS,
    Reply,
)

CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def keeping(
    *answers: bytes, **injected: Any
) -> Iterator[tuple[Keeping, Callable[[], Reply]]]:
    """Run a receiver; yield it, and what sends a message to it."""
    receiver = Keeping(*answers)
    transport = Transport(
        True, lambda *_: ["127.0.0.1"], receiver.connect, WAIT_SECONDS, **injected
    )
    with closing(receiver), closing(transport.sender("http://a.example/")) as sender:
        yield receiver, lambda: sender.post({}, b"{}")


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        BODY,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 503 No\r\nConnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK,
    ],
)
def test_a_connection_is_reused_for_the_next_message(answer: bytes) -> None:
    with keeping(*[answer] * 3) as (receiver, send):
        replies = {send() for _ in range(3)}
    assert receiver.came == [0, 0, 0]
    assert len(replies) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        CLOSING,
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 16385\r\n\r\n" + b"x" * 16_385,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!",
        OK + OK,
        b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_connection_whose_answer_has_no_certain_end_is_not_reused(
    answer: bytes,
) -> None:
    with keeping(answer, OK) as (receiver, send):
        send()
        assert send() == Reply(200, None)
    assert receiver.came == [0, 1]


@pytest.mark.parametrize(
    ("times", "seconds"),
    [(1, IDLE_SECONDS), (REQUESTS_MAX, 0), (60, REUSED_SECONDS / 60)],
    ids=["idle", "requests", "age"],
)
def test_a_connection_is_reused_for_a_bounded_time_and_number_of_messages(
    times: int, seconds: float
) -> None:
    now = [0.0]
    with keeping(monotonic=lambda: now[0]) as (receiver, send):
        for _ in range(times):
            send()
            assert receiver.connections == 1
            now[0] += seconds
        send()
    assert receiver.connections == 2


def test_a_message_on_a_connection_that_was_closed_is_sent_again_once() -> None:
    with keeping(OK, b"", OK) as (receiver, send):
        for _ in range(2):
            assert send() == Reply(200, None)
        assert receiver.came == [0, 0, 1]
        receiver.answers = [b"", b""]
        with pytest.raises(Undelivered, match="closed without an answer"):
            send()
        assert receiver.came == [0, 0, 1, 1, 2]


def test_a_message_whose_answer_breaks_off_is_not_sent_again() -> None:
    with keeping(OK, b"HTTP/1.1 200 OK\r\nConnection: close") as (receiver, send):
        send()
        with pytest.raises(Undelivered, match="closed without an answer"):
            send()
        assert receiver.came == [0, 0]
        assert send() == Reply(200, None)
    assert receiver.came == [0, 0, 1]


def test_the_address_of_each_connection_is_checked() -> None:
    answers = [["93.184.216.34"], ["10.0.0.1"]]
    receiver = Keeping(OK, OK, CLOSING)

    class Public(socket.socket):
        """Says that it ends at a public address."""

        def getpeername(self) -> tuple[str, int]:
            return "93.184.216.34", 80

    def connect(address: tuple[str, int], seconds: float) -> socket.socket:
        return Public(fileno=receiver.connect(address, seconds).detach())

    transport = Transport(resolve=lambda *_: answers.pop(0), connect=connect)
    with closing(receiver), closing(transport.sender("http://a.example/")) as sender:
        for _ in range(3):
            sender.post({}, b"{}")
        with pytest.raises(Undelivered, match="not public"):
            sender.post({}, b"{}")
    assert (receiver.came, answers) == ([0, 0, 0], [])


def test_an_attempt_over_a_reused_connection_ends_in_time_too() -> None:
    def behave(connected: socket.socket) -> None:
        read_request(connected)
        connected.sendall(OK)
        silent(connected)

    with receiving(behave) as port:
        with closing(here(SHORT_SECONDS).sender(f"http://a.example:{port}/")) as sender:
            sender.post({}, b"{}")
            with pytest.raises(Undelivered, match=r"no answer in 0\.2 seconds"):
                sender.post({}, b"{}")
