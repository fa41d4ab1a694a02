"""Sends requests over plain sockets, so that many can arrive at one moment.

One thread and one selector. Of the first request of each connection all but the last
byte is sent; then the last bytes go out in one loop. It knows nothing of wallets, and
trusts nothing that a server sends: bytes, time and the number of requests are bounded.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import h11

MS = 1_000_000
"""Nanoseconds in a millisecond."""

GATE_SECONDS = 0.015
"""How long requests are held, so that the server has read what was sent of them."""

HEAD_BYTES_MAX = 32 * 1024
BODY_BYTES_MAX = 1024 * 1024
"""What the history of a wallet with thousands of transactions fits into."""

TOO_MANY = 429
BUSY = (TOO_MANY, 503)
RETRY_SECONDS_MAX = 2.0
CHUNK_BYTES = 64 * 1024
CONNECTIONS_MAX = 64


@dataclass(frozen=True, slots=True)
class Request:
    """A request; its target is what stands in the request line."""

    method: str
    target: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return the first header of this name in lower case, or an empty string."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request with its answer; without one, `failure` says why.

    Moments are of one monotonic clock. The server may have acted at any moment
    between the first byte sent and the last byte received.
    """

    request: Request
    began_ns: int
    released_ns: int
    ended_ns: int
    answer: Answer | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """Requests that one connection makes, each after the answer to the one before.

    `offset_ns` is how long after the others it begins. One that is beside the others
    stops when they have ended.
    """

    requests: Sequence[Request]
    offset_ns: int = 0
    is_beside: bool = False


@dataclass
class Limits:
    """What may still be sent: requests, and until when."""

    requests: int
    ends_ns: int


class Spent(Exception):
    """The judge has used up its time or its requests."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where all requests go. Nothing that a server says changes it."""

    host: str
    port: int

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass
class Client:
    """Sends requests to one origin."""

    origin: Origin
    limits: Limits
    headers: tuple[tuple[str, str], ...] = ()
    timeout_seconds: float = 5.0
    closes_each: bool = False
    """One request for each connection, for servers that serve one at a time."""
    sent: int = 0
    busy: int = 0
    """How often the server had no time for a request."""
    limited: int = 0
    """How often the answer was that there were too many requests."""
    retry_seconds: float = 0.0
    """How long the server asked to wait, the last time that it said so."""
    _idle: list[_Connection] = field(default_factory=list)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def send(self, request: Request) -> Exchange:
        """Send one request, and return it with its answer.

        Raises Spent.
        """
        return self.race([Script([request])], is_gated=False)[0][0]

    def race(
        self, scripts: Sequence[Script], *, is_gated: bool = True
    ) -> list[list[Exchange]]:
        """Send the requests of all scripts at once, and return each with its answer.

        Without an answer a script ends. Raises Spent.
        """
        assert len(scripts) <= CONNECTIONS_MAX
        return _Race(self, scripts).run(is_gated)

    def connection(self) -> _Connection:
        """Return a connection that no one uses.

        Raises OSError.
        """
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return _Connection(self.origin, self.timeout_seconds)

    def give_back(self, connection: _Connection) -> None:
        if (
            not self.closes_each
            and connection.can_be_reused()
            and len(self._idle) < CONNECTIONS_MAX
        ):
            self._idle.append(connection)
        else:
            connection.close()

    def count(self) -> None:
        """Count one more request. Raises Spent."""
        if self.sent >= self.limits.requests:
            raise Spent(f"{self.limits.requests:,} requests were sent")
        if time.monotonic_ns() >= self.limits.ends_ns:
            raise Spent("the time is up")
        self.sent += 1


