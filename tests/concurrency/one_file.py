"""Explores calls on the wallets of one file: code that somebody has just written.

The file has `create(wallet_id)`, `add(wallet_id, amount)`, and `wallets`, a dictionary
of objects with a balance and a history. What the calls come to under a schedule is
compared with what they come to one at a time, in each order. A call that raises a
`Busy` asks to be made again, so it counts as not made.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tests.concurrency import scheduler as scheduling
from tests.concurrency.explorer import Explorer, Failure, History, Raised
from tests.concurrency.instrument import Source
from tests.concurrency.judge import IN_TURN
from tests.concurrency.losses import lost
from tests.concurrency.primitives import Lock
from tests.concurrency.scheduler import UNSHOWN, Scheduler

UNSHOWN.add(__file__)

OPENED = {"asha": 100, "ravi": 100}


class Expression:
    """A call that is written as Python, made where the file's names are known."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._code = compile(text, "the call", "eval")

    def __call__(self, module: ModuleType) -> object:
        return _in_words(eval(self._code, vars(module)))

    def __repr__(self) -> str:
        return self._text


class Outcome(NamedTuple):
    """What calls come to: what each answered, and the wallets with their changes."""

    answers: tuple[str, ...]
    wallets: tuple[tuple[str, int, tuple[str, ...]], ...]
    problems: tuple[str, ...]

    @property
    def balances(self) -> dict[str, int]:
        return {name: balance for name, balance, _ in self.wallets}

    def __str__(self) -> str:
        books = [
            f"{name} {balance} ({' '.join(changes)})"
            for name, balance, changes in self.wallets
        ]
        return "; ".join([", ".join(books), *self.problems])


class OneFile:
    """The code in a file, under the scheduler."""

    def __init__(self, path: Path, calls: Sequence[str]) -> None:
        self.schedules = 0
        self._calls = [Expression(call) for call in calls]
        self._scheduler = Scheduler()
        self._source = Source(path, self._scheduler)
        self._explorer = Explorer(self._scheduler, self._opened)
        self._source.module()  # so that what is wrong with it is known at once

    def failure(self, preemptions: int) -> Failure | None:
        """Return the first run that differs from the calls one at a time, among all
        with up to so many preemptions; None if there is no such run."""
        orders = cache(self._in_turn)

        def check(history: History) -> str | None:
            return _wrong(history, orders(_busy(history)))

        threads = [[call] for call in self._calls]
        try:
            explored = self._explorer.explore(threads, check, preemptions)
        finally:
            self._scheduler.close()
        self.schedules = explored.schedules
        failure = explored.failure
        if failure is not None and failure.deadlock is not None:
            _name_locks(failure.history.subjects[0])
            failure.wrong = (
                f"Deadlock: every thread waits for ever.\n{failure.deadlock}"
            )
        return failure

    def answers(self) -> list[str]:
        """Return what each call answers, made one after the other."""
        try:
            return list(self._in_turn(frozenset())[0].answers)
        finally:
            self._scheduler.close()

    def _in_turn(self, busy: frozenset[tuple[int, str]]) -> list[Outcome]:
        """Return what the calls come to in each order, without those that were busy."""
        said = dict(busy)
        made = [number for number in range(len(self._calls)) if number not in said]
        outcomes = []
        for history in self._explorer.in_turn([[self._calls[i]] for i in made]):
            answers = said | dict(zip(made, _answers(history), strict=True))
            module = history.subjects[0]
            outcomes.append(_outcome(module, [answers[i] for i in sorted(answers)]))
        return outcomes

    def _opened(self) -> ModuleType:
        """Return the file as a new module, with its wallets opened."""
        module = self._source.module()
        for name, balance in OPENED.items():
            vars(module)["create"](name)
            vars(module)["add"](name, balance)
        return module


def _answers(history: History) -> list[str]:
    """Return the answers in the order of the threads."""
    made = sorted(history.made, key=lambda each: each.thread)
    return [str(each.answer) for each in made]


def _busy(history: History) -> frozenset[tuple[int, str]]:
    """Return the calls that ask to be made again, with what they said."""
    return frozenset(
        (each.thread, str(each.answer))
        for each in history.made
        if isinstance(each.answer, Raised) and each.answer.kind == "Busy"
    )


def _name_locks(module: Any) -> list[scheduling.Lock]:
    """Return the locks, each with the name of its wallet, or of its variable."""
    variables = list(vars(module).items())
    for name, wallet in module.wallets.items():
        variables += [(name, each) for each in vars(wallet).values()]
    locks = {name: each.lock for name, each in variables if isinstance(each, Lock)}
    for name, lock in locks.items():
        lock.name = name
    return list(locks.values())


def _outcome(module: Any, answers: Sequence[str]) -> Outcome:
    wallets = tuple(
        (name, each.balance, tuple(_change(made) for made in each.history))
        for name, each in sorted(module.wallets.items())
    )
    problems = tuple(module.audit()) if hasattr(module, "audit") else ()
    return Outcome(tuple(answers), wallets, problems)


def _in_words(answer: Any) -> str:
    """Return an answer without what differs from run to run: ids and times."""
    if isinstance(answer, list | tuple):
        return "; ".join(map(_in_words, answer)) or "nothing"
    if hasattr(answer, "balance_after"):
        return f"{_change(answer)}, balance {answer.balance_after}"
    return str(answer)


def _change(made: Any) -> str:
    sign = "-" if made.type in ("DEBIT", "TRANSFER_OUT") else "+"
    return f"{sign}{made.amount}"


def _wrong(history: History, in_turn: Sequence[Outcome]) -> str | None:
    """Return what is wrong with a run, beside what its calls come to one at a time."""
    module = history.subjects[0]
    for lock in _name_locks(module):
        if lock.locked:
            return f"{lock.name} was never released."
    came_to = _outcome(module, _answers(history))
    if came_to in in_turn:
        return None
    said = [lost(came_to.balances, [each.balances for each in in_turn])]
    rest = (f"The wallets in the end: {came_to}.", {str(each) for each in in_turn})
    answers = (
        f"The answers: {' / '.join(came_to.answers)}.",
        {" / ".join(each.answers) for each in in_turn},
    )
    wrong, right = rest if str(came_to) not in rest[1] else answers
    said += [wrong, f"{IN_TURN}: {' or '.join(sorted(right))}."]
    return "\n".join(filter(None, said))
