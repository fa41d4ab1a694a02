"""The command that attacks: what it refuses, how it judges, what it reads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest

from tests.attacks.arena import Arena, Attack
from tests.attacks.judge import Outcome, judged
from tests.attacks.listener import Listener
from tests.attacks.target import NotJudged, Target, Vitals
from tests.attacks.wire import answers_in
from tests.server import PROJECT, TIMEOUT_SECONDS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:8000",
        "http://0.0.0.0:8000",
        "http://127.0.0.1",
        "https://127.0.0.1:8000",
        "http://wallet.example:8000",
    ],
)
def test_only_a_loopback_address_is_attacked(url: str) -> None:
    with pytest.raises(ValueError):
        Target.parse(url)


def test_answers_are_read_as_they_are_framed() -> None:
    sized = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n"
    )
    empty = b"HTTP/1.1 204 No Content\r\n\r\n"
    answers, rest = answers_in(sized + chunked + empty + sized[:-1], False)
    assert [each.body for each in answers] == [b"{}", b"{", b""]
    assert rest == sized[:-1]


def test_the_end_of_a_chunked_answer_is_not_taken_for_an_answer() -> None:
    begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    assert answers_in(begun, True) == ([], begun)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["http://192.0.2.1:8000"], 3),
        (["--only", "no such attack"], 3),
        (["--seconds", "0"], 3),
        (["--soak", "0"], 3),
        (["http://127.0.0.1:9", "--only", "resets"], 2),
        (["--list"], 0),
    ],
)
def test_the_exit_status_says_why(arguments: list[str], status: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.attacks", *arguments],
        cwd=PROJECT,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    assert ran.returncode == status, ran.stderr


def _holds(arena: Arena) -> str:
    return "held"


def _fails(arena: Arena) -> str:
    raise AssertionError("a reason")


def _hangs_up(arena: Arena) -> str:
    raise ConnectionError("a reason")


def _cannot(arena: Arena) -> str:
    raise NotJudged("a reason")


@pytest.mark.parametrize(
    ("run", "outcome", "seen"),
    [
        (_holds, Outcome.HELD, "held"),
        (_fails, Outcome.NOT_HELD, "a reason"),
        (_hangs_up, Outcome.NOT_HELD, "a reason"),
        (_cannot, Outcome.NOT_JUDGED, "a reason"),
    ],
)
def test_an_attack_is_judged_by_what_it_raises(
    run: Callable[[Arena], str], outcome: Outcome, seen: str
) -> None:
    attack = Attack("a name", run, starts_server=True)
    row = judged(attack, Arena(Target("127.0.0.1", 0)))
    assert (row.outcome, row.seen) == (outcome, seen)


@pytest.mark.parametrize(
    ("after", "is_back"),
    [
        (Vitals(10, 25, 64.0), True),
        (Vitals(100, 25, 40.0), False),
        (Vitals(10, 60, 40.0), False),
        (Vitals(10, 25, 65.0), False),
    ],
)
def test_what_a_process_holds_is_compared(after: Vitals, is_back: bool) -> None:
    assert after.is_back(Vitals(10, 25, 40.0), margin_mib=24.0) is is_back


def _event(type: str, amount: int, balance_after: int) -> bytes:
    data = {"walletId": "w", "type": type, "amount": amount}
    data["balanceAfter"] = balance_after
    return msgspec.json.encode({"type": "transaction.created", "data": data})


def test_a_listener_drops_what_came_before_and_notes_what_came_too_early() -> None:
    listener = Listener()
    listener.hear("1", _event("CREDIT", 5, 5))
    listener.hear("2", _event("DEBIT", 2, 3))
    listener.hear("2", _event("DEBIT", 2, 3))
    assert (listener.transactions, listener.problems) == (2, [])
    listener.hear("4", _event("TRANSFER_OUT", 1, 1))
    assert listener.problems == ["w: -1 from 3 to 1"]