class _Connection:
    """A socket, and how far HTTP has come on it."""

    def __init__(self, origin: Origin, timeout_seconds: float) -> None:
        address = (origin.host, origin.port)
        self.timeout_seconds = timeout_seconds
        self.socket = socket.create_connection(address, timeout=timeout_seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.http = h11.Connection(h11.CLIENT, HEAD_BYTES_MAX)
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.received = 0
        self.is_complete = False

    def close(self) -> None:
        self.socket.close()

    def is_usable(self) -> bool:
        """Tell whether the server has kept an idle connection open."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(1)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self.socket.settimeout(self.timeout_seconds)
        return False  # closed, or something that nobody asked for

    def can_be_reused(self) -> bool:
        """Tell whether another request may go here: after an error of its own a
        server may close the connection without saying so."""
        return (
            self.status < 500
            and self.http.our_state is h11.DONE
            and self.http.their_state is h11.DONE
            and self.http.trailing_data == (b"", False)
        )

    def begin(self, request: Request, headers: Sequence[tuple[str, str]]) -> bytes:
        """Return a request as it goes over the wire."""
        if self.http.our_state is h11.DONE:
            self.http.start_next_cycle()
        self.status, self.headers, self.received = 0, (), 0
        self.body, self.is_complete = bytearray(), False
        head = h11.Request(
            method=request.method, target=request.target, headers=list(headers)
        )
        parts = [self.http.send(head)]
        if request.body is not None:
            parts.append(self.http.send(h11.Data(data=request.body)))
        parts.append(self.http.send(h11.EndOfMessage()))
        return b"".join(part for part in parts if part)

    def receive(self) -> None:
        """Take in what has come.

        Raises OSError and h11.RemoteProtocolError.
        """
        data = self.socket.recv(CHUNK_BYTES)
        self.received += len(data)
        if self.received > HEAD_BYTES_MAX + BODY_BYTES_MAX:
            raise h11.RemoteProtocolError("the answer is too long")
        self.http.receive_data(data)
        while not self.is_complete:
            try:
                event = self.http.next_event()
            except h11.RemoteProtocolError as error:
                if data:
                    raise
                raise ConnectionResetError from error  # closed, and not complete
            match event:
                case h11.Response():
                    self.status = event.status_code
                    self.headers = tuple(
                        (name.decode("latin-1"), value.decode("latin-1"))
                        for name, value in event.headers
                    )
                case h11.Data():
                    self.body += event.data
                case h11.EndOfMessage():
                    self.is_complete = True
                case h11.InformationalResponse():
                    pass
                case _:  # more data is needed, or the connection was closed
                    if not data:
                        raise ConnectionResetError
                    return


@dataclass
class _Runner:
    """How far a script has come."""

    script: Script
    exchanges: list[Exchange] = field(default_factory=list)
    connection: _Connection | None = None
    began_ns: int = 0
    released_ns: int = 0

    @property
    def request(self) -> Request:
        return self.script.requests[len(self.exchanges)]


class _Race:
    """All scripts of one race."""

    def __init__(self, client: Client, scripts: Sequence[Script]) -> None:
        self.client = client
        self.runners = [_Runner(script) for script in scripts]
        self.timeout_ns = int(client.timeout_seconds * 1000) * MS

    def run(self, is_gated: bool) -> list[list[Exchange]]:
        with selectors.DefaultSelector() as self.selector:
            try:
                self._start(is_gated)
                while self.selector.get_map():
                    self._wait()
            finally:
                for key in list(self.selector.get_map().values()):
                    key.data.connection.close()
        return [runner.exchanges for runner in self.runners]

    def _start(self, is_gated: bool) -> None:
        """Send the first request of each script."""
        held: list[tuple[_Runner, bytes]] = []
        for runner in self.runners:
            if not runner.script.requests:
                continue
            wire = self._begin(runner)
            if wire and is_gated and self._send(runner, wire[:-1]):
                held.append((runner, wire[-1:]))
            elif wire and not is_gated:
                runner.released_ns = runner.began_ns
                self._send(runner, wire)
        if not held:
            return
        time.sleep(GATE_SECONDS)
        held.sort(key=lambda each: each[0].script.offset_ns)
        opened = time.monotonic_ns()
        for runner, last in held:
            while time.monotonic_ns() - opened < runner.script.offset_ns:
                pass
            self._send(runner, last)
            runner.released_ns = time.monotonic_ns()

    def _begin(self, runner: _Runner) -> bytes:
        """Return the bytes of a script's next request; none if it cannot connect."""
        self.client.count()
        runner.began_ns = runner.released_ns = time.monotonic_ns()
        try:
            if runner.connection is None:
                runner.connection = self.client.connection()
                self.selector.register(
                    runner.connection.socket, selectors.EVENT_READ, runner
                )
        except OSError as error:
            self._end(runner, f"cannot connect: {_reason(error)}")
            return b""
        request = runner.request
        headers = [
            ("Host", self.client.origin.authority),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            *self.client.headers,
            *request.headers,
        ]
        if request.body is not None:
            headers.append(("Content-Length", str(len(request.body))))
        if self.client.closes_each:
            headers.append(("Connection", "close"))
        return runner.connection.begin(request, headers)

    def _send(self, runner: _Runner, data: bytes) -> bool:
        """Send bytes. A server that answers before it has read them may close the
        connection: what it answered is read all the same."""
        assert runner.connection is not None
        try:
            runner.connection.socket.sendall(data)
        except TimeoutError:
            self._end(runner, "timed out: the server does not read")
            return False
        except OSError:
            return True
        return True

    def _wait(self) -> None:
        """Take in what comes next, and give up what has waited too long."""
        runners = [key.data for key in self.selector.get_map().values()]
        if all(runner.script.is_beside for runner in runners):
            for runner in runners:
                runner.script = Script(
                    runner.script.requests[: len(runner.exchanges) + 1]
                )
        ends = min(runner.released_ns for runner in runners) + self.timeout_ns
        wait_ns = max(0, ends - time.monotonic_ns())
        for key, _ in self.selector.select(wait_ns / 1e9):
            self._receive(key.data)
        now = time.monotonic_ns()
        for runner in runners:
            if (
                runner.connection is not None
                and now - runner.released_ns >= self.timeout_ns
            ):
                self._end(runner, "timed out")

    def _receive(self, runner: _Runner) -> None:
        connection = runner.connection
        assert connection is not None
        try:
            connection.receive()
        except h11.RemoteProtocolError as error:
            self._end(runner, f"not HTTP: {error}")
            return
        except OSError as error:
            self._end(runner, _reason(error))
            return
        if connection.is_complete:
            body = bytes(connection.body)
            self._answered(runner, Answer(connection.status, connection.headers, body))

    def _answered(self, runner: _Runner, answer: Answer) -> None:
        connection = runner.connection
        assert connection is not None
        self._note(runner, answer, "")
        if len(runner.exchanges) == len(runner.script.requests):
            self._release(runner)
            return
        if self.client.closes_each or not connection.can_be_reused():
            self._release(runner)
        wire = self._begin(runner)
        if wire:
            self._send(runner, wire)

    def _release(self, runner: _Runner) -> None:
        assert runner.connection is not None
        self.selector.unregister(runner.connection.socket)
        self.client.give_back(runner.connection)
        runner.connection = None

    def _end(self, runner: _Runner, failure: str) -> None:
        """End a script whose request has no answer."""
        if runner.connection is not None:
            self.selector.unregister(runner.connection.socket)
            runner.connection.close()
            runner.connection = None
        self._note(runner, None, failure)

    def _note(self, runner: _Runner, answer: Answer | None, failure: str) -> None:
        if answer is not None and answer.status in BUSY:
            self.client.busy += 1
            self.client.limited += answer.status == TOO_MANY
            wait = answer.header("retry-after")
            if wait.isascii() and wait.isdigit():
                self.client.retry_seconds = min(float(wait[:9]), RETRY_SECONDS_MAX)
        runner.exchanges.append(
            Exchange(
                runner.request,
                runner.began_ns,
                runner.released_ns,
                time.monotonic_ns(),
                answer,
                failure,
            )
        )


def _reason(error: OSError) -> str:
    return error.strerror or "the connection was closed"
