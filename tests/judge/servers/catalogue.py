"""Every server that there is: its bug or its manners, and which probe convicts it."""

from __future__ import annotations

from dataclasses import dataclass

THREADED = "threaded"
ASYNCIO = "asyncio"
EXPRESS = "express"


@dataclass(frozen=True, slots=True)
class Bug:
    name: str
    sentence: str
    convicted_by: tuple[str, ...]
    """The first must convict it, the others can. Without any, none may convict it."""
    servers: tuple[str, ...] = (THREADED,)


RACES = (
    Bug(
        "read-add-write",
        "two adds read one balance, and the second write undoes the first",
        ("races/lost-update", "races/history", "races/linearizable"),
    ),
    Bug(
        "check-outside-lock",
        "two deducts are checked against one balance, and both are made",
        ("races/double-spend", "races/many-from-ten", "races/linearizable"),
    ),
    Bug(
        "two-step-transfer",
        "between the debit and the credit, the money is in neither wallet",
        ("races/torn-transfer", "races/linearizable"),
    ),
    Bug(
        "debit-then-credit-back",
        "a transfer takes the money before it checks the receiver, and gives it back",
        ("races/dirty-read",),
    ),
    Bug(
        "arrival-order-locks",
        "two transfers that cross wait for each other, for ever",
        ("races/opposing", "races/ring"),
    ),
    Bug(
        "no-lock-on-receiver",
        "two transfers to one wallet read one balance of it",
        ("races/hot-receiver", "races/history"),
    ),
    Bug(
        "lost-entries",
        "the balance is right, but of two entries written at once, one stays",
        ("races/history",),
    ),
    Bug(
        "duplicate-create",
        "two creates look for the user's wallet before either has made it",
        ("races/create-twice",),
    ),
    Bug(
        "refused-but-applied",
        "a conflict is found after the write and answered with 409; the write stays",
        ("races/refused-but-applied",),
    ),
)

RIGHT = (Bug("right", "a right server", ()),)

ALL = {bug.name: bug for bug in (*RIGHT, *RACES)}
