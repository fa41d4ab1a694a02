"""The judge: what it says about a history that is wrong."""

from __future__ import annotations

import pytest

from tests.concurrency.histories import (
    ASHA,
    TWO,
    added,
    at_rest,
    balanced,
    called,
    deducted,
    wallets,
)
from tests.concurrency.judge import in_words, judge
from tests.concurrency.programs import Program
from tests.concurrency.results import (
    CRASHED,
    Approval,
    Done,
    Entry,
    Failed,
    HistoryPage,
    Payment,
    Quoted,
    Refused,
    Report,
    Rest,
    Result,
    Snapshot,
    Summed,
    Totals,
    Usage,
    Webhook,
)
from tests.concurrency.specification import Add, Deduct, Transfer
from tests.concurrency.specification_of_reads import AtRest, Audit, Get


def test_a_lost_update_shows_in_the_wallets_at_the_end() -> None:
    one, other = added(60, 160, "0.0"), added(60, 160, "1.0")
    calls = [
        called("0.0", Add("asha", 60), (0, 2), one),
        called("1.0", Add("asha", 60), (1, 3), other),
        at_rest(AtRest(), wallets(other, one)),
    ]
    assert judge(calls, TWO) == (
        "60 is lost: asha should have 220 and has 160.\n"
        "The wallets in the end: asha 160 (+100 +60 +60), ravi 100 (+100)."
        "\nOne call at a time: asha 220 (+100 +60 +60), ravi 100 (+100)."
    )


def test_a_lost_update_shows_in_an_answer_when_the_calls_did_not_overlap() -> None:
    calls = [
        called("0.0", Add("asha", 60), (0, 1), added(60, 160, "0.0")),
        called("1.0", Add("asha", 40), (2, 3), added(40, 140, "1.0")),
    ]
    assert judge(calls, TWO) == (
        "Thread 1's add(asha, 40) answered +40, balance 140."
        "\nOne call at a time: +40, balance 200."
    )


def test_a_negative_balance_is_shown_beside_all_that_was_possible() -> None:
    calls = [
        called("0.0", Deduct("asha", 60), (0, 2), deducted(60, 40, "0.0")),
        called("1.0", Deduct("asha", 60), (1, 3), deducted(60, -20, "1.0")),
    ]
    assert judge(calls, TWO) == (
        "Thread 1's deduct(asha, 60) answered -60, balance -20.\nOne call at a time: "
        "-60, balance 40 or insufficient_funds amount=60 balance=40."
    )


def test_wallets_that_nobody_has_changed_like_this_are_named() -> None:
    sent = Entry("asha", "TRANSFER_OUT", 60, 40, "0.0")
    crashed = Transfer("asha", "ravi", 60, faults=(2,))
    calls = [
        called("0.0", crashed, (0, 1), CRASHED),
        at_rest(AtRest(), wallets(sent)),
    ]
    assert judge(calls, TWO) == (
        "60 is lost: asha should have 100 and has 40.\n"
        "The wallets in the end: asha 40 (+100 -60), ravi 100 (+100)."
        "\nOne call at a time: asha 100 (+100), ravi 100 (+100)."
    )


def test_an_audit_that_is_not_balanced_is_shown_with_its_first_problem() -> None:
    problem = "the balance is 160, but the transactions add up to 220"
    unbalanced = balanced(200, 2)._replace(problems=(problem, "and another"))
    words = (
        "not balanced: the balance is 160, but the transactions add up to 220."
        "\nOne call at a time: balanced: 2 wallets with INR 200."
    )
    calls = [called("1.0", Audit(), (0, 1), unbalanced)]
    assert judge(calls, TWO) == f"Thread 1's audit() answered {words}"
    calls = [at_rest(Audit(), unbalanced)]
    assert judge(calls, TWO) == f"audit() in the end: {words}"


def test_an_audit_that_saw_half_of_a_transfer_is_found() -> None:
    out = Entry("asha", "TRANSFER_OUT", 60, 40, "0.0")
    received = Entry("ravi", "TRANSFER_IN", 60, 160, "0.0")
    calls = [
        called("0.0", Transfer("asha", "ravi", 60), (0, 3), (out, received)),
        called("1.0", Audit(), (1, 2), balanced(140, 3)),
    ]
    assert judge(calls, TWO) == (
        "Thread 1's audit() answered balanced: 2 wallets with INR 140."
        "\nOne call at a time: balanced: 2 wallets with INR 200."
    )


def test_an_exception_that_nobody_expected_is_wrong() -> None:
    failed = Failed("RuntimeError", "dictionary changed size during iteration")
    calls = [called("0.0", Audit(), (0, 1), failed)]
    assert judge(calls, TWO) == (
        "Thread 0's audit() answered RuntimeError: dictionary changed size during "
        "iteration.\nOne call at a time: balanced: 2 wallets with INR 200."
    )


def test_a_crash_where_no_fault_strikes_is_wrong() -> None:
    calls = [called("0.0", Add("asha", 60, faults=(2,)), (0, 1), CRASHED)]
    assert judge(calls, TWO) == (
        "Thread 0's add(asha, 60) crash at write 2 answered Crash."
        "\nOne call at a time: +60, balance 160."
    )


