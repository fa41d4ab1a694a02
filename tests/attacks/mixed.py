"""A good client of everything, with books of its own: after each answer it knows what
each of its wallets holds, and says so if the service does not agree.

Every POST has a key. Where a connection ends without an answer, the request is sent
again with that key, so that the books are exact whatever an attack does.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from uuid import uuid4

from tests.attacks.crowd import TIMEOUT_SECONDS
from tests.attacks.listener import Listener
from tests.attacks.target import Target

PLENTY = 1_000_000
TRIES = 20
RETRY_SECONDS = 0.2
PAYMENT_SECONDS_MAX = 120.0
ACCOUNTS = ("ok", "declines", "flaky", "times-out", "down")
WEIGHTS = (60, 15, 15, 9, 1)
ADDRESS = ("127.0.0.2", 0) if sys.platform == "linux" else None
"""Where good clients come from: not from the address that the attacks use up shares of.
Only Linux has all of 127.0.0.0/8 by itself."""

PROBLEMS_MAX = 5
PROBLEM_LENGTH = 400


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment that was acknowledged; what became of it is asked at the end."""

    id: str
    amount: int
    is_deposit: bool


class MixedClient:
    """One user of the service, on one connection and in one thread."""

    def __init__(self, target: Target, listener: Listener | None, seed: int) -> None:
        self._connection = HTTPConnection(
            target.host, target.port, TIMEOUT_SECONDS, ADDRESS
        )
        self._listener = listener
        self._random = random.Random(seed)
        self.books: dict[str, int] = {}
        self.transactions = 0
        self.statuses: Counter[int] = Counter()
        self.retried = 0
        self.late_codes = 0
        self.problems: list[str] = []
        self._payments: list[Payment] = []
        self._a, self._b, self._paying, self._freezing = (
            self._new_wallet("INR") for _ in range(4)
        )
        self._dollars = self._new_wallet("USD")
        self._operations: tuple[tuple[Callable[[], None], int], ...] = (
            (self._add, 15),
            (self._deduct, 15),
            (self._transfer, 40),
            (self._exchange, 6),
            (self._freeze, 2),
            (self._limit, 2),
            (self._approve, 2),
            (self._pay, 4),
            (self._read, 12),
            (self._export, 1),
        )

    def run(self, stop: threading.Event, requests_each_second: float) -> None:
        """Do one thing after another until it is stopped; never faster than a rate."""
        operations = [each for each, _ in self._operations]
        weights = [weight for _, weight in self._operations]
        begun, asked = time.monotonic(), sum(self.statuses.values())
        while not stop.is_set():
            (operation,) = self._random.choices(operations, weights)
            try:
                operation()
            except (AssertionError, ConnectionError) as error:
                problem = f"{operation.__name__}: {error}"[:PROBLEM_LENGTH]
                self.problems.append(problem)
                print(problem, flush=True)
                if len(self.problems) > PROBLEMS_MAX:
                    return
            made = sum(self.statuses.values()) - asked
            stop.wait(max(begun + made / requests_each_second - time.monotonic(), 0))

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask until there is an answer; return its status and its JSON or text."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid4())
        for _ in range(TRIES):
            try:
                self._connection.request(method, path, content, headers)
                with self._connection.getresponse() as answer:
                    data = answer.read()
                    is_json = "json" in (answer.headers["Content-Type"] or "")
                    self.statuses[answer.status] += 1
                    return answer.status, json.loads(data) if is_json else data
            except (OSError, HTTPException):
                self._connection.close()
                self.retried += 1
                time.sleep(RETRY_SECONDS)
        raise ConnectionError(f"{method} {path}: no answer in {TRIES} tries")

    def _post(self, path: str, body: object, status: int = 200) -> Any:
        answered, said = self.ask("POST", path, body)
        assert answered == status, f"{path} {body}: {answered} {said}"
        return said

    def _new_wallet(self, currency: str) -> str:
        body = {"userId": str(uuid4()), "currency": currency}
        wallet_id = str(self._post("/wallet/create", body, 201)["id"])
        self.books[wallet_id] = 0
        return wallet_id

    def _moved(self, amount: int, side: dict[str, Any]) -> None:
        """Enter one side of a movement, and compare."""
        wallet = side["wallet"]
        self.books[wallet["id"]] += amount
        self.transactions += 1
        assert wallet["balance"] == self.books[wallet["id"]], f"{side}: {self.books}"

    def _amount(self) -> int:
        return self._random.randint(1, 1_000)

    def _add(self, wallet_id: str | None = None, amount: int | None = None) -> None:
        amount = amount or self._amount()
        body = {"walletId": wallet_id or self._a, "amount": amount}
        self._moved(amount, self._post("/wallet/add", body))

    def _deduct(self) -> None:
        amount = self._amount()
        body = {"walletId": self._a, "amount": amount}
        if amount > self.books[self._a]:
            self._post("/wallet/deduct", body, 400)
        else:
            self._moved(-amount, self._post("/wallet/deduct", body))

    def _transfer(self) -> None:
        amount = self._amount()
        pair = self._random.sample((self._a, self._b), 2)
        body = {"fromWalletId": pair[0], "toWalletId": pair[1], "amount": amount}
        if amount > self.books[pair[0]]:
            self._post("/wallet/transfer", body, 400)
            return
        answer = self._post("/wallet/transfer", body)
        self._moved(-amount, answer["from"])
        self._moved(amount, answer["to"])

    def _exchange(self) -> None:
        """By a quote, where rates are set."""
        if self.books[self._a] < PLENTY:
            self._add(self._a, PLENTY)
        body = {"fromCurrency": "INR", "toCurrency": "USD", "amount": 10_000}
        status, quote = self.ask("POST", "/fx/quotes", body)
        if status == 422 or status == 400:
            return
        assert status == 201, f"a quote: {status} {quote}"
        transfer = {"fromWalletId": self._a, "toWalletId": self._dollars}
        details = {"amount": 10_000, "quoteId": quote["quoteId"]}
        answer = self._post("/wallet/transfer", transfer | details)
        self._moved(-10_000, answer["from"])
        self._moved(quote["toAmount"], answer["to"])
        self.transactions += 2  # through the house's wallets

    def _freeze(self) -> None:
        path = f"/wallet/{self._freezing}"
        self._post(f"{path}/freeze", {"reason": "soak"})
        add = {"walletId": self._freezing, "amount": 1}
        self._post("/wallet/add", add, 423)
        self._post(f"{path}/unfreeze", {})
        self._add(self._freezing)

    @contextmanager
    def _limited(self, **limits: int) -> Iterator[None]:
        """Set limits of a wallet for as long as the block takes."""
        path = f"/wallet/{self._b}/limits"
        status, said = self.ask("PUT", path, limits)
        assert status == 200, f"limits: {status} {said}"
        try:
            yield
        finally:
            self.ask("PUT", path, {})

    def _limit(self) -> None:
        self._add(self._b, 10)
        with self._limited(perTransaction=5):
            self._post("/wallet/deduct", {"walletId": self._b, "amount": 6}, 422)

    def _approve(self) -> None:
        """Confirm with the code, where it is heard; else cancel."""
        self._add(self._b, 10)
        with self._limited(approvalThreshold=5):
            deduct = {"walletId": self._b, "amount": 6}
            approval_id = self._post("/wallet/deduct", deduct, 202)["approvalId"]
            code = self._listener.code(approval_id) if self._listener else None
            path = f"/approvals/{approval_id}"
            if code is not None:
                self._moved(-6, self._post(f"{path}/confirm", {"otp": code}))
                return
            self._post(f"{path}/cancel", {})
            self.late_codes += self._listener is not None

    def _pay(self) -> None:
        (account,) = self._random.choices(ACCOUNTS, WEIGHTS)
        amount = self._amount()
        is_deposit = self._random.random() < 0.6
        body = {"walletId": self._paying, "amount": amount}
        body |= {"bankAccount": f"sandbox-{account}"}
        path = "/wallet/deposit" if is_deposit else "/wallet/withdraw"
        status, said = self.ask("POST", path, body)
        if status == 400 and said["code"] == "insufficient_funds":
            return
        assert status == 202, f"{path}: {status} {said}"
        self._payments.append(Payment(said["id"], amount, is_deposit))

    def _read(self) -> None:
        wallet_id = self._random.choice(list(self.books))
        path = self._random.choice(("", "/transactions?limit=50", "/summary"))
        status, said = self.ask("GET", f"/wallet/{wallet_id}{path}")
        assert status == 200, f"{path}: {status} {said}"
        if path == "" and wallet_id != self._paying:
            assert said["balance"] == self.books[wallet_id], f"{said}: {self.books}"

    def _export(self) -> None:
        path = f"/wallet/{self._freezing}/transactions.csv"
        status, said = self.ask("GET", path)
        assert status == 200 and said.endswith(b"\r\n"), f"{path}: {status}"

    def close_books(self) -> None:
        """Wait for what the bank does; compare every balance with the books."""
        try:
            self._compare()
        except ConnectionError as error:
            self.problems.append(str(error))
        self._connection.close()

    def _compare(self) -> None:
        for payment in self._payments:
            self._enter(payment)
        for wallet_id, expected in self.books.items():
            status, said = self.ask("GET", f"/wallet/{wallet_id}")
            if status != 200 or said["balance"] != expected:
                self.problems.append(f"not {expected}: {status} {said}")

    def _enter(self, payment: Payment) -> None:
        deadline = time.monotonic() + PAYMENT_SECONDS_MAX
        while True:
            status, said = self.ask("GET", f"/payments/{payment.id}")
            if status != 200 or said["status"] != "PENDING":
                break
            if time.monotonic() > deadline:
                break
            time.sleep(RETRY_SECONDS)
        ended = said.get("status")
        if ended not in ("SUCCEEDED", "FAILED", "PARKED"):
            self.problems.append(f"a payment: {status} {said}")
        moved = {
            (True, "SUCCEEDED"): (payment.amount,),
            (False, "SUCCEEDED"): (-payment.amount,),
            (False, "PARKED"): (-payment.amount,),
            (False, "FAILED"): (-payment.amount, payment.amount),
        }.get((payment.is_deposit, str(ended)), ())
        self.books[self._paying] += sum(moved)
        self.transactions += len(moved)
