"""The clocks: dates for people, and a monotonic clock for deadlines."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from uuid_utils import UUID

SECOND = 1_000_000_000
"""In nanoseconds, as all times and waits are."""

Clock = Callable[[], int]
"""Returns nanoseconds: since 1970, UTC, or of the monotonic clock, whose start means
nothing."""


class Deadline(Struct, frozen=True, gc=False):
    """A moment by two clocks: the date that clients see, in nanoseconds since 1970,
    and the time of the monotonic clock, which decides: no step of the date moves it."""

    date: int
    monotonic: int


NewId = Callable[[], UUID]
