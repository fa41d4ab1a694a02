"""The fields that the contract has and marshmallow has not.

Each reads one kind of value from JSON or a query string, strictly.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Equal, Length, OneOf, Regexp
from uuid_utils import UUID

from wallet_app.api.incoming.json_object import Errors, ObjectReader
from wallet_app.domain.clock import SECOND
from wallet_app.domain.currencies import MINOR_DIGITS
from wallet_app.domain.transactions import AMOUNT_MAX, HOUSE
from wallet_app.gateways.delivery_url import URL_CHARACTERS_MAX
from wallet_app.services.events import EventType
from wallet_app.services.movement import Operation

DESCRIPTION_LENGTH_MAX = 500
"""Characters of free text that one transaction carries."""

REASON_LENGTH_MAX = 200
"""Characters of free text that say why a wallet is frozen."""

BANK_ACCOUNT_LENGTH_MAX = 64

OPERATIONS_MAX = 1_000
"""Of one batch: they hold the locks of all their wallets for some milliseconds."""

_HEX = "[0-9A-Fa-f]"
_UUID = re.compile(f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}")
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DIGITS = re.compile("[0-9]{1,16}")


class FullMatch(Regexp):
    """A pattern for the whole text: `$` alone lets a line break through."""

    def __call__(self, value: Any) -> Any:
        if not self.regex.fullmatch(value):
            raise ValidationError(str(self.error))
        return value


class WithoutValidators(fields.Field[Any]):
    """A field whose `_deserialize` checks all there is to check. marshmallow builds its
    validators for each value, also where there are none: a third of its time."""

    def _validate(self, value: Any) -> None:
        assert not self.validators


class UuidText(WithoutValidators, fields.String):
    """A UUID, kept as text in lower case (RFC 9562, section 4)."""

    default_error_messages = {"invalid": "Must be a UUID."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"format": "uuid", **self.metadata}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            raise self.make_error("invalid")
        return value.lower()


class UserId(UuidText):
    """The UUID of a user, who is not the house."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"not": {"const": HOUSE}}, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        user_id = super()._deserialize(value, *args, **kwargs)
        if user_id == HOUSE:
            raise ValidationError("Must be a user's: this one names the house.")
        return user_id


class UuidObject(UuidText):
    """A UUID, kept as the object that transactions carry."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return UUID(super()._deserialize(value, *args, **kwargs))


class Amount(WithoutValidators, fields.Integer):
    """An amount of minor units: a JSON integer and nothing that looks like one."""

    least = 1

    def __init__(self, description: str = "Minor units.", **kwargs: Any) -> None:
        limits = {"minimum": self.least, "maximum": AMOUNT_MAX}
        super().__init__(metadata=limits | {"description": description}, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> int:
        # An exact type, because True is an int for isinstance().
        if type(value) is not int or not self.least <= value <= AMOUNT_MAX:
            raise ValidationError(
                f"Must be an integer of minor units from {self.least} to {AMOUNT_MAX}."
            )
        return value


class Limit(Amount):
    """A limit in minor units, which may be 0; null is none."""

    least = 0

    def __init__(self, description: str, **kwargs: Any) -> None:
        super().__init__(description, allow_none=True, **kwargs)


class QueryInteger(fields.Integer):
    """A decimal integer in a query string."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not _DIGITS.fullmatch(value):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, *args, **kwargs)


class Timestamp(fields.String):
    """A time by RFC 3339, kept as nanoseconds since 1970, UTC."""

    default_error_messages = {
        "invalid": "Must be a time by RFC 3339, such as 2026-01-10T10:02:00.000Z."
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"format": "date-time", **self.metadata}

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        match = _RFC_3339.fullmatch(value)
        if match is None:
            raise self.make_error("invalid")
        to_the_second, fraction, offset = match.groups(default="")
        try:
            moment = datetime.fromisoformat((to_the_second + offset).upper())
            moment = moment.astimezone(UTC)  # which year 1 and 9999 may be past
        except (ValueError, OverflowError):
            raise self.make_error("invalid") from None
        return int(moment.timestamp()) * SECOND + int(fraction.ljust(9, "0"))


