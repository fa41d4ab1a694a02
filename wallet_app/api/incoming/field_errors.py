"""What is wrong with the fields of a body or a query, within bounds."""

from __future__ import annotations

from itertools import islice

from wallet_app.domain.errors.request_errors import InvalidRequest

ERRORS_MAX = 20
"""Fields whose errors one answer lists. A client mends these first."""

NAME_LENGTH_MAX = 64
"""Characters of a field's name that an answer repeats."""


def invalid(detail: str, errors: dict[str, list[str]]) -> InvalidRequest:
    """Return a refusal that lists the first errors, by name, and counts the others."""
    listed = {
        name if len(name) <= NAME_LENGTH_MAX else f"{name[:NAME_LENGTH_MAX]}...": error
        for name, error in islice(errors.items(), ERRORS_MAX)
    }
    if len(errors) > len(listed):
        listed["..."] = [f"{len(errors) - len(listed)} more fields are wrong."]
    return InvalidRequest(detail, listed)
