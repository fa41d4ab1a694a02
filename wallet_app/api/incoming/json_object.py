"""Reads a JSON object by the fields of a schema."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, missing

Errors = dict[str, list[str]]
"""What is wrong, by the path of the field: `amount`, or `operations.17.amount`."""


class ObjectReader:
    """Schema.load() reads the same at twice the cost, for hooks and partial objects,
    which no body of ours has. A field whose value has fields of its own raises
    ValidationError with their errors by path."""

    def __init__(self, schema: Schema) -> None:
        self._unknown = schema.error_messages["unknown"]
        fields = schema.load_fields
        assert all(each.load_default is missing for each in fields.values())
        self._fields = {
            str(field.data_key): (name, field.required, field.deserialize)
            for name, field in fields.items()
        }

    @property
    def is_empty(self) -> bool:
        """Whether there are no fields to read."""
        return not self._fields

    def __call__(self, body: dict[str, Any]) -> tuple[dict[str, Any], Errors]:
        """Return what the object says, by the names of the fields, and what is wrong
        with it."""
        loaded: dict[str, Any] = {}
        errors: Errors = {}
        for key, (name, required, deserialize) in self._fields.items():
            value = body.pop(key, missing)
            if value is missing and not required:
                continue
            try:
                loaded[name] = deserialize(value)
            except ValidationError as error:
                if isinstance(error.messages, dict):
                    errors |= {f"{key}.{at}": e for at, e in error.messages.items()}
                else:
                    errors[key] = list(error.messages)
        for key in body:
            errors[key] = [self._unknown]
        return loaded, errors
