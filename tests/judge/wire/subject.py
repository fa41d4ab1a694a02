"""A wallet server, spoken to by its adapter: calls in, outcomes out."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from tests.judge.arithmetic.calls import Done, Entry, Lane, Op, Outcome, Plan, Record
from tests.judge.arithmetic.verdicts import Verdict
from tests.judge.wire import answers
from tests.judge.wire.adapter import Adapter, Call
from tests.judge.wire.client import Client, Exchange, Request, Script

PLACEHOLDER = re.compile(r"\{(-?\w+)\}")
REST_SECONDS = 2.0
"""How long is waited until two reads of all wallets are equal."""

LOOK_SECONDS = 0.02
PAGES_MAX = 50
CUT_MIN = 10
NO_PAGE = (400, 404, 416, 422)
"""What a server may answer to a page after the last."""

ACCEPTED = 202
"""What a server answers that does the work later."""


class Undecided(Exception):
    """What is needed to decide could not be had: the reason, in words."""


@dataclass
class Subject:
    """A server under judgement."""

    client: Client
    adapter: Adapter
    base: str = ""
    """What stands before each path."""

    unknown: dict[str, str] = field(default_factory=dict)
    """The kinds of calls that it may have and that nobody knows how to make: why."""

    _taken: int = 0
    _longest: int = 0
    """How many entries the longest page of a history had: a shorter one is the last."""
    _before: dict[str, tuple[Entry, ...] | None] = field(default_factory=dict)
    """The histories before the latest round of each wallet."""

    # Requests

    def request(self, call: Call, values: dict[str, str]) -> Request:
        """Return the request of a call, with these values filled in."""
        method, _, target = call.request.partition(" ")
        path = self.base + _filled(target, values, lambda text: quote(text, safe=""))
        headers: list[tuple[str, str]] = list(self.adapter.headers.items())
        body = None
        if call.body:
            body = _filled(call.body, values, _in_json).encode()
            headers.append(("Content-Type", "application/json"))
        if values.get("key") and self.adapter.key.header:
            headers.append((self.adapter.key.header, values["key"]))
        return Request(method, path, body, tuple(headers))

    def probe(self) -> Request:
        """Return a request for a path that no server has."""
        return Request("GET", f"{self.base}/judge-{uuid.uuid4().hex}")

    def asked(
        self,
        op: Op,
        ids: Sequence[str],
        users: Sequence[str] = (),
        call: Call | None = None,
    ) -> Request:
        """Return the request that a call of a plan makes, or one made otherwise."""
        nobody = self.unknown_id(ids)
        names = [*ids, nobody]
        amount = Decimal(op.amount).scaleb(-self.adapter.scale, answers.EXACT)
        values = {
            "wallet": names[op.wallet] if op.kind != "create" else "",
            "from": names[op.wallet] if op.kind != "create" else "",
            "to": names[op.to] if op.to is not None else "",
            "amount": f"{amount:f}",
            "-amount": f"{-amount:f}",
            "key": op.key or (str(uuid.uuid4()) if self.needs_key(op) else ""),
            "limit": str(self.adapter.history.limit),
            "page": str(self.adapter.history.page_first),
            "user": users[op.wallet] if op.kind == "create" else "",
        }
        return self.request(call or self.call(op.kind), values)

    def needs_key(self, op: Op) -> bool:
        return self.adapter.key.is_required and op.kind not in ("read", "history")

    def call(self, kind: str) -> Call:
        """Return how a kind of call is made."""
        return self.adapter.call(kind)

    def offers(self, *kinds: str) -> bool:
        return all(self.call(kind).request for kind in kinds)

    def left_out(self, kinds: Iterable[str]) -> tuple[Verdict, str] | None:
        """Return what a probe comes to that needs these kinds of calls, if it cannot
        be run: what was not found may be there, and be wrong."""
        missing = [kind for kind in kinds if not self.offers(kind)]
        for kind in missing:
            if kind in self.unknown:
                return Verdict.UNKNOWN, self.unknown[kind]
        if missing:
            return Verdict.SKIPPED, f"not offered: {', '.join(missing)}"
        return None

    def new_user(self) -> str:
        """Return a user that has no wallet."""
        match self.adapter.create.user:
            case "uuid":
                return str(uuid.uuid4())
            case "name":
                return f"judge-{uuid.uuid4().hex[:12]}"
            case "integer":
                return str(uuid.uuid4().int % 10**9 + 10**6)

    def unknown_id(self, ids: Sequence[str]) -> str:
        """Return the id of no wallet, in the form of the others."""
        if ids and ids[0].isdecimal():
            return "999999999"
        return str(uuid.uuid4())

    # Single calls

    def one(self, op: Op, ids: Sequence[str], users: Sequence[str] = ()) -> Done:
        """Make one call."""
        exchange = self.client.send(self.asked(op, ids, users))
        return self.done(op, exchange)

    def done(
        self,
        op: Op,
        exchange: Exchange,
        *,
        stage: int = 0,
        lane: int = 0,
        zero_ns: int = 0,
    ) -> Done:
        """Return what came of a call."""
        answer = exchange.answer
        came = Done(
            op,
            stage,
            lane,
            exchange.began_ns - zero_ns,
            exchange.released_ns - zero_ns,
            exchange.ended_ns - zero_ns,
            answers.outcome(exchange, self.adapter),
            answer.status if answer else None,
            said=answers.said(exchange),
        )
        if answer is None or came.outcome is not Outcome.ACKNOWLEDGED:
            return came
        try:
            if op.kind == "create":
                id = answers.wallet_id(answer, self.adapter.create.id)
                return msgspec.structs.replace(came, id=id)
            if op.kind == "history":
                rows = answers.rows(answer, self.adapter)
                entries = tuple(answers.entries(rows, self.adapter))
                if self._may_be_cut(rows):
                    return came
                return msgspec.structs.replace(came, entries=entries)
            paths = self.call(op.kind).balance
            found = answers.balance(answer, paths, self.adapter.scale)
            return msgspec.structs.replace(came, balance=found)
        except answers.Unreadable as error:
            if op.kind in ("add", "deduct", "transfer"):
                return came
            return msgspec.structs.replace(
                came, outcome=Outcome.UNKNOWN, said=str(error)
            )

    def open(self, balance: int = 0) -> str:
        """Make a wallet with this balance, and return its id. Raises Undecided."""
        if self.adapter.wallets:
            return self._seeded(balance)
        is_funded = self.adapter.create.is_funded
        op = Op("create", amount=balance if is_funded else 0)
        made = self.one(op, [], [self.new_user()])
        if not made.id:
            raise Undecided(f"no wallet could be made: {_answered(made)}")
        if balance and not is_funded:
            self._pay(Op("add", 0, balance), made.id, balance)
        return made.id

    def _seeded(self, balance: int) -> str:
        id = self.adapter.wallets[self._taken % len(self.adapter.wallets)]
        self._taken += 1
        held = self.read(id)
        if held is None:
            raise Undecided(f"the balance of {id} cannot be read")
        if held > balance:
            self._pay(Op("deduct", 0, held - balance), id, balance)
        elif held < balance:
            self._pay(Op("add", 0, balance - held), id, balance)
        return id

    def _pay(self, op: Op, id: str, balance: int) -> None:
        """Make a call, and wait for the balance if it is accepted for later."""
        done = self.one(op, [id])
        ends = time.monotonic() + REST_SECONDS
        while done.status == ACCEPTED and time.monotonic() < ends:
            if self.read(id) == balance:
                return
            time.sleep(LOOK_SECONDS)
        if done.outcome is not Outcome.ACKNOWLEDGED:
            raise Undecided(f"{op.kind} of {op.amount}: {_answered(done)}")

    def read(self, id: str) -> int | None:
        """Return a balance; None if it cannot be read."""
        return self.one(Op("read"), [id]).balance

    def history(self, id: str) -> tuple[Entry, ...] | None:
        """Return a history, latest last; None if there is none that can be read."""
        history = self.adapter.history
        if not history.request:
            return None
        found: list[Entry] = []
        before: list[Any] = []
        is_paged = "{page}" in history.request
        for number in range(PAGES_MAX):
            rows = self._page(id, number)
            if rows is None:
                return None
            is_ignored = number == 1 and rows == before
            if not is_paged or (is_ignored and rows):
                if self._may_be_cut(rows):
                    return None
            if number and (not rows or rows == before):
                break
            try:
                found += answers.entries(rows, self.adapter)
            except answers.Unreadable:
                return None
            if len(rows) < self._longest or not is_paged:
                break
            self._longest = len(rows)
            before = rows
        else:
            return None
        return tuple(found[::-1] if history.is_latest_first else found)

    def _page(self, id: str, number: int) -> list[Any] | None:
        """Return the rows of a page, none after the last; None if it is not read."""
        history = self.adapter.history
        page = str(history.page_first + number)
        values = {"wallet": id, "limit": str(history.limit), "page": page}
        answer = self.client.send(self.request(Call(history.request), values)).answer
        if answer is not None and answer.status in NO_PAGE and number:
            return []
        if answer is None or not 200 <= answer.status < 300:
            return None
        try:
            return answers.rows(answer, self.adapter)
        except answers.Unreadable:
            return None

    def _may_be_cut(self, rows: Sequence[Any]) -> bool:
        """Tell whether a page may have no room for more: who cuts a history does so
        at a round number."""
        return len(rows) == self.adapter.history.limit or (
            len(rows) >= CUT_MIN and len(rows) % 5 == 0
        )

    # Rounds

    def play(self, plan: Plan) -> Record:
        """Run a plan on wallets of its own, and return how it went.

        Raises Undecided if its wallets cannot be made, and Spent.
        """
        ids = [self.open(start) for start in plan.starts]
        starts = [self.read(id) for id in ids]
        if None in starts:
            raise Undecided("a new wallet cannot be read")
        self._before |= {id: self.history(id) for id in ids}
        users = [self.new_user()]
        keys = {
            op.key: str(uuid.uuid4())
            for stage in plan.stages
            for lane in stage
            for op in lane.ops
        }
        done: list[Done] = []
        zero_ns = 0
        for number, stage in enumerate(plan.stages):
            ran = self.client.race(
                [self._lane(lane, ids, users, keys) for lane in stage]
            )
            zero_ns = zero_ns or min(
                (lane[0].released_ns for lane in ran if lane), default=0
            )
            for index, (lane, exchanges) in enumerate(zip(stage, ran, strict=True)):
                done += [
                    self.done(op, each, stage=number, lane=index, zero_ns=zero_ns)
                    for op, each in zip(lane.ops, exchanges, strict=False)
                ]
        rest, entries = self._afterwards(ids)
        return Record(
            plan,
            tuple(ids),
            tuple(start for start in starts if start is not None),
            tuple(done),
            rest,
            entries,
        )

    def _afterwards(
        self, ids: Sequence[str]
    ) -> tuple[tuple[int | None, ...], tuple[tuple[Entry, ...] | None, ...]]:
        """Return the balances at rest, and the histories since the round began.

        A history is one of these balances only if they are the same after it was
        read: what is accepted may be done in between.
        """
        ends = time.monotonic() + REST_SECONDS
        while True:
            rest = self._at_rest(ids)
            if None in rest:
                return tuple(rest), (None,) * len(ids)
            entries = tuple(self._since(id) for id in ids)
            if self.balances(ids) == rest:
                return tuple(rest), entries
            if time.monotonic() > ends:
                return tuple(rest), (None,) * len(ids)

    def _since(self, id: str) -> tuple[Entry, ...] | None:
        """Return what a history has now, without what it had before the round."""
        was, now = self._before.get(id), self.history(id)
        return None if was is None or now is None else _without(now, was)

    def pause(self) -> None:
        """Wait for what is done late."""
        time.sleep(REST_SECONDS / 8)

    def later(self, record: Record) -> Record:
        """Return a record with its balances and histories after more time."""
        self.pause()
        rest, entries = self._afterwards(record.ids)
        return msgspec.structs.replace(record, rest=rest, entries=entries)

    def _lane(
        self,
        lane: Lane,
        ids: Sequence[str],
        users: Sequence[str],
        keys: dict[str, str],
    ) -> Script:
        requests = [
            self.asked(
                msgspec.structs.replace(op, key=keys[op.key]) if op.key else op,
                ids,
                users,
            )
            for op in lane.ops
        ]
        return Script(requests, lane.offset_ns, lane.is_beside)

    def _at_rest(self, ids: Sequence[str]) -> list[int | None]:
        """Return the balances, read twice in a row the same if they settle."""
        ends = time.monotonic() + REST_SECONDS
        before = self.balances(ids)
        while True:
            time.sleep(LOOK_SECONDS)
            after = self.balances(ids)
            is_settled = after == before or None in after
            if is_settled or time.monotonic() > ends:
                return after
            before = after

    def balances(self, ids: Sequence[str]) -> list[int | None]:
        """Return the balances of wallets, read at once: one may hang."""
        op = Op("read")
        ran = self.client.race(
            [Script([self.asked(op, [id])]) for id in ids], is_gated=False
        )
        return [self.done(op, exchange).balance for (exchange,) in ran]


def _without(now: Sequence[Entry], was: Sequence[Entry]) -> tuple[Entry, ...]:
    left = Counter(was)
    added = []
    for entry in now:
        if left[entry]:
            left[entry] -= 1
        else:
            added.append(entry)
    return tuple(added)


def _filled(text: str, values: dict[str, str], quoted: Callable[[str], str]) -> str:
    return PLACEHOLDER.sub(
        lambda found: quoted(values[found[1]]) if found[1] in values else found[0],
        text,
    )


def _in_json(text: str) -> str:
    return msgspec.json.encode(text).decode()[1:-1]


def _answered(done: Done) -> str:
    return f"{done.status} {done.said}" if done.status else done.said
