"""The delivery of one webhook: where it may go, what it carries, and that it ends.

The receivers are real and on this machine. Where a test names a public address,
`connect` is injected: nothing leaves the machine.
"""

from __future__ import annotations

import gc
import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_app.domain.errors.webhook_errors import UrlNotAllowed
from wallet_app.gateways.addresses import is_public
from wallet_app.gateways.delivery import (
    ATTEMPT_SECONDS,
    CONNECT_SECONDS,
    USER_AGENT,
    Transport,
    Undelivered,
    resolve,
)
from wallet_app.gateways.delivery_connection import (
    IDLE_SECONDS,
    REQUESTS_MAX,
    REUSED_SECONDS,
    Reply,
)

WAIT_SECONDS = 10.0
"""For what must happen: a test that waits so long has failed."""
SHORT_SECONDS = 0.2
"""For an attempt that must be ended by its bound."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

PUBLIC = ["93.184.216.34", "8.8.8.8", "223.255.255.254", "2606:4700::1111"]
PUBLIC += ["64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::1"]
NOT_PUBLIC = """
    127.0.0.1 127.255.255.255 10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 0.0.0.0
    0.0.0.1 100.64.0.1 192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1
    198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
    ::1 :: ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:0:127.0.0.1
    fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 ff0e::1 100::1 2001::1 2001:db8::1
    2002:7f00:1:: 2002:a00:1::1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1
    3fff::1 4000::1 5f00::1
