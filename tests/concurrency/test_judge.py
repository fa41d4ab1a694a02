"""The judge: what it lets pass, and what it says about the rest."""

from __future__ import annotations

import pytest

from tests.concurrency.judge import Asked, judge, told
from tests.concurrency.ledger import OUTGOING, PAYS
from tests.concurrency.linearizability import Call
from tests.concurrency.programs import Program
from tests.concurrency.results import (
    CRASHED,
    Attempted,
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
    Totals,
    Usage,
    Waiting,
)
from tests.concurrency.specification import (
    KEY_IN_PROGRESS,
    KEY_REUSED,
    Add,
    AtRest,
    Attempt,
    Audit,
    Create,
    Deduct,
    Deposit,
    Get,
    Operation,
    Transfer,
)

TWO = Program({"asha": 100, "ravi": 100}).ledger()
"""Where each history below begins."""

IN_PROGRESS, REUSED = Refused(KEY_IN_PROGRESS), Refused(KEY_REUSED)
ASHA = Entry("asha", "CREDIT", 100, 100, "before")
RAVI = Entry("ravi", "CREDIT", 100, 100, "before")


def called(
    label: str, operation: Operation, during: tuple[int, int], result: Result
) -> Call:
    """Return a call; its label begins with the number of its thread."""
    return Call(Asked(operation, label, int(label[0])), *during, result)


def at_rest(operation: Operation, result: Result) -> Call:
    """Return a call that was made when all had ended."""
    return Call(Asked(operation, ""), 100, 101, result)


def added(amount: int, balance: int, by: str) -> Entry:
    return Entry("asha", "CREDIT", amount, balance, by)


def deducted(amount: int, balance: int, by: str) -> Entry:
    return Entry("asha", "DEBIT", amount, balance, by)


def wallets(*asha: Entry) -> Rest:
    """Return what is left when asha's wallet has these entries after its first."""
    balance = asha[-1].balance_after if asha else 100
    spent = sum(each.amount for each in asha if each.type in OUTGOING)
    return Rest(
        (
            (
                Snapshot("asha", "INR", balance),
                Usage("asha", None, spent),
                (ASHA, *asha),
            ),
            (Snapshot("ravi", "INR", 100), Usage("ravi", None, 0), (RAVI,)),
        )
    )


def balanced(total: int, transactions: int) -> Report:
    return Report((), 2, transactions, (Totals("INR", total, total, 0),))


# What is right


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
ATTEMPT = called("0.0", Attempt("payment"), (0, 7), Attempted())


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
    """Nobody can tell which of two calls with one key made the transaction."""
    made = added(60, 160, "k")
    calls = [
        called("0.0", Add("asha", 60, key="k"), (0, 2), made),
        called("1.0", Add("asha", 60, key="k"), (1, 3), made),
        at_rest(AtRest(), wallets(made)),
    ]
    assert judge(calls, TWO) is None


# What is wrong, in words


def test_a_lost_update_shows_in_the_wallets_at_the_end() -> None:
    one, other = added(60, 160, "0.0"), added(60, 160, "1.0")
    calls = [
        called("0.0", Add("asha", 60), (0, 2), one),
        called("1.0", Add("asha", 60), (1, 3), other),
        at_rest(AtRest(), wallets(other, one)),
    ]
    assert judge(calls, TWO) == (
        "The wallets in the end: asha 160 (+100 +60 +60), ravi 100 (+100). "
        "One call at a time: asha 220 (+100 +60 +60), ravi 100 (+100)."
    )


def test_a_lost_update_shows_in_an_answer_when_the_calls_did_not_overlap() -> None:
    calls = [
        called("0.0", Add("asha", 60), (0, 1), added(60, 160, "0.0")),
        called("1.0", Add("asha", 40), (2, 3), added(40, 140, "1.0")),
    ]
    assert judge(calls, TWO) == (
        "Thread 1's add(asha, 40) answered +40, balance 140. "
        "One call at a time: +40, balance 200."
    )


def test_a_negative_balance_is_told_beside_all_that_was_possible() -> None:
    calls = [
        called("0.0", Deduct("asha", 60), (0, 2), deducted(60, 40, "0.0")),
        called("1.0", Deduct("asha", 60), (1, 3), deducted(60, -20, "1.0")),
    ]
    assert judge(calls, TWO) == (
        "Thread 1's deduct(asha, 60) answered -60, balance -20. One call at a time: "
        "-60, balance 40 or insufficient_funds amount=60 balance=40."
    )


def test_wallets_that_nobody_has_changed_like_this_are_told() -> None:
    sent = Entry("asha", "TRANSFER_OUT", 60, 40, "0.0")
    crashed = Transfer("asha", "ravi", 60, faults=(2,))
    calls = [
        called("0.0", crashed, (0, 1), CRASHED),
        at_rest(AtRest(), wallets(sent)),
    ]
    assert judge(calls, TWO) == (
        "The wallets in the end: asha 40 (+100 -60), ravi 100 (+100). "
        "One call at a time: asha 100 (+100), ravi 100 (+100)."
    )


