"""Webhooks on their way: HTTP requests to receivers that strangers chose.

The address that is judged is the address that is connected to. Every wait has an end:
that for a name is the system's, the others are below. It knows neither the store nor
the services, nor what it delivers.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from wallet_app.domain.errors.webhook_errors import UrlNotAllowed
from wallet_app.gateways.addresses import is_public, literal

CONNECT_SECONDS = 5
"""For one address: a lost first packet is sent again after 1 and 3 seconds."""
ATTEMPT_SECONDS = 10
"""From the first connection to the last header: a slow receiver, but not a dead one."""
KEPT_SECONDS = 30
"""How long a connection is used: so soon a change of the name's address is noticed."""
KEPT_REQUESTS = 1_000
"""How often a connection is used: some servers close it after as many."""
IDLE_SECONDS = 1
"""How long a connection waits for its next request. Servers wait longer, so that one
which is used again is rarely closed."""
URL_CHARACTERS_MAX = 2_000
"""More than that, some servers and proxies refuse."""
INTERIM_MAX = 5
"""A receiver has no reason for any, but may stand behind servers that have."""
LINE_BYTES_MAX = 65_536
HEADERS_MAX = 100
"""Of an answer, as in Python's own client."""
BODY_BYTES_MAX = 16_384
"""A longer body is not read: the connection is closed."""
USER_AGENT = "wallet-service-webhooks"
PORTS = {"http": 80, "https": 443}

Resolve = Callable[[str, int], Sequence[str]]
"""From a host and a port to its addresses, as text. Raises OSError."""
Connect = Callable[[tuple[str, int], float], socket.socket]
"""From an address and seconds to a connected socket. Raises OSError."""


class Reply(NamedTuple):
    """What the receiver answered. `retry_after` is the header as it came."""

    status: int
    retry_after: str | None


class Undelivered(Exception):
    """Nobody answered. The text says why, in words that a client may see."""


class NotHttp(Exception):
    """What came is not HTTP, or has no end."""


