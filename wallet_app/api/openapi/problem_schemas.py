"""What is refused, in the API description: an example and a schema of each problem."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields
from types import NoneType
from typing import Annotated, Any, Union, get_args, get_type_hints

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct
from werkzeug.exceptions import HTTPException

from wallet_app.api.openapi.operation import Refusal
from wallet_app.api.outgoing import problems
from wallet_app.api.outgoing.answers import Problem
from wallet_app.domain.errors.families import WalletError
from wallet_app.services.json_forms import Time

Document = dict[str, Any]

UuidText = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]


def examples_of(refusals: Iterable[Refusal]) -> dict[int, dict[str, Document]]:
    """Return an example of each refusal, by status and code."""
    examples: dict[int, dict[str, Document]] = defaultdict(dict)
    for refusal in refusals:
        example = example_of(refusal)
        examples[example["status"]][example["code"]] = example
    return examples


def example_of(refusal: Refusal) -> Document:
    if issubclass(refusal, HTTPException):
        assert refusal.code is not None
        return problems.http_document(refusal.code, refusal.description)
    return problems.document(refusal.example())


def form_of(refusal: Refusal) -> type[Struct]:
    """Return the form of one kind of problem: what all have, and its own values."""
    values, description = [], None
    if not issubclass(refusal, HTTPException):
        values, description = _values(refusal), inspect.getdoc(refusal)
    return defstruct(
        name_of(example_of(refusal)["code"]),
        values,
        bases=(Problem,),
        kw_only=True,
        namespace={"__doc__": description},
    )


def _values(refusal: type[WalletError]) -> list[Any]:
    """Return the values that a refusal carries, by name, and their types in JSON."""
    types = get_type_hints(refusal)
    values = [
        (each.name, _type_in_json(each.name, types[each.name]))
        for each in fields(refusal)
        if each.metadata["is_member"]
    ]
    if "values" in vars(refusal):  # which leaves out those that are None
        return [(name, _given_or_not(type), UNSET) for name, type in values]
    return values


def _given_or_not(type: Any) -> Any:
    return Union[*[each for each in get_args(type) if each is not NoneType], UnsetType]


def _type_in_json(name: str, type: Any) -> Any:
    if name.endswith("_id"):
        return UuidText
    if name.endswith("_at"):
        return Time if type is int else Time | None
    return type


def name_of(code: str) -> str:
    """Return the name of a problem's schema."""
    return code.title().replace("_", "")
