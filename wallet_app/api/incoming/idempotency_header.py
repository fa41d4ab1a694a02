"""The Idempotency-Key header: a request that has it happens once."""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from typing import Any

from flask import Response, after_this_request, has_request_context, request

from wallet_app.domain.errors.request_errors import InvalidIdempotencyKey
from wallet_app.gateways.addresses import caller_of

KEY_LENGTH_MAX = 255

# A quoted key is a string by RFC 9651, section 3.3.3.
KEY = re.compile(
    r'"((?:[!#-\[\]-~]|\\["\\]){1,%d})"|([!#-~][!-~]{0,%d})'
    % (KEY_LENGTH_MAX, KEY_LENGTH_MAX - 1)
)
_ESCAPE = re.compile(r"\\(.)")


def once() -> dict[str, Any]:
    """Return the arguments by which a use case runs at most once for the request's key;
    raise InvalidIdempotencyKey."""
    caller = caller_of(request.remote_addr)
    header = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if header is None:
        return {"caller": caller}
    body = json.dumps(json.loads(request.get_data() or b"{}"), sort_keys=True)
    text = f"{request.method} {request.path} {body}"
    fingerprint = blake2b(text.encode(), digest_size=16).digest()
    return {"key": _key_in(header), "fingerprint": fingerprint, "caller": caller}


def _key_in(header: str) -> str:
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
