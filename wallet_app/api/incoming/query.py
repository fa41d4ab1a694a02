"""Query strings, read as strictly as bodies."""

from __future__ import annotations

from typing import Any

from flask import request
from marshmallow import Schema, ValidationError

from wallet_app.api.incoming.field_errors import invalid


def read_query(schema: Schema) -> dict[str, Any]:
    """Return the query string as the schema loads it, or raise InvalidRequest."""
    repeated = [name for name, values in request.args.lists() if len(values) > 1]
    if repeated:
        raise invalid(
            "A query parameter is given more than once.",
            {name: ["Is given more than once."] for name in repeated},
        )
    try:
        query: dict[str, Any] = schema.load(request.args.to_dict())
    except ValidationError as error:
        # Without its traceback, whose frames hold the error, it needs no collector.
        error.__traceback__ = None
        assert isinstance(error.messages, dict)
        raise invalid(
            "The query is not what this operation takes.", error.messages
        ) from None
    return query
