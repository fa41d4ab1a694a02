"""Reading requests: strict JSON, strict queries, and idempotency keys.

Whatever is not exactly what the schema asks for is refused before the service is
called, so that nothing below this has to look at the shape of anything.
"""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from itertools import islice
from typing import Any, NoReturn, TypedDict

from flask import Response, after_this_request, has_request_context, request
from marshmallow import Schema, ValidationError, missing
from werkzeug.exceptions import (
    BadRequest,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from wallet_app.domain.errors.request_errors import (
    InvalidIdempotencyKey,
    InvalidRequest,
)
from wallet_app.gateways.addresses import caller_of

BODY_BYTES_MAX = 1024 * 1024
READ_BYTES_MAX = BODY_BYTES_MAX + 1
"""One more, because Flask cuts a chunked body off here without a word."""

MEMBERS_MAX = 100
"""Members of one JSON object: many times what any operation takes, and few enough to
look at each of them."""

ERRORS_MAX = 20
"""Fields whose errors one answer lists. A client mends these first."""

NAME_LENGTH_MAX = 64
"""Characters of a field's name that an answer repeats."""

KEY_LENGTH_MAX = 255

# A quoted key is a string by RFC 9651, section 3.3.3.
KEY = re.compile(
    r'"((?:[!#-\[\]-~]|\\["\\]){1,%d})"|([!#-~][!-~]{0,%d})'
    % (KEY_LENGTH_MAX, KEY_LENGTH_MAX - 1)
)
_ESCAPE = re.compile(r"\\(.)")


class BodyReader:
    """Reads JSON bodies by the fields of a schema.

    Schema.load() reads the same at twice the cost, for hooks, nesting and partial
    bodies, which no body of ours has.
    """

    def __init__(self, schema: Schema) -> None:
        assert not any(schema._hooks.values()), "hooks would not be called"
        self._unknown = schema.error_messages["unknown"]
        fields = schema.load_fields
        assert all(each.load_default is missing for each in fields.values())
        self._fields = {
            str(field.data_key): (name, field.required, field.deserialize)
            for name, field in fields.items()
        }

    def __call__(self) -> dict[str, Any]:
        """Return what the request's body says, by the names of the fields.

        Raises InvalidRequest, and what werkzeug calls BadRequest,
        RequestEntityTooLarge and UnsupportedMediaType.
        """
        if not self._fields and not _read_bytes():
            return {}
        if request.mimetype != "application/json":
            raise UnsupportedMediaType("The body must be application/json.")
        body = read_json_object(_read_bytes())
        loaded: dict[str, Any] = {}
        errors: dict[str, list[str]] = {}
        for key, (name, required, deserialize) in self._fields.items():
            value = body.pop(key, missing)
            if value is missing and not required:
                continue
            try:
                loaded[name] = deserialize(value)
            except ValidationError as error:
                errors[key] = list(error.messages)
        errors |= {key: [self._unknown] for key in body}
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


def invalid(detail: str, errors: dict[str, list[str]]) -> InvalidRequest:
    """Return a refusal that lists the first errors, by name, and counts the others."""
    listed = {
        name if len(name) <= NAME_LENGTH_MAX else f"{name[:NAME_LENGTH_MAX]}...": error
        for name, error in islice(errors.items(), ERRORS_MAX)
    }
    if len(errors) > len(listed):
        listed["..."] = [f"{len(errors) - len(listed)} more fields are wrong."]
    return InvalidRequest(detail, listed)


class _NoInteger:
    """Stands for a JSON number that no field takes: a fraction, an exponent, or
    more digits than are worth reading. It is never made a float."""


def read_json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`; raise InvalidRequest if it is none.

    Duplicate keys, NaN and Infinity, lone surrogates and anything but UTF-8 are
    refused, which the standard library would let pass.
    """
    try:
        text = body.decode()
        value = _DECODER.decode(text)
        if "\\u" in text:  # only an escape can spell a lone surrogate
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    except UnicodeError:
        raise InvalidRequest("The body is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"The body is not valid JSON: {error.msg} at character {error.pos}."
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return value


def _read_integer(digits: str) -> int | _NoInteger:
    return int(digits) if len(digits) <= 20 else _NoInteger()


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidRequest(f"The body is not valid JSON: {name} is no JSON value.")


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MEMBERS_MAX:
        raise InvalidRequest(
            f"The body has an object with more than {MEMBERS_MAX} members."
        )
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidRequest("The body has an object with a duplicate key.")
    return members


_DECODER = json.JSONDecoder(
    parse_int=_read_integer,
    parse_float=lambda number: _NoInteger(),
    parse_constant=_refuse_constant,
    object_pairs_hook=_read_object,
)


class Once(TypedDict):
    """The arguments by which a use case runs at most once for a key."""

    key: str | None
    fingerprint: bytes | None
    caller: str | None


def once() -> Once:
    """Return these arguments for the request; raise InvalidIdempotencyKey."""
    header = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if header is None:
        return {"key": None, "fingerprint": None, "caller": caller()}
    body = json.dumps(json.loads(request.get_data() or b"{}"), sort_keys=True)
    text = f"{request.method} {request.path} {body}"
    fingerprint = blake2b(text.encode(), digest_size=16).digest()
    return {"key": read_key(header), "fingerprint": fingerprint, "caller": caller()}


def caller() -> str | None:
    """Return whose share of what all callers hold the request counts for."""
    return caller_of(request.remote_addr)


def read_key(header: str) -> str:
    """Return the key in a header's value; raise InvalidIdempotencyKey."""
    match = KEY.fullmatch(header)
    if match is None:
        raise InvalidIdempotencyKey()
    quoted, bare = match.groups()
    return str(bare if quoted is None else _ESCAPE.sub(r"\1", quoted))


def mark_replayed() -> None:
    """Mark the answer to the current request, if there is one, as a kept outcome."""
    if has_request_context():
        after_this_request(_mark)


def _mark(response: Response) -> Response:
    response.headers["Idempotent-Replayed"] = "true"
    return response
