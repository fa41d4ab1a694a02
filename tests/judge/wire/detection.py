"""Finds out how a server is spoken to, if nobody says so."""

from __future__ import annotations

from tests.judge.wire import setup
from tests.judge.wire.guessing import Guess, NoGuess
from tests.judge.wire.subject import Subject

KINDS = ("add", "deduct", "transfer", "history")


def detect(subject: Subject) -> setup.Walk:
    """Return what a walk found, of an adapter that the balances confirm.

    A server that answers as the exercise says is judged as the exercise says, whatever
    its balances are. Raises NoFit and Spent.
    """
    exercise = subject.adapter
    try:
        return setup.walk(subject, is_guess=True)
    except setup.NoFit as error:
        first = error
    subject.adapter = exercise
    try:
        return setup.walk(subject)
    except setup.NoFit:
        subject.adapter = exercise
    try:
        subject.adapter = Guess(subject).adapter()
        found = setup.walk(subject, is_guess=True)
    except NoGuess as error:
        raise setup.NoFit(f"as the exercise says: {first}; else: {error}") from error
    not_found = [kind for kind in KINDS if not subject.offers(kind)]
    for kind in not_found:
        subject.unknown[kind] = f"no {kind} request was found: give --adapter"
    if not_found:
        found.notes.insert(
            0,
            f"no {' and no '.join(not_found)} request was found: give --adapter, where "
            "an empty request says that it is not offered",
        )
    return found
