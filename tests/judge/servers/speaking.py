"""The right wallets behind the paths, names and forms of a dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import count

import msgspec

from tests.judge.servers import exercise
from tests.judge.servers.describing import description
from tests.judge.servers.dialect import FIELDS, Dialect
from tests.judge.servers.exercise import (
    Answer,
    Entry,
    Refused,
    Request,
    new_id,
)
from tests.judge.servers.forms import Forms, csv_of, snake
from tests.judge.servers.threaded import Service, Wallets

WITHOUT_FUNDS = "insufficient funds"
ENCODER = msgspec.json.Encoder(decimal_format="number")

Given = Mapping[str, object]


class Missing(Refused):
    def __init__(self, names: list[str]) -> None:
        super().__init__(422, f"missing: {', '.join(names)}")
        self.names = names


class NamedWallets(Wallets):
    """Wallets whose ids can be numbers, or the names of their users."""

    def __init__(self, ids: str) -> None:
        super().__init__()
        self.ids = ids
        self.numbers = count(1)

    def id_for(self, user_id: str) -> str:
        if self.ids == "integer":
            return str(next(self.numbers))
        return user_id if self.ids == "user" else new_id()


class Speaking(Service):
    def __init__(self, dialect: Dialect, wallets: Wallets) -> None:
        super().__init__(wallets)
        self.dialect = dialect
        self.forms = Forms(dialect)
        self.acts = {
            "create": self.open,
            "add": self.pay_in,
            "deduct": self.pay_out,
            "operate": self.operate,
            "sign": self.sign,
            "transfer": self.pass_on,
            "read": self.show,
            "balance": self.show_balance,
            "history": self.list_entries,
        }

    def answer(self, request: Request) -> Answer:
        if self.dialect.key_in == "body" and request.method == "POST":
            key = _key_in(request.body, self.dialect.name("key"))
            return super().answer(replace(request, key=key))
        return super().answer(request)

    def route(self, request: Request) -> Answer:
        if self.dialect.is_described and request.path == "/openapi.json":
            return Answer(200, description(self.dialect))
        for operation, line in self.dialect.routes.items():
            method, path = line.split()
            pattern = path.replace("{wallet}", "(?P<wallet>[^/]+)")
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                given = self.given(operation, request, found.groupdict())
                return self.acts[operation](given)
        raise Refused(404, f"Cannot {request.method} {request.path}")

    def given(self, operation: str, request: Request, path: dict[str, str]) -> Given:
        """Return what a request says, by our own names; the path goes before."""
        body: Given = request.query
        if request.method != "GET":
            body = _object_of(request.body)
        names = {what: self.dialect.name(what) for what in FIELDS}
        said = {what: body[name] for what, name in names.items() if name in body}
        if self.dialect.key_in == "header" and request.method != "GET":
            if request.key is None:
                raise Refused(400, "the header Idempotency-Key is required")
        given = {**request.query, **said, **path}
        needs = self.dialect.needs(operation)
        if missing := [names[what] for what in needs if what not in given]:
            if self.dialect.is_terse:
                raise Refused(404, "Not found")
            raise Missing(missing)
        return given

    def open(self, given: Given) -> Answer:
        user = self.text(given, "user") if "user" in given else new_id()
        opening = self.forms.units(given["opening"], 0) if "opening" in given else 0
        wallet = self.wallets.create(user)
        if opening:
            self.wallets.add(wallet.id, opening)
        return self.said(201, self.forms.wallet(wallet))

    def pay_in(self, given: Given) -> Answer:
        amount = self.forms.units(given["amount"])
        return self.moved(self.wallets.add(self.text(given, "wallet"), amount))

    def pay_out(self, given: Given) -> Answer:
        amount = self.forms.units(given["amount"])
        return self.moved(self.wallets.deduct(self.text(given, "wallet"), amount))

    def operate(self, given: Given) -> Answer:
        match given["operation"]:
            case "DEPOSIT":
                return self.pay_in(given)
            case "WITHDRAW":
                return self.pay_out(given)
        raise Refused(400, "operationType must be DEPOSIT or WITHDRAW")

    def sign(self, given: Given) -> Answer:
        amount = self.forms.units(given["amount"], -exercise.AMOUNT_MAX)
        wallet = self.text(given, "wallet")
        if amount == 0:
            raise Refused(400, "the amount is 0")
        if amount < 0:
            return self.moved(self.wallets.deduct(wallet, -amount))
        return self.moved(self.wallets.add(wallet, amount))

    def pass_on(self, given: Given) -> Answer:
        source = self.text(given, "wallet" if "wallet" in given else "from")
        target, amount = self.text(given, "to"), self.forms.units(given["amount"])
        sent, received = self.wallets.transfer(source, target, amount)
        return self.moved(sent, received)

    def show(self, given: Given) -> Answer:
        wallet = self.wallets.find(self.text(given, "wallet"))
        with wallet.lock:
            return self.said(200, self.forms.wallet(wallet))

    def show_balance(self, given: Given) -> Answer:
        wallet = self.wallets.find(self.text(given, "wallet"))
        with wallet.lock:
            return self.said(200, {"balance": self.forms.money(wallet.balance)})

    def list_entries(self, given: Given) -> Answer:
        forms = self.forms.entries(self.wallets.history(self.text(given, "wallet")))
        if self.dialect.history == "csv":
            return Answer(200, csv_of(forms), {"Content-Type": "text/csv"})
        if self.dialect.history == "list":
            return self.said(200, forms)
        query = {name: str(value) for name, value in given.items()}
        most = self.dialect.limit_max
        limit = exercise.bounded(query, "limit", min(exercise.PAGE_SIZE, most), most)
        page = exercise.bounded(query, "page", 1, 10**6)
        start = (page - 1) * limit
        if "type" in query:
            forms = [each for each in forms if each["type"] == query["type"]]
        shown = {"transactions": forms[start : start + limit], "total": len(forms)}
        return self.said(200, shown)

    def text(self, given: Given, what: str) -> str:
        value = given[what]
        if self.dialect.ids == "integer" and type(value) is int:
            return str(value)
        return exercise.text({self.dialect.name(what): value}, self.dialect.name(what))

    def moved(self, *entries: Entry) -> Answer:
        first = entries[0]
        match self.dialect.moved:
            case "balance":
                return self.said(
                    200, {"balance": self.forms.money(first.balance_after)}
                )
            case "message":
                return self.said(200, {"message": "done"})
            case "status":
                return self.said(201, {"id": first.id, "status": "SUCCESS"})
        forms = [self.forms.entry(entry) for entry in entries]
        return self.said(200, forms[0] if len(forms) == 1 else {"transfer": forms})

    def said(self, status: int, content: object) -> Answer:
        if self.dialect.is_snake_case:
            content = snake(content)
        if self.dialect.envelope:
            content = {"success": True, self.dialect.envelope: content}
        return Answer(status, ENCODER.encode(content).decode())

    def refuse(self, refused: Refused) -> Answer:
        status, form = refused.status, {"error": refused.error}
        if isinstance(refused, Missing):  # as FastAPI says it
            missing = [{"loc": ["body", name]} for name in refused.names]
            return exercise.as_json(status, {"detail": missing})
        if refused.error == WITHOUT_FUNDS:
            status = self.dialect.without_funds
        if self.dialect.envelope:
            return exercise.as_json(status, {"success": False, **form})
        if status == 200:
            return exercise.as_json(status, {"status": "FAILED", **form})
        return exercise.as_json(status, form)


def _object_of(body: bytes) -> Given:
    """Return a body's fields, with decimals as they are written."""
    try:
        value = json.loads(body or b"{}", parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        raise Refused(400, "the body is no JSON") from None
    if not isinstance(value, dict):
        raise Refused(400, "the body is no object")
    return value


def _key_in(body: bytes, name: str) -> str | None:
    try:
        key = _object_of(body).get(name)
    except Refused:
        return None
    return key if isinstance(key, str) else None
