"""Blueprints whose operations say in the API description what they can answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import flask_smorest
from flask import Response
from marshmallow import Schema
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    InternalServerError,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from wallet_app.api.incoming.requests import KEY, KEY_LENGTH_MAX, BodyReader, read_query
from wallet_app.api.openapi.answer_schemas import ProblemAnswer
from wallet_app.api.outgoing import problems
from wallet_app.domain.errors.approval_errors import (
    ApprovalsExhausted,
    TooManyApprovals,
    TooManyWrongCodes,
)
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.request_errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IdempotencyKeysExhausted,
    InvalidIdempotencyKey,
    InvalidRequest,
)
from wallet_app.domain.errors.wallet_errors import (
    FraudBlocked,
    InsufficientFunds,
    LimitExceeded,
    WalletFrozen,
    WalletNotFound,
)

View = Callable[..., Response]
Decorator = Callable[[View], View]

OF_ANY_OPERATION = (Forbidden, InternalServerError)
OF_ANY_QUERY = (InvalidRequest,)
OF_ANY_BODY = (
    InvalidRequest,
    BadRequest,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)
OF_ANY_KEY = (
    InvalidIdempotencyKey,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IdempotencyKeysExhausted,
)
"""What every POST can answer, besides its own refusals."""

OF_ANY_OUTGOING = (
    WalletNotFound,
    WalletFrozen,
    InsufficientFunds,
    LimitExceeded,
    FraudBlocked,
    TooManyApprovals,
    TooManyWrongCodes,
    ApprovalsExhausted,
)
"""What everything that leaves a wallet can be refused for."""

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": f"^({KEY.pattern})$"},
    "description": "Makes it safe to send the request again: the first answer is "
    "kept and replayed, with `Idempotent-Replayed: true`. 1 to "
    f"{KEY_LENGTH_MAX} visible ASCII characters, bare or in double quotes.",
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
REPLAYED = {
    "Idempotent-Replayed": "`true` where this is the kept answer to an earlier request."
}

Refusal = type[WalletError] | type[HTTPException]


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose views are described by flask-smorest and called plainly.

    flask-smorest's decorators describe a view and wrap it. The description is kept
    and the wrapping is not: views return finished responses, and the wrappers cost
    a fifth of a whole request.
    """

    def takes_body(self, schema: Schema, example: dict[str, Any]) -> Decorator:
        """Pass the view the JSON body as `schema` loads it. One that has no fields
        may be left out."""

        def decorate(view: View) -> View:
            reading = refuses(*OF_ANY_BODY)(_reading(view, BodyReader(schema)))
            required = bool(schema.fields)
            return _describe(
                reading, self.arguments(schema, example=example, required=required)
            )

        return decorate

    def takes_command(self, schema: Schema, example: dict[str, Any]) -> Decorator:
        """Do the same for a view that runs `once`: it takes an Idempotency-Key."""

        def decorate(view: View) -> View:
            reading = refuses(*OF_ANY_KEY)(self.takes_body(schema, example)(view))
            _manual_doc(reading).setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            return reading

        return decorate

    def takes_query(self, schema: Schema) -> Decorator:
        """Pass the view the query string as `schema` loads it."""

        def decorate(view: View) -> View:
            reading = refuses(*OF_ANY_QUERY)(
                _reading(view, partial(read_query, schema))
            )
            return _describe(reading, self.arguments(schema, location="query"))

        return decorate

    def answers(
        self,
        status: int,
        schema: type[Schema] | list[type[Schema]] | dict[str, Any],
        example: dict[str, Any] | str,
        media_type: str = "application/json",
        **headers: str,
    ) -> Decorator:
        """Describe what the view answers when all is well, its headers by name. Several
        schemas are alternatives."""
        shape = {"oneOf": schema} if isinstance(schema, list) else schema
        described = {
            name: {"schema": {"type": "string"}, "description": description}
            for name, description in headers.items()
        }
        return lambda view: _describe(
            view,
            self.response(
                status,
                shape,
                content_type=media_type,
                example=example,
                headers=described,
            ),
        )

    def answers_nothing(self) -> Decorator:
        """Describe that the view answers 204, without a body."""
        return lambda view: _describe(view, self.response(204))


def _reading(view: View, read: Callable[[], dict[str, Any]]) -> View:
    """Return a view that first reads what the given one takes."""

    @wraps(view)
    def reading(**path: Any) -> Response:
        return view(read(), **path)

    return reading


def _describe(view: View, decorator: Callable[[View], Any]) -> View:
    """Give a view the description that a decorator of flask-smorest makes."""
    view.__dict__["_apidoc"] = docs = decorator(view)._apidoc
    # It also describes a refusal of its own making; ours say more.
    docs.get("arguments", {}).pop("responses", None)
    return view


def refuses(*refusals: Refusal) -> Decorator:
    """Describe what a view refuses, with an example of each."""

    def decorate(view: View) -> View:
        responses = _manual_doc(view).setdefault("responses", {})
        for refusal in (*refusals, *OF_ANY_OPERATION):
            document = _example(refusal)
            response = responses.setdefault(
                document["status"], {"description": "", "content": {}}
            )
            media = response["content"].setdefault(
                problems.MEDIA_TYPE, {"schema": ProblemAnswer, "examples": {}}
            )
            media["examples"][document["code"]] = {"value": document}
            response["description"] = " or ".join(
                sorted(f"`{code}`" for code in media["examples"])
            )
        return view

    return decorate


def _manual_doc(view: View) -> dict[str, Any]:
    """Return what flask-smorest adds to the view's description as it stands."""
    docs = view.__dict__.setdefault("_apidoc", {})
    manual_doc: dict[str, Any] = docs.setdefault("manual_doc", {})
    return manual_doc


def _example(refusal: Refusal) -> dict[str, Any]:
    if issubclass(refusal, HTTPException):
        assert refusal.code is not None
        return problems.http_document(refusal.code, refusal.description)
    return problems.document(refusal.example())