def test_an_audit_that_is_not_balanced_is_told_with_its_first_problem() -> None:
    problem = "the balance is 160, but the transactions add up to 220"
    unbalanced = balanced(200, 2)._replace(problems=(problem, "and another"))
    words = (
        "not balanced: the balance is 160, but the transactions add up to 220. "
        "One call at a time: balanced: 2 wallets with INR 200."
    )
    calls = [called("1.0", Audit(), (0, 1), unbalanced)]
    assert judge(calls, TWO) == f"Thread 1's audit() answered {words}"
    calls = [at_rest(Audit(), unbalanced)]
    assert judge(calls, TWO) == f"audit() in the end: {words}"


def test_an_audit_that_saw_half_of_a_transfer_is_told() -> None:
    out = Entry("asha", "TRANSFER_OUT", 60, 40, "0.0")
    received = Entry("ravi", "TRANSFER_IN", 60, 160, "0.0")
    calls = [
        called("0.0", Transfer("asha", "ravi", 60), (0, 3), (out, received)),
        called("1.0", Audit(), (1, 2), balanced(140, 3)),
    ]
    assert judge(calls, TWO) == (
        "Thread 1's audit() answered balanced: 2 wallets with INR 140. "
        "One call at a time: balanced: 2 wallets with INR 200."
    )


def test_an_exception_that_nobody_expected_is_told() -> None:
    failed = Failed("RuntimeError", "dictionary changed size during iteration")
    calls = [called("0.0", Audit(), (0, 1), failed)]
    assert judge(calls, TWO) == (
        "Thread 0's audit() answered RuntimeError: dictionary changed size during "
        "iteration. One call at a time: balanced: 2 wallets with INR 200."
    )


def test_a_crash_where_no_fault_strikes_is_told() -> None:
    calls = [called("0.0", Add("asha", 60, faults=(2,)), (0, 1), CRASHED)]
    assert judge(calls, TWO) == (
        "Thread 0's add(asha, 60) crash at write 2 answered Crash. "
        "One call at a time: +60, balance 160."
    )


def test_a_read_of_the_past_is_told() -> None:
    calls = [
        called("0.0", Add("asha", 60), (0, 1), added(60, 160, "0.0")),
        called("1.0", Get("asha"), (2, 3), Snapshot("asha", "INR", 100)),
    ]
    assert judge(calls, TWO) == (
        "Thread 1's get(asha) answered asha 100. One call at a time: asha 160."
    )


def test_an_answer_that_is_wrong_in_the_words_of_a_right_one_is_told_last() -> None:
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
        "The wallets in the end: asha 220 (+100 +60 +60). "
        "One call at a time: asha 220 (+100 +60 +60)."
    )
    report = Report((problem,), 1, 3, (Totals("INR", 220, 220, 0),))
    assert judge([*calls, at_rest(Audit(), report)], alone) == (
        f"audit() in the end: not balanced: {problem}. "
        "One call at a time: balanced: 1 wallets with INR 220."
    )


def test_answers_that_are_possible_only_each_by_itself_are_told() -> None:
    calls = [
        called("0.0", Add("asha", 60), (0, 5), added(60, 160, "0.0")),
        called("1.0", Get("asha"), (1, 2), Snapshot("asha", "INR", 160)),
        called("1.1", Get("asha"), (3, 4), Snapshot("asha", "INR", 100)),
    ]
    assert judge(calls, TWO) == (
        "Each answer is possible, but no one order of the calls gives all of them."
    )


# Keys that are refused while another call with them is under way


ADD, OTHER_ADD = Add("asha", 60, key="k"), Add("asha", 40, key="k")
MADE = added(60, 160, "k")
BEFORE, MEANWHILE, AFTER = (0, 1), (3, 4), (7, 8)


def with_refused(
    operation: Operation, during: tuple[int, int], refused: Refused
) -> list[Call]:
    """Return a history in which one add with the key `k` runs from 2 to 5, and this
    operation is refused."""
    return [
        called("0.0", ADD, (2, 5), MADE),
        called("1.0", operation, during, refused),
        at_rest(AtRest(), wallets(MADE)),
    ]


@pytest.mark.parametrize("during", [MEANWHILE, (0, 3), (4, 8), (0, 8)])
def test_a_key_may_be_refused_while_a_call_with_it_overlaps(
    during: tuple[int, int],
) -> None:
    assert judge(with_refused(ADD, during, IN_PROGRESS), TWO) is None
    assert judge(with_refused(OTHER_ADD, during, REUSED), TWO) is None