""".split()


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_that_anybody_could_have_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", [*NOT_PUBLIC, "fe80::1%eth0", "2606:4700::1111%eth0", "example.com", ""]
)
def test_every_other_address_is_not_public(address: str) -> None:
    assert not is_public(address)


def url_of(host: str) -> str:
    return f"http://[{host}]/" if ":" in host else f"http://{host}/"


@pytest.mark.parametrize("url", [url_of(address) for address in PUBLIC])
def test_a_public_address_may_be_registered(url: str) -> None:
    Transport(resolve=no_resolve, connect=no_connect).check(url)


@pytest.mark.parametrize("url", [url_of(address) for address in NOT_PUBLIC])
def test_an_address_that_is_not_public_may_be_registered_only_if_private_ones_may(
    url: str,
) -> None:
    with pytest.raises(UrlNotAllowed, match="is not public"):
        Transport(resolve=no_resolve, connect=no_connect).check(url)
    Transport(True, no_resolve, no_connect).check(url)


@pytest.mark.parametrize(
    "host",
    """
    2130706433 0x7f000001 0X7F000001 017700000001 0177.0.0.1 127.1 127.0.1 0x7f.1
    127.0.0.1. 127.0.0.1.. %31%32%37.0.0.1 0 0x0 2852039166 10.1 0xa9.0xfe.0xa9fe
    localhost LocalHost localhost. a.localhost A.LOCALHOST. [0:0:0:0:0:0:0:1]
    """.split(),
)
def test_a_host_that_is_not_public_is_seen_in_every_notation(host: str) -> None:
    with pytest.raises(UrlNotAllowed):
        Transport().check(f"http://{host}:8080/hook")


@given(st.text("0123456789abcdefxX.:", min_size=1, max_size=20))
def test_no_notation_that_the_system_reads_hides_an_address(host: str) -> None:
    try:
        found = socket.getaddrinfo(host, 80, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return
    if not is_public(str(found[0][4][0])):
        with pytest.raises(UrlNotAllowed):
            Transport().check(url_of(host))


@given(st.ip_addresses(v=4).filter(lambda address: not is_public(str(address))))
def test_no_number_hides_an_address(address: ipaddress.IPv4Address) -> None:
    for number in (str(int(address)), hex(int(address)), f"0{int(address):o}"):
        with pytest.raises(UrlNotAllowed):
            Transport().check(f"https://{number}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com/",
        "HTTPS://Example.COM./hook?wallet=1&type=a%20b",
        "http://example.com:1/",
        "http://example.com:65535/",
        "http://localhost.example.com/",
        "http://notlocalhost/",
        "http://10.0.0.1.example.com/",
        "http://example.com/" + "a" * 1_981,
    ],
)
def test_a_name_may_be_registered_without_a_look_up(url: str) -> None:
    Transport(resolve=no_resolve, connect=no_connect).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http:example.com",
        "http://",
        "http:///hook",
        "http://:80/",
        "http://./",
        "http://a..b/",
        "http://.example.com/",
        f"http://{'a' * 64}.com/",
        "http://user@example.com/",
        "http://user:word@example.com/",
        "http://:word@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com/#",
        "http://example.com/#here",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://example.com:http/",
        "http://exam ple.com/",
        "http://example.com/a b",
        " http://example.com/",
        "http://example.com/\n",
        "http://example.com/\r\nHost: other",
        "http://example.com/\t",
        "http://example.com/\x00",
        "http://example.com/\x7f",
        "http://example.com/\u3000",
        "http://example.com/\u202e",
        "http://example.com/\ud800",
        "http://example.com\\@127.0.0.1/",
        "http:\\\\example.com/",
        "http://example.com/\\",
        "http://exam%20ple.com/",
        "http://127.0.0.1%00.example.com/",
        "http://127.0.0.1%2f/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://[::1/",
        "http://::1/",
        "http://[1::2::3]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[2606:4700::1111%251]/",
        "http://[::1%25]/",
        "http://[v1.a]/",
        "http://example.com/" + "a" * 1_982,
    ],
)
def test_a_url_that_can_never_work_is_refused_even_if_private_ones_may(
    url: str,
) -> None:
    for allow_private in (False, True):
        with pytest.raises(UrlNotAllowed):
            Transport(allow_private, no_resolve, no_connect).check(url)


def test_each_refusal_of_a_url_says_why() -> None:
    for url, why in {
        "http://2130706433/": "the address 127.0.0.1 is not public",
        "http://a.localhost/": "localhost is not public",
        "http://a@example.com/": "the URL holds a user name or a password",
        "ftp://example.com/": "the URL does not begin with http:// or https://",
    }.items():
        with pytest.raises(UrlNotAllowed, match=why):
            Transport().check(url)


@given(st.text() | st.text("htps:/[]@#?%\\.0123456789xa ").map("http://".__add__))
def test_any_text_is_taken_or_refused_and_breaks_nothing(url: str) -> None:
    with suppress(UrlNotAllowed):
        Transport(resolve=no_resolve, connect=no_connect).check(url)


def test_a_name_is_resolved_in_the_order_of_the_system_without_duplicates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert resolve("127.0.0.1", 80) == ["127.0.0.1"]
    found = [
        (2, 1, 6, "", (address, 80)) for address in ("10.0.0.2", "10.0.0.1", "10.0.0.2")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert resolve("example.com", 80) == ["10.0.0.2", "10.0.0.1"]


def no_resolve(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"{host} was looked up")


def no_connect(address: tuple[str, int], seconds: float) -> socket.socket:
    raise AssertionError(f"{address} was connected to")


class Connections:
    """A `connect` that takes down where to, and refuses."""

    def __init__(self) -> None:
        self.addresses: list[tuple[str, int]] = []
        self.seconds: list[float] = []

    def __call__(self, address: tuple[str, int], seconds: float) -> socket.socket:
        self.addresses.append(address)
        self.seconds.append(seconds)
        raise ConnectionRefusedError


def post(
    transport: Transport, url: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    """Send one request, and keep nothing open."""
    with closing(transport.sender(url)) as sender:
        return sender.post(headers, body)


def why_not(transport: Transport, url: str) -> str:
    """Return why a webhook is not delivered, in words that are safe to show."""
    with pytest.raises(Undelivered) as refused:
        post(transport, url, {}, b"{}")
    words = str(refused.value)
    assert words
    for unsafe in ("object at 0x", "urllib3", "Error", "Errno", "<", "_"):
        assert unsafe not in words
    return words


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_is_looked_up_once_and_the_connection_goes_where_that_answer_says(
    scheme: str,
) -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    connect = Connections()
    transport = Transport(resolve=lambda *_: next(answers), connect=connect)
    words = why_not(transport, f"{scheme}://rebound.example:99/")
    assert words == "the connection was refused"
    assert connect.addresses == [("93.184.216.34", 99)]
    assert next(answers) == ["127.0.0.1"], "the name was looked up twice"


@pytest.mark.parametrize(
    "addresses",
    [
        ["93.184.216.34", "10.0.0.1"],
        ["10.0.0.1", "93.184.216.34"],
        ["10.0.0.1"],
    ],
)
def test_one_address_that_is_not_public_refuses_the_whole_name(
    addresses: list[str],
) -> None:
    transport = Transport(resolve=lambda *_: addresses, connect=no_connect)
    for url in ("http://a.example/", "https://a.example/", "http://167772161/"):
        words = "the receiver has an address that is not public"
        assert why_not(transport, url) == words


def test_a_connection_that_ends_on_this_machine_is_refused_whatever_was_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connected: list[socket.socket] = []

        def connect(address: tuple[str, int], seconds: float) -> socket.socket:
            assert address == ("93.184.216.34", 80)
            connected.append(
                socket.create_connection(listening.getsockname(), WAIT_SECONDS)
            )
            return connected[0]

        transport = Transport(resolve=lambda *_: ["93.184.216.34"], connect=connect)
        words = why_not(transport, "http://a.example/")
        assert words == "the receiver has an address that is not public"
        assert connected[0].fileno() == -1, "the connection is still open"
        listening.settimeout(WAIT_SECONDS)
        received, _ = listening.accept()
        with received:
            received.settimeout(WAIT_SECONDS)
            assert received.recv(1) == b"", "something was sent"


def test_the_addresses_are_tried_in_order_each_for_a_bounded_time() -> None:
    connect = Connections()
    addresses = ["93.184.216.34", "2606:4700::1111", "8.8.8.8"]
    transport = Transport(resolve=lambda *_: addresses, connect=connect)
    assert why_not(transport, "http://a.example/") == "the connection was refused"
    assert connect.addresses == [(address, 80) for address in addresses]
    assert connect.seconds[0] == CONNECT_SECONDS < ATTEMPT_SECONDS


def test_no_address_is_tried_when_the_time_of_the_attempt_is_over() -> None:
    connect = Connections()
    transport = Transport(True, lambda *_: ["127.0.0.1"], connect, attempt_seconds=3)
    assert why_not(transport, "http://a.example/") == "the connection was refused"
    assert 0 < connect.seconds[0] <= 3

    over = Transport(True, lambda *_: ["127.0.0.1"], no_connect, attempt_seconds=0)
    assert why_not(over, "http://a.example/") == "the connection timed out"


def test_a_name_without_an_address_is_said_to_have_none() -> None:
    def gone(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def odd(host: str, port: int) -> Sequence[str]:
        raise UnicodeError("label empty or too long")

    def none(host: str, port: int) -> Sequence[str]:
        return []

    for answer in (gone, odd, none):
        transport = Transport(resolve=answer, connect=no_connect)
        words = why_not(transport, "http://a.example/")
        assert words == "no address was found for the name"


Behaviour = Callable[[socket.socket], None]


@contextmanager
def receiving(behave: Behaviour) -> Iterator[int]:
    """Take one connection on this machine, in a thread, and yield the port.

    What the behaviour asserts fails the test.
    """

    def serve() -> None:
        connected, _ = listening.accept()
        with connected:
            connected.settimeout(WAIT_SECONDS)
            behave(connected)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(WAIT_SECONDS)
        with ThreadPoolExecutor(1) as pool:
            served = pool.submit(serve)
            yield listening.getsockname()[1]
            served.result(WAIT_SECONDS)


def read_request(connected: socket.socket) -> tuple[bytes, bytes]:
    """Read one request: its head and its body."""
    with connected.makefile("rb") as stream:
        lines = []
        while (line := stream.readline()) not in (b"\r\n", b""):
            lines.append(line)
        head = b"".join(lines)
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        return head, stream.read(int(length))


def wait_for_the_end(connected: socket.socket) -> None:
    """Wait until the sender has closed the connection."""
    with suppress(ConnectionError):
        while connected.recv(1_024):
            pass


def answering(answer: bytes, requests: list[tuple[bytes, bytes]]) -> Behaviour:
    def behave(connected: socket.socket) -> None:
        requests.append(read_request(connected))
        connected.sendall(answer)
        wait_for_the_end(connected)

    return behave


def here(attempt_seconds: float = WAIT_SECONDS) -> Transport:
    """Return a transport that finds every name on this machine."""
    return Transport(True, lambda *_: ["127.0.0.1"], attempt_seconds=attempt_seconds)


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
def test_the_status_and_retry_after_come_back_and_no_body_is_waited_for(
    answer: bytes, reply: Reply
) -> None:
    with receiving(answering(answer, [])) as port:
        assert post(here(), f"http://a.example:{port}/", {}, b"{}") == reply


def test_the_headers_and_the_body_arrive_byte_for_byte() -> None:
    requests: list[tuple[bytes, bytes]] = []
    body = bytes(range(256)) * 1_000
    headers = {"webhook-id": "msg_1", "Content-Type": "application/json", "X-A": "a; b"}
    with receiving(answering(OK, requests)) as port:
        post(here(), f"http://A.example.:{port}/hook/%41?a=b%20c&d", headers, body)
    [(head, received)] = requests
    assert received == body
    assert head.splitlines()[0] == b"POST /hook/%41?a=b%20c&d HTTP/1.1"
    assert sorted(head.splitlines()[1:]) == sorted(
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
def test_the_host_header_has_the_port_only_where_it_is_not_the_usual_one(
    trusted: Path, url: str, host: str
) -> None:
    requests: list[tuple[bytes, bytes]] = []
    behave = answering(OK, requests)
    with receiving(over_tls(trusted, behave) if "https" in url else behave) as port:

        def connect(address: tuple[str, int], seconds: float) -> socket.socket:
            return socket.create_connection(("127.0.0.1", port), seconds)

        post(Transport(True, lambda *_: ["127.0.0.1"], connect), url, {}, b"{}")
    assert f"Host: {host}\r\n".encode() in requests[0][0]


def test_an_odd_notation_is_delivered_to_the_address_that_it_means() -> None:
    requests: list[tuple[bytes, bytes]] = []
    with receiving(answering(OK, requests)) as port:
        reply = post(Transport(True), f"http://2130706433:{port}/", {}, b"{}")
    assert reply == Reply(200, None)
    assert f"Host: 2130706433:{port}".encode() in requests[0][0]


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        location = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        answer = f"HTTP/1.1 307 Elsewhere\r\nLocation: {location}\r\n\r\n".encode()
        with receiving(answering(answer, [])) as port:
            reply = post(here(), f"http://a.example:{port}/", {}, b"{}")
        assert reply == Reply(307, None)
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_the_next_address_is_tried_when_one_does_not_connect() -> None:
    def connect(address: tuple[str, int], seconds: float) -> socket.socket:
        if address[0] == "127.0.0.2":
            raise ConnectionRefusedError
        return socket.create_connection(address, seconds)

    transport = Transport(True, lambda *_: ["127.0.0.2", "127.0.0.1"], connect)
    with receiving(answering(OK, [])) as port:
        assert post(transport, f"http://a.example:{port}/", {}, b"") == Reply(200, None)


# Connections that are kept


class Keeping:
    """A receiver on this machine that answers on each of its connections what it is
    told to, in turn, and notes on which connection each request came."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.came: list[int] = []
        self.closed: queue.Queue[int] = queue.Queue()
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(WAIT_SECONDS)
        self.port = self._listening.getsockname()[1]

    def connect(self, address: tuple[str, int], seconds: float) -> socket.socket:
        """Connect to it, and serve that connection in a thread."""
        connected = socket.create_connection(("127.0.0.1", self.port), seconds)
        accepted, _ = self._listening.accept()
        number, self.connections = self.connections, self.connections + 1
        serve = threading.Thread(target=self._serve, args=(accepted, number))
        serve.start()
        return connected

    def _serve(self, accepted: socket.socket, number: int) -> None:
        with accepted:
            accepted.settimeout(WAIT_SECONDS)
            with suppress(ConnectionError, ValueError):
                while True:
                    read_request(accepted)  # nothing more comes: ValueError
                    self.came.append(number)
                    answer = self.answers.pop(0) if self.answers else OK
                    accepted.sendall(answer)
                    if not answer or b"Connection: close" in answer:
                        break
        self.closed.put(number)

    def close(self) -> None:
        self._listening.close()
        for _ in range(self.connections):
            self.closed.get(timeout=WAIT_SECONDS)


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


BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


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
def test_a_connection_is_kept_open_for_the_next_message(answer: bytes) -> None:
    with keeping(*[answer] * 3) as (receiver, send):
        replies = {send() for _ in range(3)}
    assert receiver.came == [0, 0, 0]
    assert len(replies) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
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
def test_a_connection_on_which_more_may_come_or_less_is_not_used_again(
    answer: bytes,
) -> None:
    with keeping(answer, OK) as (receiver, send):
        send()
        assert send() == Reply(200, None)
    assert receiver.came == [0, 1]


@pytest.mark.parametrize(
    ("times", "seconds", "connections"),
    [(1, IDLE_SECONDS, 2), (REQUESTS_MAX, 0, 2), (60, REUSED_SECONDS / 60, 2)],
    ids=["idle", "uses", "age"],
)
def test_a_connection_is_used_for_a_bounded_time_and_number_of_messages(
    times: int, seconds: float, connections: int
) -> None:
    now = [0.0]
    with keeping(monotonic=lambda: now[0]) as (receiver, send):
        for _ in range(times):
            send()
            assert receiver.connections == 1
            now[0] += seconds
        send()
    assert receiver.connections == connections


def test_a_kept_connection_that_the_receiver_has_closed_is_opened_again_once() -> None:
    with keeping(OK, b"", OK) as (receiver, send):
        for _ in range(2):
            assert send() == Reply(200, None)
        assert receiver.came == [0, 0, 1]
        receiver.answers = [b"", b""]
        with pytest.raises(Undelivered, match="closed without an answer"):
            send()
        assert receiver.came == [0, 0, 1, 1, 2]