class Text(fields.String):
    """Free text without control characters, except tabs and line breaks.

    Those that change the direction of text (UAX #9) are refused, too: they would let a
    name or a description rewrite what stands beside it.
    """

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        controls = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
        directions = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
        text = FullMatch(
            rf"^[^{controls}{directions}]{{{least},{most}}}$",
            error="Must be text without control characters, "
            f"{least} to {most} characters long.",
        )
        super().__init__(validate=text, **kwargs)


class EventTypes(fields.List[Any]):
    """Which events a webhook is notified of: each once, in the order of this list."""

    def __init__(self, **kwargs: Any) -> None:
        each = fields.String(validate=OneOf(list(EventType)))
        super().__init__(each, validate=Length(1, len(EventType)), **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        known = list(EventType)
        if (
            not isinstance(value, list)
            or len(value) > len(known)
            or any(each not in known for each in value)
        ):
            raise ValidationError(f"Must be a list of these: {', '.join(known)}.")
        return [type for type in EventType if type in value]


def operation_type(name: str) -> fields.Field[Any]:
    """Return the field by which `Operations` knows the schema of an operation."""
    return fields.String(required=True, validate=Equal(name))


class Operations(fields.Field[list[Operation]]):
    """The operations of a batch, each read by the schema of its type."""

    def __init__(self, **schemas: Schema) -> None:
        parts = [type(each).__name__ for each in schemas.values()]
        references = [{"$ref": f"#/components/schemas/{part}"} for part in parts]
        described: dict[str, Any] = {"minItems": 1, "maxItems": OPERATIONS_MAX}
        described |= {"type": "array", "items": {"oneOf": references}}
        super().__init__(required=True, metadata=described)
        self.schemas = schemas
        self._readers = {
            name: ObjectReader(type(each)(exclude=["type"]))
            for name, each in schemas.items()
        }

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Operation]:
        if not isinstance(value, list) or not 1 <= len(value) <= OPERATIONS_MAX:
            raise ValidationError(f"Must be a list of 1 to {OPERATIONS_MAX}.")
        operations: list[Operation] = []
        errors: Errors = {}
        for index, each in enumerate(value):
            loaded, wrong = self._read(each)
            for key, error in wrong.items():
                errors[f"{index}.{key}"] = error
            if not errors:
                operations.append(Operation(**loaded))
        if errors:
            raise ValidationError(errors)
        return operations

    def _read(self, operation: Any) -> tuple[dict[str, Any], Errors]:
        type = operation.pop("type", None) if isinstance(operation, dict) else None
        read = self._readers.get(type) if isinstance(type, str) else None
        if read is None:
            return {}, {"type": [f"Must be one of {', '.join(self._readers)}."]}
        return read(operation)


Category = partial(
    fields.String,
    validate=FullMatch("^[a-z][a-z0-9-]{0,31}$", error="Must be a slug such as food."),
)
"""A slug by which spending is grouped."""

Description = partial(Text, 0, DESCRIPTION_LENGTH_MAX)
"""What a transaction is about, in the words of a person."""

Reason = partial(Text, 1, REASON_LENGTH_MAX)
"""Why a wallet is frozen, in the words of a person."""

Otp = partial(
    fields.String, validate=FullMatch("^[0-9]{6}$", error="Must be six digits.")
)

BankAccount = partial(
    fields.String,
    validate=FullMatch(
        f"^[A-Za-z0-9][A-Za-z0-9 @._-]{{0,{BANK_ACCOUNT_LENGTH_MAX - 1}}}$",
        error="Must be 1 to 64 letters, digits, spaces and @ . _ -, and begin with "
        "a letter or a digit.",
    ),
)
"""A bank account, as the bank writes it: an IBAN, a UPI address, a sandbox name."""

Url = partial(
    fields.String, validate=Length(1, URL_CHARACTERS_MAX), metadata={"format": "uri"}
)
"""Where a webhook is. The service decides whether anything may be sent there."""

CurrencyCode = partial(
    fields.String,
    validate=OneOf(list(MINOR_DIGITS), error="Must be an ISO 4217 currency code."),
)
"""The ISO 4217 code of a currency with minor units."""
