"""What is asked of a wallet server, and what came of it: values, as JSON too."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

import msgspec

Kind = Literal["create", "add", "deduct", "transfer", "read", "history"]
NOBODY = -1
"""The wallet that does not exist."""


class Op(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call; wallets are numbers in a plan, amounts are in minor units.

    Calls with one `key` are sent with one idempotency key. Of a "create" the wallet is
    the number of the user.
    """

    kind: Kind
    wallet: int = 0
    amount: int = 0
    to: int | None = None
    key: str = ""

    def changes(self) -> dict[int, int]:
        """Return by how much the balance of each wallet changes."""
        match self.kind:
            case "add":
                return {self.wallet: self.amount}
            case "deduct":
                return {self.wallet: -self.amount}
            case "transfer" if self.to is not None and self.to != self.wallet:
                return {self.wallet: -self.amount, self.to: self.amount}
        return {}


class Outcome(StrEnum):
    """Whether the effect happened: exactly once, not at all, or nobody knows."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Entry(msgspec.Struct, frozen=True):
    """One entry of a history: the signed change, and the balance after it."""

    change: int
    after: int | None = None


class Done(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call with what came of it; moments in ns since the race was released.

    `began` is when its first byte was sent, `released` its last one.
    """

    op: Op
    stage: int
    lane: int
    began: int
    released: int
    ended: int
    outcome: Outcome
    status: int | None = None
    balance: int | None = None
    id: str = ""
    entries: tuple[Entry, ...] | None = None
    said: str = ""
    """What the server said, or why there is no answer, in one printable line."""

    @property
    def is_timed_out(self) -> bool:
        return self.status is None and self.said.startswith("timed out")


class Lane(msgspec.Struct, frozen=True, omit_defaults=True):
    """Calls that one connection makes, one after another."""

    ops: tuple[Op, ...]
    offset_ns: int = 0
    is_beside: bool = False
    """It reads until the others have ended."""


Stage = tuple[Lane, ...]
"""Lanes that run at once."""


class Plan(msgspec.Struct, frozen=True):
    """What a round does: wallets with balances, then stages, one after another."""

    starts: tuple[int, ...]
    stages: tuple[Stage, ...]


class Record(msgspec.Struct, frozen=True):
    """A round as it went: all that a verdict needs.

    `rest` is the balance of each wallet afterwards, None if it could not be read;
    `entries` its history since the round began, None if there is none.
    """

    plan: Plan
    ids: tuple[str, ...]
    starts: tuple[int, ...]
    done: tuple[Done, ...]
    rest: tuple[int | None, ...]
    entries: tuple[tuple[Entry, ...] | None, ...]

    def ops(self, places: Iterable[int]) -> list[Op]:
        """Return the calls at these places."""
        return [self.done[place].op for place in places]

    def places(self, done: Iterable[Done]) -> tuple[int, ...]:
        """Return where calls stand."""
        wanted = list(done)
        return tuple(
            place
            for place, each in enumerate(self.done)
            if any(each is other for other in wanted)
        )

    def with_outcome(self, outcome: Outcome) -> list[Done]:
        """Return the calls that came to this, without those that only read."""
        return [
            each
            for each in self.done
            if each.outcome is outcome and each.op.kind not in ("read", "history")
        ]
