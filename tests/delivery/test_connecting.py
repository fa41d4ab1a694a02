"""Which address is connected to, and what is said when none is."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from tests.delivery.receivers_by_hand import (
    OK,
    WAIT_SECONDS,
    answering,
    here,
    no_connect,
    post,
    receiving,
    why_not,
)
from wallet_app.gateways.delivery import (
    ATTEMPT_SECONDS,
    CONNECT_SECONDS,
    Connect,
    Resolve,
    Transport,
    resolve,
)
from wallet_app.gateways.delivery_connection import Reply

URL = "http://a.example/"
PUBLIC = "93.184.216.34"
NOT_PUBLIC = "the receiver has an address that is not public"


class Refusing:
    """A `connect` that notes where to, and refuses."""

    def __init__(self) -> None:
        self.addresses: list[tuple[str, int]] = []
        self.seconds: list[float] = []

    def __call__(self, address: tuple[str, int], seconds: float) -> socket.socket:
        self.addresses.append(address)
        self.seconds.append(seconds)
        raise ConnectionRefusedError


def test_a_name_is_resolved_in_the_order_of_the_system_without_duplicates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert resolve("127.0.0.1", 80) == ["127.0.0.1"]
    found = [
        (2, 1, 6, "", (address, 80)) for address in ("10.0.0.2", "10.0.0.1", "10.0.0.2")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert resolve("example.com", 80) == ["10.0.0.2", "10.0.0.1"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_is_resolved_once_and_the_connection_goes_where_that_answer_says(
    scheme: str,
) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    connect = Refusing()
    transport = Transport(resolve=lambda *_: next(answers), connect=connect)
    words = why_not(transport, f"{scheme}://rebound.example:99/")
    assert words == "the connection was refused"
    assert connect.addresses == [(PUBLIC, 99)]
    assert next(answers) == ["127.0.0.1"], "the name was resolved twice"


@pytest.mark.parametrize("url", [URL, "https://a.example/", "http://167772161/"])
@pytest.mark.parametrize(
    "addresses", [[PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], ["10.0.0.1"]]
)
def test_one_address_that_is_not_public_refuses_the_whole_name(
    addresses: list[str], url: str
) -> None:
    transport = Transport(resolve=lambda *_: addresses, connect=no_connect)
    assert why_not(transport, url) == NOT_PUBLIC


def test_a_connection_that_ends_on_this_machine_is_refused_whatever_was_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connected: list[socket.socket] = []

        def connect(address: tuple[str, int], seconds: float) -> socket.socket:
            assert address == (PUBLIC, 80)
            connected.append(
                socket.create_connection(listening.getsockname(), WAIT_SECONDS)
            )
            return connected[0]

        transport = Transport(resolve=lambda *_: [PUBLIC], connect=connect)
        assert why_not(transport, URL) == NOT_PUBLIC
        assert connected[0].fileno() == -1, "the connection is still open"
        listening.settimeout(WAIT_SECONDS)
        received, _ = listening.accept()
        with received:
            received.settimeout(WAIT_SECONDS)
            assert received.recv(1) == b"", "something was sent"


def test_the_addresses_are_tried_in_order_each_for_a_bounded_time() -> None:
    connect, addresses = Refusing(), [PUBLIC, "2606:4700::1111", "8.8.8.8"]
    transport = Transport(resolve=lambda *_: addresses, connect=connect)
    assert why_not(transport, URL) == "the connection was refused"
    assert connect.addresses == [(address, 80) for address in addresses]
    assert connect.seconds[0] == CONNECT_SECONDS < ATTEMPT_SECONDS


def test_the_next_address_is_tried_when_one_does_not_connect() -> None:
    def connect(address: tuple[str, int], seconds: float) -> socket.socket:
        if address[0] == "127.0.0.2":
            raise ConnectionRefusedError
        return socket.create_connection(address, seconds)

    transport = Transport(True, lambda *_: ["127.0.0.2", "127.0.0.1"], connect)
    with receiving(answering(OK)) as port:
        assert post(transport, f"http://a.example:{port}/") == Reply(200, None)


def test_no_address_is_tried_when_the_time_of_the_attempt_is_over() -> None:
    connect = Refusing()
    transport = Transport(True, lambda *_: ["127.0.0.1"], connect, attempt_seconds=3)
    assert why_not(transport, URL) == "the connection was refused"
    assert 0 < connect.seconds[0] <= 3

    over = Transport(True, lambda *_: ["127.0.0.1"], no_connect, attempt_seconds=0)
    assert why_not(over, URL) == "the connection timed out"


def gone(host: str, port: int) -> Sequence[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def odd(host: str, port: int) -> Sequence[str]:
    raise UnicodeError("label empty or too long")


@pytest.mark.parametrize("answer", [gone, odd, lambda *_: []])
def test_a_name_without_an_address_is_said_to_have_none(answer: Resolve) -> None:
    transport = Transport(resolve=answer, connect=no_connect)
    assert why_not(transport, URL) == "no address was found for the name"


def test_a_refused_connection_is_said_to_be_refused() -> None:
    with socket.socket() as deaf:  # Bound, but not listening: it refuses.
        deaf.bind(("127.0.0.1", 0))
        url = f"http://a.example:{deaf.getsockname()[1]}/"
        assert why_not(here(), url) == "the connection was refused"


def exhausted(address: tuple[str, int], seconds: float) -> socket.socket:
    raise OSError(24, "Too many open files")


def cannot_send(address: tuple[str, int], seconds: float) -> socket.socket:
    class Exhausted(socket.socket):
        def send(self, *_: object) -> int:
            raise OSError(105, "No buffer space available")

    return Exhausted()


@pytest.mark.parametrize("connect", [exhausted, cannot_send])
def test_an_error_of_the_system_is_no_answer(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "getpeername", lambda _: ("127.0.0.1", 80))
    transport = Transport(True, lambda *_: ["127.0.0.1"], connect)
    assert why_not(transport, URL) == "the connection failed"


def test_proxies_in_the_environment_are_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            proxy = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            monkeypatch.setenv(name, proxy)
            monkeypatch.setenv(name.lower(), proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with receiving(answering(OK)) as port:
            reply = post(here(), f"http://a.example:{port}/")
    assert reply == Reply(200, None)
