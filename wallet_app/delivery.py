"""One webhook on its way: an HTTP request to a receiver that strangers chose.

The address that is judged is the address that is connected to. Every wait has an end:
that for a name is the system's, the others are below. It knows neither the store nor
the services, nor what it delivers.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from http.client import HTTPException, RemoteDisconnected
from typing import NamedTuple

from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url
from urllib3.util.ssl_ import create_urllib3_context

from wallet_app.addresses import is_public, literal
from wallet_app.errors import UrlNotAllowed

CONNECT_SECONDS = 5
"""For one address: a lost first packet is sent again after 1 and 3 seconds."""
ATTEMPT_SECONDS = 10
"""From the first connection to the last header: a slow receiver, but not a dead one."""
URL_CHARACTERS_MAX = 2_000
"""More than that, some servers and proxies refuse."""
INTERIM_MAX = 5
"""A receiver has no reason for any, but may stand behind servers that have."""
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
    ) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._connect = connect
        self._attempt_seconds = attempt_seconds
        self._trust = _Trust()

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

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request to a URL that `check` takes; follow no redirect.

        Raises Undelivered. Only the look-up of the name takes as long as it takes.
        """
        parts = _parsed(url)
        addresses = self._look_up(parts)
        ends_at = time.monotonic() + self._attempt_seconds
        connected = self._connect_to_one(addresses, parts.port, ends_at)
        over = threading.Event()
        try:
            with (
                closing(connected),
                _shut_down_at(ends_at, connected, over),
                closing(self._connection(parts, connected)) as connection,
            ):
                reply = _exchange(connection, parts.path, headers, body)
            if over.is_set():  # To http.client, headers that were cut off are whole.
                raise TimeoutError
        except (HTTPError, HTTPException, OSError) as error:
            late = f"no answer in {self._attempt_seconds:g} seconds"
            raise Undelivered(late if over.is_set() else _words(error)) from error
        return reply

    def _look_up(self, parts: _Parts) -> Sequence[str]:
        """Return the addresses of the host: once, so that no second answer differs."""
        try:
            addresses = self._resolve(parts.host, parts.port)
        except (OSError, UnicodeError) as error:
            raise Undelivered("no address was found for the name") from error
        if not addresses:
            raise Undelivered("no address was found for the name")
        for address in addresses:
            self._judge(address)
        return addresses

    def _connect_to_one(
        self, addresses: Sequence[str], port: int, ends_at: float
    ) -> socket.socket:
        """Connect to the first address that takes the connection."""
        failure: OSError = TimeoutError()
        for address in addresses:
            seconds = min(CONNECT_SECONDS, ends_at - time.monotonic())
            if seconds <= 0:
                break
            try:
                return self._judged(self._connect((address, port), seconds))
            except OSError as error:
                failure = error
        raise Undelivered(_words(failure)) from failure

    def _judged(self, connected: socket.socket) -> socket.socket:
        """Judge the other end itself, whatever was asked for."""
        try:
            if connected.family in (socket.AF_INET, socket.AF_INET6):
                self._judge(str(connected.getpeername()[0]))
        except (OSError, Undelivered):
            connected.close()
            raise
        return connected

    def _judge(self, address: str) -> None:
        if not self._allow_private and not is_public(address):
            raise Undelivered("the receiver has an address that is not public")

    def _connection(self, parts: _Parts, connected: socket.socket) -> _Connection:
        connection = _Connection(parts.host, parts.port)
        if parts.scheme == "https":
            context = self._trust.context
            connection = _TlsConnection(parts.host, parts.port, ssl_context=context)
        connection.connected = connected
        return connection


class _Response(http.client.HTTPResponse):
    """An answer with few interim ones before it: `http.client` would skip any number of
    those that tell to go on (100), as fast as they come, and keep all others from
    running."""

    interim = 0

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        self.interim += status == http.HTTPStatus.CONTINUE
        if self.interim > INTERIM_MAX:
            raise HTTPException
        return version, status, reason


class _Connection(HTTPConnection):
    """HTTP over a socket that is connected already, and over no other."""

    connected: socket.socket
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return self.connected


class _TlsConnection(_Connection, HTTPSConnection):
    """The same, with a certificate for the name of the host."""


class _Trust(threading.local):
    """The system's certificate authorities: reading them takes 30 ms.

    One context for each thread, because urllib3 writes to it at each connection.
    """

    @cached_property
    def context(self) -> ssl.SSLContext:
        context = create_urllib3_context()
        context.load_default_certs()
        return context


class _Parts(NamedTuple):
    """What a URL says: an IPv6 host has no brackets, the path has its query."""

    scheme: str
    host: str
    port: int
    path: str


def _parsed(url: str) -> _Parts:
    """Take a URL apart, for `check` and `post` alike. Raises UrlNotAllowed."""
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
    return _Parts(scheme, host, parts.port or PORTS[scheme], parts.request_uri)


@contextmanager
def _shut_down_at(
    ends_at: float, connected: socket.socket, over: threading.Event
) -> Iterator[None]:
    """Set `over` and shut a connection down at a time, whatever it then waits for.

    A duplicate of the socket is shut down, because TLS takes the socket itself away
    while it shakes hands.
    """

    def shut_down() -> None:
        over.set()
        with suppress(OSError):  # The receiver may have closed it by itself.
            duplicate.shutdown(socket.SHUT_RDWR)

    connected.settimeout(None)
    with connected.dup() as duplicate:
        timer = threading.Timer(ends_at - time.monotonic(), shut_down)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _exchange(
    connection: HTTPConnection, path: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    """Send the request and read the head of the answer, but not its body."""
    sent = HTTPHeaderDict({"User-Agent": USER_AGENT})
    sent.update(headers)
    connection.request("POST", path, body=body, headers=sent)
    # Not urllib3's own: that logs what the receiver wrote, and loses the socket over
    # an odd Content-Length.
    with closing(http.client.HTTPConnection.getresponse(connection)) as response:
        return Reply(response.status, response.getheader("Retry-After"))


def _words(error: Exception) -> str:
    known = (words for kind, words in WORDS if isinstance(error, kind))
    return next(known, "the answer was not HTTP")


WORDS: Sequence[tuple[type[Exception], str]] = (
    (ssl.SSLCertVerificationError, "the certificate could not be verified"),
    (ssl.SSLError, "the receiver does not speak TLS as it should"),
    (ConnectionRefusedError, "the connection was refused"),
    (TimeoutError, "the connection timed out"),
    (RemoteDisconnected, "the connection was closed without an answer"),
    (ConnectionError, "the connection was broken off"),
    (OSError, "the connection failed"),
)
"""What is said of an error, the narrower kinds first."""
