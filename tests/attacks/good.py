"""Good clients, in a process of their own so that no attack takes their time:

    python -m tests.attacks.good ADDRESS RATE WALLET WALLET [WALLET ...]

8 keep-alive connections post transfers, one after another, and one audit now and then,
until stdin ends, at most so many a second, or with a rate of 0 as fast as they are
answered. Then what they saw is printed as JSON.
"""

from __future__ import annotations

import itertools
import selectors
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from tests.attacks.crowd import Client
from tests.attacks.target import NotJudged, Target
from tests.attacks.wire import answers_in, request
from tests.server import PROJECT

CONNECTIONS = 8
AUDIT_EVERY_SECONDS = 2.0
ANSWER_SECONDS_MAX = 20.0
RETRY_SECONDS = 0.05
TICK_SECONDS = 0.01
ERRORS_SHOWN = 3
BEGUN = b"begun\n"
BEGIN_SECONDS_MAX = 5.0
"""How long good clients wait for a first answer before they say so all the same."""


class Seen(msgspec.Struct, frozen=True):
    """What good clients saw: answers, errors and the seconds until an answer."""

    count: int
    errors: int
    first_errors: list[str]
    p50_seconds: float
    p99_seconds: float


class GoodClients:
    """8 connections, each with one request under way."""

    def __init__(self, target: Target, rate: float, wallets: Sequence[str]) -> None:
        self._target = target
        self._seconds_between = 1 / rate if rate else 0.0
        self._begun_at = self._asks_at = time.monotonic()
        self._has_said_begun = False
        self._idle: list[Client] = []
        pairs = itertools.cycle(itertools.permutations(wallets, 2))
        self._transfers = (self._transfer(*pair) for pair in pairs)
        self._audit = request("GET", "/audit", host=target.authority)
        self._selector = selectors.DefaultSelector()
        self._seconds: list[float] = []
        self._errors: list[str] = []
        self._audited_at = time.monotonic()
        self._asks_audit: set[Client] = set()

    def _transfer(self, source: str, target: str) -> bytes:
        body = {"fromWalletId": source, "toWalletId": target, "amount": 1}
        return request("POST", "/wallet/transfer", body, host=self._target.authority)

    def run(self) -> Seen:
        """Ask until stdin ends."""
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        for _ in range(CONNECTIONS):
            self._connect()
        while True:
            for key, events in self._selector.select(TICK_SECONDS):
                if key.fileobj is sys.stdin:
                    return self._seen()
                self._serve(key.data, events)
            self._ask_idle()
            self._say_begun()
            self._drop_unanswered()

    def _say_begun(self) -> None:
        """Say once that there are answers, or that there were none for a while."""
        has_waited = time.monotonic() - self._begun_at > BEGIN_SECONDS_MAX
        if not self._has_said_begun and (self._seconds or has_waited):
            self._has_said_begun = True
            sys.stdout.buffer.write(BEGUN)
            sys.stdout.flush()

    def _connect(self) -> None:
        client = Client(self._target, b"", True, None)
        self._selector.register(client.socket, client.events, client)
        self._idle.append(client)

    def _ask_idle(self) -> None:
        """Send the next requests that are due."""
        while self._idle and (now := time.monotonic()) >= self._asks_at:
            self._asks_at = max(self._asks_at + self._seconds_between, now - 1)
            self._ask(self._idle.pop(0))

    def _ask(self, client: Client) -> None:
        now = time.monotonic()
        data = next(self._transfers)
        if now - self._audited_at > AUDIT_EVERY_SECONDS:
            self._audited_at, data = now, self._audit
            self._asks_audit.add(client)
        client.pending += data
        client.received.clear()
        client.opened_at = now
        self._selector.modify(client.socket, client.events, client)

    def _serve(self, client: Client, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE and client.pending:
                del client.pending[: client.socket.send(client.pending)]
                self._selector.modify(client.socket, client.events, client)
            if events & selectors.EVENT_READ:
                data = client.socket.recv(65536)
                if not data and client in self._idle:
                    self._renew(client)
                    return
                if not data:
                    raise ConnectionError("closed without an answer")
                client.received += data
                self._heard(client)
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(client, repr(error))

    def _heard(self, client: Client) -> None:
        answers, rest = answers_in(bytes(client.received), False)
        if not answers:
            return
        answer = answers[0]
        if client in self._asks_audit:
            self._asks_audit.remove(client)
            if not answer.json()["balanced"]:
                self._errors.append("an audit is not balanced")
        else:
            self._seconds.append(time.monotonic() - client.opened_at)
        if answer.status != 200 or rest or len(answers) > 1:
            self._errors.append(f"{answer.status} {answer.body[:200]!r}")
        if answer.headers.get("connection", "").lower() == "close":
            self._renew(client)
        else:
            self._idle.append(client)

    def _fail(self, client: Client, why: str) -> None:
        self._errors.append(why)
        self._asks_audit.discard(client)
        time.sleep(RETRY_SECONDS)
        self._renew(client)

    def _renew(self, client: Client) -> None:
        if client in self._idle:
            self._idle.remove(client)
        self._selector.unregister(client.socket)
        client.socket.close()
        self._connect()

    def _drop_unanswered(self) -> None:
        now = time.monotonic()
        for key in list(self._selector.get_map().values()):
            client = key.data
            if client is None or client in self._idle:
                continue
            if now - client.opened_at > ANSWER_SECONDS_MAX:
                self._seconds.append(now - client.opened_at)
                self._fail(client, f"no answer in {ANSWER_SECONDS_MAX} s")

    def _seen(self) -> Seen:
        # Who still waits has waited for so long at least.
        now = time.monotonic()
        waits = [
            now - key.data.opened_at
            for key in self._selector.get_map().values()
            if key.data is not None and key.data not in self._idle
        ]
        longest = max(self._seconds, default=0.0)
        self._seconds += [wait for wait in waits if wait > longest]
        cuts = statistics.quantiles(self._seconds or [0.0, 0.0], n=100)
        return Seen(
            count=len(self._seconds),
            errors=len(self._errors),
            first_errors=self._errors[:ERRORS_SHOWN],
            p50_seconds=cuts[49],
            p99_seconds=cuts[98],
        )


class Probe:
    """Good clients that run beside an attack."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._seen: Seen | None = None

    @property
    def seen(self) -> Seen:
        """End the good clients, the first time, and return what they saw."""
        if self._seen is None:
            printed, _ = self._process.communicate(timeout=2 * ANSWER_SECONDS_MAX)
            if self._process.returncode:
                raise NotJudged("the good clients' own process has failed")
            self._seen = msgspec.json.decode(printed, type=Seen)
        return self._seen


@contextmanager
def good_clients(
    target: Target, rate: float, wallets: Sequence[str]
) -> Iterator[Probe]:
    """Run good clients for as long as the block takes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.attacks.good", target.url, str(rate), *wallets],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield Probe(process)
    finally:
        with suppress(OSError, ValueError):
            process.communicate(timeout=2 * ANSWER_SECONDS_MAX)
        process.kill()
        process.wait()


def main() -> int:
    _, address, rate, *wallets = sys.argv
    seen = GoodClients(Target.parse(address), float(rate), wallets).run()
    sys.stdout.buffer.write(msgspec.json.encode(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