def test_an_answer_that_breaks_off_is_not_asked_for_again() -> None:
    with keeping(OK, b"HTTP/1.1 200 OK\r\nConnection: close") as (receiver, send):
        send()
        with pytest.raises(Undelivered, match="closed without an answer"):
            send()
        assert receiver.came == [0, 0]
        assert send() == Reply(200, None)
    assert receiver.came == [0, 0, 1]


def test_each_connection_that_is_made_is_judged() -> None:
    answers = [["93.184.216.34"], ["10.0.0.1"]]
    receiver = Keeping(OK, OK, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")

    class Public(socket.socket):
        """Says that it ends at a public address."""

        def getpeername(self) -> tuple[str, int]:
            return "93.184.216.34", 80

    def connect(address: tuple[str, int], seconds: float) -> socket.socket:
        connected = receiver.connect(address, seconds)
        return Public(fileno=connected.detach())

    transport = Transport(resolve=lambda *_: answers.pop(0), connect=connect)
    with closing(receiver), closing(transport.sender("http://a.example/")) as sender:
        for _ in range(3):
            sender.post({}, b"{}")
        with pytest.raises(Undelivered, match="not public"):
            sender.post({}, b"{}")
    assert (receiver.came, answers) == ([0, 0, 0], [])


def test_a_connection_is_kept_over_tls_too(trusted: Path) -> None:
    heads: list[tuple[bytes, bytes]] = []

    def behave(connected: socket.socket) -> None:
        for answer in (BODY, OK):
            heads.append(read_request(connected))
            connected.sendall(answer)
        wait_for_the_end(connected)

    with receiving(over_tls(trusted, behave)) as port:
        url = f"https://receiver.example:{port}/"
        with closing(here().sender(url)) as sender:
            replies = [sender.post({}, b"{}") for _ in range(2)]
    assert (replies, len(heads)) == ([Reply(200, None)] * 2, 2)


def test_an_attempt_over_a_kept_connection_ends_in_time_too() -> None:
    def behave(connected: socket.socket) -> None:
        read_request(connected)
        connected.sendall(OK)
        silent(connected)

    with receiving(behave) as port:
        with closing(here(SHORT_SECONDS).sender(f"http://a.example:{port}/")) as sender:
            sender.post({}, b"{}")
            with pytest.raises(Undelivered, match="no answer in 0.2 seconds"):
                sender.post({}, b"{}")


def test_proxies_in_the_environment_are_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as deaf:  # Bound, but not listening: it refuses.
        deaf.bind(("127.0.0.1", 0))
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            proxy = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            monkeypatch.setenv(name, proxy)
            monkeypatch.setenv(name.lower(), proxy)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with receiving(answering(OK, [])) as port:
            reply = post(here(), f"http://a.example:{port}/", {}, b"{}")
    assert reply == Reply(200, None)


def test_an_error_of_the_system_is_no_answer() -> None:
    def exhausted(address: tuple[str, int], seconds: float) -> socket.socket:
        raise OSError(24, "Too many open files")

    class Exhausted(socket.socket):
        def send(self, *_: object) -> int:
            raise OSError(105, "No buffer space available")

    def half(address: tuple[str, int], seconds: float) -> socket.socket:
        connected = Exhausted()
        connected.connect(listening.getsockname())
        return connected

    for connect in (exhausted, half):
        transport = Transport(True, lambda *_: ["127.0.0.1"], connect)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            assert why_not(transport, "http://a.example/") == "the connection failed"


def test_a_refused_connection_is_said_to_be_refused() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://a.example:{deaf.getsockname()[1]}/"
        assert why_not(here(), url) == "the connection was refused"


def silent(connected: socket.socket) -> None:
    wait_for_the_end(connected)


def dripping(start: bytes) -> Behaviour:
    """Answer with `start`, then with a byte now and then, until the sender leaves."""

    def behave(connected: socket.socket) -> None:
        read_request(connected)
        with suppress(ConnectionError):
            connected.sendall(start)
            connected.settimeout(0.05)
            for _ in range(int(WAIT_SECONDS / 0.05)):
                with suppress(TimeoutError):
                    if connected.recv(1) == b"":
                        return
                connected.sendall(b"x")
            raise AssertionError("the connection was never ended")

    return behave


@pytest.mark.parametrize(
    "behave",
    [silent, dripping(b""), dripping(b"HTTP/1.1 200 OK\r\nX: ")],
    ids=["silent", "dripping the status", "dripping a header"],
)
def test_an_attempt_ends_in_time_whatever_the_receiver_does(behave: Behaviour) -> None:
    with receiving(behave) as port:
        words = why_not(here(SHORT_SECONDS), f"http://a.example:{port}/")
    assert words == "no answer in 0.2 seconds"


def test_an_attempt_ends_in_time_when_nobody_reads_the_request() -> None:
    left = threading.Event()

    def deaf(connected: socket.socket) -> None:
        assert left.wait(WAIT_SECONDS)

    with receiving(deaf) as port, pytest.raises(Undelivered, match="no answer in 0.2"):
        try:
            post(here(SHORT_SECONDS), f"http://a.example:{port}/", {}, bytes(2**26))
        finally:
            left.set()


def garbage(connected: socket.socket) -> None:
    read_request(connected)
    connected.sendall(b"garbage\r\n\r\n")


def closed(connected: socket.socket) -> None:
    read_request(connected)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("behave", [silent, garbage, closed, None])
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
        gc_found = gc.collect()
    finally:
        gc.enable()
    assert gc_found == 0


@contextmanager
def serving(behave: Behaviour, times: int) -> Iterator[int]:
    """Take some connections, one after the other, whatever becomes of them."""

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


def test_an_attempt_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with receiving(answering(OK, [])) as port:
        post(here(), f"http://a.example:{port}/", {}, b"{}")
    assert set(threading.enumerate()) == before
    with receiving(silent) as port:
        why_not(here(SHORT_SECONDS), f"http://a.example:{port}/")
    assert set(threading.enumerate()) == before


def endless(connected: socket.socket) -> None:
    """Answer with headers until the sender leaves."""
    read_request(connected)
    with suppress(ConnectionError):
        connected.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(1_000_000):
            connected.sendall(b"X-%d: a\r\n" % number)
        raise AssertionError("the connection was never ended")


def endless_line(connected: socket.socket) -> None:
    """Answer with one header until the sender leaves."""
    read_request(connected)
    with suppress(ConnectionError):
        connected.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(1_000_000):
            connected.sendall(b"a" * 100)
        raise AssertionError("the connection was never ended")


def endless_continues(connected: socket.socket) -> None:
    """Tell to go on, over and over."""
    with suppress(OSError):
        for _ in range(1_000_000):
            connected.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@pytest.mark.parametrize("behave", [endless, endless_line, endless_continues])
def test_headers_without_an_end_are_ended(behave: Behaviour) -> None:
    with receiving(behave) as port:
        words = why_not(here(), f"http://a.example:{port}/")
    assert words == "the answer was not HTTP"


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"\x16\x03\x01\x00\xff\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 7 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_http_is_no_answer(answer: bytes) -> None:
    with receiving(answering(answer, [])) as port:
        words = why_not(here(), f"http://a.example:{port}/")
    assert words == "the answer was not HTTP"


def test_a_connection_that_is_closed_without_an_answer_is_said_to_be() -> None:
    def close(connected: socket.socket) -> None:
        read_request(connected)

    with receiving(close) as port:
        words = why_not(here(), f"http://a.example:{port}/")
    assert words == "the connection was closed without an answer"


def test_a_connection_that_is_reset_is_said_to_be_broken_off() -> None:
    def reset(connected: socket.socket) -> None:
        read_request(connected)
        linger = b"\x01\x00\x00\x00" + b"\x00\x00\x00\x00"  # On, for no second.
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    with receiving(reset) as port:
        words = why_not(here(), f"http://a.example:{port}/")
    assert words == "the connection was broken off"


# For receiver.example, signed by itself, from 2000 to 2100, and of no other use.
KEY = """
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgui/wCm+Kdz3QXfAG
dX/31xyo/NkYBt12XBF3mR6oGvWhRANCAARvJ5Dj/HsJpMRSf0hBlyKU+1h6COvc
9D2gi1xp0m1Wus7HLQ5JFCQbAjY0UIpNljXPi6jhFZeLXmDdRCKpr5/m
-----END PRIVATE KEY-----
"""
CERTIFICATE = """
-----BEGIN CERTIFICATE-----
MIIBmTCCAT+gAwIBAgIUO1MnOzaA39x8z3yCqBh4dUg1luwwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQcmVjZWl2ZXIuZXhhbXBsZTAgFw0wMDAxMDEwMDAwMDBaGA8y
MTAwMDEwMTAwMDAwMFowGzEZMBcGA1UEAwwQcmVjZWl2ZXIuZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABG8nkOP8ewmkxFJ/SEGXIpT7WHoI69z0PaCL
XGnSbVa6zsctDkkUJBsCNjRQik2WNc+LqOEVl4teYN1EIqmvn+ajXzBdMBsGA1Ud
EQQUMBKCEHJlY2VpdmVyLmV4YW1wbGUwHQYDVR0OBBYEFAe2RcCkLFhF6KZmfESV
Y/8rNhBRMA4GA1UdDwEB/wQEAwIChDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49
BAMCA0gAMEUCIQCRtsbnBQr0Xb69My+e1mdpPAx329ay9BH/uMWYwrEQ2wIgGLlL
0iOqm6XLFhAncX1pEipEe5sU5jyj3z8gyzBCDP0=
-----END CERTIFICATE-----
"""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    path = tmp_path / "certificate.pem"
    path.write_text(KEY + CERTIFICATE)
    return path


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the system trust the certificate, and no other."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


def over_tls(certificate: Path, behave: Behaviour) -> Behaviour:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def behave_over_tls(connected: socket.socket) -> None:
        with (
            suppress(ssl.SSLError),
            context.wrap_socket(connected, server_side=True) as wrapped,
        ):
            behave(wrapped)

    return behave_over_tls


def test_a_trusted_certificate_for_the_name_is_taken(trusted: Path) -> None:
    requests: list[tuple[bytes, bytes]] = []
    behave = over_tls(trusted, answering(OK, requests))
    for host in ("receiver.example", "Receiver.Example."):
        with receiving(behave) as port:
            reply = post(here(), f"https://{host}:{port}/hook", {"A": "b"}, b"{}")
        assert reply == Reply(200, None)
        head, body = requests.pop()
        assert head.startswith(b"POST /hook HTTP/1.1\r\n")
        assert f"Host: receiver.example:{port}\r\n".encode() in head
        assert body == b"{}"


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    requests: list[tuple[bytes, bytes]] = []
    with receiving(over_tls(certificate, answering(OK, requests))) as port:
        words = why_not(here(), f"https://receiver.example:{port}/")
    assert words == "the certificate could not be verified"
    assert requests == []


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1", "a.receiver.example"])
def test_a_certificate_for_another_name_is_refused(trusted: Path, host: str) -> None:
    requests: list[tuple[bytes, bytes]] = []
    with receiving(over_tls(trusted, answering(OK, requests))) as port:
        words = why_not(here(), f"https://{host}:{port}/")
    assert words == "the certificate could not be verified"
    assert requests == []


def test_a_receiver_without_tls_is_told_nothing_over_https() -> None:
    def answer(connected: socket.socket) -> None:
        assert connected.recv(1) == b"\x16", "not the start of a handshake"
        connected.sendall(OK)
        wait_for_the_end(connected)

    with receiving(answer) as port:
        words = why_not(here(), f"https://a.example:{port}/")
    assert words == "the receiver does not speak TLS as it should"


def test_an_attempt_ends_in_time_in_the_middle_of_a_handshake() -> None:
    with receiving(silent) as port:
        words = why_not(here(SHORT_SECONDS), f"https://a.example:{port}/")
    assert words == "no answer in 0.2 seconds"


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_an_attempt_ends_in_time_over_tls_too(trusted: Path, start: bytes) -> None:
    transport = here(attempt_seconds=1)
    with receiving(over_tls(trusted, dripping(start))) as port:
        words = why_not(transport, f"https://receiver.example:{port}/")
    assert words == "no answer in 1 seconds"
