"""Names are in snake_case here, and in camelCase in JSON."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema
from marshmallow.fields import Field


def camel(name: str) -> str:
    """Return a Python name as JSON spells it."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


class CamelSchema(Schema):
    """A schema whose fields are spelled in camelCase in JSON."""

    error_messages = {"unknown": "Is no field of this request."}

    def on_bind_field(self, field_name: str, field_obj: Field[Any]) -> None:
        field_obj.data_key = field_obj.data_key or camel(field_name)
