"""Guesses how a server is spoken to. Only what the balances confirm is taken.

Paths come from the server's OpenAPI document if there is one, then from the dialects
that wallet servers were found to speak. Fields are read from errors that name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from msgspec.structs import replace

from tests.judge.arithmetic.calls import Op, Outcome
from tests.judge.wire import answers
from tests.judge.wire.adapter import Adapter, Call, Create, History, Key
from tests.judge.wire.client import Answer, Request
from tests.judge.wire.guesses import Path
from tests.judge.wire.histories_read import learnt
from tests.judge.wire.openapi import described
from tests.judge.wire.setup import SMALL_LIMIT
from tests.judge.wire.subject import Subject, Undecided
from tests.judge.wire.vocabulary import (
    BALANCES,
    IDS,
    WORD,
    Role,
    body_of,
    fields_in,
    last,
    leaves,
)

TRIES_MAX = 3_000
"""Requests that are spent on guesses."""

NOTHING = "judge-nothing"
"""The end of a path that no server has."""

NUMBER = re.compile(rb"[0-9a-fA-F.:-]*[0-9][0-9a-fA-F.:-]*")

OPENED = 20
"""The balance at first, where one must be given."""

PREFIXES = ("", "/api", "/api/v1")
CREATES = ("/wallet/create", "/wallets", "/accounts", "/wallet", "/account", "/setup")
WALLETS = ("/wallet", "/wallets", "/accounts", "/account")
CREDITS = "deposit fund credit topup add".split()
DEBITS = "withdraw debit deduct".split()
TRANSFERS = ("/transfer", "/transfers", "/send")
HISTORIES = ("transactions", "history", "entries")

CREATE_FIELDS: tuple[tuple[str, ...], ...] = (
    ("userId",),
    (),
    ("user_id",),
    ("owner",),
    ("username",),
    ("currency",),
    ("name", "balance"),
    ("id", "balance"),
    ("initial_amount",),
)
PAID_FIELDS = (
    ("walletId", "amount"),
    ("wallet_id", "amount"),
    ("account_id", "amount"),
    ("accountId", "amount"),
)
MOVED_FIELDS = (
    ("fromWalletId", "toWalletId"),
    ("from_wallet_id", "to_wallet_id"),
    ("from_account_id", "to_account_id"),
    ("fromAccountId", "toAccountId"),
    ("from", "to"),
    ("fromId", "toId"),
    ("from_id", "to_id"),
    ("fromWallet", "toWallet"),
    ("fromAccount", "toAccount"),
    ("sourceWalletId", "destinationWalletId"),
    ("sourceWalletId", "targetWalletId"),
    ("source_wallet_id", "destination_wallet_id"),
    ("source_wallet_id", "target_wallet_id"),
    ("sourceAccountId", "destinationAccountId"),
    ("sourceId", "destinationId"),
    ("sourceId", "targetId"),
    ("source", "destination"),
    ("source", "target"),
    ("senderId", "receiverId"),
    ("senderId", "recipientId"),
    ("sender_id", "receiver_id"),
    ("sender_id", "recipient_id"),
    ("senderWalletId", "receiverWalletId"),
    ("senderWalletId", "recipientWalletId"),
    ("sender_wallet_id", "receiver_wallet_id"),
    ("sender_wallet_id", "recipient_wallet_id"),
    ("sender", "receiver"),
    ("sender", "recipient"),
)
OPENINGS = ("balance", "initialBalance", "initial_balance", "initialAmount")
OPERATIONS = {
    "add": ("CREDIT", "DEPOSIT", "ADD", "credit", "deposit"),
    "deduct": ("DEBIT", "WITHDRAW", "WITHDRAWAL", "DEDUCT", "debit", "withdraw"),
}


class NoGuess(Exception):
    """No guess was confirmed: what could not be found out."""


@dataclass
class Guess:
    """What has been found out so far."""

    subject: Subject
    described: dict[str, list[Path]] = field(default_factory=dict)
    prefix: str = ""
    ids: list[str] = field(default_factory=list)
    is_id_number: bool = False
    balances: list[int] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)
    """What was done to the first wallet."""
    amount: str = "amount"
    """The field that the first call that was found has for the amount."""
    missing: dict[str, tuple[int, bytes] | None] = field(default_factory=dict)
    """What is answered for a path that there is not, by what it begins with."""
    tries: int = 0

    def adapter(self) -> Adapter:
        """Return an adapter that the balances confirm. Raises NoGuess and Spent."""
        subject = self.subject
        nothing = Call()
        subject.adapter = Adapter(
            name="found out",
            add=nothing,
            deduct=nothing,
            transfer=nothing,
            read=nothing,
            history=History(request=""),
            key=Key(header=""),
            headers=subject.adapter.headers,
        )
        self.described = described(subject, PREFIXES)
        self._create()
        self._change("add", 7)
        if not subject.offers("add"):
            self._open_with()
        self._change("deduct", 4)
        self._transfer(3)
        if not any(subject.offers(kind) for kind in ("add", "deduct", "transfer")):
            raise NoGuess(
                f"wallets are made by {subject.adapter.create.request} and read by "
                f"{subject.adapter.read.request}, but nothing moves money"
            )
        self._scale()
        self._history()
        return subject.adapter

    # Requests

    def _send(self, request: Request) -> Answer | None:
        self.tries += 1
        if self.tries > TRIES_MAX:
            raise NoGuess(f"{TRIES_MAX:,} requests did not find out enough")
        return self.subject.client.send(request).answer

    def _set(self, **parts: Any) -> None:
        self.subject.adapter = replace(self.subject.adapter, **parts)

    # Wallets

    def _create(self) -> None:
        paths = self.described.get("create") or [
            Path(f"POST {prefix}{path}") for prefix, path in product(PREFIXES, CREATES)
        ]
        for path in paths:
            for fields in self._fields(path, CREATE_FIELDS):
                for is_text in (False, True):
                    found = self._created(path, fields, is_text)
                    if found is None or found:
                        break
                if found is None:
                    break  # there is no such path
                if found:
                    return
        raise NoGuess("no request was found that makes a wallet and one that reads it")

    def _fields(
        self, path: Path, usual: Sequence[tuple[str, ...]]
    ) -> Iterator[tuple[str, ...]]:
        if path.fields is not None:
            yield path.fields
        else:
            yield from usual

    def _created(
        self, path: Path, names: tuple[str, ...], is_text: bool
    ) -> bool | None:
        """Try to make a wallet; None says that there is no such path."""
        for _ in range(3):  # an error may name what is missing
            fields = fields_in(names, "create")
            create = Create(
                path.line,
                body_of(fields, is_amount_text=is_text),
                is_funded="opening" in fields,
            )
            self._set(create=create)
            answer = self._make()
            if answer is None or answer.status in (404, 405, 501):
                return None
            if 200 <= answer.status < 300 and self._is_wallet(answer, create):
                return True
            more = (*_named(answer), *names)
            is_refused = 400 <= answer.status < 500 or answers.is_failing(
                answer, self.subject.adapter
            )
            if not is_refused or fields_in(more, "create") == fields:
                return False
            names = more
        return False

    def _make(self) -> Answer | None:
        user = self.subject.new_user()
        op = Op("create", 0, OPENED)
        answer = self._send(self.subject.asked(op, [], [user]))
        if _asks_for_key(answer):
            self._set(key=Key(is_required=True))
            answer = self._send(self.subject.asked(op, [], [user]))
        return answer

    def _is_wallet(self, answer: Answer, create: Create) -> bool:
        """Find out where its id is, and how it is read; make a second one."""
        try:
            said = answers.document(answer)
        except answers.Unreadable:
            said = {}
        found = (
            sorted(
                (IDS.index(last(path)), path, value)
                for path, value in leaves(said)
                if last(path) in IDS
                and isinstance(value, int | str)
                and not isinstance(value, bool)
            )
            if isinstance(said, dict)
            else []
        )
        for _, path, value in found:
            self.ids = [str(value)]
            self.is_id_number = isinstance(value, int)
            self._set(create=replace(create, id=(path,)))
            opened = OPENED if create.is_funded else 0
            if self._read(create.request, opened):
                self.ids.append(self.subject.open(opened))
                self.balances = [opened, opened]
                return True
        return False

    def _read(self, made_by: str, opened: int) -> bool:
        made = made_by.partition(" ")[2]
        self.prefix = next(
            prefix for prefix in reversed(PREFIXES) if made.startswith(prefix)
        )
        own = made.removesuffix("/create")
        paths = self.described.get("read") or [
            Path(f"GET {path}/{{wallet}}{end}")
            for path in dict.fromkeys([own, *(self.prefix + each for each in WALLETS)])
            for end in ("", "/balance")
        ]
        for path in paths:
            call = Call(path.line, balance=())
            answer = self._send(self.subject.asked(Op("read"), self.ids, call=call))
            if answer is None or not 200 <= answer.status < 300:
                continue
            for at in _balances_in(answer):
                self._set(read=replace(call, balance=(at,)))
                if self.subject.read(self.ids[0]) == opened:
                    return True
        return False

    def _open_with(self) -> None:
        """Nothing adds money: find out how a wallet is made with some."""
        create = self.subject.adapter.create
        if create.is_funded:
            return
        for name in OPENINGS:
            inner = create.body.strip("{} ")
            body = f'{{{inner}{", " if inner else ""}"{name}": {{amount}}}}'
            self._set(create=replace(create, body=body, is_funded=True))
            try:
                ids = [self.subject.open(OPENED), self.subject.open(OPENED)]
            except Undecided:
                continue
            if self.subject.read(ids[0]) == OPENED:
                self.ids, self.balances, self.changes = ids, [OPENED, OPENED], []
                self.missing.clear()
                return
        self._set(create=create)

    # Money

    def _change(self, kind: str, amount: int) -> None:
        """Find out how a balance is raised or lowered, by what it is afterwards."""
        if kind == "deduct" and self.balances[0] < amount:
            return
        for path in self._paid_paths(kind):
            has_wallet = "{wallet}" in path.line
            usual = (("amount",), ("value",)) if has_wallet else PAID_FIELDS
            for fields in self._fields(path, usual):
                found = self._moves(kind, path, fields, Op(kind, 0, amount))  # type: ignore[arg-type]
                if found is None:
                    break
                if found:
                    return

    def _paid_paths(self, kind: str) -> list[Path]:
        if self.described:
            return [*self.described.get(kind, ()), *self.described.get("paid", ())]
        words = CREDITS if kind == "add" else DEBITS
        homes = self._homes()
        return [
            *(
                Path(f"{method} {home}/{word}")
                for home in homes
                for word in words
                for method in ("POST", "PATCH")
            ),
            *(
                Path(f"POST {self.prefix}{home}/{word}")
                for home in ("", *WALLETS)
                for word in words
            ),
            Path(f"POST {self.prefix}/wallet", ("walletId", "operationType", "amount")),
            Path(f"POST {self.prefix}/transact/{{wallet}}"),
        ]

    def _homes(self) -> list[str]:
        """Return the paths under which a wallet may be, the one that is read first."""
        own = self.subject.adapter.read.request.partition(" ")[2]
        usual = (f"{self.prefix}{each}/{{wallet}}" for each in WALLETS)
        return list(dict.fromkeys([own.removesuffix("/balance"), *usual]))

    def _transfer(self, amount: int) -> None:
        if self.balances[0] < amount:
            return
        paths = self.described.get("transfer") or [
            Path(f"POST {self.prefix}{home}{end}")
            for home in ("", *WALLETS, *(f"{each}/{{from}}" for each in WALLETS))
            for end in TRANSFERS
        ]
        for path in paths:
            usual = dict.fromkeys(
                (*(names[1:] if "{from}" in path.line else names), self.amount)
                for names in MOVED_FIELDS
            )
            for fields in self._fields(path, list(usual)):
                op = Op("transfer", 0, amount, 1)
                found = self._moves("transfer", path, fields, op)
                if found is None:
                    break
                if found:
                    return

    def _moves(
        self, kind: str, path: Path, names: tuple[str, ...], op: Op
    ) -> bool | None:
        """Try one request; None says that there is no such path."""
        operations = OPERATIONS.get(kind, ("",))
        signs = ("{amount}", "{-amount}") if kind == "deduct" else ("{amount}",)
        for _ in range(3):
            fields = fields_in(names, kind)
            if "{wallet}" in path.line or "{from}" in path.line:
                fields.pop("wallet", None)
                fields.pop("from", None)
            if "amount" not in fields:
                fields["amount"] = "amount"
            named: list[str] = []
            forms = product(
                operations if "operation" in fields else ("",), signs, (False, True)
            )
            for operation, sign, is_text in forms:
                body = body_of(
                    fields,
                    is_id_number=self.is_id_number,
                    is_amount_text=is_text,
                    amount=sign,
                    operation=operation,
                )
                answer = self._tried(kind, op, Call(path.line, body, ()), fields)
                if answer is None:
                    self.amount = fields["amount"]
                    return True
                if self._is_missing(path.line, answer):
                    return None
                named += _named(answer)
            more = (*named, *names)
            if fields_in(more, kind) == fields_in(names, kind):
                return False
            names = more
        return False

    def _is_missing(self, line: str, answer: Answer) -> bool:
        """Tell whether there is no such path: a 404 may also be for the wallet, and
        is then another one than that for a path beside it."""
        if answer.status != 404:
            return answer.status in (405, 501)
        home, _, name = line.rpartition("/")
        if home not in self.missing:
            values = {"wallet": self.ids[0], "from": self.ids[0]}
            call = Call(f"{home}/{NOTHING}", "{}")
            other = self._send(self.subject.request(call, values))
            self.missing[home] = _without(other, NOTHING) if other else None
        return self.missing[home] in (None, _without(answer, name))

    def _tried(
        self, kind: str, op: Op, call: Call, fields: dict[Role, str]
    ) -> Answer | None:
        """Make a call; None says that the balances are what it should make of them."""
        before = self.subject.adapter
        self._set(**{kind: call})
        if "key" in fields:
            self._set(key=Key(header="", is_required=True))
        exchange = self.subject.client.send(self.subject.asked(op, self.ids))
        self.tries += 1
        answer = exchange.answer
        if _asks_for_key(answer):
            self._set(key=Key(is_required=True))
            exchange = self.subject.client.send(self.subject.asked(op, self.ids))
            answer = exchange.answer
        wanted = list(self.balances)
        for wallet, change in op.changes().items():
            wanted[wallet] += change
        if answer is not None and answer.status < 300 and self._comes_to(wanted):
            self.balances = wanted
            self.changes.append(op.changes()[0])
            self._set(**{kind: replace(call, balance=_after(answer, wanted[0]))})
            return None
        held = [each or 0 for each in self.subject.balances(self.ids)]
        if held[0] != self.balances[0]:  # it did something else
            self.changes.append(held[0] - self.balances[0])
        self.balances = held
        self.subject.adapter = before
        return answer or Answer(404, (), b"")

    def _comes_to(self, wanted: list[int]) -> bool:
        for _ in range(3):  # it may be done a little later
            if self.subject.balances(self.ids) == wanted:
                return True
            if self.subject.balances(self.ids) != self.balances:
                return False
            self.subject.pause()
        return False

    def _scale(self) -> None:
        """Find out whether amounts may have decimals: 0.50 must be in the balance."""
        adapter = self.subject.adapter
        if not adapter.add.request:
            return
        self._set(scale=2)
        start = self.subject.read(self.ids[0])
        done = self.subject.one(Op("add", 0, 50), self.ids)
        after = self.subject.read(self.ids[0])
        if (
            done.outcome is Outcome.ACKNOWLEDGED
            and start is not None
            and after == start + 50
        ):
            self.changes = [100 * each for each in self.changes] + [50]
            return
        self.subject.adapter = adapter

    # History

    def _history(self) -> None:
        adapter = self.subject.adapter
        homes = self._homes()
        pages = "?limit={limit}&page={page}"
        paths = [each.line for each in self.described.get("history", ())] or [
            *(f"GET {home}/{word}" for home in homes for word in HISTORIES),
            *(
                f"GET {self.prefix}/transactions?{name}={{wallet}}"
                for name in ("walletId", "wallet_id", "accountId", "account_id")
            ),
            adapter.read.request,
        ]
        for path in paths:
            is_plain = "?" in path or path == adapter.read.request
            forms = (path + pages, 20), (path + pages, SMALL_LIMIT), (path, 20)
            for line, limit in forms[2:] if is_plain else forms:
                values = {"wallet": self.ids[0], "limit": str(limit), "page": "1"}
                answer = self._send(self.subject.request(Call(line), values))
                if answer is None or answer.status in (404, 405):
                    break
                if not 200 <= answer.status < 300:
                    continue
                found = learnt(answer, self.changes, self.subject.adapter.scale)
                if found is not None:
                    self._set(history=replace(found, request=line, limit=limit))
                    return


def _without(answer: Answer, name: str) -> tuple[int, bytes]:
    """Return an answer without the name of what was asked for, times and ids."""
    body = answer.body.replace(name.encode(), b"")
    return answer.status, NUMBER.sub(b"", body)


def _named(answer: Answer) -> list[str]:
    """Return the words of an error, which may name a field that is missing."""
    return WORD.findall(answer.body[:4000].decode("utf-8", "replace"))


def _balances_in(answer: Answer) -> list[str]:
    """Return where in an answer a balance may stand, the most likely place first."""
    try:
        said = answers.document(answer)
    except answers.Unreadable:
        return []
    if not isinstance(said, dict):
        return [""]
    found = [path for path, _ in leaves(said) if last(path) in BALANCES]
    return sorted(found, key=lambda path: BALANCES.index(last(path)))


def _after(answer: Answer, balance: int) -> tuple[str, ...]:
    """Return where in an answer the balance afterwards stands."""
    found = []
    for path in _balances_in(answer):
        try:
            if answers.money(answers.at(answers.document(answer), path), 0) == balance:
                found.append(path)
        except answers.Unreadable:
            continue
    return tuple(found[:1])


def _asks_for_key(answer: Answer | None) -> bool:
    return (
        answer is not None
        and 400 <= answer.status < 500
        and re.search(rb"idempotency[-_ ]?key", answer.body, re.IGNORECASE) is not None
        and b"header" in answer.body.lower()
    )
