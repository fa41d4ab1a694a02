"""JSON, read strictly: what two programs could read differently is refused."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from wallet_app.domain.errors.request_errors import InvalidRequest

MEMBERS_MAX = 100
"""Members of one JSON object: many times what any operation takes, and few enough to
look at each of them."""


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