def test_a_read_of_the_past_is_wrong() -> None:
    calls = [
        called("0.0", Add("asha", 60), (0, 1), added(60, 160, "0.0")),
        called("1.0", Get("asha"), (2, 3), Snapshot("asha", "INR", 100)),
    ]
    assert judge(calls, TWO) == (
        "Thread 1's get(asha) answered asha 100.\nOne call at a time: asha 160."
    )


def test_an_answer_that_is_wrong_in_the_words_of_a_right_one_is_shown_last() -> None:
    one, other = added(60, 160, "0.0"), added(60, 220, "1.0")
    usage = Usage("asha", None, 0)
    swapped = Rest(((Snapshot("asha", "INR", 220), usage, (ASHA, other, one)),))
    problem = "the balance is 220, which is not the last balanceAfter"
    calls = [
        called("0.0", Add("asha", 60), (0, 2), one),
        called("1.0", Add("asha", 60), (1, 3), other),
        at_rest(AtRest(), swapped),
    ]
    alone = Program({"asha": 100}).ledger()
    assert judge(calls, alone) == (
        "The wallets in the end: asha 220 (+100 +60 +60)."
        "\nOne call at a time: asha 220 (+100 +60 +60)."
    )
    report = Report((problem,), 1, 3, (Totals("INR", 220, 220, 0),))
    assert judge([*calls, at_rest(Audit(), report)], alone) == (
        f"audit() in the end: not balanced: {problem}."
        "\nOne call at a time: balanced: 1 wallets with INR 220."
    )


def test_answers_that_are_possible_only_each_by_itself_are_wrong() -> None:
    calls = [
        called("0.0", Add("asha", 60), (0, 5), added(60, 160, "0.0")),
        called("1.0", Get("asha"), (1, 2), Snapshot("asha", "INR", 160)),
        called("1.1", Get("asha"), (3, 4), Snapshot("asha", "INR", 100)),
    ]
    assert judge(calls, TWO) == (
        "Each answer is possible, but no one order of the calls gives all of them."
    )


WALLETS = "asha 40; $asha 0"


@pytest.mark.parametrize(
    "result, words",
    [
        (Entry("asha", "CREDIT", 60, 160, "x"), "+60, balance 160"),
        (Entry("asha", "DEBIT", 60, 40, "x"), "-60, balance 40"),
        (Entry("asha", "TRANSFER_OUT", 60, 40, "x"), "-60, balance 40"),
        (Entry("asha", "TRANSFER_IN", 60, 160, "x"), "+60, balance 160"),
        (
            (
                Entry("asha", "TRANSFER_OUT", 60, 40, "x"),
                Entry("ravi", "TRANSFER_IN", 60, 60, "x"),
            ),
            "asha -60, balance 40; ravi +60, balance 60",
        ),
        (Snapshot("asha", "INR", 40), "asha 40"),
        (HistoryPage((), 0), "no transactions"),
        (HistoryPage((deducted(60, 40, "x"), ASHA), 2), "+100 -60"),
        (Rest(()), "no wallets"),
        (Rest(((Snapshot("asha", "INR", 0), Usage("asha", None, 0), ()),)), "asha 0"),
        (Snapshot("asha", "INR", 40, "0.0"), "asha 40, frozen by 0.0"),
        (Usage("asha", None, 60), "asha has spent 60 of any"),
        (Usage("asha", 100, 60), "asha has spent 60 of 100"),
        (Approval("asha", 60), "-60 from asha: PENDING, 3 resends left"),
        (
            Summed("INR", (("CREDIT", 2, 100), ("DEBIT", 1, 40)), 100, 40),
            "3 transactions: +100 -40",
        ),
        ((), "nothing"),
        ((Snapshot("asha", "INR", 40), Snapshot("$asha", "USD", 0)), WALLETS),
        (Quoted(60, 120), "60 come to 120"),
        (wallets(deducted(60, 40, "x")), "asha 40 (+100 -60), ravi 100 (+100)"),
        (Report((), 0, 0, ()), "balanced: 0 wallets with 0"),
        (
            Report((), 1, 1, (Totals("INR", 20, 40, 20, 20, 5),)),
            (
                "balanced: 1 wallets with INR 20 (and 20 on its way out) "
                "(and 5 on its way in)"
            ),
        ),
        (
            Payment("asha", "WITHDRAWAL", 60, "PARKED"),
            "withdrawal of 60 from asha: PARKED",
        ),
        (
            Rest((), (Payment("asha", "DEPOSIT", 6, "FAILED"),)),
            "no wallets; deposit of 6 into asha: FAILED",
        ),
        (Done(), "done"),
        (Webhook("0.1"), "the webhook of 0.1"),
        (balanced(200, 2), "balanced: 2 wallets with INR 200"),
        (
            Report(("the balance is -20", "and more"), 1, 2, ()),
            "not balanced: the balance is -20",
        ),
        (Refused("same_wallet"), "same_wallet"),
        (Refused("no", (("amount", 60), ("balance", 40))), "no amount=60 balance=40"),
        (CRASHED, "Crash"),
        (Failed("KeyError", "'asha'"), "KeyError: 'asha'"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_every_kind_of_result_has_words(result: Result, words: str) -> None:
    assert in_words(result) == words


@pytest.mark.parametrize("unknown", [None, 7, "text", (1, 2), [Snapshot]])
def test_what_is_no_result_has_no_words(unknown: object) -> None:
    with pytest.raises(TypeError, match="no words for"):
        in_words(unknown)
