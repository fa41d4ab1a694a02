"""What a client says to the service and to each peer, who have to answer the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.benchmarks.peers.ledger import AMOUNT_MAX

Ask = Callable[[str, Any], tuple[int, Any]]
"""Posts JSON to a path, and returns the status and the JSON of the answer."""

NOBODY = "00000000-0000-4000-8000-000000000000"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def conversation(ask: Ask) -> list[Any]:
    """Return all answers: a status, and JSON whose ids are numbered and whose times
    are left out. Of problems, the status and the code count."""
    ids: dict[str, str] = {}
    said: list[Any] = []

    def post(path: str, body: Any) -> Any:
        status, answer = ask(path, body)
        if status >= 300:
            said.append((status, answer["code"]))
            return answer
        text = _TIME.sub("a time", json.dumps(answer, sort_keys=True))
        text = _ID.sub(lambda id: ids.setdefault(id[0], f"id {len(ids)}"), text)
        said.append((status, json.loads(text)))
        return answer

    asha, ravi, mei = (
        post("/wallet/create", {"userId": str(uuid4()), **currency})["id"]
        for currency in ({}, {"currency": "INR"}, {"currency": "USD"})
    )
    post("/wallet/add", {"walletId": asha, "amount": 100})
    details = {"category": "food", "description": "Lunch"}
    post("/wallet/add", {"walletId": asha.upper(), "amount": 20, **details})
    transfer = {"fromWalletId": asha, "toWalletId": ravi, "amount": 70}
    post("/wallet/transfer", transfer)
    post("/wallet/transfer", transfer | details | {"amount": 50})
    for wrong in (
        {"amount": 1},  # of nothing
        {"toWalletId": asha},
        {"toWalletId": mei},
        {"toWalletId": NOBODY},
        {"toWalletId": "nobody"},
        {"toWalletId": None},
        {"amount": 0},
        {"amount": "1"},
        {"amount": True},
        {"amount": 1.5},
        {"amount": AMOUNT_MAX + 1},
        {"category": "Food"},
        {"description": "\x00"},
        {"note": "unknown"},
    ):
        post("/wallet/transfer", transfer | wrong)
    post("/wallet/transfer", [])
    post("/wallet/add", {"walletId": asha})
    post("/wallet/add", {"walletId": NOBODY, "amount": 1})
    post("/wallet/add", {"walletId": asha, "amount": 1})
    post("/wallet/add", {"walletId": asha, "amount": AMOUNT_MAX})
    post("/wallet/create", {"userId": "asha"})
    return said
