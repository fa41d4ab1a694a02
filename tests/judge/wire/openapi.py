"""Reads which paths a server has from its OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tests.judge.wire import answers
from tests.judge.wire.client import Request
from tests.judge.wire.guesses import Path
from tests.judge.wire.subject import Subject
from tests.judge.wire.vocabulary import FIELD, fields_in

DOCUMENTS = (
    "/openapi.json",
    "/swagger.json",
    "/v3/api-docs",
    "/docs/openapi.json",
    "/swagger/v1/swagger.json",
)
PATHS_MAX = 200
PATH = re.compile(r"/[A-Za-z0-9._~{}/-]{0,200}")
MONEY_METHODS = ("post", "put", "patch")


def described(subject: Subject, prefixes: Sequence[str]) -> dict[str, list[Path]]:
    """Return the paths that may make each kind of call; empty without a document."""
    for prefix in prefixes:
        for name in DOCUMENTS:
            request = Request("GET", f"{subject.base}{prefix}{name}")
            answer = subject.client.send(request).answer
            if answer is None or answer.status != 200:
                continue
            try:
                said = answers.document(answer)
            except answers.Unreadable:
                continue
            if isinstance(said, dict) and isinstance(said.get("paths"), dict):
                return _by_kind(said)
    return {}


def _by_kind(said: dict[str, Any]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {
        kind: [] for kind in ("create", "paid", "transfer", "read", "history")
    }
    for method, path, fields in list(_operations(said))[:PATHS_MAX]:
        parameters = re.findall(r"\{[^}]*\}", path)
        line = f"{method.upper()} {re.sub(r'{[^}]*}', '{wallet}', path)}"
        if len(parameters) > 1:
            continue
        if method == "get":
            if parameters:
                found["read"].append(Path(line))
                found["history"].append(Path(line))
        elif {"from", "to"} & set(fields_in(fields, "transfer")) and fields:
            moved = line.replace("{wallet}", "{from}")
            found["transfer"].append(Path(moved, fields))
        elif parameters or "wallet" in fields_in(fields, "add"):
            found["paid"].append(Path(line, fields))
        else:
            found["create"].append(Path(line, fields))
    return found


def _operations(said: dict[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield the method, the path and the fields of the body of each operation."""
    for path, item in said["paths"].items():
        if not isinstance(item, dict) or not PATH.fullmatch(path):
            continue
        for method in ("get", *MONEY_METHODS):
            operation = item.get(method)
            if isinstance(operation, dict):
                yield method, path, tuple(_fields(said, operation))


def _fields(said: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    try:
        content = operation["requestBody"]["content"]
        schema = _resolved(said, next(iter(content.values()))["schema"])
        yield from filter(FIELD.fullmatch, schema["properties"])
    except (AttributeError, KeyError, TypeError, StopIteration):
        return


def _resolved(said: dict[str, Any], schema: Any) -> Any:
    """Return a schema, or the one that it refers to."""
    for _ in range(5):
        if "$ref" not in schema:
            return schema
        found: Any = said
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        schema = found
    return schema