def test_a_key_may_be_refused_though_the_overlapping_call_leaves_it_free() -> None:
    for first, result in (
        (Add("asha", 60, key="k", faults=(1,)), CRASHED),
        (Create("asha", key="k"), Refused("wallet_exists")),
    ):
        calls = [
            called("0.0", first, (2, 5), result),
            called("1.0", OTHER_ADD, MEANWHILE, REUSED),
            at_rest(AtRest(), wallets()),
        ]
        assert judge(calls, TWO) is None


def test_no_call_is_in_progress_when_none_overlaps() -> None:
    assert judge(with_refused(ADD, AFTER, IN_PROGRESS), TWO) == (
        "Thread 1's add(asha, 60) key=k answered idempotency_in_progress. "
        "One call at a time: +60, balance 160."
    )
    assert judge(with_refused(ADD, BEFORE, IN_PROGRESS), TWO) is not None


def test_no_call_is_in_progress_when_the_key_has_its_result() -> None:
    kept = Program({"asha": 100, "ravi": 100}, before=[ADD]).ledger()
    overlapping = [
        called("0.0", ADD, (2, 5), MADE),
        called("1.0", ADD, MEANWHILE, IN_PROGRESS),
        at_rest(AtRest(), wallets(MADE)),
    ]
    wrong = (
        "Thread 1's add(asha, 60) key=k answered idempotency_in_progress. "
        "One call at a time: +60, balance 160."
    )
    assert judge(overlapping, kept) == wrong
    earlier = called("2.0", ADD, BEFORE, MADE)
    assert judge([earlier, *overlapping], TWO) == wrong
    assert judge(overlapping, TWO) is None


def test_a_key_is_reused_after_another_request_and_not_before_it() -> None:
    assert judge(with_refused(OTHER_ADD, AFTER, REUSED), TWO) is None
    assert judge(with_refused(OTHER_ADD, BEFORE, REUSED), TWO) == (
        "Thread 0's add(asha, 60) key=k answered +60, balance 160. "
        "One call at a time: idempotency_key_reused."
    )


@pytest.mark.parametrize("refused", [IN_PROGRESS, REUSED], ids=lambda each: each.code)
@pytest.mark.parametrize("key", ["other", None])
def test_a_key_is_not_refused_for_a_call_with_another_key_or_none(
    key: str | None, refused: Refused
) -> None:
    overlapping = added(60, 160, key or "0.0")
    calls = [
        called("0.0", Add("asha", 60, key=key), (2, 5), overlapping),
        called("1.0", Add("asha", 60, key="k"), MEANWHILE, refused),
        at_rest(AtRest(), wallets(overlapping)),
    ]
    wrong = judge(calls, TWO)
    assert wrong is not None
    assert f"add(asha, 60) key=k answered {refused.code}. One call at a time: " in wrong


def test_a_key_is_in_progress_for_its_request_and_reused_for_another() -> None:
    assert judge(with_refused(OTHER_ADD, MEANWHILE, IN_PROGRESS), TWO) is not None
    assert judge(with_refused(ADD, MEANWHILE, REUSED), TWO) is not None


def test_two_calls_with_a_key_are_not_both_refused_for_the_other() -> None:
    calls = [
        called("0.0", ADD, (0, 3), IN_PROGRESS),
        called("1.0", ADD, (1, 2), IN_PROGRESS),
        at_rest(AtRest(), wallets()),
    ]
    assert judge(calls, TWO) is not None


def test_a_call_does_not_overlap_itself() -> None:
    calls = [called("0.0", ADD, (0, 1), IN_PROGRESS)]
    assert judge(calls, TWO) == (
        "Thread 0's add(asha, 60) key=k answered idempotency_in_progress. "
        "One call at a time: +60, balance 160."
    )


def test_other_refusals_are_not_excused_by_an_overlapping_key() -> None:
    refused = Refused("insufficient_funds", (("amount", 60), ("balance", 40)))
    assert judge(with_refused(ADD, MEANWHILE, refused), TWO) is not None


def test_a_key_that_was_refused_meanwhile_has_no_effect() -> None:
    done = added(40, 200, "k")
    calls = with_refused(OTHER_ADD, MEANWHILE, REUSED)
    calls[-1] = at_rest(AtRest(), wallets(MADE, done))
    assert judge(calls, TWO) == (
        "The wallets in the end: asha 200 (+100 +60 +40), ravi 100 (+100). "
        "One call at a time: asha 160 (+100 +60), ravi 100 (+100)."
    )


# Words


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
        (Waiting("asha", 60), "-60 from asha waits for its approval"),
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
        (Attempted(), "done"),
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
    assert told(result) == words


@pytest.mark.parametrize("unknown", [None, 7, "text", (), (1, 2), [Snapshot]])
def test_what_is_no_result_has_no_words(unknown: object) -> None:
    with pytest.raises(TypeError, match="no words for"):
        told(unknown)
