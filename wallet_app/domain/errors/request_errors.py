"""Refusals of the request itself: its shape and its idempotency key."""

from __future__ import annotations

from wallet_app.domain.errors.families import (
    Conflict,
    Exhausted,
    Invalid,
    Unprocessable,
    internal,
    member,
)


class InvalidRequest(Invalid):
    """The request has not the shape that the operation takes.

    `errors` maps each field that is wrong to what is wrong with it.
    """

    code, title = "invalid_request", "Invalid request"
    message = "{problem}"
    kept = False
    problem: str = internal("The body is not what this operation takes.")
    errors: dict[str, list[str]] | None = member(
        {"amount": ["Missing data for required field."]}, default=None
    )

    @property
    def values(self) -> dict[str, object]:
        return super().values if self.errors else {}


class InvalidIdempotencyKey(Invalid):
    """The Idempotency-Key header has the wrong form."""

    code, title = "invalid_idempotency_key", "Invalid idempotency key"
    message = (
        "An Idempotency-Key is 1 to 255 visible ASCII characters, bare or in double "
        "quotes."
    )
    kept = False


class IdempotencyKeyReused(Unprocessable):
    """The key came before with a different request."""

    code, title = "idempotency_key_reused", "Idempotency key reused"
    message = (
        "This Idempotency-Key was first sent with a different request. Use a new key "
        "for a new request."
    )
    kept = False


class IdempotencyInProgress(Conflict):
    """The first request with this key has not ended yet."""

    code, title = "idempotency_in_progress", "Request in progress"
    message = (
        "The first request with this Idempotency-Key is still running. Send it again "
        "in a moment."
    )


class IdempotencyKeysExhausted(Exhausted):
    """As many keys are kept as may be, for all callers or for one."""

    code, title = "idempotency_keys_exhausted", "Too many idempotency keys"
    message = (
        "{maximum} idempotency keys are in use: no more are kept in all, or from one "
        "address, and none of them may be forgotten yet. Nothing was done."
    )
    maximum: int = member(200_000)
    retry_after_seconds: int = member(60)
