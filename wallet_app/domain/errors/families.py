"""What all refusals have in common, and the families that they form.

A refusal is one class. It names its family, its code, its title, its message and its
values, each with the value that it has in the API description. A family says what kind
of refusal it is, and nothing of HTTP: the API has a status for each family.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, replace
from typing import ClassVar, Self, TypeVar, cast, dataclass_transform

T = TypeVar("T")


def member(example: T, *, default: object = MISSING, init: bool = True) -> T:
    """Declare a value that stands in the problem document, too."""
    return _value(example, default, init, is_member=True)


def internal(example: T, *, default: object = MISSING) -> T:
    """Declare a value that only the message or the service needs."""
    return _value(example, default, init=True, is_member=False)


def _value(example: T, default: object, init: bool, *, is_member: bool) -> T:
    metadata = {"example": example, "is_member": is_member}
    return cast(T, field(default=default, init=init, metadata=metadata))


@dataclass_transform(eq_default=False, field_specifiers=(member, internal))
@dataclass(eq=False)
class WalletError(Exception):
    """A request that is refused. No money was moved."""

    code: ClassVar[str]
    """What programs know the refusal by. It never changes."""

    title: ClassVar[str]
    message: ClassVar[str]
    """The text for people, in which `{name}` stands for a value."""

    kept: ClassVar[bool] = True
    """Whether an idempotency key keeps it as the outcome of its request."""

    operation: int | None = field(
        default=None, init=False, metadata={"is_member": False}
    )
    """Which operation of a batch is refused, by its index."""

    def __init_subclass__(cls) -> None:
        dataclass(eq=False)(cls)

    @classmethod
    def example(cls) -> Self:
        """Return the refusal that the API description shows."""
        return cls(
            **{each.name: each.metadata["example"] for each in fields(cls) if each.init}
        )

    @property
    def detail(self) -> str:
        """What happened, in a sentence or two."""
        return self.message.format_map(vars(self))

    @property
    def values(self) -> dict[str, object]:
        """What a client needs to act, by name. Times are in nanoseconds since 1970."""
        return {
            each.name: vars(self)[each.name]
            for each in fields(self)
            if each.metadata["is_member"]
        }

    def again(self) -> Self:
        """Return an equal refusal without the traceback of this one."""
        equal = replace(self)
        vars(equal).update(vars(self))
        return equal

    def __str__(self) -> str:
        return self.detail


class Invalid(WalletError):
    """What was asked for cannot be done: its values do not fit each other or the
    wallet."""


class Forbidden(WalletError):
    """Nobody may do this."""


class NotFound(WalletError):
    """There is nothing with this id, or it is no longer kept."""


class Conflict(WalletError):
    """The state of something does not allow this now."""

    kept = False


class Expired(WalletError):
    """It was valid, and its time is over."""


class Unprocessable(WalletError):
    """The request is valid, but a limit, a rate or an earlier request rules it out."""


class Locked(WalletError):
    """The wallet takes part in no movement now."""


class TooMany(WalletError):
    """It was done as often as it may be, for one wallet or by one caller."""

    kept = False


class Exhausted(WalletError):
    """The service has no room for more now. Nothing was done."""

    kept = False
