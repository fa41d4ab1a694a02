"""HTTP requests to receivers that strangers chose.

The address that is checked is the address that is connected to. Every wait has an end;
only that for a name is the system's. It knows neither the store nor the services.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from wallet_app.domain.errors.webhook_errors import UrlNotAllowed
from wallet_app.gateways.addresses import is_public, literal
from wallet_app.gateways.delivery_connection import (
    ClosedWithoutAnswer,
    Connection,
    NotHttp,
    Reply,
    Stale,
)
from wallet_app.gateways.delivery_url import Target, parsed

CONNECT_SECONDS = 5
"""For one address: a lost first packet is sent again after 1 and 3 seconds."""
ATTEMPT_SECONDS = 10
"""From the first connection to the last header: a slow receiver, but not a dead one."""
USER_AGENT = "wallet-service-webhooks"

Resolve = Callable[[str, int], Sequence[str]]
"""From a host and a port to its addresses, as text. Raises OSError."""
Connect = Callable[[tuple[str, int], float], socket.socket]
"""From an address and seconds to a connected socket. Raises OSError."""


class Undelivered(Exception):
    """Nobody answered. The text says why, in words that a client may see."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, in the order of the system."""
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
        self.attempt_seconds = attempt_seconds
        self.monotonic = monotonic
        self._allow_private = allow_private
        self._resolve = resolve
        self._connect = connect

    def check(self, url: str) -> None:
        """Raise UrlNotAllowed for a URL that can never work. Resolves no name."""
        name = parsed(url).name
        if self._allow_private:
            return
        if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, section 6.3
            raise UrlNotAllowed("localhost is not public")
        address = literal(name)
        if address is not None and not is_public(address):
            raise UrlNotAllowed(f"the address {address} is not public")

    def sender(self, url: str) -> Sender:
        """Return a sender to a URL that `check` accepts."""
        return Sender(self, parsed(url))

    def open(self, target: Target) -> Connection:
        """Connect to a checked address of a host.

        Raises Undelivered and OSError. Resolving the name takes as long as the system
        lets it.
        """
        addresses = self._addresses_of(target)
        ends_at = self.monotonic() + self.attempt_seconds
        connected = self._connect_to_first(addresses, target.port, ends_at)
        try:
            if target.scheme == "https":
                connected.settimeout(max(ends_at - self.monotonic(), 0.001))
                connected = self._tls.wrap_socket(
                    connected, server_hostname=target.name
                )
            return Connection(connected, ends_at, self.monotonic)
        except BaseException:
            connected.close()
            raise

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The system's certificate authorities: reading them takes 30 ms."""
        return ssl.create_default_context()

    def _addresses_of(self, target: Target) -> Sequence[str]:
        """Resolve a name once, so that no second answer can differ."""
        try:
            addresses = self._resolve(target.host, target.port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise Undelivered("no address was found for the name")
        for address in addresses:
            self._check_address(address)
        return addresses

    def _connect_to_first(
        self, addresses: Sequence[str], port: int, ends_at: float
    ) -> socket.socket:
        """Connect to the first address that accepts."""
        why = _words(TimeoutError())
        for address in addresses:
            seconds = min(CONNECT_SECONDS, ends_at - self.monotonic())
            if seconds <= 0:
                break
            try:
                return self._checked(self._connect((address, port), seconds))
            except OSError as error:  # not stored, because it refers to this frame
                why = _words(error)
        raise Undelivered(why)

    def _checked(self, connected: socket.socket) -> socket.socket:
        """Check the address of the peer itself, whatever was asked for."""
        try:
            if connected.family in (socket.AF_INET, socket.AF_INET6):
                self._check_address(str(connected.getpeername()[0]))
        except BaseException:
            connected.close()
            raise
        return connected

    def _check_address(self, address: str) -> None:
        if not self._allow_private and not is_public(address):
            raise Undelivered("the receiver has an address that is not public")


class Sender:
    """Sends requests to one URL, one after the other. Between two of them it keeps the
    connection open, if the receiver does."""

    def __init__(self, transport: Transport, target: Target) -> None:
        self._transport = transport
        self._target = target
        self._connection: Connection | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request; follow no redirect. Raises Undelivered."""
        connection, self._connection = self._connection, None
        request = _request(self._target, headers, body)
        seconds = self._transport.attempt_seconds
        try:
            if connection is not None and connection.is_usable():
                connection.ends_at = self._transport.monotonic() + seconds
                try:
                    return self._exchange(connection, request)
                except Stale:
                    pass  # It is sent again, once, over a new one.
            elif connection is not None:
                connection.close()
            return self._exchange(self._transport.open(self._target), request)
        except TimeoutError:
            why = f"no answer in {seconds:g} seconds"
        except (OSError, NotHttp) as error:
            why = _words(error)
        # Not while the error is handled, which refers to the frame of this call.
        raise Undelivered(why)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, connection: Connection, request: bytes) -> Reply:
        """Return the reply, and keep the connection if it can be reused."""
        try:
            reply = connection.exchange(request)
            if connection.can_persist:
                self._connection = connection
            return reply
        finally:
            if self._connection is not connection:
                connection.close()


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a request as it is sent. The headers are ours, and have no line break."""
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.host_header}",
        "Accept-Encoding: identity",
        f"User-Agent: {USER_AGENT}",
        f"Content-Length: {len(body)}",
        *[f"{name}: {value}" for name, value in headers.items()],
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _words(error: Exception) -> str:
    """Return what a client may see of an error."""
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
"""From the narrower kinds to the wider."""
