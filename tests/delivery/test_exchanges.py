"""What one request carries, which answers are read, and that every attempt ends."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType

import pytest

from tests.delivery.receivers_by_hand import (
    OK,
    SHORT_SECONDS,
    WAIT_SECONDS,
    Behaviour,
    Requests,
    answering,
    closed,
    dripping,
    here,
    over_tls,
    post,
    read_request,
    receiving,
    silent,
    why_not,
)
from wallet_app.domain.errors.webhook_errors import UrlNotAllowed
from wallet_app.gateways.delivery import USER_AGENT, Transport, Undelivered
from wallet_app.gateways.delivery_connection import Reply


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (OK, Reply(200, None)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Reply(204, None)),
        (b"HTTP/1.0 200 Fine\r\n\r\nuntil the end", Reply(200, None)),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", Reply(410, None)),
        (b"HTTP/1.1 503 No\r\nretry-after: 120\r\n\r\n", Reply(503, "120")),
        (b"HTTP/1.1 429 No\r\nRetry-After: soon, \xfc\r\n\r\n", Reply(429, "soon, ü")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", Reply(200, None)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Reply(200, None)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", Reply(200, None)),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\n", Reply(200, None)),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Reply(200, None)),
    ],
)
def test_the_status_and_retry_after_are_returned_and_no_body_is_waited_for(
    answer: bytes, reply: Reply
) -> None:
    with receiving(answering(answer)) as port:
        assert post(here(), f"http://a.example:{port}/") == reply


def test_the_headers_and_the_body_arrive_byte_for_byte() -> None:
    requests: Requests = []
    body = bytes(range(256)) * 1_000
    headers = {"webhook-id": "msg_1", "Content-Type": "application/json", "X-A": "a; b"}
    with receiving(answering(OK, requests)) as port:
        post(here(), f"http://A.example.:{port}/hook/%41?a=b%20c&d", headers, body)
    [(head, received)] = requests
    assert received == body
    first, *lines = head.splitlines()
    assert first == b"POST /hook/%41?a=b%20c&d HTTP/1.1"
    assert sorted(lines) == sorted(
        [
            f"Host: a.example:{port}".encode(),
            b"Accept-Encoding: identity",
            f"User-Agent: {USER_AGENT}".encode(),
            b"Content-Length: 256000",
            b"webhook-id: msg_1",
            b"Content-Type: application/json",
            b"X-A: a; b",
        ]
    )


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example", "a.example"),
        ("http://a.example:80/", "a.example"),
        ("http://a.example:443/", "a.example:443"),
        ("http://[2606:4700::1111]/", "[2606:4700::1111]"),
        ("http://[2606:4700::1111]:81/", "[2606:4700::1111]:81"),
        ("https://receiver.example/", "receiver.example"),
        ("https://receiver.example:80/", "receiver.example:80"),
    ],
)
def test_the_host_header_has_the_port_only_if_it_is_not_the_usual_one(
    trusted: Path, url: str, host: str
) -> None:
    requests: Requests = []
    behave = answering(OK, requests)
    with receiving(over_tls(trusted, behave) if "https" in url else behave) as port:

        def connect(address: tuple[str, int], seconds: float) -> socket.socket:
            return socket.create_connection(("127.0.0.1", port), seconds)

        post(Transport(True, lambda *_: ["127.0.0.1"], connect), url)
    assert f"Host: {host}\r\n".encode() in requests[0][0]


def test_an_odd_notation_is_delivered_to_the_address_that_it_means() -> None:
    requests: Requests = []
    with receiving(answering(OK, requests)) as port:
        reply = post(Transport(True), f"http://2130706433:{port}/")
    assert reply == Reply(200, None)
    assert f"Host: 2130706433:{port}".encode() in requests[0][0]


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        location = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        answer = f"HTTP/1.1 307 Elsewhere\r\nLocation: {location}\r\n\r\n".encode()
        with receiving(answering(answer)) as port:
            reply = post(here(), f"http://a.example:{port}/")
        assert reply == Reply(307, None)
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


# Answers that are none


def reset(connected: socket.socket) -> None:
    read_request(connected)
    linger = b"\x01\x00\x00\x00" + b"\x00\x00\x00\x00"  # On, for no second.
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def endless(start: bytes, more: bytes) -> Behaviour:
    def behave(connected: socket.socket) -> None:
        read_request(connected)
        with suppress(ConnectionError):
            connected.sendall(start)
            for _ in range(1_000_000):
                connected.sendall(more)
            raise AssertionError("the connection was never ended")

    return behave


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (closed, "the connection was closed without an answer"),
        (reset, "the connection was broken off"),
        (answering(b"garbage\r\n\r\n"), "the answer was not HTTP"),
        (answering(b"220 mail.example ESMTP\r\n"), "the answer was not HTTP"),
        (answering(b"\x16\x03\x01\x00\xff\r\n"), "the answer was not HTTP"),
        (answering(b"HTTP/1.1 abc OK\r\n\r\n"), "the answer was not HTTP"),
        (answering(b"HTTP/1.1 7 OK\r\n\r\n"), "the answer was not HTTP"),
        (answering(b"HTTP/2.0 200 OK\r\n\r\n"), "the answer was not HTTP"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n"), "the answer was not HTTP"),
        (endless(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 100), "the answer was not HTTP"),
        (endless(b"", b"HTTP/1.1 100 Go on\r\n\r\n" * 99), "the answer was not HTTP"),
        (silent, "no answer in 0.2 seconds"),
        (dripping(b""), "no answer in 0.2 seconds"),
        (dripping(b"HTTP/1.1 200 OK\r\nX: "), "no answer in 0.2 seconds"),
    ],
    ids="closed reset garbage mail tls status short-status version headers header "
    "continues silent dripping-status dripping-header".split(),
)
def test_whatever_a_receiver_does_the_attempt_ends_and_says_why(
    behave: Behaviour, words: str
) -> None:
    seconds = SHORT_SECONDS if "0.2" in words else WAIT_SECONDS
    with receiving(behave) as port:
        began = time.monotonic()
        assert why_not(here(seconds), f"http://a.example:{port}/") == words
        assert time.monotonic() - began < WAIT_SECONDS / 2


def test_an_attempt_ends_in_time_when_nobody_reads_the_request() -> None:
    left = threading.Event()

    def deaf(connected: socket.socket) -> None:
        assert left.wait(WAIT_SECONDS)

    with (
        receiving(deaf) as port,
        pytest.raises(Undelivered, match=r"no answer in 0\.2"),
    ):
        try:
            url = f"http://a.example:{port}/"
            post(here(SHORT_SECONDS), url, body=bytes(2**26))
        finally:
            left.set()


# What is left behind


@pytest.mark.parametrize("behave", [answering(OK), silent])
def test_an_attempt_leaves_no_thread_behind(behave: Behaviour) -> None:
    before = set(threading.enumerate())
    with receiving(behave) as port, suppress(Undelivered):
        post(here(SHORT_SECONDS), f"http://a.example:{port}/")
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "behave", [silent, answering(b"garbage\r\n\r\n"), closed, None]
)
def test_a_failed_attempt_leaves_nothing_that_only_a_collection_would_free(
    scheme: str, behave: Behaviour | None
) -> None:
    def attempt(port: int) -> None:
        with closing(transport.sender(f"{scheme}://a.example:{port}/")) as sender:
            for _ in range(3):
                with suppress(Undelivered):
                    sender.post({}, b"{}")

    transport = here(SHORT_SECONDS / 2)
    with suppress(UrlNotAllowed):  # so that what is made once is there
        attempt(1)
    gc.collect()
    gc.disable()
    try:
        if behave is None:
            attempt(1)
        else:
            with serving(behave, times=3) as port:
                attempt(port)
        assert uncollected() == []
    finally:
        gc.enable()


def uncollected() -> list[str]:
    """Return what of an attempt only a collection frees; a service of another test may
    become garbage meanwhile."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return [repr(each) for each in gc.garbage if is_of_an_attempt(each)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def is_of_an_attempt(each: object) -> bool:
    if isinstance(each, TracebackType):
        each = each.tb_frame
    name = type(each).__module__
    if isinstance(each, FrameType):
        name = each.f_globals.get("__name__", "")
    return name.startswith(("wallet_app.gateways.delivery", "urllib3", "http.client"))


@contextmanager
def serving(behave: Behaviour, times: int) -> Iterator[int]:
    """Accept connections, one after the other, whatever becomes of them."""

    def serve() -> None:
        for _ in range(times):
            connected, _ = listening.accept()
            with connected, suppress(OSError, ValueError):
                connected.settimeout(WAIT_SECONDS)
                behave(connected)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(WAIT_SECONDS)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()
