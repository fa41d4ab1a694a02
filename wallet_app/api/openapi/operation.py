"""What each view takes and answers, noted beside it for the API description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any

from flask import Response
from marshmallow import Schema
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    InternalServerError,
    RequestEntityTooLarge,
    RequestURITooLarge,
    UnsupportedMediaType,
)

from wallet_app.api.incoming.body import BodyReader
from wallet_app.api.incoming.idempotency_header import once
from wallet_app.api.incoming.query import read_query
from wallet_app.api.incoming.request_schemas import BodySchema
from wallet_app.domain.errors.approval_errors import (
    ApprovalsExhausted,
    TooManyApprovals,
    TooManyWrongCodes,
)
from wallet_app.domain.errors.exchange_errors import (
    LiquidityExhausted,
    QuoteExpired,
    QuoteNotFound,
    QuoteUsed,
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
    BalanceOverflow,
    FraudBlocked,
    InsufficientFunds,
    LimitExceeded,
    WalletFrozen,
    WalletNotFound,
)
from wallet_app.services.json_forms import JsonObject

View = Callable[..., Response]
Decorator = Callable[[View], View]
Refusal = type[WalletError] | type[HTTPException]

OF_ANY_OPERATION = (Forbidden, InternalServerError, RequestURITooLarge)
OF_ANY_QUERY = (InvalidRequest,)
OF_ANY_BODY = (InvalidRequest, BadRequest, RequestEntityTooLarge, UnsupportedMediaType)
OF_ANY_KEY = (
    InvalidIdempotencyKey,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IdempotencyKeysExhausted,
)
"""What every POST can answer, in addition to its own refusals."""

OF_RULES_OUTGOING = (WalletFrozen, InsufficientFunds, LimitExceeded, FraudBlocked)
"""What the rules refuse to let leave a wallet, at once or when it is confirmed."""

OF_RULES_TRANSFER = (
    BalanceOverflow,
    LiquidityExhausted,
    QuoteNotFound,
    QuoteUsed,
    QuoteExpired,
)
"""What else they refuse of a transfer, at once or when it is confirmed."""

OF_ANY_OUTGOING = (
    *OF_RULES_OUTGOING,
    WalletNotFound,
    TooManyApprovals,
    TooManyWrongCodes,
    ApprovalsExhausted,
)
"""What everything that leaves a wallet can be refused for."""


@dataclass(slots=True)
class Operation:
    """What a view takes and answers. `answers` are by their status; its name and the
    ids in its path are those that the API description has."""

    name: str = ""
    path_ids: tuple[str, ...] = ()
    body: BodySchema | None = None
    query: Schema | None = None
    takes_key: bool = False
    answers: dict[int, Answers] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=lambda: [*OF_ANY_OPERATION])


@dataclass(frozen=True, slots=True)
class Answers:
    """What a view answers with one status: an example of each alternative, a text for
    one in CSV, and its headers, each with its description."""

    examples: tuple[JsonObject | str, ...]
    headers: Mapping[str, str]


def operation_of(view: object) -> Operation | None:
    """Return what is noted of a view."""
    return getattr(view, "operation", None)


def takes_body(schema: BodySchema) -> Decorator:
    """Pass the view the JSON body as `schema` loads it. One that has no fields may be
    left out."""

    def decorate(view: View) -> View:
        operation = _noted(view)
        operation.body = schema
        operation.refusals += OF_ANY_BODY
        return _reading(view, BodyReader(schema))

    return decorate


def takes_command(schema: BodySchema) -> Decorator:
    """Pass the view the JSON body, and the arguments by which a use case happens once
    for an Idempotency-Key."""
    read = BodyReader(schema)

    def decorate(view: View) -> View:
        operation = _noted(view)
        operation.body, operation.takes_key = schema, True
        operation.refusals += OF_ANY_BODY + OF_ANY_KEY
        return _reading(view, lambda: {**read(), **once()})

    return decorate


def takes_query(schema: Schema) -> Decorator:
    """Pass the view the query string as `schema` loads it."""

    def decorate(view: View) -> View:
        operation = _noted(view)
        operation.query = schema
        operation.refusals += OF_ANY_QUERY
        return _reading(view, partial(read_query, schema))

    return decorate


def answers(status: int, *examples: JsonObject | str, **headers: str) -> Decorator:
    """Say what the view answers when all is well, by an example of each alternative;
    none for an answer without a body."""

    def decorate(view: View) -> View:
        _noted(view).answers[status] = Answers(examples, headers)
        return view

    return decorate


def refuses(*refusals: Refusal) -> Decorator:
    """Say what the view refuses."""

    def decorate(view: View) -> View:
        _noted(view).refusals += refusals
        return view

    return decorate


def _noted(view: View) -> Operation:
    """Return what is noted of a view, to note more."""
    noted: Operation = view.__dict__.setdefault("operation", Operation())
    return noted


def _reading(view: View, read: Callable[[], dict[str, Any]]) -> View:
    """Return a view that first reads what the given one takes."""

    @wraps(view)
    def reading(**path: Any) -> Response:
        return view(read(), **path)

    return reading
