"""The specification: each operation by hand; and the service agrees with it."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.concurrency.execution import Laboratory
from tests.concurrency.ledger import Book, Ledger
from tests.concurrency.programs import LEDGERS, OPERATIONS, Program, operations
from tests.concurrency.results import (
    CRASHED,
    Approval,
    Done,
    Entry,
    HistoryPage,
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
from tests.concurrency.specification import (
    KEY_REUSED,
    Add,
    Create,
    Deduct,
    Operation,
    Quote,
    SetLimits,
    Transfer,
    answer,
)
from tests.concurrency.specification_of_approvals import (
    Cancel,
    Confirm,
    GetApproval,
    Resend,
)
from tests.concurrency.specification_of_reads import (
    AtRest,
    Audit,
    Export,
    Get,
    GetTransaction,
    History,
    ListLiquidity,
    ListWallets,
    Summarize,
)
from tests.concurrency.specification_of_webhooks import (
    CreateWebhook,
    DeleteWebhook,
    GetWebhook,
    ListWebhooks,
)
from wallet_app.domain.transactions import AMOUNT_MAX

HERE = Path(__file__).parent
HISTORIES, CALLS_MAX = 300, 12


def ledger(**histories: list[Entry]) -> Ledger:
    """Return a ledger in which the wallets have these histories, and no keys."""
    return Ledger(
        tuple((name, Book("INR", tuple(histories[name]))) for name in sorted(histories))
    )


ASHA = Entry("asha", "CREDIT", 100, 100, "before")
RAVI = Entry("ravi", "CREDIT", AMOUNT_MAX - 60, AMOUNT_MAX - 60, "before")
TWO = ledger(asha=[ASHA], ravi=[RAVI])
"""Asha has 100, and Ravi has room for 60."""

ADDED = Entry("asha", "CREDIT", 60, 160, "me")
FILLED = Entry("ravi", "CREDIT", 60, AMOUNT_MAX, "me")
EMPTIED = Entry("asha", "DEBIT", 100, 0, "me")
SENT = Entry("asha", "TRANSFER_OUT", 60, 40, "me")
RECEIVED = Entry("ravi", "TRANSFER_IN", 60, AMOUNT_MAX, "me")
OPENED = Snapshot("mei", "INR", 0)

CHANGES: list[tuple[Operation, Result, Ledger]] = [
    (Create("mei"), OPENED, ledger(asha=[ASHA], mei=[], ravi=[RAVI])),
    (Add("asha", 60), ADDED, ledger(asha=[ASHA, ADDED], ravi=[RAVI])),
    (Add("ravi", 60), FILLED, ledger(asha=[ASHA], ravi=[RAVI, FILLED])),
    (Deduct("asha", 100), EMPTIED, ledger(asha=[ASHA, EMPTIED], ravi=[RAVI])),
    (
        Transfer("asha", "ravi", 60),
        (SENT, RECEIVED),
        ledger(asha=[ASHA, SENT], ravi=[RAVI, RECEIVED]),
    ),
]

PAST = ledger(
    asha=[
        Entry("asha", "CREDIT", 100, 100, "one"),
        Entry("asha", "DEBIT", 30, 70, "two"),
        Entry("asha", "TRANSFER_OUT", 20, 50, "three"),
    ],
    mei=[],
    ravi=[Entry("ravi", "TRANSFER_IN", 20, 20, "three")],
)


def used(name: str, spent: int) -> Usage:
    return Usage(name, None, spent)


def history(name: str) -> tuple[Entry, ...]:
    return PAST.book(name).history


READS: list[tuple[Operation, Result]] = [
    (Get("asha"), Snapshot("asha", "INR", 50)),
    (Get("mei"), Snapshot("mei", "INR", 0)),
    (
        History("asha"),
        HistoryPage(
            (
                Entry("asha", "TRANSFER_OUT", 20, 50, "three"),
                Entry("asha", "DEBIT", 30, 70, "two"),
                Entry("asha", "CREDIT", 100, 100, "one"),
            ),
            3,
        ),
    ),
    (History("mei"), HistoryPage((), 0)),
    (GetTransaction("asha", "three"), Entry("asha", "TRANSFER_OUT", 20, 50, "three")),
    (GetTransaction("ravi", "three"), Entry("ravi", "TRANSFER_IN", 20, 20, "three")),
    (Export("asha"), tuple(history("asha")[::-1])),
    (Export("mei"), ()),
    (
        Summarize("asha"),
        Summed(
            "INR",
            (("CREDIT", 1, 100), ("DEBIT", 1, 30), ("TRANSFER_OUT", 1, 20)),
            100,
            50,
        ),
    ),
    (Summarize("mei"), Summed("INR", (), 0, 0)),
    (ListWallets("asha"), (Snapshot("asha", "INR", 50),)),
    (ListWallets("zoe"), ()),
    (ListLiquidity(), ()),
    (Audit(), Report((), 3, 4, (Totals("INR", 70, 100, 30),))),
    (
        AtRest(),
        Rest(
            (
                (Snapshot("asha", "INR", 50), used("asha", 50), history("asha")),
                (Snapshot("mei", "INR", 0), used("mei", 0), ()),
                (Snapshot("ravi", "INR", 20), used("ravi", 0), history("ravi")),
            )
        ),
    ),
]

MISSING = Refused("wallet_not_found")
NO_TRANSACTION = Refused("transaction_not_found")
MAX_3 = (("maximum", 3),)
REFUSALS: list[tuple[Operation, Refused]] = [
    (Create("asha"), Refused("wallet_exists")),
    (Add("zoe", 60), MISSING),
    (
        Add("ravi", 61),
        Refused("balance_overflow", (("amount", 61), ("maximum", AMOUNT_MAX))),
    ),
    (Deduct("zoe", 60), MISSING),
    (
        Deduct("asha", 101),
        Refused("insufficient_funds", (("amount", 101), ("balance", 100))),
    ),
    (Transfer("zoe", "asha", 60), MISSING),
    (Transfer("asha", "zoe", 60), MISSING),
    (Transfer("zoe", "zoe", 60), MISSING),
    (Transfer("asha", "asha", 60), Refused("same_wallet")),
    (Transfer("asha", "asha", 101), Refused("same_wallet")),
    (
        Transfer("asha", "ravi", 101),
        Refused("insufficient_funds", (("amount", 101), ("balance", 100))),
    ),
    (
        Transfer("asha", "ravi", 61),
        Refused("balance_overflow", (("amount", 61), ("maximum", AMOUNT_MAX))),
    ),
    (Get("zoe"), MISSING),
    (History("zoe"), MISSING),
    (GetTransaction("zoe", "before"), NO_TRANSACTION),
    (GetTransaction("asha", "later"), NO_TRANSACTION),
    (Export("zoe"), MISSING),
    (Summarize("zoe"), MISSING),
]

each_change = pytest.mark.parametrize(
    "operation, result, after", CHANGES, ids=[str(each[0]) for each in CHANGES]
)
each_read = pytest.mark.parametrize(
    "operation, result", READS, ids=[str(each[0]) for each in READS]
)
each_refusal = pytest.mark.parametrize(
    "operation, refused", REFUSALS, ids=[str(each[0]) for each in REFUSALS]
)


@each_change
def test_a_change_answers_what_it_did_and_records_it(
    operation: Operation, result: Result, after: Ledger
) -> None:
    assert answer(TWO, operation, "me") == (result, after)


@each_read
def test_a_read_returns_what_there_is_and_changes_nothing(
    operation: Operation, result: Result
) -> None:
    assert answer(PAST, operation, "me") == (result, PAST)


def test_an_empty_ledger_has_no_wallets_and_no_currencies() -> None:
    assert answer(Ledger(), Audit(), "me") == (Report((), 0, 0, ()), Ledger())
    assert answer(Ledger(), AtRest(), "me") == (Rest(()), Ledger())


def test_wallets_are_listed_by_currency_and_those_of_the_house_apart() -> None:
    after = Ledger()
    for operation in (Create("$mei"), Create("ravi"), Create("mei"), Quote(60)):
        _, after = answer(after, operation, "me")
    for each, user in ((ListWallets("mei"), "mei"), (ListLiquidity(), "house")):
        listed = Snapshot(user, "INR", 0), Snapshot(f"${user}", "USD", 0)
        assert answer(after, each, "me") == (listed, after)


def test_a_history_is_cut_to_one_page_and_says_how_long_it_is() -> None:
    limit = History.limit
    credits = [Entry("asha", "CREDIT", 1, n, "me") for n in range(1, limit + 2)]
    page, _ = answer(ledger(asha=credits), History("asha"), "me")
    assert page == HistoryPage(tuple(credits[:0:-1]), limit + 1)


@each_refusal
def test_a_refusal_carries_its_numbers_and_changes_nothing(
    operation: Operation, refused: Refused
) -> None:
    assert answer(TWO, operation, "me") == (refused, TWO)


@each_change
def test_a_fault_at_any_write_that_a_change_needs_is_a_crash_that_changes_nothing(
    operation: Operation, result: Result, after: Ledger
) -> None:
    writes = operation.writes
    assert writes == (2 if isinstance(operation, Transfer) else 1)
    for fault in range(1, writes + 1):
        for faults in ((fault,), (fault, writes + 1)):
            crashed = replace(operation, faults=faults)
            assert answer(TWO, crashed, "me") == (CRASHED, TWO)


@each_change
def test_a_fault_after_the_last_write_never_strikes(
    operation: Operation, result: Result, after: Ledger
) -> None:
    late = replace(operation, faults=(operation.writes + 1, operation.writes + 2))
    assert answer(TWO, late, "me") == (result, after)


@each_refusal
def test_what_is_refused_never_writes_and_so_never_crashes(
    operation: Operation, refused: Refused
) -> None:
    assert answer(TWO, replace(operation, faults=(1, 2)), "me") == (refused, TWO)


@each_read
def test_what_only_reads_never_crashes(operation: Operation, result: Result) -> None:
    assert answer(PAST, replace(operation, faults=(1,)), "me") == (result, PAST)


@each_change
def test_a_key_is_answered_again_and_not_run_again(
    operation: Operation, result: Result, after: Ledger
) -> None:
    operation = replace(operation, key="k")
    first, once = answer(TWO, operation, "me")
    assert (first, once.books) == (result, after.books)
    _, later = answer(once, Create("noor"), "me")
    for then in (once, later):
        assert answer(then, operation, "me") == (result, then)


@each_refusal
def test_a_refusal_is_kept_for_its_key_unless_the_wallet_was_there_already(
    operation: Operation, refused: Refused
) -> None:
    other = Add("asha", 1, key="k")
    result, after = answer(TWO, replace(operation, key="k"), "me")
    assert (result, after.books) == (refused, TWO.books)
    if refused.code == "wallet_exists":
        assert after == TWO
        assert answer(after, other, "me")[0] == Entry("asha", "CREDIT", 1, 101, "me")
    else:
        assert answer(after, other, "me") == (Refused(KEY_REUSED), after)


def test_a_refusal_is_answered_again_though_it_would_succeed_by_now() -> None:
    deduct = Deduct("asha", 160, key="k")
    refused, after = answer(TWO, deduct, "me")
    _, after = answer(after, Add("asha", 60), "me")
    assert answer(after, deduct, "me") == (refused, after)
    assert answer(after, Deduct("asha", 160), "me")[0].balance_after == 0


def test_a_key_is_refused_for_another_request_and_not_for_another_crash() -> None:
    added, after = answer(TWO, Add("asha", 60, key="k"), "me")
    reused = Refused(KEY_REUSED), after
    for other in (Add("asha", 61), Add("ravi", 60), Deduct("asha", 60), Create("mei")):
        assert answer(after, replace(other, key="k"), "me") == reused
    assert answer(after, Add("asha", 60, key="k", faults=(1,)), "me") == (added, after)


def test_a_crash_leaves_its_key_free() -> None:
    crashed, after = answer(TWO, Add("asha", 60, key="k", faults=(1,)), "me")
    assert (crashed, after) == (CRASHED, TWO)
    assert answer(after, Deduct("asha", 100, key="k"), "me")[0] == EMPTIED


def test_each_key_is_kept_on_its_own() -> None:
    _, after = answer(TWO, Add("asha", 10, key="one"), "me")
    _, after = answer(after, Add("asha", 20, key="two"), "me")
    assert after.book("asha").balance == 130
    assert {kept.key for kept in after.kept} == {"one", "two"}


@each_change
def test_the_ledger_before_stays_what_it_was_and_can_be_remembered(
    operation: Operation, result: Result, after: Ledger
) -> None:
    _, before = answer(TWO, Add("asha", 1, key="k"), "before")
    shown, hashed = repr(before), hash(before)
    results = [answer(before, replace(operation, key="l"), "me") for _ in range(2)]
    assert results[0] == results[1]
    assert hash(results[0]) == hash(results[1])
    assert (repr(before), hash(before)) == (shown, hashed)
    assert results[0][1] != before


def test_an_approval_is_confirmed_or_cancelled_once_and_resent_three_times() -> None:
    closed, resends = Refused("approval_closed"), Refused("too_many_resends", MAX_3)
    moved = Entry("asha", "DEBIT", 100, 0, "asked")
    for close, result, status in (
        (Confirm("asked"), moved, "CONFIRMED"),
        (Cancel("asked"), Approval("asha", 100, "CANCELLED", 0), "CANCELLED"),
    ):
        _, waits = answer(TWO, SetLimits("asha", None, 90), "me")
        asked, waits = answer(waits, Deduct("asha", 100), "asked")
        assert asked == Approval("asha", 100)
        for left in (2, 1, 0):
            resent = Approval("asha", 100, "PENDING", left)
            result_of_resend, waits = answer(waits, Resend("asked"), "me")
            assert result_of_resend == resent
            assert answer(waits, GetApproval("asked"), "me") == (resent, waits)
        assert answer(waits, Resend("asked"), "me") == (resends, waits)
        answered, after = answer(waits, close, "me")
        assert answered == result
        for late in (Confirm("asked"), Cancel("asked"), Resend("asked")):
            assert answer(after, late, "me") == (closed, after)
        shown, _ = answer(after, GetApproval("asked"), "me")
        assert shown == Approval("asha", 100, status, 0)
    for each in (Confirm, Cancel, Resend, GetApproval):
        missing = Refused("approval_not_found")
        assert answer(TWO, each("asked"), "me") == (missing, TWO)


def test_webhooks_are_listed_oldest_first_until_they_are_deleted() -> None:
    _, one = answer(TWO, CreateWebhook(), "one")
    created, both = answer(one, CreateWebhook(), "two")
    assert created == Webhook("two")
    assert answer(both, ListWebhooks(), "me") == ((Webhook("one"), created), both)
    assert answer(both, GetWebhook("two"), "me") == (created, both)
    assert answer(both, DeleteWebhook("two"), "me") == (Done(), one)
    for each in (GetWebhook, DeleteWebhook):
        missing = Refused("webhook_not_found")
        assert answer(one, each("two"), "me") == (missing, one)


def test_the_order_in_which_wallets_were_opened_makes_no_difference() -> None:
    ledgers = set()
    for names in (("asha", "ravi", "mei"), ("mei", "ravi", "asha")):
        opened = Ledger()
        for name in names:
            _, opened = answer(opened, Create(name), "me")
        ledgers.add(opened)
    assert ledgers == {ledger(asha=[], mei=[], ravi=[])}


@pytest.mark.parametrize(
    "operation, written",
    [
        (Create("asha"), "create(asha)"),
        (Add("asha", 60), "add(asha, 60)"),
        (Deduct("asha", 60, key="k"), "deduct(asha, 60) key=k"),
        (Get("asha"), "get(asha)"),
        (History("asha"), "history(asha)"),
        (Audit(), "audit()"),
        (AtRest(), "The wallets"),
        (
            Transfer("asha", "ravi", 60, key="k", faults=(2, 3)),
            "transfer(asha, ravi, 60) key=k crash at write 2 and 3",
        ),
    ],
)
def test_an_operation_is_written_as_people_write_it(
    operation: Operation, written: str
) -> None:
    assert str(operation) == written


def test_the_repr_of_an_operation_is_the_python_that_makes_it() -> None:
    transfer = Transfer("asha", "ravi", 60, key="k", faults=(2, 3))
    assert repr(transfer) == ("Transfer('asha', 'ravi', 60, key='k', faults=(2, 3))")
    assert repr(Audit()) == "Audit()"
    every = [
        draw.kind(*value, **extra)
        for draw in OPERATIONS.values()
        for value in draw.values
        for extra in draw.extras
    ]
    for operation in [*every, AtRest()]:
        kinds = {kind.__name__: kind for kind in (*OPERATIONS, AtRest)}
        again = eval(repr(operation), kinds)
        assert (type(again), again) == (type(operation), operation)


# The service


KEYED = operations.map(
    lambda call: replace(call, key="k") if call.writes and not call.of_workers else call
) | st.sampled_from([Deduct("asha", 160, key="k"), Add("asha", 60), Deduct("asha", 60)])
"""Operations of which most have the same key. Those at the end make a refusal that
would be none later."""


def histories() -> SearchStrategy[list[Operation]]:
    """Draw calls to be made one after the other: any, or the same few again and
    again, so that keys are sent again."""
    few = st.lists(KEYED, min_size=2, max_size=3)
    return st.lists(operations, max_size=CALLS_MAX) | few.flatmap(
        lambda calls: st.lists(st.sampled_from(calls), max_size=CALLS_MAX)
    )


@pytest.mark.slow
def test_the_service_does_what_the_model_says_one_call_at_a_time() -> None:
    laboratory = Laboratory()

    @settings(deadline=None, database=None, derandomize=True, max_examples=HISTORIES)
    @given(st.sampled_from(({}, *LEDGERS)), histories())
    def agree(wallets: dict[str, int], calls: list[Operation]) -> None:
        execution = laboratory.execute(Program(wallets, calls), {})
        assert execution.wrong is None, execution.wrong
        assert len(execution.calls) == len(calls) + 2, "a call was not made"

    with laboratory.open():
        agree()


@each_refusal
def test_the_service_refuses_what_the_model_refuses(
    operation: Operation, refused: Refused
) -> None:
    calls = [operation, replace(operation, key="k"), replace(operation, key="k")]
    program = Program({"asha": 100, "ravi": AMOUNT_MAX - 60}, calls)
    with Laboratory().open() as laboratory:
        execution = laboratory.execute(program, {})
    assert execution.wrong is None, execution.wrong
    assert [call.result for call in execution.calls[:-2]] == [refused] * 3


def test_the_service_cuts_a_history_where_the_model_does() -> None:
    credits = [Add("asha", 1)] * (History.limit + 1)
    program = Program({"asha": 0}, [History("asha")], before=credits)
    with Laboratory().open() as laboratory:
        execution = laboratory.execute(program, {})
    assert execution.wrong is None, execution.wrong
    page = execution.calls[0].result
    assert isinstance(page, HistoryPage)
    assert (len(page.entries), page.total) == (History.limit, History.limit + 1)


@pytest.mark.parametrize(
    "file",
    [*HERE.glob("specification*.py"), HERE / "results.py", HERE / "ledger.py"],
    ids=lambda file: file.name,
)
def test_the_specification_imports_nothing_of_the_product(file: Path) -> None:
    tree = ast.parse(file.read_text())
    imported = [
        node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert imported
    assert not [each for each in imported if each.startswith("wallet_app")]
