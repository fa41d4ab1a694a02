"""The API description (OpenAPI 3.1), made of what is noted beside the views."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import Schema
from msgspec.json import schema_components
from werkzeug.exceptions import NotFound
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import Rule

from wallet_app.api.incoming.fields import Operations
from wallet_app.api.incoming.idempotency_header import KEY, KEY_LENGTH_MAX
from wallet_app.api.openapi.examples import PATH_IDS
from wallet_app.api.openapi.links import links_of
from wallet_app.api.openapi.operation import Operation, operation_of
from wallet_app.api.openapi.problem_schemas import examples_of, form_of, name_of
from wallet_app.api.outgoing import csv_answers, problems
from wallet_app.api.outgoing.camel import camel
from wallet_app.services.json_forms import (
    CURRENCIES,
    FLAG_VERDICTS,
    JsonObject,
    json_bytes,
)
from wallet_app.settings import FRAUD_RULES

Described = dict[str, Any]

_PATH_ID = re.compile(r"<uuid:(\w+)>")

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": f"^({KEY.pattern})$"},
    "description": "Makes it safe to send the request again: the first answer is "
    "kept and replayed, with `Idempotent-Replayed: true`. 1 to "
    f"{KEY_LENGTH_MAX} visible ASCII characters, bare or in double quotes, such as "
    "`8e03978e-40d5-43dd-bc93-6894a57f9324`: a new one for each request.",
}
REPLAYED = {
    "Idempotent-Replayed": "`true` where this is the kept answer to an earlier request."
}
ABOUT = (
    "Wallets that are created, credited, debited and transferred between. Amounts are "
    "integers of minor units. Every error is a problem document (RFC 9457). There is "
    "no authentication: anyone who reaches the server can do everything."
)
BACK_TO_PAGE = "\n\n[Back to the page](/)"
UUID_SCHEMA = {"type": "string", "format": "uuid"}
ENUMS = {"Currency": CURRENCIES, "FraudRule": FRAUD_RULES, "FlagVerdict": FLAG_VERDICTS}
"""Enumerations that are no classes, by the names that they have in the description."""


def describe(app: Flask, tags: Mapping[str, str]) -> Described:
    """Return the API description of an app; `tags` describes its blueprints by name."""
    has_page = any(rule.rule == "/" for rule in app.url_map.iter_rules())
    spec = _new_spec(tags, ABOUT + (BACK_TO_PAGE if has_page else ""))
    rules, operations = zip(*_operations(app), strict=True)
    for rule, operation in zip(rules, operations, strict=True):
        for schema in _schemas_of_parts(operation):
            spec.components.schema(type(schema).__name__, schema=schema)
        spec.path(
            _PATH_ID.sub(lambda match: f"{{{camel(match[1])}}}", rule.rule),
            operations={
                _method(rule).lower(): {
                    "operationId": operation.name,
                    "tags": [rule.endpoint.partition(".")[0]],
                    **_text(app.view_functions[rule.endpoint]),
                    **_described(operation, operations),
                }
            },
            parameters=[
                {"name": each, "in": "path", "schema": UUID_SCHEMA, **_example(each)}
                for each in operation.path_ids
            ],
        )
    schemas = _schemas(operations)
    enums = {name: schema for name, schema in schemas.items() if "enum" in schema}
    enums |= {name: {"enum": list(values)} for name, values in ENUMS.items()}
    refusals = [each for operation in operations for each in operation.refusals]
    for examples in examples_of(refusals).values():
        for code, document in examples.items():
            spec.components.example(code, {"value": document})
            constants = {name: {"const": document[name]} for name in ("status", "code")}
            schemas[name_of(code)]["properties"] |= constants
    for name in sorted(schemas.keys() - enums.keys()):
        spec.components.schema(name, schemas[name])
    names = {frozenset(schema["enum"]): name for name, schema in enums.items()}
    description: Described = _with_named_enums(spec.to_dict(), names)
    description["components"]["schemas"] |= enums
    return description


def _operations(app: Flask) -> Iterator[tuple[Rule, Operation]]:
    """Yield the operations of an app, with their names and where they are."""
    for rule in app.url_map.iter_rules():
        operation = operation_of(app.view_functions[rule.endpoint])
        if operation is not None:
            path_ids = tuple(map(camel, _PATH_ID.findall(rule.rule)))
            yield (
                rule,
                replace(
                    operation,
                    name=camel(rule.endpoint.rpartition(".")[2]),
                    path_ids=path_ids,
                    # An id that is no UUID has no route.
                    refusals=operation.refusals + ([NotFound] if path_ids else []),
                ),
            )


def _example(path_id: str) -> Described:
    return {"example": PATH_IDS[path_id]} if path_id in PATH_IDS else {}


def _method(rule: Rule) -> str:
    (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
    return method


def _new_spec(tags: Mapping[str, str], about: str) -> APISpec:
    return APISpec(
        title="Wallet service",
        version="1",
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        info={"description": about},
        servers=[{"url": "/"}],
        security=[],
        tags=[{"name": name, "description": text} for name, text in tags.items()],
    )


def _schemas_of_parts(operation: Operation) -> Iterator[Schema]:
    """Yield the schemas of the operations that a batch takes."""
    for field in operation.body.fields.values() if operation.body else ():
        if isinstance(field, Operations):
            yield from field.schemas.values()


def _text(view: Callable[..., object]) -> Described:
    """Return the first line of a docstring as the summary, and what follows."""
    summary, _, rest = (inspect.getdoc(view) or "").partition("\n\n")
    return {"summary": summary} | ({"description": rest} if rest else {})


def _described(operation: Operation, operations: Iterable[Operation]) -> Described:
    parameters: list[object] = []
    described: Described = {"parameters": parameters, "responses": {}}
    if operation.query is not None:
        parameters.append({"in": "query", "schema": operation.query})
    if operation.takes_key:
        parameters.append(IDEMPOTENCY_KEY)
    if operation.body is not None:
        body = {"schema": operation.body, "example": dict(operation.body.example)}
        described["requestBody"] = {
            "required": bool(operation.body.fields),
            "content": {"application/json": body},
        }
    for status, answers in operation.answers.items():
        headers = {**answers.headers, **(REPLAYED if operation.takes_key else {})}
        described["responses"][status] = _answers(status, answers.examples, headers)
        for each in answers.examples:
            links = links_of(operation, each, operations)
            if links:
                described["responses"][status].setdefault("links", {}).update(links)
    for status, documents in sorted(examples_of(operation.refusals).items()):
        described["responses"][status] = _refusals(sorted(documents))
    return described


def _answers(
    status: int, examples: Sequence[JsonObject | str], headers: Mapping[str, str]
) -> Described:
    """Describe what is answered with one status when all is well."""
    described: Described = {"description": HTTP_STATUS_CODES[status]}
    if headers:
        described["headers"] = {
            name: {"schema": {"type": "string"}, "description": text}
            for name, text in headers.items()
        }
    match examples:
        case []:
            pass
        case [str(text)]:
            content = {"schema": {"type": "string"}, "example": text}
            described["content"] = {csv_answers.MEDIA_TYPE: content}
        case _:
            values = {type(e).__name__: json.loads(json_bytes(e)) for e in examples}
            content = {
                "schema": _one_of(values),
                "examples": {name: {"value": value} for name, value in values.items()},
            }
            described["content"] = {"application/json": content}
    return described


def _refusals(codes: list[str]) -> Described:
    """Describe what is refused with one status."""
    content = {
        "schema": _one_of(map(name_of, codes)),
        "examples": {code: code for code in codes},  # they are among the components
    }
    return {
        "description": " or ".join(f"`{code}`" for code in codes),
        "content": {problems.MEDIA_TYPE: content},
    }


def _schemas(operations: Iterable[Operation]) -> dict[str, Described]:
    """Return the schemas of all answers and problems, and of what they consist of, by
    their names."""
    answered = {
        type(example): None
        for operation in operations
        for answers in operation.answers.values()
        for example in answers.examples
        if isinstance(example, JsonObject)
    }
    refused = {each for operation in operations for each in operation.refusals}
    _, schemas = schema_components(
        [*answered, *map(form_of, refused)],
        ref_template=_reference("{name}")["$ref"],
    )
    return schemas


def _one_of(names: Iterable[str]) -> Described:
    references = [_reference(name) for name in names]
    return references[0] if len(references) == 1 else {"oneOf": references}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _with_named_enums(part: Any, names: Mapping[frozenset[str], str]) -> Any:
    """Return a part of the description with references in place of the enumerations
    that have a name, and those of one value as constants."""
    if isinstance(part, list):
        return [_with_named_enums(each, names) for each in part]
    if not isinstance(part, dict):
        return part
    named = {key: _with_named_enums(value, names) for key, value in part.items()}
    values = frozenset(part.get("enum", ()))
    if len(values) == 1:
        named["const"] = named.pop("enum")[0]
    name = names.get(values - {None})
    if name is None:
        return named
    del named["enum"]
    named.pop("type", None)
    if None in values:
        return named | {"anyOf": [_reference(name), {"type": "null"}]}
    return named | _reference(name)
