"""Errors become problem documents (RFC 9457), all in this one place.

A type is a tag URI (RFC 4151): a name that never changes and is not looked up.
"""

from __future__ import annotations

from flask import Flask, Response, current_app
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.http import HTTP_STATUS_CODES

from wallet_app.api.outgoing.camel import camel
from wallet_app.domain.errors.families import (
    Conflict,
    Exhausted,
    Expired,
    Forbidden,
    Invalid,
    Locked,
    NotFound,
    TooMany,
    Unprocessable,
    WalletError,
)
from wallet_app.services.json_forms import json_line, timestamp

MEDIA_TYPE = "application/problem+json"

STATUSES: dict[type[WalletError], int] = {
    Invalid: 400,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Expired: 410,
    Unprocessable: 422,
    Locked: 423,
    TooMany: 429,
    Exhausted: 503,
}
"""The HTTP status of each family of refusals."""


def register(app: Flask) -> None:
    """Answer every error of the app with a problem document."""
    app.register_error_handler(WalletError, _refusal)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _bug)


def status_of(refusal: type[WalletError]) -> int:
    """Return the HTTP status of a refusal, which is that of its family."""
    return next(STATUSES[each] for each in refusal.__mro__ if each in STATUSES)


def document(error: WalletError) -> dict[str, object]:
    """Return the problem document of a refusal."""
    operation = {} if error.operation is None else {"operation": error.operation}
    return {
        "type": f"tag:wallet.example,2026:{error.code}",
        "title": error.title,
        "status": status_of(type(error)),
        "detail": error.detail,
        "code": error.code,
        **operation,
    } | {camel(name): _json(name, value) for name, value in error.values.items()}


def _json(name: str, value: object) -> object:
    """Return a value that an error carries as JSON spells it."""
    if name.endswith("_at") and isinstance(value, int):
        return timestamp(value)
    return value


def http_document(status: int, detail: str | None = None) -> dict[str, object]:
    """Return a problem document that says little more than its HTTP status does."""
    title = HTTP_STATUS_CODES[status]
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or title,
        "code": title.lower().replace(" ", "_"),
    }


def _refusal(error: WalletError) -> Response:
    response = _response(document(error), status_of(type(error)))
    if "retry_after_seconds" in error.values:
        response.headers["Retry-After"] = str(error.values["retry_after_seconds"])
    return response


def forget_circle(error: HTTPException) -> None:
    """Let go of the circle of errors and frames that routing leaves. It would wait for
    a full garbage collection, and the server makes none (server/worker.py)."""
    error.__traceback__ = error.__context__ = None


def _http_error(error: HTTPException) -> Response:
    forget_circle(error)
    status = error.code or InternalServerError.code
    response = _response(http_document(status, error.description), status)
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    return response


def _bug(error: Exception) -> Response:
    current_app.logger.error("A request met a bug", exc_info=error)
    return _http_error(InternalServerError())


def _response(body: dict[str, object], status: int) -> Response:
    return Response(json_line(body), status, content_type=MEDIA_TYPE)
