"""Requests that must be refused, or must at least do no harm."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from tests.judge.arithmetic.calls import NOBODY, Op
from tests.judge.wire.client import Request
from tests.judge.wire.subject import Subject

HALF = "<half>"
"""Stands for half of the smallest unit."""

MORE = 10_000_000
"""More than is in any wallet of the bench."""

ADD, DEDUCT = Op("add", 0, 5), Op("deduct", 0, 5)
TRANSFER, READ = Op("transfer", 0, 5, 1), Op("read")
CREATE, HISTORY = Op("create"), Op("history")


@dataclass(frozen=True, slots=True)
class Bad:
    """A request, made from a right one by one change.

    `refused` says that the exercise wants it refused, `status` with which status.
    `takes` are the amounts that it may be taken for, where it does not say so.
    """

    name: str
    op: Op
    refused: bool = False
    status: int | None = None
    is_must: bool = True
    takes: tuple[str, ...] = ()
    may_pass: bool = False
    """It may be taken for what it was before the change."""
    amount: str | None = None
    """JSON in place of the amount."""
    ids: tuple[str, str] | None = None
    """In place of the two ids; an empty one is left."""
    user: str | None = None
    """JSON in place of the user."""
    body: str | None = None
    lacks: bool = False
    """Without the amount, or without the user."""
    more: str = ""
    """Fields before the others."""
    content_type: str = "application/json"
    query: str | None = None
    method: str = ""
    path: str = ""

    def request(self, subject: Subject, ids: Sequence[str]) -> Request | None:
        """Return the request; None if this change cannot be made to it."""
        call = subject.call(self.op.kind)
        body = call.body
        if self.is_changed_in_body and not body:
            return None
        for given, fields in (
            (self.amount, ["amount"]),
            (self.user, ["user"]),
            ("null" if self.lacks else None, ["amount", "user"]),
        ):
            if given is None:
                continue
            if not any(f"{{{name}}}" in body for name in fields):
                return None
            if given.startswith('"') and f'"{{{fields[0]}}}"' in body and self.amount:
                return None  # a text is what this server wants
            body = _replaced(body, fields, with_half(given, subject.adapter.scale))
        if self.op.amount < 0 and "{-amount}" in subject.adapter.deduct.body:
            return None  # this is how this server wants a deduct
        if self.more:
            body = body.replace("{", "{" + self.more, 1)
        call = msgspec.structs.replace(call, body=body)
        users = [subject.new_user()]
        names = [
            given or id for given, id in zip(self.ids or ("", ""), ids, strict=True)
        ]
        request = subject.asked(self.op, names, users, call)
        return self._changed(request)

    @property
    def shows(self) -> str:
        what = self.name.replace("bad-input/", "").replace("/", " ").replace("-", " ")
        return f"{what}: refused" if self.refused else f"{what}: no harm is done"

    @property
    def is_changed_in_body(self) -> bool:
        return (
            self.body is not None
            or self.lacks
            or bool(self.more)
            or self.content_type != "application/json"
        )

    def _changed(self, request: Request) -> Request:
        body, target = request.body, request.target
        if self.body is not None:
            body = self.body.encode(errors="surrogateescape")
        elif self.lacks and body is not None:
            body = _without_null(body)
        if self.query is not None:
            target = f"{target.partition('?')[0]}?{self.query}"
        if self.path:
            target = self.path
        headers = tuple(
            (name, self.content_type if name == "Content-Type" else value)
            for name, value in request.headers
        )
        return Request(self.method or request.method, target, body, headers)


def _replaced(body: str, names: Sequence[str], given: str) -> str:
    for name in names:
        body = body.replace(f'"{{{name}}}"', given).replace(f"{{{name}}}", given)
    return body


def _without_null(body: bytes) -> bytes:
    fields = json.loads(body)
    return json.dumps({name: fields[name] for name in fields if fields[name]}).encode()


def with_half(text: str, scale: int) -> str:
    return text.replace(HALF, f"0.{'0' * scale}5")


# The table

DEEP = "[" * 10_000 + "]" * 10_000
LONG = "a" * 5_000
MEGABYTE = "a" * 1_000_000
INJECTION = "' OR '1'='1"
NO_UUID = "judge-abc"
ADD_NOBODY = Op("add", NOBODY, 5)
DEDUCT_NOBODY = Op("deduct", NOBODY, 5)
TO_NOBODY, FROM_NOBODY = Op("transfer", 0, 5, NOBODY), Op("transfer", NOBODY, 5, 1)

RULES = (
    Bad("add/zero", Op("add", 0, 0), refused=True),
    Bad("add/negative", Op("add", 0, -5), refused=True),
    Bad("add/unknown-wallet", ADD_NOBODY, refused=True, status=404),
    Bad("deduct/zero", Op("deduct", 0, 0), refused=True),
    Bad("deduct/negative", Op("deduct", 0, -5), refused=True),
    Bad("deduct/beyond-balance", Op("deduct", 0, MORE), refused=True, status=400),
    Bad("deduct/unknown-wallet", DEDUCT_NOBODY, refused=True, status=404),
    Bad("transfer/zero", Op("transfer", 0, 0, 1), refused=True),
    Bad("transfer/negative", Op("transfer", 0, -5, 1), refused=True),
    Bad("transfer/beyond-balance", Op("transfer", 0, MORE, 1), refused=True),
    Bad("transfer/to-itself", Op("transfer", 0, 5, 0), refused=True),
    Bad("transfer/to-nobody", TO_NOBODY, refused=True, status=404),
    Bad("transfer/from-nobody", FROM_NOBODY, refused=True, status=404),
    Bad("read/unknown-wallet", Op("read", NOBODY), refused=True, status=404),
    Bad("history/unknown-wallet", Op("history", NOBODY), refused=True, status=404),
)

USERS = (
    Bad("create/no-user", CREATE, is_must=False, lacks=True),
    Bad("create/null-user", CREATE, is_must=False, user="null"),
    Bad("create/empty-user", CREATE, is_must=False, user='""'),
    Bad("create/object-user", CREATE, is_must=False, user='{"a": 1}'),
)

QUERIES = tuple(
    Bad(f"history/{name}", HISTORY, is_must=False, query=query)
    for name, query in (
        ("limit-0", "limit=0&page=1"),
        ("limit-negative", "limit=-1&page=1"),
        ("limit-text", "limit=abc&page=1"),
        ("limit-huge", f"limit={10**18}&page=1"),
        ("page-0", "limit=20&page=0"),
        ("page-huge", f"limit=20&page={10**18}"),
        ("type-unknown", "type=NONSENSE"),
    )
)

NO_NUMBERS = tuple(
    Bad(f"bad-input/{op.kind}-{name}", op, amount=amount, takes=takes)
    for op in (ADD, DEDUCT, TRANSFER)
    for name, amount, takes in (
        ("text", '"7"', ("7",)),
        ("true", "true", ("1",)),
        ("null", "null", ()),
        ("list", "[7]", ("7",)),
        ("nan", "NaN", ()),
    )
)

NUMBERS = (
    Bad("bad-input/add-fraction", ADD, amount=HALF, takes=(HALF,)),
    Bad("bad-input/add-1.0", ADD, amount="1.0", takes=("1",)),
    Bad("bad-input/add-1e3", ADD, amount="1e3", takes=("1000",)),
    Bad("bad-input/add-1e400", ADD, amount="1e400"),
    Bad("bad-input/add-object", ADD, amount='{"a": 7}'),
    Bad("bad-input/add-brackets", ADD, amount=DEEP),
    Bad("bad-input/add-negative-text", ADD, amount='"-5"', refused=True),
    Bad("bad-input/add-no-amount", ADD, lacks=True, refused=True),
)

BODIES = (
    Bad("bad-input/no-json", ADD, body='{"walletId": ', refused=True),
    Bad("bad-input/no-body", ADD, body="", refused=True),
    Bad("bad-input/list-body", ADD, body="[]", refused=True),
    Bad("bad-input/null-body", ADD, body="null", refused=True),
    Bad("bad-input/deep-body", ADD, body=DEEP, refused=True),
    Bad("bad-input/no-unicode", ADD, body='{"a": "\udcff\udcfe"}', refused=True),
    Bad(
        "bad-input/key-twice",
        ADD,
        more='"amount": 3, ',
        takes=("3",),
        may_pass=True,
    ),
    Bad("bad-input/unknown-field", ADD, more='"isAdmin": true, ', may_pass=True),
    Bad("bad-input/prototype", ADD, more='"__proto__": {"a": 7}, ', may_pass=True),
    Bad(
        "bad-input/megabyte",
        ADD,
        is_must=False,
        more=f'"note": "{MEGABYTE}", ',
        may_pass=True,
    ),
    Bad("bad-input/content-type", ADD, content_type="text/plain", may_pass=True),
    Bad("bad-input/method", ADD, method="PUT", may_pass=True, is_must=False),
)

IDS = (
    Bad("bad-input/read-no-uuid", READ, ids=(NO_UUID, ""), refused=True),
    Bad("bad-input/read-quotes", READ, ids=(INJECTION, ""), refused=True),
    Bad("bad-input/read-nul", READ, ids=("\0", ""), refused=True),
    Bad("bad-input/read-long-id", READ, ids=(LONG, ""), refused=True),
    Bad("bad-input/read-dots", READ, ids=("../", ""), is_must=False),
    Bad("bad-input/read-path", READ, path="/judge-abc", is_must=False),
    Bad("bad-input/add-no-uuid", ADD, ids=(NO_UUID, ""), refused=True),
    Bad("bad-input/add-quotes", ADD, ids=(INJECTION, ""), refused=True),
    Bad("bad-input/transfer-no-uuid", TRANSFER, ids=("", NO_UUID), refused=True),
)

BAD = (*RULES, *USERS, *QUERIES, *NO_NUMBERS, *NUMBERS, *BODIES, *IDS)
