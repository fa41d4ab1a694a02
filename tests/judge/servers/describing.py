"""The description in OpenAPI of a server that speaks a dialect."""

from __future__ import annotations

import json

from tests.judge.servers.dialect import Dialect

OPERATION_IDS = {
    "create": "createWallet",
    "add": "deposit",
    "deduct": "withdraw",
    "transfer": "transferMoney",
    "read": "getWallet",
    "history": "listTransactions",
}

Form = dict[str, object]


def description(dialect: Dialect) -> str:
    paths: dict[str, Form] = {}
    for operation, line in dialect.routes.items():
        method, path = line.split()
        needs = dialect.needs(operation)
        body = [each for each in needs if f"{{{each}}}" not in path]
        paths.setdefault(path, {})[method.lower()] = {
            "operationId": OPERATION_IDS[operation],
            "responses": {"200": {"description": "done"}},
            **({} if method == "GET" else {"requestBody": _body(dialect, body)}),
        }
    about = {"title": "wallets", "version": "1"}
    return json.dumps({"openapi": "3.0.3", "info": about, "paths": paths})


def _body(dialect: Dialect, fields: list[str]) -> Form:
    numbers = ("amount", "opening")
    properties = {
        dialect.name(each): {"type": "integer" if each in numbers else "string"}
        for each in fields
    }
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return {"content": {"application/json": {"schema": schema}}}
