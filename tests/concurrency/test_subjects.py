"""Twelve wallets as people write them: nine bugs are found, and three that are right
hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.concurrency.examine import Verdict, examine
from tests.concurrency.explorer import Call, explore

SUBJECTS = Path(__file__).parent / "subjects"

WRONG = {
    "check_outside": (Verdict.LOST_MONEY, "20 is spent that was not there"),
    "compare_and_set": (Verdict.LOST_MONEY, "60 is lost"),
    "dict_of_dicts": (Verdict.LOST_MONEY, "60 is lost"),
    "double_create": (Verdict.NOT_ATOMIC, "create(zoe) answered created"),
    "lazy_locks": (Verdict.LOST_MONEY, "60 is lost"),
    "leaked_lock": (Verdict.DEADLOCK, "waits for asha._lock"),
    "two_sections": (Verdict.NOT_ATOMIC, "balance(ravi) answered 100"),
    "unsorted_locks": (Verdict.DEADLOCK, "waits for _wallets['ravi'].lock"),
    "woken_once": (Verdict.LOST_MONEY, "spent that was not there"),
}
RIGHT = ["one_lock", "one_worker", "sorted_locks"]
NO_WALLETS = ["bounded_queue", "counter", "expiring_cache"]
"""These are in test_explorer.py."""


def test_each_subject_has_a_row() -> None:
    files = {path.stem for path in SUBJECTS.glob("[!_]*.py")}
    assert files == {*WRONG, *RIGHT, *NO_WALLETS}


@pytest.mark.parametrize("name", WRONG)
def test_a_bug_is_found_with_at_most_three_calls(name: str) -> None:
    examined = examine(SUBJECTS / f"{name}.py")
    verdict, said = WRONG[name]
    assert examined.verdict is verdict and examined.failure is not None
    assert said in examined.wrong
    assert len(examined.failure.history.made) <= 3
    assert examined.schedules < 1_000


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_holds_under_every_schedule(name: str) -> None:
    examined = examine(SUBJECTS / f"{name}.py", calls_max=2, seconds=600)
    assert examined.verdict is Verdict.HELD, examined.wrong
    assert examined.ended and examined.schedules > examined.programs


def test_two_readers_at_once_are_tried(tmp_path: Path) -> None:
    """The second of two readers that leave at once forgets the first."""
    path = tmp_path / "readers.py"
    path.write_text(READERS)
    examined = examine(path)
    assert examined.verdict is Verdict.DEADLOCK, examined.wrong


READERS = """
import threading

class Wallet:
    def __init__(self):
        self.balance = 0
        self.readers = 0
        self.free = threading.Condition()

    def get_balance(self):
        with self.free:
            self.readers += 1
        seen = self.balance
        self.readers -= 1
        with self.free:
            self.free.notify_all()
        return seen

    def add(self, amount):
        with self.free:
            while self.readers:
                self.free.wait()
            self.balance += amount
"""


def test_a_round_of_a_comprehension_is_no_single_step(tmp_path: Path) -> None:
    path = tmp_path / "summed.py"
    path.write_text(SUMMED)
    examined = examine(path)
    assert examined.verdict is Verdict.CRASHED
    assert "dictionary changed size during iteration" in examined.wrong


SUMMED = """
import threading

class Wallet:
    def __init__(self):
        self.lock = threading.Lock()
        self.entries = {0: 0}

    def add(self, amount):
        with self.lock:
            self.entries[len(self.entries)] = amount

    def balance(self):
        return sum(amount for amount in self.entries.values())
"""


def test_a_statement_goes_on_after_a_call_in_a_step_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "two_reads.py"
    path.write_text(TWO_READS)
    explored = explore(
        path,
        lambda module: module.Bank(),
        [[Call("total")], [Call("move", 60)]],
    )
    assert explored.failure is not None


TWO_READS = """
import threading

class Bank:
    def __init__(self):
        self.lock = threading.Lock()
        self.balances = {"asha": 100, "ravi": 100}

    def _of(self, name):
        with self.lock:
            return self.balances[name]

    def total(self):
        return self._of("asha") + self.balances["ravi"]

    def move(self, amount):
        with self.lock:
            self.balances["asha"] -= amount
            self.balances["ravi"] += amount
"""


@pytest.mark.parametrize(
    ("loop", "verdict"),
    [
        ("while not self.lock.acquire(False): pass", Verdict.HELD),
        ("while not self.lock.acquire(blocking=False): time.sleep(0.1)", Verdict.HELD),
        ("for _ in range(3): self.lock.acquire(False)", Verdict.LOST_MONEY),
    ],
)
def test_who_spins_at_a_lock_waits_for_it(
    tmp_path: Path, loop: str, verdict: Verdict
) -> None:
    path = tmp_path / "spin.py"
    path.write_text(SPINNING.format(loop))
    examined = examine(path, calls_max=2)
    assert examined.verdict is verdict, examined.wrong


SPINNING = """
import threading
import time

class Wallet:
    def __init__(self):
        self.balance = 0
        self.lock = threading.Lock()

    def add(self, amount):
        {}
        self.balance += amount
        if self.lock.locked():
            self.lock.release()
"""
