"""The judge: the histories that it lets pass."""

from __future__ import annotations

import pytest

from tests.concurrency.histories import (
    TWO,
    added,
    at_rest,
    balanced,
    called,
    deducted,
    wallets,
)
from tests.concurrency.judge import judge
from tests.concurrency.ledger import PAYS
from tests.concurrency.linearizability import Call
from tests.concurrency.programs import Program
from tests.concurrency.results import (
    CRASHED,
    Done,
    Refused,
    Report,
    Snapshot,
    Totals,
)
from tests.concurrency.specification import Add, Deduct
from tests.concurrency.specification_of_payments import Attempt, Deposit
from tests.concurrency.specification_of_reads import AtRest, Audit, Get


def test_a_history_without_calls_is_right() -> None:
    assert judge([], TWO) is None


def test_calls_that_came_one_after_the_other_are_right() -> None:
    first, second = added(60, 160, "0.0"), added(40, 200, "1.0")
    calls = [
        called("0.0", Add("asha", 60), (0, 1), first),
        called("1.0", Add("asha", 40), (2, 3), second),
        called("0.1", Get("asha"), (4, 5), Snapshot("asha", "INR", 200)),
        at_rest(AtRest(), wallets(first, second)),
        at_rest(Audit(), balanced(300, 4)),
    ]
    assert judge(calls, TWO) is None
    assert judge(calls[::-1], TWO) is None, "the list's order means nothing"


@pytest.mark.parametrize("balance", [100, 160])
def test_a_call_that_overlaps_another_may_come_before_or_after_it(balance: int) -> None:
    calls = [
        called("0.0", Add("asha", 60), (0, 3), added(60, 160, "0.0")),
        called("1.0", Get("asha"), (1, 2), Snapshot("asha", "INR", balance)),
    ]
    assert judge(calls, TWO) is None


def test_of_two_who_spend_the_same_money_one_is_refused() -> None:
    refused = Refused("insufficient_funds", (("amount", 60), ("balance", 40)))
    calls = [
        called("0.0", Deduct("asha", 60), (0, 2), refused),
        called("1.0", Deduct("asha", 60), (1, 3), deducted(60, 40, "1.0")),
        at_rest(AtRest(), wallets(deducted(60, 40, "1.0"))),
    ]
    assert judge(calls, TWO) is None


def test_a_crash_that_changed_nothing_is_right() -> None:
    calls = [
        called("0.0", Add("asha", 60, faults=(1,)), (0, 1), CRASHED),
        at_rest(AtRest(), wallets()),
    ]
    assert judge(calls, TWO) is None


PAID_IN = Program(
    {"asha": 100}, before=[Deposit("asha", 60, PAYS, key="payment")]
).ledger()
ATTEMPT = called("0.0", Attempt("payment"), (0, 7), Done())


def audited(during: tuple[int, int], balance: int, in_flight: int = 0) -> Call:
    transactions = 1 + (balance > 100)
    totals = Totals("INR", balance, balance, 0, 0, in_flight)
    report = Report((), 1, transactions, (totals,))
    return called("1.0", Audit(), during, report)


def test_an_audit_may_come_between_the_two_halves_of_an_attempt() -> None:
    before, between, after = audited((1, 2), 100), audited((3, 4), 100, 60), (5, 6)
    assert judge([ATTEMPT, before, between, audited(after, 160)], PAID_IN) is None
    assert judge([ATTEMPT, between, audited((8, 9), 160)], PAID_IN) is None


def test_what_an_attempt_has_booked_is_in_flight_no_more() -> None:
    for calls in (
        [ATTEMPT, audited((8, 9), 100, 60)],
        [ATTEMPT, audited((8, 9), 100)],
        [ATTEMPT, audited((1, 2), 160), audited((3, 4), 100, 60)],
        [ATTEMPT, audited((1, 2), 100, 60), audited((3, 4), 100)],
    ):
        assert judge(calls, PAID_IN) is not None


def test_what_a_key_has_made_bears_the_label_of_the_key() -> None:
    """Nobody can know which of two calls with one key made the transaction."""
    made = added(60, 160, "k")
    calls = [
        called("0.0", Add("asha", 60, key="k"), (0, 2), made),
        called("1.0", Add("asha", 60, key="k"), (1, 3), made),
        at_rest(AtRest(), wallets(made)),
    ]
    assert judge(calls, TWO) is None
