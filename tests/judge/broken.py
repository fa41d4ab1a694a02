"""Wallet servers with one bug each that the contract must convict: what they do to one
call after the other, not to calls at once."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import cast
from uuid import UUID

from tests.judge.servers.exercise import (
    Answer,
    Entry,
    Json,
    Refused,
    Request,
    as_json,
    check_funds,
    new_id,
    text,
)
from tests.judge.servers.manners import SCRIPT, AcceptedLater
from tests.judge.servers.parts import PARTS, Parts
from tests.judge.servers.threaded import Handler, LockedWallet, Service, Wallets


class AnyAmount(Service):
    """Nothing is checked of an amount that is an integer."""

    def amount(self, body: Json) -> int:
        value = body.get("amount")
        return value if type(value) is int else super().amount(body)


class NoBounds(Wallets):
    """A balance goes below zero, and above what a client reads exactly."""

    def add(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        with wallet.lock:
            return self.record(wallet, "CREDIT", amount, wallet.balance + amount)

    def deduct(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        with wallet.lock:
            return self.record(wallet, "DEBIT", amount, wallet.balance - amount)

    def transfer(self, from_id: str, to_id: str, amount: int) -> tuple[Entry, Entry]:
        source, target = self.find(from_id), self.find(to_id)
        reference = new_id()
        return (
            self.send(source, amount, reference),
            self.receive(target, amount, reference),
        )


class MadeWhenLookedFor(Wallets):
    """A wallet that is not there is made, with something in it."""

    def find(self, wallet_id: str) -> LockedWallet:
        if wallet_id not in self.by_id:
            wallet = self.insert(new_id())
            wallet.balance = 100
            self.by_id[wallet_id] = wallet
        return self.by_id[wallet_id]


class ErrorsAre500(Service):
    def refuse(self, refused: Refused) -> Answer:
        return as_json(500, {"error": refused.error})


class EscapesInErrors(Service):
    def refuse(self, refused: Refused) -> Answer:
        return Answer(500, SCRIPT)


class NoKeys(Service):
    def once(self, key: str, request: Request) -> Answer:
        return self.route(request)


class RefusalsAre422(Service):
    def refuse(self, refused: Refused) -> Answer:
        return as_json(422, {"error": refused.error})


class GetOrCreate(Wallets):
    def create(self, user_id: str) -> LockedWallet:
        return self.by_user.get(user_id) or super().create(user_id)


class CreatesAnew(Wallets):
    """Each creation makes a wallet, and forgets the one before."""

    def create(self, user_id: str) -> LockedWallet:
        with self.lock:
            return self.insert(user_id)


class ResetsOnCreate(Wallets):
    """A second creation is refused, when the balance is 0 again."""

    def create(self, user_id: str) -> LockedWallet:
        if user_id in self.by_user:
            self.by_user[user_id].balance = 0
        return super().create(user_id)


class StartsWithBonus(Wallets):
    def insert(self, user_id: str) -> LockedWallet:
        wallet = super().insert(user_id)
        wallet.balance = 10
        return wallet


class OneForAll(Wallets):
    """All users have the same balance."""

    def get(self, wallet_id: str) -> Json:
        total = sum(wallet.balance for wallet in {*self.by_id.values()})
        return {**super().get(wallet_id), "balance": total}


class AnyUser(Service):
    def create(self, body: Json) -> Answer:
        user = body.get("userId")
        if isinstance(user, str) and user:
            return super().create(body)
        return as_json(201, self.wallets.create(new_id()).json())


class NoFields(Service):
    """A wallet is its id and its balance."""

    def route(self, request: Request) -> Answer:
        answer = super().route(request)
        fields = json.loads(answer.body)
        kept = {"id": fields.get("id"), "balance": fields.get("balance")}
        return as_json(answer.status, kept) if "userId" in fields else answer


class NothingHappens(Wallets):
    """What is acknowledged is forgotten."""

    def record(
        self,
        wallet: LockedWallet,
        type: str,
        amount: int,
        balance: int,
        reference: str | None = None,
    ) -> Entry:
        return wallet.entry(type, amount, balance, reference)


class NeverEmpty(Wallets):
    """Something must stay in a wallet."""

    def deduct(self, wallet_id: str, amount: int) -> Entry:
        self.check(wallet_id, amount)
        return super().deduct(wallet_id, amount)

    def transfer(self, from_id: str, to_id: str, amount: int) -> tuple[Entry, Entry]:
        self.check(from_id, amount)
        return super().transfer(from_id, to_id, amount)

    def check(self, wallet_id: str, amount: int) -> None:
        check_funds(self.find(wallet_id), amount + 1)


class JavaScript(Service):
    """Amounts as JavaScript takes them that nobody has checked."""

    def amount(self, body: Json) -> int:
        value = body.get("amount")
        if isinstance(value, list):
            value = 8 if value else 0
        if isinstance(value, dict):
            value = math.nan
        if isinstance(value, str):
            value = 10 * int(value)
        if value is None or value is True:
            value = 2
        return cast(int, value)

    def route(self, request: Request) -> Answer:
        answer = super().route(request)
        body = answer.body.replace("NaN", "null").replace("Infinity", "null")
        return replace(answer, body=body)


class Lenient(Service):
    """A body that is no object is taken for the one before."""

    last: Mapping[str, object] = {}

    def answer(self, request: Request) -> Answer:
        if request.parts == ["wallet", "add"]:
            try:
                given = json.loads(request.body)
            except (ValueError, RecursionError):
                given = None
            if isinstance(given, dict) and "amount" in given:
                type(self).last = given
            body = json.dumps(self.last).encode()
            return super().answer(replace(request, body=body))
        return super().answer(request)


class TakesFields(Service):
    """What a body says of other fields is set, or of a field for the second time."""

    def route(self, request: Request) -> Answer:
        answer = super().route(request)
        if request.parts == ["wallet", "add"] and request.body.count(b":") > 2:
            wallet_id = text(json.loads(request.body), "walletId")
            self.wallets.find(wallet_id).balance += 100
        return answer


class Twice(Handler):
    """What comes with another method, or as a text, is done twice."""

    def do_PUT(self) -> None:
        self.do_POST()

    def ask(self, method: str, body: bytes) -> Answer:
        is_other = self.headers.get("Content-Type") == "text/plain"
        if method == "POST" and (is_other or self.command == "PUT"):
            super().ask(method, body)
        return super().ask(method, body)


class OldestFirst(Wallets):
    def history(self, wallet_id: str) -> list[Entry]:
        return super().history(wallet_id)[::-1]


class NoQuery(Service):
    """The whole history, whatever is asked for."""

    def history(self, wallet_id: str, request: Request) -> Answer:
        return super().history(wallet_id, replace(request, query={}))


class NeverTheLast(Service):
    """Each page lacks its last entry."""

    def history(self, wallet_id: str, request: Request) -> Answer:
        answer = super().history(wallet_id, request)
        page = json.loads(answer.body)
        if request.query.get("limit") == "3":
            page["transactions"] = page["transactions"][:2]
        return as_json(answer.status, page)


class QueriesAre500(Service):
    def history(self, wallet_id: str, request: Request) -> Answer:
        try:
            return super().history(wallet_id, request)
        except Refused:
            return as_json(500, {})


class Unlinked(Wallets):
    def record(
        self,
        wallet: LockedWallet,
        type: str,
        amount: int,
        balance: int,
        reference: str | None = None,
    ) -> Entry:
        reference = reference and new_id()
        return super().record(wallet, type, amount, balance, reference)


class OtherTypes(Wallets):
    def history(self, wallet_id: str) -> list[Entry]:
        names = {"TRANSFER_IN": "CREDIT"}
        return [
            replace(each, type=names.get(each.type, each.type))
            for each in super().history(wallet_id)
        ]


class WrongAfter(Wallets):
    def history(self, wallet_id: str) -> list[Entry]:
        return [
            replace(each, balance_after=each.balance_after + each.amount)
            for each in super().history(wallet_id)
        ]


class NoDebits(Wallets):
    """Deducts are not in the history."""

    def history(self, wallet_id: str) -> list[Entry]:
        return [each for each in super().history(wallet_id) if each.type != "DEBIT"]


class AnyMoney(Wallets):
    """Amounts of any size, kept as floats."""

    def add(self, wallet_id: str, amount: int) -> Entry:
        wallet = self.find(wallet_id)
        with wallet.lock:
            balance = int(float(wallet.balance) + float(amount))
            return self.record(wallet, "CREDIT", amount, balance)


class Rounds(Service):
    def amount(self, body: Json) -> int:
        value = body.get("amount")
        return round(value) if isinstance(value, float) else super().amount(body)


class AcceptedWithFunds(AcceptedLater):
    """What is accepted and not yet done is no funds."""

    def deduct(self, body: Json) -> Answer:
        check_funds(self.wallets.find(text(body, "walletId")), self.amount(body))
        return super().deduct(body)


class Evasive(Service):
    """What it does not like it answers with a success, or with another address."""

    def route(self, request: Request) -> Answer:
        if ".." in request.path:
            return as_json(307, {"note": "elsewhere"})
        if b"true" in request.body:
            return as_json(200, {"note": "ignored"})
        return super().route(request)


class Limited(Service):
    """After some requests none is answered any more, for a long time."""

    left = itertools.chain(range(30))

    def answer(self, request: Request) -> Answer:
        if next(self.left, None) is None:
            return Answer(429, "{}", {"Retry-After": "0"})
        return super().answer(request)


class LosesOneAnswer(Handler):
    """The connection is closed after a call that is no valid one, once."""

    left = itertools.chain(range(1))
    was_bad = False

    def send(self, answer: Answer) -> None:
        is_lost = type(self).was_bad and answer.status == 200
        if is_lost and next(self.left, None) is not None:
            self.close_connection = True
            return
        type(self).was_bad = answer.status == 400
        super().send(answer)


class StopsListening(Handler):
    """After an id that is no UUID the server is gone, as a process is that died."""

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self.is_last():
            self.server.socket.close()
        is_gone = self.server.socket.fileno() < 0
        self.close_connection = self.close_connection or is_gone
        return not is_gone

    def is_last(self) -> bool:
        parts = self.path.split("/")
        try:
            UUID(parts[2])
        except (ValueError, IndexError):
            return self.command == "GET" and len(parts) > 2
        return False


def stops_after(requests: int) -> type[Handler]:
    """Return a handler whose server is gone after so many requests."""

    class StopsAfter(StopsListening):
        count = itertools.count(1)

        def is_last(self) -> bool:
            return next(self.count) > requests

    return StopsAfter


def restarted(times: int) -> type[Handler]:
    """Return a handler whose server is restarted, without its wallets, so many
    times: where a read of what is no UUID would have killed it."""

    class Restarted(StopsListening):
        left = itertools.chain(range(times))

        def parse_request(self) -> bool:
            if not Handler.parse_request(self):
                return False
            if self.is_last() and next(self.left, None) is not None:
                self.server.service.wallets.by_id.clear()
                self.close_connection = True
                return False
            return True

    return Restarted


class HangsInHistory(Handler):
    """A history is never answered."""

    def parse_request(self) -> bool:
        is_read = super().parse_request() and "transactions" not in self.path
        if not is_read:
            self.rfile.read(1)  # until the client has gone
            self.close_connection = True
        return is_read


STOPS = (25, 120, 136, 250)
"""After how many requests servers are gone: in each part of the contract one."""

BROKEN = {
    "any-amount": Parts(NoBounds, AnyAmount),
    "made-when-looked-for": Parts(MadeWhenLookedFor),
    "errors-are-500": Parts(service=ErrorsAre500),
    "escapes-in-errors": Parts(service=EscapesInErrors),
    "no-keys": Parts(service=NoKeys),
    "refusals-are-422": Parts(service=RefusalsAre422),
    "get-or-create": Parts(GetOrCreate),
    "creates-again": Parts(CreatesAnew),
    "resets-on-create": Parts(ResetsOnCreate),
    "starts-with-bonus": Parts(StartsWithBonus),
    "one-for-all": Parts(OneForAll),
    "any-user": Parts(service=AnyUser),
    "no-fields": Parts(service=NoFields),
    "nothing-happens": Parts(NothingHappens),
    "never-empty": Parts(NeverEmpty),
    "javascript": Parts(NoBounds, JavaScript),
    "lenient": Parts(service=Lenient),
    "takes-fields": Parts(service=TakesFields),
    "twice": Parts(handler=Twice),
    "no-bounds": Parts(NoBounds, AnyAmount),
    "oldest-first": Parts(OldestFirst),
    "no-query": Parts(service=NoQuery),
    "never-the-last": Parts(service=NeverTheLast),
    "queries-are-500": Parts(service=QueriesAre500),
    "unlinked": Parts(Unlinked),
    "other-types": Parts(OtherTypes),
    "wrong-after": Parts(WrongAfter),
    "no-debits": Parts(NoDebits),
    "any-money": Parts(AnyMoney, AnyAmount),
    "rounds": Parts(service=Rounds),
    "accepted-with-funds": Parts(service=AcceptedWithFunds),
    "evasive": Parts(service=Evasive),
    "limited": Parts(service=Limited),
    "loses-one-answer": Parts(handler=LosesOneAnswer),
    "stops-listening": Parts(handler=StopsListening),
    "restarted-once": Parts(handler=restarted(1)),
    "restarted-always": Parts(handler=restarted(1000)),
    "hangs-in-history": Parts(handler=HangsInHistory),
    **{f"stops-after-{n}": Parts(handler=stops_after(n)) for n in STOPS},
    **PARTS,
}
