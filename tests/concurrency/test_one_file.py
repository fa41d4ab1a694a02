"""The wallets of one file are explored without a specification of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.concurrency import __main__ as command
from tests.concurrency.explorer import Failure
from tests.concurrency.one_file import OneFile

RIGHT = """
import threading
from dataclasses import dataclass, field

class Busy(Exception):
    pass

@dataclass
class Made:
    type: str
    amount: int
    balance_after: int

@dataclass
class Wallet:
    balance: int = 0
    history: list[Made] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

wallets = {}
keys = set()
keys_lock = threading.Lock()

def create(name):
    wallets[name] = Wallet()

def add(name, amount):
    wallet = wallets[name]
    with wallet.lock:
        return move(wallet, "CREDIT", amount)

def move(wallet, type, change):
    balance = wallet.balance + change
    wallet.balance = balance
    wallet.history.append(Made(type, abs(change), balance))
    return wallet.history[-1]

def swap(source, target):
    first, second = sorted([source, target])
    with wallets[first].lock, wallets[second].lock:
        move(wallets[source], "DEBIT", 60)
        move(wallets[target], "CREDIT", 60)

def once(key):
    with keys_lock:
        if key in keys:
            raise Busy(key)
        keys.add(key)
    add("asha", 60)
    with keys_lock:
        keys.remove(key)
"""
ADD = "add('asha', 60)"


def explored(
    tmp_path: Path, calls: list[str], *, instead: tuple[str, str] = ("", "")
) -> Failure | None:
    path = tmp_path / "wallet.py"
    assert instead[0] in RIGHT
    path.write_text(RIGHT.replace(*instead))
    return OneFile(path, calls).failure(preemptions=1)


@pytest.mark.parametrize(
    "calls",
    [
        [ADD],
        [ADD, ADD],
        ["swap('asha', 'ravi')", "swap('ravi', 'asha')"],
        [ADD, "swap('asha', 'ravi')"],
        ["once('k')", "once('k')"],
        ["once('k')", "add('nobody', 1)"],
    ],
)
def test_a_correct_file_holds(tmp_path: Path, calls: list[str]) -> None:
    assert explored(tmp_path, calls) is None


def test_a_lost_update_is_found_and_begins_with_the_money(tmp_path: Path) -> None:
    failure = explored(tmp_path, [ADD, ADD], instead=("with wallet.lock", "if True"))
    assert failure is not None
    assert failure.wrong == (
        "60 is lost: asha should have 220 and has 160.\n"
        "The wallets in the end: asha 160 (+100 +60 +60), ravi 100 (+100).\n"
        "One call at a time: asha 220 (+100 +60 +60), ravi 100 (+100)."
    )
    assert len(failure.preempted) == 1


def test_a_deadlock_is_found_with_the_names_of_the_locks(tmp_path: Path) -> None:
    calls = ["swap('asha', 'ravi')", "swap('ravi', 'asha')"]
    unsorted = ("sorted([source, target])", "source, target")
    failure = explored(tmp_path, calls, instead=unsorted)
    assert failure is not None and failure.wrong is not None
    assert failure.wrong.startswith("Deadlock: every thread waits for ever.\n")
    assert "thread 0 waits for ravi at wallet.py:" in failure.wrong


def test_a_lock_that_is_never_released_is_found(tmp_path: Path) -> None:
    held = (
        "    with keys_lock:\n        keys.remove",
        "    keys_lock.acquire()\n    keys.remove",
    )
    failure = explored(tmp_path, ["once('k')"], instead=held)
    assert failure is not None and failure.wrong == "keys_lock was never released."


def test_what_an_audit_finds_is_wrong(tmp_path: Path) -> None:
    audit = """
def audit():
    return ["60 too few"] if wallets["asha"].balance == 160 else []
"""
    failure = explored(
        tmp_path, [ADD, ADD], instead=("def create", f"{audit}\ndef create")
    )
    assert failure is None
    path = tmp_path / "wallet.py"
    path.write_text(RIGHT.replace("with wallet.lock", "if True") + audit)
    failure = OneFile(path, [ADD, ADD]).failure(preemptions=1)
    assert failure is not None and failure.wrong is not None
    assert "ravi 100 (+100); 60 too few." in failure.wrong


def test_an_answer_that_no_order_gives_is_wrong(tmp_path: Path) -> None:
    late = (
        'return move(wallet, "CREDIT", amount)',
        'move(wallet, "CREDIT", amount)\n    return wallet.balance',
    )
    failure = explored(tmp_path, [ADD, ADD], instead=late)
    assert failure is not None
    assert failure.wrong == (
        "The answers: 220 / 220.\nOne call at a time: 160 / 220 or 220 / 160."
    )


def test_one_who_is_told_to_ask_again_has_done_nothing(tmp_path: Path) -> None:
    moved = ("raise Busy(key)", "add('asha', 1); raise Busy(key)")
    failure = explored(tmp_path, ["once('k')", "once('k')"], instead=moved)
    assert failure is not None and failure.wrong is not None
    assert failure.wrong.startswith("1 is too much: asha should have 160 and has 161.")


def test_the_command_shows_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    path = tmp_path / "wallet.py"
    path.write_text(RIGHT)
    assert command.main(["--code", str(path), ADD, ADD, "--preemptions", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{path} held: all ")
    assert printed.endswith(
        " schedules with up to 2 preemptions.\n"
        "One call at a time, they answer: +60, balance 160 / +60, balance 220.\n"
    )
    path.write_text(RIGHT.replace("with wallet.lock", "if True"))
    assert command.main(["--code", str(path), ADD, ADD]) == 1
    printed = capsys.readouterr().out
    assert "here thread 0 is stopped, and thread 1 runs" in printed
    assert "balance = wallet.balance + change" in printed
    assert "60 is lost: asha should have 220 and has 160." in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wallet.py"], "--code needs a FILE and at least one CALL"),
        (["no-such.py", ADD], "cannot run that: [Errno 2]"),
        (["wallet.py", "add("], "cannot run that: '(' was never closed"),
    ],
)
def test_what_cannot_be_run_is_said_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (tmp_path / "wallet.py").write_text(RIGHT)
    with pytest.raises(SystemExit) as end:
        command.main(["--code", str(tmp_path / words[0]), *words[1:]])
    assert end.value.code == 2
    assert said in capsys.readouterr().err
