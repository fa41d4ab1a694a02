"""What the cases of the contract share: two wallets, and what must be in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from tests.judge.arithmetic.calls import Op, Outcome
from tests.judge.arithmetic.verdicts import Harm, Verdict
from tests.judge.wire import answers
from tests.judge.wire.adapter import Call
from tests.judge.wire.client import Exchange, Request, Script
from tests.judge.wire.subject import Subject, Undecided

START = 1_000
"""What is in the two wallets at first, in minor units."""

LOOKS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""How long is waited, in seconds, before a balance that is not right is read again."""

BACK_SECONDS = 2.0
"""How long is waited for a server that somebody may be restarting."""

BUSY = (408, 429, 502, 503, 504)
"""With these a server says nothing of the request itself."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a case came to, and the requests that show it."""

    verdict: Verdict
    sentence: str
    sums: str = ""
    requests: tuple[Request, ...] = ()
    likely: str = ""
    harm: Harm | None = None
    answered: str = ""
    """What the server said, for who wants to know more than the sentence says."""
    is_dead: bool = False
    """Nothing listened at the address any more."""


@dataclass(frozen=True, slots=True)
class Case:
    """`shows` is what is said of it if it passes; `needs` are the kinds of calls that
    it cannot do without."""

    name: str
    shows: str
    needs: tuple[str, ...]
    judge: Callable[[Bench], Seen]
    is_must: bool = True


class Stopped(Exception):
    """A valid call has no answer, twice."""

    def __init__(self, exchange: Exchange, *, is_dead: bool) -> None:
        super().__init__(exchange.failure)
        self.exchange = exchange
        self.is_dead = is_dead
        """Nothing listens at the address any more."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a wallet holds, in minor units; None if that cannot be read."""

    amount: Decimal | None
    status: int
    said: str

    @property
    def is_read(self) -> bool:
        return self.amount is not None

    def __str__(self) -> str:
        if self.amount is None:
            return f"{self.status} {self.said}"
        return f"{self.amount:f}"


@dataclass
class Bench:
    """Sends what a case asks for, and knows what the two wallets must hold."""

    subject: Subject
    looks: Sequence[float] = LOOKS
    back_seconds: float = BACK_SECONDS
    held: list[Decimal] = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)
    """What the case has sent and was not valid."""
    failing: int = 0
    """How often a call was refused by a success with a failing status."""

    failure: str = ""
    """Why the latest valid call without an answer had none."""

    story: object = None
    """The history that several cases look at."""

    _busy: int = 0
    _ids: list[str] = field(default_factory=list)
    _valid: int = 0

    def wallets(self) -> list[str]:
        """Return two wallets, new ones if there are none. Raises Undecided."""
        if not self._ids:
            self._ids = [self.subject.open(START), self.subject.open(START)]
            self.held = [Decimal(START), Decimal(START)]
        return self._ids

    def drop(self) -> None:
        """Let the two wallets be: nobody knows any more what is in them."""
        self._ids.clear()

    def begin(self) -> None:
        """Begin a case."""
        self.sent.clear()
        self._busy = self.subject.client.busy

    @property
    def is_busy(self) -> bool:
        """Tell whether the server has turned away a call of this case."""
        return self.subject.client.busy > self._busy

    # Requests

    def send(self, request: Request) -> Exchange:
        exchange = self.subject.client.send(request)
        self.failing += self.is_failing(exchange)
        return exchange

    def is_failing(self, exchange: Exchange) -> bool:
        """Tell whether a call was refused with a status of success."""
        answer = exchange.answer
        return (
            answer is not None
            and 200 <= answer.status < 300
            and answers.is_failing(answer, self.subject.adapter)
        )

    def outcome(self, exchange: Exchange) -> Outcome:
        return answers.outcome(exchange, self.subject.adapter)

    def with_amount(self, op: Op, ids: Sequence[str], amount: str) -> Request | None:
        """Return a request with this amount as it stands, in quotes where the adapter
        has them; None if the amount is not in its body."""
        call = self.subject.call(op.kind)
        if "amount}" not in call.body:
            return None
        body = call.body.replace("{-amount}", f"-{amount}").replace("{amount}", amount)
        return self.subject.asked(op, ids, call=_with(call, body))

    def valid(self, make: Callable[[], Request]) -> Exchange:
        """Make a valid call, and again if it has no answer. Raises Stopped."""
        exchange = self.send(make())
        if exchange.answer is None:
            self.failure = exchange.failure
            self.subject.pause()
            exchange = self.send(make())
        if exchange.answer is None:
            is_dead = exchange.failure.startswith("cannot connect")
            raise Stopped(exchange, is_dead=is_dead)
        return exchange

    # Balances

    def reading(self, id: str) -> Request:
        return self.subject.asked(Op("read"), [id])

    def read(self, id: str) -> Held:
        """Return what a wallet holds. Raises Stopped."""
        return self._held(self.valid(lambda: self.reading(id)))

    def read_all(self, ids: Sequence[str]) -> list[Held]:
        """Return what wallets hold, read at once. Raises Stopped."""
        scripts = [Script([self.reading(id)]) for id in ids]
        ran = self.subject.client.race(scripts, is_gated=False)
        return [
            self.read(id) if lane[0].answer is None else self._held(lane[0])
            for id, lane in zip(ids, ran, strict=True)
        ]

    def _held(self, exchange: Exchange) -> Held:
        answer = exchange.answer
        assert answer is not None
        amount = None
        if 200 <= answer.status < 300:
            paths, scale = self.subject.adapter.read.balance, self.subject.adapter.scale
            try:
                found = answers.first_at(answers.document(answer), paths)
                amount = answers.exact(found, scale)
            except answers.Unreadable:
                pass
        return Held(amount, answer.status, answers.said(exchange))

    def settled(
        self, ids: Sequence[str], right: Callable[[list[Held]], bool]
    ) -> list[Held]:
        """Read until the balances are right, for less than a second."""
        found = self.read_all(ids)
        for seconds in self.looks:
            if right(found):
                break
            time.sleep(seconds)
            found = self.read_all(ids)
        return found

    # The valid call

    def still_works(self) -> Exchange | None:
        """Make a valid call on the first wallet, and note what it changes.

        Each has an amount of its own, so that none is taken for another one repeated.
        Raises Stopped.
        """
        if not self.subject.offers("add"):
            return None
        ids = self.wallets()
        tried: list[int] = []

        def make() -> Request:
            self._valid += 1
            tried.append(self._valid)
            return self.subject.asked(Op("add", 0, self._valid), ids)

        exchange = self.valid(make)
        if len(tried) > 1:
            raise Undecided(
                f"a valid add of {tried[0]} after it had no answer ({self.failure}); "
                f"the next one, of {tried[1]}, had one"
            )
        answer = exchange.answer
        if self.outcome(exchange) is not Outcome.REFUSED and answer is not None:
            if answer.status < 500:
                self.held[0] += tried[-1]
        return exchange


def amounts(found: Sequence[Held]) -> list[Decimal | None]:
    return [each.amount for each in found]


def _with(call: Call, body: str) -> Call:
    return msgspec.structs.replace(call, body=body)
