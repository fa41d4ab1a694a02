"""Explores the wallets of one file: code that somebody has just written.

The file has `create(wallet_id)`, `add(wallet_id, amount)`, and `wallets`, a dictionary
of objects with a balance and a history. Its `threading.Lock` is the scheduler's, and
each of its lines is a switch point. It has no specification: what calls come to under a
schedule is compared with what they come to one at a time, in each order. A call that
raises a `Busy` asks to be made again, so it counts as not made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

from tests.concurrency.judge import IN_TURN
from tests.concurrency.losses import lost
from tests.concurrency.scheduler import (
    Choice,
    Lock,
    Run,
    Schedule,
    Scheduler,
    explore,
    preempted,
)
from tests.concurrency.switch_points import Lines

OPENED = {"asha": 100, "ravi": 100}
BUSY = "Busy: "


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


@dataclass
class FileExecution:
    """One run of calls: what happened, and what is wrong with it, if anything."""

    calls: Sequence[str]
    schedule: Schedule
    run: Run
    wrong: str | None = None

    @property
    def count(self) -> int:
        return len(self.calls)

    @property
    def choices(self) -> Sequence[Choice]:
        return self.run.choices

    @property
    def preempted(self) -> Mapping[int, Choice]:
        return preempted(self.run, self.schedule)


class OneFile:
    """The code in a file, under the scheduler."""

    def __init__(self, path: Path, calls: Sequence[str]) -> None:
        self.schedules = 0
        self._calls = calls
        self._path = str(path)
        self._code = compile(path.read_text(), self._path, "exec")
        self._expressions = [compile(call, "the call", "eval") for call in calls]
        self._scheduler = Scheduler()
        self._lines = Lines(self._scheduler, [path])
        self._locks: list[Lock] = []
        self._known: dict[tuple[tuple[int, str], ...], list[Outcome]] = {}
        exec(self._code, vars(_module()))  # what it imports has its own locks

    def failure(self, preemptions: int) -> FileExecution | None:
        """Return the first run that differs from the calls one at a time, among all
        with up to so many preemptions; None if there is no such run."""
        calls = self._calls
        alike = {i for i in range(len(calls)) if calls[i] in calls[:i]}
        runs = explore(self._execute, preemptions, alike)
        try:
            return next((each for each in runs if each.wrong is not None), None)
        finally:
            self._scheduler.close()

    def answers(self) -> Sequence[str]:
        """Return what the calls answer one at a time, in the order in which they are
        given."""
        return self._in_turn([""] * len(self._calls))[0].answers

    def _execute(self, schedule: Schedule) -> FileExecution:
        self.schedules += 1
        module = self._opened()
        answers = [""] * len(self._calls)
        run = self._scheduler.run(
            [self._body(module, number, answers) for number in range(len(answers))],
            schedule,
        )
        _name_locks(module)
        execution = FileExecution(self._calls, schedule, run)
        held = [lock for lock in self._locks if lock.locked]
        if run.deadlock is not None:
            execution.wrong = f"Deadlock: every thread waits for ever.\n{run.deadlock}"
        elif held:
            execution.wrong = f"{held[0].name} was never released."
        else:
            execution.wrong = _wrong(_outcome(module, answers), self._in_turn(answers))
        return execution

    def _body(
        self, module: ModuleType, number: int, answers: list[str]
    ) -> Callable[[], None]:
        def body() -> None:
            self._scheduler.happened("invoke", self._calls[number])
            answers[number] = self._answer(module, number)
            self._scheduler.happened("return", answers[number])

        return self._lines.traced(body)

    def _in_turn(self, answers: Sequence[str]) -> list[Outcome]:
        """Return what the calls come to in each order, without those that were busy."""
        busy = {i: each for i, each in enumerate(answers) if each.startswith(BUSY)}
        made = [i for i in range(len(answers)) if i not in busy]
        if (known := tuple(busy.items())) not in self._known:
            self._known[known] = [
                self._one_by_one(order, busy) for order in permutations(made)
            ]
        return self._known[known]

    def _one_by_one(self, order: Sequence[int], busy: Mapping[int, str]) -> Outcome:
        module = self._opened()
        answers = dict(busy)
        for number in order:
            answers[number] = self._answer(module, number)
        return _outcome(module, [answers[number] for number in sorted(answers)])

    def _answer(self, module: ModuleType, number: int) -> str:
        try:
            return _in_words(eval(self._expressions[number], vars(module)))
        except Exception as error:  # noqa: BLE001 - a refusal, or a bug that is shown
            return f"{type(error).__name__}: {error}"

    def _opened(self) -> Any:
        """Return the file as a new module, with its wallets opened."""
        module: Any = _module()
        self._locks = []
        with patch("threading.Lock", self._new_lock):
            exec(self._code, vars(module))
        for name, balance in OPENED.items():
            module.create(name)
            module.add(name, balance)
        return module

    def _new_lock(self) -> Lock:
        self._locks.append(self._scheduler.new_lock(f"lock {len(self._locks) + 1}"))
        return self._locks[-1]


def _module() -> ModuleType:
    module = ModuleType("one_file")
    sys.modules[module.__name__] = module  # dataclasses look for it there
    return module


def _name_locks(module: Any) -> None:
    """Give locks the name of their wallet, or of their variable."""
    named = [(wallet_id, vars(each)) for wallet_id, each in module.wallets.items()]
    for name, variables in named:
        for lock in variables.values():
            if isinstance(lock, Lock):
                lock.name = name
    for name, lock in vars(module).items():
        if isinstance(lock, Lock):
            lock.name = name


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


def _wrong(came_to: Outcome, in_turn: Sequence[Outcome]) -> str | None:
    """Return what is wrong with an outcome that no order of the calls gives."""
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
