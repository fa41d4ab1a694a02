"""Bodies: whatever is not exactly what the schema asks for is refused before the
service is called, so that nothing below this has to look at the shape of anything.
"""

from __future__ import annotations

from typing import Any

from flask import request
from marshmallow import Schema
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from wallet_app.api.incoming.field_errors import invalid
from wallet_app.api.incoming.json_object import ObjectReader
from wallet_app.api.incoming.strict_json import read_json_object

BODY_BYTES_MAX = 1024 * 1024
READ_BYTES_MAX = BODY_BYTES_MAX + 1
"""One more, because Flask cuts a chunked body off here without a word."""


class BodyReader:
    """Reads JSON bodies by the fields of a schema."""

    def __init__(self, schema: Schema) -> None:
        self._read = ObjectReader(schema)

    def __call__(self) -> dict[str, Any]:
        """Return what the request's body says, by the names of the fields.

        Raises InvalidRequest, and what werkzeug calls BadRequest,
        RequestEntityTooLarge and UnsupportedMediaType.
        """
        if self._read.is_empty and not _read_bytes():
            return {}
        if request.mimetype != "application/json":
            raise UnsupportedMediaType("The body must be application/json.")
        loaded, errors = self._read(read_json_object(_read_bytes()))
        if errors:
            raise invalid("The body is not what this operation takes.", errors)
        return loaded


def _read_bytes() -> bytes:
    body = request.get_data()
    if len(body) > BODY_BYTES_MAX:
        raise RequestEntityTooLarge()
    if len(body) < (request.content_length or 0):
        raise BadRequest("The body is shorter than its Content-Length.")
    return body
