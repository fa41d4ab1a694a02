"""Where an attack happens: a server, and wallets that were there before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from tests.attacks.crowd import TIMEOUT_SECONDS, Crowd, ask
from tests.attacks.target import NotJudged, Target
from tests.attacks.wire import request
from tests.server import CONFIGURED, Server, running

WITNESSES = 3
GOOD_WALLETS = 9
AMOUNT = 1_000_000
"""Minor units in each wallet that was there before; the good clients move theirs."""

LARGE_ROWS = 6_000
LARGE_PIPELINE = 50
DESCRIPTION = "\N{GRINNING FACE}" * 140
"""560 bytes, so that a history of 6,000 is larger than what sockets hold."""

DESCRIPTORS = 1_024
NEWCOMER_SECONDS_MAX = 5.0
SETTINGS = {"WALLET_WEBHOOK_ALLOW_PRIVATE": "1", "WALLET_OTP_CHANNEL": "log"}


@dataclass
class Arena:
    """What an attack is given. `seconds` is how long the long ones run."""

    target: Target
    seconds: float = 10.0
    server: Server | None = None
    good_rate: float = 0.0
    """Requests of the good clients a second; 0 is as many as are answered."""

    witnesses: list[str] = field(default_factory=list)
    good: list[str] = field(default_factory=list)
    _large: str | None = None

    def prepare(self) -> None:
        """Create the wallets that have to be there afterwards."""
        self.witnesses = [self.new_wallet(AMOUNT) for _ in range(WITNESSES)]
        self.good = [self.new_wallet(AMOUNT) for _ in range(GOOD_WALLETS)]

    def post(
        self, path: str, body: Mapping[str, object], source: str | None = None
    ) -> dict[str, object]:
        """Post what has to succeed, and return its answer."""
        answer = ask(self.target, "POST", path, body, source=source)
        assert answer.status < 300, f"{path}: {answer.status} {answer.body[:300]!r}"
        answered: dict[str, object] = answer.json()
        return answered

    def new_wallet(self, amount: int = 0) -> str:
        wallet_id = str(self.post("/wallet/create", {"userId": str(uuid4())})["id"])
        if amount:
            self.post("/wallet/add", {"walletId": wallet_id, "amount": amount})
        return wallet_id

    def balance(self, wallet_id: str) -> int:
        answer = ask(self.target, "GET", f"/wallet/{wallet_id}")
        assert answer.status == 200, f"a wallet is gone: {answer.body[:200]!r}"
        return int(answer.json()["balance"])

    def large_wallet(self) -> str:
        """Return a wallet whose history is some megabytes as CSV."""
        if self._large is None:
            wallet_id = self.new_wallet()
            body = {"walletId": wallet_id, "amount": 1, "description": DESCRIPTION}
            add = request("POST", "/wallet/add", body, host=self.target.authority)
            for _ in range(LARGE_ROWS // LARGE_PIPELINE):
                self._pipeline(add, LARGE_PIPELINE)
            made = self.balance(wallet_id)
            assert made == LARGE_ROWS, f"{made} of {LARGE_ROWS} pipelined requests"
            self._large = wallet_id
        return self._large

    def _pipeline(self, data: bytes, count: int) -> None:
        with Crowd(self.target) as crowd:
            (client,) = crowd.open(1, data * count)
            end = b"HTTP/1.1 200"
            crowd.tend(
                TIMEOUT_SECONDS,
                lambda: client.is_closed or client.received.count(end) == count,
            )

    def check_ledger(self) -> None:
        """Assert that the wallets of before are there, and that the books balance."""
        balances = [self.balance(each) for each in self.witnesses]
        assert balances == [AMOUNT] * WITNESSES, f"the witnesses hold {balances}"
        total = sum(self.balance(each) for each in self.good)
        assert total == AMOUNT * GOOD_WALLETS, f"the good clients hold {total}"
        audit = ask(self.target, "GET", "/audit").json()
        assert audit["balanced"], f"the audit: {audit['problems'][:3]}"

    def newcomers(self, crowd: Crowd, count: int = 60) -> str:
        """Have newcomers ask while a crowd is there; each has to be answered soon."""
        asks = request("GET", "/health", host=self.target.authority, keep_alive=False)
        clients = crowd.open(count, asks)
        crowd.tend(
            NEWCOMER_SECONDS_MAX, lambda: all(c.answers or c.is_closed for c in clients)
        )
        heard = [c.heard_seconds for c in clients if c.is_served and c.heard_seconds]
        assert len(heard) == count, f"{len(heard)} of {count} newcomers were answered"
        return f"{count} newcomers answered, the last in {max(heard) * 1e3:.0f} ms"


@dataclass(frozen=True, slots=True)
class Attack:
    """One row of the table."""

    name: str
    run: Callable[[Arena], str]
    """Attacks, asserts what has to hold, returns what was seen in a few words."""

    is_fast: bool = False
    """Ends within about two seconds, so that it belongs to the test command."""

    starts_server: bool = False
    """Ends its server or uses it up, so it starts its own."""

    needs_large: bool = False
    """Asks for a history of some megabytes, which is there before it is measured."""

    is_strict: bool = False
    """The good clients' 99th percentile has to stay within 3 times, however short."""

    margin_mib: float = 24.0
    """How much more memory the server may hold afterwards, apart from history."""


def limited(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command that has the usual limit of descriptors."""
    return ("sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh", *command)


@contextmanager
def own_server(
    command: tuple[str, ...] = CONFIGURED, environ: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run a server with the usual limit of descriptors."""
    with running(limited(command), SETTINGS | dict(environ or {})) as server:
        yield server


@contextmanager
def own_arena(
    seconds: float,
    command: tuple[str, ...] = CONFIGURED,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Arena]:
    """Run a server, with the wallets that have to be there afterwards."""
    with own_server(command, environ) as server:
        arena = Arena(Target.parse(server.url), seconds, server)
        arena.prepare()
        yield arena


def need(condition: bool, why: str) -> None:
    """Raise NotJudged unless an attack can be made here."""
    if not condition:
        raise NotJudged(why)
