"""The judge: keys that are refused while another call with them is under way."""

from __future__ import annotations

import pytest

from tests.concurrency.histories import (
    TWO,
    added,
    at_rest,
    called,
    wallets,
)
from tests.concurrency.judge import judge
from tests.concurrency.linearizability import Call
from tests.concurrency.programs import Program
from tests.concurrency.results import (
    CRASHED,
    Refused,
)
from tests.concurrency.specification import (
    KEY_IN_PROGRESS,
    KEY_REUSED,
    Add,
    Create,
    Operation,
)
from tests.concurrency.specification_of_reads import AtRest

IN_PROGRESS, REUSED = Refused(KEY_IN_PROGRESS), Refused(KEY_REUSED)


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
        "Thread 1's add(asha, 60) key=k answered idempotency_in_progress."
        "\nOne call at a time: +60, balance 160."
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
        "Thread 1's add(asha, 60) key=k answered idempotency_in_progress."
        "\nOne call at a time: +60, balance 160."
    )
    assert judge(overlapping, kept) == wrong
    earlier = called("2.0", ADD, BEFORE, MADE)
    assert judge([earlier, *overlapping], TWO) == wrong
    assert judge(overlapping, TWO) is None


def test_a_key_is_reused_after_another_request_and_not_before_it() -> None:
    assert judge(with_refused(OTHER_ADD, AFTER, REUSED), TWO) is None
    assert judge(with_refused(OTHER_ADD, BEFORE, REUSED), TWO) == (
        "20 is too much: asha should have 140 and has 160.\n"
        "Thread 0's add(asha, 60) key=k answered +60, balance 160."
        "\nOne call at a time: idempotency_key_reused."
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
    assert (
        f"add(asha, 60) key=k answered {refused.code}.\nOne call at a time: " in wrong
    )


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
        "Thread 0's add(asha, 60) key=k answered idempotency_in_progress."
        "\nOne call at a time: +60, balance 160."
    )


def test_other_refusals_are_not_excused_by_an_overlapping_key() -> None:
    refused = Refused("insufficient_funds", (("amount", 60), ("balance", 40)))
    assert judge(with_refused(ADD, MEANWHILE, refused), TWO) is not None


def test_a_key_that_was_refused_meanwhile_has_no_effect() -> None:
    done = added(40, 200, "k")
    calls = with_refused(OTHER_ADD, MEANWHILE, REUSED)
    calls[-1] = at_rest(AtRest(), wallets(MADE, done))
    assert judge(calls, TWO) == (
        "40 is too much: asha should have 160 and has 200.\n"
        "The wallets in the end: asha 200 (+100 +60 +40), ravi 100 (+100)."
        "\nOne call at a time: asha 160 (+100 +60), ravi 100 (+100)."
    )
