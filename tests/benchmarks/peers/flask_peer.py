"""The wallets in plain Flask."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Flask, request

from tests.benchmarks.peers import ledger
from tests.benchmarks.peers.ledger import AMOUNT_MAX, Ledger, Refused

Check = Callable[[Any], bool]

app = Flask(__name__)
wallets = Ledger()


def is_text(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and bool(compiled.match(value))


def is_amount(value: Any) -> bool:
    return type(value) is int and 1 <= value <= AMOUNT_MAX


def or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


DETAILS: dict[str, Check] = {
    "amount": is_amount,
    "category": or_none(is_text(ledger.CATEGORY)),
    "description": or_none(is_text(ledger.DESCRIPTION)),
}
CREATE = {
    "userId": is_text(ledger.UUID),
    "currency": or_none(is_text(ledger.CURRENCY)),
}
ADD = {"walletId": is_text(ledger.UUID), **DETAILS}
TRANSFER = {
    "fromWalletId": is_text(ledger.UUID),
    "toWalletId": is_text(ledger.UUID),
    **DETAILS,
}


def read(fields: dict[str, Check]) -> list[Any]:
    """Return the values of the body in the order of the fields."""
    body = request.get_json()
    if not isinstance(body, dict) or not body.keys() <= fields.keys():
        raise Refused(400, "invalid_request")
    values = [body.get(name) for name in fields]
    if not all(
        check(value) for check, value in zip(fields.values(), values, strict=True)
    ):
        raise Refused(400, "invalid_request")
    return values


@app.get("/health")
def health() -> Any:
    return {"status": "ok"}


@app.post("/wallet/create")
def create() -> Any:
    return wallets.create(*read(CREATE)), 201


@app.post("/wallet/add")
def add() -> Any:
    return wallets.add(*read(ADD))


@app.post("/wallet/transfer")
def transfer() -> Any:
    return wallets.transfer(*read(TRANSFER))


@app.errorhandler(Refused)
def refused(error: Refused) -> Any:
    return error.problem, error.status
