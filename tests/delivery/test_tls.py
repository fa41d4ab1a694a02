"""Over TLS the receiver proves its name, and every attempt ends, too."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.delivery.receivers_by_hand import (
    BODY,
    OK,
    SHORT_SECONDS,
    Requests,
    answering,
    dripping,
    here,
    over_tls,
    post,
    read_request,
    receiving,
    silent,
    why_not,
)
from wallet_app.gateways.delivery_connection import Reply

UNVERIFIED = "the certificate could not be verified"


@pytest.mark.parametrize("host", ["receiver.example", "Receiver.Example."])
def test_a_trusted_certificate_for_the_name_is_accepted(
    trusted: Path, host: str
) -> None:
    requests: Requests = []
    with receiving(over_tls(trusted, answering(OK, requests))) as port:
        reply = post(here(), f"https://{host}:{port}/hook", {"A": "b"})
    assert reply == Reply(200, None)
    [(head, body)] = requests
    assert head.startswith(b"POST /hook HTTP/1.1\r\n")
    assert f"Host: receiver.example:{port}\r\n".encode() in head
    assert body == b"{}"


def test_a_certificate_that_is_not_trusted_is_refused(certificate: Path) -> None:
    requests: Requests = []
    with receiving(over_tls(certificate, answering(OK, requests))) as port:
        assert why_not(here(), f"https://receiver.example:{port}/") == UNVERIFIED
    assert requests == []


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1", "a.receiver.example"])
def test_a_certificate_for_another_name_is_refused(trusted: Path, host: str) -> None:
    requests: Requests = []
    with receiving(over_tls(trusted, answering(OK, requests))) as port:
        assert why_not(here(), f"https://{host}:{port}/") == UNVERIFIED
    assert requests == []


def test_a_receiver_without_tls_gets_no_message_over_https() -> None:
    def answer(connected: socket.socket) -> None:
        assert connected.recv(1) == b"\x16", "not the start of a handshake"
        connected.sendall(OK)
        silent(connected)

    with receiving(answer) as port:
        words = why_not(here(), f"https://a.example:{port}/")
    assert words == "the receiver does not speak TLS as it should"


def test_an_attempt_ends_in_time_in_the_middle_of_a_handshake() -> None:
    with receiving(silent) as port:
        words = why_not(here(SHORT_SECONDS), f"https://a.example:{port}/")
    assert words == "no answer in 0.2 seconds"


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_an_attempt_ends_in_time_over_tls_too(trusted: Path, start: bytes) -> None:
    with receiving(over_tls(trusted, dripping(start))) as port:
        words = why_not(here(attempt_seconds=1), f"https://receiver.example:{port}/")
    assert words == "no answer in 1 seconds"


def test_a_connection_is_reused_over_tls_too(trusted: Path) -> None:
    requests: Requests = []

    def behave(connected: socket.socket) -> None:
        for answer in (BODY, OK):
            requests.append(read_request(connected))
            connected.sendall(answer)
        silent(connected)

    with receiving(over_tls(trusted, behave)) as port:
        url = f"https://receiver.example:{port}/"
        with closing(here().sender(url)) as sender:
            replies = [sender.post({}, b"{}") for _ in range(2)]
    assert (replies, len(requests)) == ([Reply(200, None)] * 2, 2)