class Stale(Exception):
    """A connection that was used before was closed before any byte of an answer.
    The receiver may have handled it."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a host, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Transport:
    """Sends webhooks to public addresses, or to any with `allow_private`."""

    def __init__(
        self,
        allow_private: bool = False,
        resolve: Resolve = resolve,
        connect: Connect = socket.create_connection,
        attempt_seconds: float = ATTEMPT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._connect = connect
        self._attempt_seconds = attempt_seconds
        self._monotonic = monotonic

    def check(self, url: str) -> None:
        """Raise UrlNotAllowed for a URL that can never work. Looks no name up."""
        name = _parsed(url).host.rstrip(".")
        if self._allow_private:
            return
        if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, section 6.3
            raise UrlNotAllowed("localhost is not public")
        address = literal(name)
        if address is not None and not is_public(address):
            raise UrlNotAllowed(f"the address {address} is not public")

    def sender(self, url: str) -> Sender:
        """Return a sender to a URL that `check` takes."""
        return Sender(self, _parsed(url), self._attempt_seconds, self._monotonic)

    def open(self, parts: Parts) -> Connection:
        """Connect to a judged address of a host.

        Raises Undelivered and OSError. Only the look-up of the name takes as long as it
        takes.
        """
        addresses = self._look_up(parts)
        ends_at = self._monotonic() + self._attempt_seconds
        connected = self._connect_to_one(addresses, parts.port, ends_at)
        try:
            if parts.scheme == "https":
                connected.settimeout(max(ends_at - self._monotonic(), 0.001))
                connected = self._tls.wrap_socket(
                    connected, server_hostname=parts.host.rstrip(".")
                )
            return Connection(connected, ends_at, self._monotonic)
        except BaseException:
            connected.close()
            raise

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The system's certificate authorities: reading them takes 30 ms."""
        return ssl.create_default_context()

    def _look_up(self, parts: Parts) -> Sequence[str]:
        """Return the addresses of the host: once, so that no second answer differs."""
        try:
            addresses = self._resolve(parts.host, parts.port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise Undelivered("no address was found for the name")
        for address in addresses:
            self._judge(address)
        return addresses

    def _connect_to_one(
        self, addresses: Sequence[str], port: int, ends_at: float
    ) -> socket.socket:
        """Connect to the first address that takes the connection."""
        why = _words(TimeoutError())
        for address in addresses:
            seconds = min(CONNECT_SECONDS, ends_at - self._monotonic())
            if seconds <= 0:
                break
            try:
                return self._judged(self._connect((address, port), seconds))
            except OSError as error:  # which is not kept: it refers to this frame
                why = _words(error)
        raise Undelivered(why)

    def _judged(self, connected: socket.socket) -> socket.socket:
        """Judge the other end itself, whatever was asked for."""
        try:
            if connected.family in (socket.AF_INET, socket.AF_INET6):
                self._judge(str(connected.getpeername()[0]))
        except BaseException:
            connected.close()
            raise
        return connected

    def _judge(self, address: str) -> None:
        if not self._allow_private and not is_public(address):
            raise Undelivered("the receiver has an address that is not public")


class Sender:
    """Sends requests to one URL, one after the other. Between two of them it keeps the
    connection open, if the receiver does."""

    def __init__(
        self,
        transport: Transport,
        parts: Parts,
        attempt_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._parts = parts
        self._attempt_seconds = attempt_seconds
        self._monotonic = monotonic
        self._connection: Connection | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request; follow no redirect. Raises Undelivered."""
        connection, self._connection = self._connection, None
        request = _request(self._parts, headers, body)
        try:
            if connection is not None and connection.is_usable():
                connection.ends_at = self._monotonic() + self._attempt_seconds
                try:
                    return self._exchange(connection, request)
                except Stale:
                    pass  # It is sent again, once, over a new one.
            elif connection is not None:
                connection.close()
            return self._exchange(self._transport.open(self._parts), request)
        except TimeoutError:
            why = f"no answer in {self._attempt_seconds:g} seconds"
        except (OSError, NotHttp) as error:
            why = _words(error)
        # Not while the error is handled, which refers to the frame of this call.
        raise Undelivered(why)

    def close(self) -> None:
        """Close what is kept open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, connection: Connection, request: bytes) -> Reply:
        """Return the reply, and keep the connection if it can be used again."""
        try:
            reply = connection.exchange(request)
            if connection.is_kept:
                self._connection = connection
            return reply
        finally:
            if self._connection is not connection:
                connection.close()


class Connection:
    """HTTP/1.1 over a connected socket: of an answer, its head and what can be read of
    its body without waiting."""

    def __init__(
        self, connected: socket.socket, ends_at: float, monotonic: Callable[[], float]
    ) -> None:
        self.ends_at = ends_at
        self.is_kept = False
        self._socket = connected
        self._is_plain = not isinstance(connected, ssl.SSLSocket)
        self._monotonic = monotonic
        self._close_at = monotonic() + KEPT_SECONDS
        self._used_at = 0.0
        self._uses = 0
        self._received = bytearray()
        self._body_left = 0
        if self._is_plain:
            connected.settimeout(None)  # The kernel ends the waits: see _bound.

    def is_usable(self) -> bool:
        """Return whether one request more can be sent."""
        now = self._monotonic()
        return (
            self._uses < KEPT_REQUESTS
            and now < self._close_at
            and now < self._used_at + IDLE_SECONDS
            and self._has_read_the_body()
        )

    def exchange(self, request: bytes) -> Reply:
        """Send a request and read the head of the answer.

        Raises OSError, NotHttp, and Stale where the receiver had closed the connection.
        """
        self._uses += 1
        try:
            self._send(request)
            self._receive()
        except (ConnectionError, ssl.SSLEOFError):
            if self._uses == 1:
                raise
            raise Stale from None
        reply = self._read_head()
        self._used_at = self._monotonic()
        return reply

    def close(self) -> None:
        try:
            self._socket.close()
        except OSError:
            pass  # The receiver may have reset it.

    def _send(self, request: bytes) -> None:
        view = memoryview(request)
        while view:
            self._bound(socket.SO_SNDTIMEO)
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                raise TimeoutError from None

    def _receive(self) -> None:
        """Wait for some bytes of the answer."""
        self._bound(socket.SO_RCVTIMEO)
        try:
            received = self._socket.recv(BODY_BYTES_MAX)
        except BlockingIOError:
            raise TimeoutError from None
        if not received:
            raise ClosedWithoutAnswer
        self._received += received

    def _bound(self, option: int) -> None:
        """Have the next wait end in time. For a plain socket the kernel sees to that,
        by an option: `settimeout` would give up the interpreter's lock two times
        more."""
        seconds = self.ends_at - self._monotonic()
        if seconds <= 0:
            raise TimeoutError
        if self._is_plain:
            microseconds = max(int(seconds * 1e6), 1)
            value = struct.pack("ll", *divmod(microseconds, 1_000_000))
            self._socket.setsockopt(socket.SOL_SOCKET, option, value)
        else:
            self._socket.settimeout(seconds)

    def _read_head(self) -> Reply:
        """Return the reply, after the interim answers before it."""
        for _ in range(1 + INTERIM_MAX):
            match = STATUS_LINE.fullmatch(self._line())
            if match is None:
                raise NotHttp
            status, headers = int(match[2]), self._headers()
            if status >= 200 or status == 101:
                break
        else:
            raise NotHttp
        length = headers.get("content-length", "")
        if status in (204, 304):
            length = "0"
        self.is_kept = (
            match[1] == b"1"
            and status >= 200
            and "connection" not in headers
            and "transfer-encoding" not in headers
            and re.fullmatch("[0-9]{1,9}", length) is not None
            and int(length) <= BODY_BYTES_MAX
        )
        self._body_left = int(length) if self.is_kept else 0
        return Reply(status, headers.get("retry-after"))

    def _headers(self) -> dict[str, str]:
        """Return the headers that matter, by their names in lower case."""
        headers: dict[str, str] = {}
        for _ in range(HEADERS_MAX + 1):
            line = self._line().rstrip(b"\r\n")
            if not line:
                return headers
            name, _, value = line.decode("latin-1").partition(":")
            name, value = name.strip().lower(), value.strip()
            if name == "connection" and value.lower() == "keep-alive":
                continue
            if name in MATTERS:
                before = headers.get(name)
                headers[name] = value if before is None else f"{before}, {value}"
        raise NotHttp

    def _line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > LINE_BYTES_MAX:
                raise NotHttp
            self._receive()
        line = bytes(self._received[: end + 1])
        del self._received[: end + 1]
        return line

    def _has_read_the_body(self) -> bool:
        """Read the body of the latest answer as far as it has come; return whether all
        of it has, and nothing else."""
        if len(self._received) < self._body_left:
            try:
                self._socket.settimeout(0)
                self._received += self._socket.recv(BODY_BYTES_MAX)
                if self._is_plain:
                    self._socket.settimeout(None)
            except OSError:  # Nothing has come, or the receiver has gone.
                return False
        is_all = len(self._received) == self._body_left
        self._received.clear()
        return is_all


class ClosedWithoutAnswer(ConnectionError):
    """The receiver closed the connection before its answer was complete."""


STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\n")

MATTERS = {"retry-after", "content-length", "transfer-encoding", "connection"}


class Parts(NamedTuple):
    """What a URL says: an IPv6 host has no brackets, the path has its query."""

    scheme: str
    host: str
    port: int
    path: str


def _parsed(url: str) -> Parts:
    """Take a URL apart, for `check` and `sender` alike. Raises UrlNotAllowed."""
    if len(url) > URL_CHARACTERS_MAX:
        raise UrlNotAllowed(f"the URL has over {URL_CHARACTERS_MAX} characters")
    if not url.isprintable() or " " in url or "\\" in url:
        raise UrlNotAllowed("the URL holds white space, a control character or \\")
    try:
        parts = parse_url(url)
        host = (parts.host or "").strip("[]")
        host.encode("idna")
    except (LocationParseError, UnicodeError) as error:
        raise UrlNotAllowed("the URL cannot be parsed") from error
    scheme = parts.scheme or ""
    for wrong, why in (
        (scheme not in PORTS, "the URL does not begin with http:// or https://"),
        (not host.strip("."), "the URL names no host"),
        ("%" in host, "the host holds a percent sign"),
        (parts.auth is not None, "the URL holds a user name or a password"),
        (parts.fragment is not None, "the URL holds a fragment"),
        (parts.port == 0, "the port is not one of 1 to 65535"),
    ):
        if wrong:
            raise UrlNotAllowed(why)
    return Parts(scheme, host, parts.port or PORTS[scheme], parts.request_uri)


def _request(parts: Parts, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a request as it is sent. The headers are ours, and have no line break."""
    host = parts.host.rstrip(".")
    host = f"[{host}]" if ":" in host else host
    if parts.port != PORTS[parts.scheme]:
        host = f"{host}:{parts.port}"
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {host}",
        "Accept-Encoding: identity",
        f"User-Agent: {USER_AGENT}",
        f"Content-Length: {len(body)}",
        *[f"{name}: {value}" for name, value in headers.items()],
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _words(error: Exception) -> str:
    known = (words for kind, words in WORDS if isinstance(error, kind))
    return next(known, "the answer was not HTTP")


WORDS: Sequence[tuple[type[Exception], str]] = (
    (ssl.SSLCertVerificationError, "the certificate could not be verified"),
    (ssl.SSLError, "the receiver does not speak TLS as it should"),
    (ConnectionRefusedError, "the connection was refused"),
    (TimeoutError, "the connection timed out"),
    (ClosedWithoutAnswer, "the connection was closed without an answer"),
    (ConnectionError, "the connection was broken off"),
    (OSError, "the connection failed"),
)
"""What is said of an error, the narrower kinds first."""
