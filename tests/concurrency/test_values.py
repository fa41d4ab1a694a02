"""Values: the service answers the same in process and over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient
from uuid_utils import uuid4

from tests.concurrency.calls import CODE, SETTINGS
from tests.concurrency.client import Asks, Client, HttpClient
from tests.concurrency.ledger import DECLINES, DOWN, PAYS, TIMES_OUT
from tests.concurrency.programs import OPERATIONS
from tests.concurrency.results import (
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
from tests.concurrency.specification import (
    Add,
    Batch,
    Create,
    Deduct,
    Exchange,
    Freeze,
    Operation,
    Quote,
    SetLimits,
    Transfer,
    Unfreeze,
)
from tests.concurrency.specification_of_approvals import (
    Cancel,
    Confirm,
    GetApproval,
    Resend,
)
from tests.concurrency.specification_of_payments import (
    Attempt,
    Deposit,
    GetPayment,
    Retry,
    Withdraw,
)
from tests.concurrency.specification_of_reads import (
    AtRest,
    Audit,
    Export,
    Get,
    GetLimits,
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
from tests.concurrency.values import value_of, value_of_json
from tests.ledgers import new_service, open_wallet
from tests.refusals import every_refusal
from wallet_app import create_app
from wallet_app.api.outgoing import problems
from wallet_app.domain.errors.families import Exhausted, WalletError
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.service import WalletService


@pytest.fixture
def service() -> WalletService:
    return new_service(SETTINGS, new_code=lambda: CODE)


def over_http(app: FlaskClient) -> HttpClient:
    def send(
        method: str, path: str, body: dict[str, object] | None, key: str | None
    ) -> tuple[int, bytes]:
        headers = {} if key is None else {"Idempotency-Key": key}
        response = app.open(path, method=method, json=body, headers=headers)
        return response.status_code, response.data

    return HttpClient(send)


def too_much(amount: int, balance: int) -> Refused:
    return Refused("insufficient_funds", (("amount", amount), ("balance", balance)))


FILLED = AMOUNT_MAX - 60
INSUFFICIENT = too_much(101, 100)
OVERFLOW = Refused("balance_overflow", (("amount", 61), ("maximum", AMOUNT_MAX)))
OVERFLOW_OF_6 = Refused("balance_overflow", (("amount", 6), ("maximum", AMOUNT_MAX)))
ASHAS = ("CREDIT", 1, 100), ("DEBIT", 1, 10), ("TRANSFER_OUT", 1, 60)
OUT, IN = "WITHDRAWAL", "DEPOSIT"
REUSED = Refused("idempotency_key_reused")
MISSING = Refused("wallet_not_found")
INSUFFICIENT_41 = too_much(41, 0).numbers
OF_1 = ("operation", 1)


class Row(NamedTuple):
    """An operation, what the service answers, and the label of the call."""

    operation: Operation
    result: Result
    by: str = "a call"


Rows = list[tuple[Operation, Result] | tuple[Operation, Result, str]]

WALLETS_AND_MONEY: Rows = [
    (Audit(), Report((), 0, 0, ())),
    (Create("ravi"), Snapshot("ravi", "INR", 0)),
    (Create("asha"), Snapshot("asha", "INR", 0)),
    (Create("asha"), Refused("wallet_exists")),
    (Create("asha", key="k"), Refused("wallet_exists")),
    (History("asha"), HistoryPage((), 0)),
    (Add("asha", 100), Entry("asha", "CREDIT", 100, 100, "pay"), "pay"),
    (Add("ravi", FILLED, key="k"), Entry("ravi", "CREDIT", FILLED, FILLED, "k")),
    (Add("ravi", FILLED, key="k"), Entry("ravi", "CREDIT", FILLED, FILLED, "k")),
    (Add("ravi", 1, key="k"), REUSED),
    (Add("ravi", 61), OVERFLOW),
    (Add("zoe", 60), MISSING),
    (Deduct("asha", 101), INSUFFICIENT),
    (Deduct("asha", 101, key="l"), INSUFFICIENT),
    (Deduct("asha", 101, key="l"), INSUFFICIENT),
    (Deduct("zoe", 60), MISSING),
    (Deduct("asha", 10), Entry("asha", "DEBIT", 10, 90, "tea"), "tea"),
    (Transfer("asha", "asha", 10), Refused("same_wallet")),
    (Transfer("asha", "zoe", 10), MISSING),
    (Transfer("asha", "ravi", 61), OVERFLOW),
    (
        Transfer("asha", "ravi", 60, key="m"),
        (
            Entry("asha", "TRANSFER_OUT", 60, 30, "m"),
            Entry("ravi", "TRANSFER_IN", 60, AMOUNT_MAX, "m"),
        ),
    ),
    (
        Transfer("asha", "ravi", 60, key="m"),
        (
            Entry("asha", "TRANSFER_OUT", 60, 30, "m"),
            Entry("ravi", "TRANSFER_IN", 60, AMOUNT_MAX, "m"),
        ),
    ),
    (Transfer("asha", "ravi", 60, key="l"), REUSED),
    (Get("asha"), Snapshot("asha", "INR", 30)),
    (Get("zoe"), MISSING),
    (
        History("asha"),
        HistoryPage(
            (
                Entry("asha", "TRANSFER_OUT", 60, 30, "m"),
                Entry("asha", "DEBIT", 10, 90, "tea"),
                Entry("asha", "CREDIT", 100, 100, "pay"),
            ),
            3,
        ),
    ),
    (History("zoe"), MISSING),
    (GetTransaction("asha", "tea"), Entry("asha", "DEBIT", 10, 90, "tea")),
    (GetTransaction("asha", "none"), Refused("transaction_not_found")),
    (
        Export("asha"),
        (
            Entry("asha", "TRANSFER_OUT", 60, 30, "m"),
            Entry("asha", "DEBIT", 10, 90, "tea"),
            Entry("asha", "CREDIT", 100, 100, "pay"),
        ),
    ),
    (Export("zoe"), MISSING),
    (Summarize("asha"), Summed("INR", ASHAS, 100, 70)),
    (Summarize("zoe"), MISSING),
    (ListWallets("asha"), (Snapshot("asha", "INR", 30),)),
    (ListWallets("zoe"), ()),
    (ListLiquidity(), ()),
    (Audit(), Report((), 2, 5, (Totals("INR", AMOUNT_MAX + 30, FILLED + 100, 10),))),
]
LIMITS_EXCHANGES_AND_PAYMENTS: Rows = [
    (GetLimits("asha"), Usage("asha", None, 70)),
    (GetLimits("zoe"), MISSING),
    (SetLimits("asha", 80), Usage("asha", 80, 70)),
    (SetLimits("zoe", 80), MISSING),
    (
        Deduct("asha", 11),
        Refused(
            "limit_exceeded",
            (("amount", 11), ("limit", 80), ("remaining", 10), ("used", 70)),
        ),
    ),
    (SetLimits("asha", None, 5), Usage("asha", None, 70)),
    (Deduct("asha", 6, key="w"), Approval("asha", 6)),
    (Deduct("asha", 6, key="w"), Approval("asha", 6)),
    (Transfer("asha", "ravi", 6), OVERFLOW_OF_6),
    (Freeze("asha"), Snapshot("asha", "INR", 30, "card stolen"), "card stolen"),
    (Freeze("asha"), Snapshot("asha", "INR", 30, "card stolen")),
    (Get("asha"), Snapshot("asha", "INR", 30, "card stolen")),
    (Confirm("w"), Refused("wallet_frozen")),
    (Add("asha", 1), Refused("wallet_frozen")),
    (Unfreeze("asha"), Snapshot("asha", "INR", 30)),
    (Unfreeze("zoe"), MISSING),
    (Freeze("zoe"), MISSING),
    (Confirm("w"), Entry("asha", "DEBIT", 6, 24, "w")),
    (Confirm("w"), Refused("approval_closed")),
    (Confirm("x"), Refused("approval_not_found")),
    (GetApproval("w"), Approval("asha", 6, "CONFIRMED")),
    (GetApproval("x"), Refused("approval_not_found")),
    (Deduct("asha", 7, key="y"), Approval("asha", 7)),
    (Resend("y"), Approval("asha", 7, "PENDING", 2)),
    (Resend("y", key="twice"), Approval("asha", 7, "PENDING", 1)),
    (Resend("y", key="twice"), Approval("asha", 7, "PENDING", 1)),
    (Resend("y"), Approval("asha", 7, "PENDING", 0)),
    (Resend("y"), Refused("too_many_resends", (("maximum", 3),))),
    (GetApproval("y"), Approval("asha", 7, "PENDING", 0)),
    (Resend("w"), Refused("approval_closed")),
    (Resend("x"), Refused("approval_not_found")),
    (Cancel("y"), Approval("asha", 7, "CANCELLED", 0)),
    (Cancel("y"), Refused("approval_closed")),
    (Cancel("x"), Refused("approval_not_found")),
    (Confirm("y"), Refused("approval_closed")),
    (GetApproval("y"), Approval("asha", 7, "CANCELLED", 0)),
    (SetLimits("asha", None), Usage("asha", None, 76)),
    (Quote(5, key="q"), Quoted(5, 10)),
    (Create("$mei"), Snapshot("$mei", "USD", 0)),
    (Exchange("asha", "$mei", 5, "x"), Refused("quote_not_found")),
    (
        Exchange("asha", "$mei", 5, "q"),
        (
            Entry("asha", "TRANSFER_OUT", 5, 19, "to mei"),
            Entry("$mei", "TRANSFER_IN", 10, 10, "to mei"),
        ),
        "to mei",
    ),
    (Exchange("asha", "$mei", 5, "q"), Refused("quote_used")),
    (
        ListLiquidity(),
        (Snapshot("house", "INR", 5), Snapshot("$house", "USD", -10)),
    ),
    (Create("mei"), Snapshot("mei", "INR", 0)),
    (
        ListWallets("mei"),
        (Snapshot("mei", "INR", 0), Snapshot("$mei", "USD", 10)),
    ),
    (
        Audit(),
        Report(
            (),
            6,
            10,
            (
                Totals("INR", AMOUNT_MAX + 24, FILLED + 100, 16),
                Totals("USD", 0, 0, 0),
            ),
        ),
    ),
    (Withdraw("asha", 4, PAYS, key="out"), Payment("asha", OUT, 4, "PENDING")),
    (Attempt("out"), Done()),
    (GetPayment("out"), Payment("asha", OUT, 4, "SUCCEEDED")),
    (Retry("out"), Refused("payment_not_parked")),
    (Retry("x"), Refused("payment_not_found")),
    (GetPayment("x"), Refused("payment_not_found")),
    (Withdraw("asha", 16, PAYS), too_much(16, 15)),
    (Deposit("zoe", 4, PAYS), MISSING),
    (Deposit("asha", 9, DOWN, key="down"), Payment("asha", IN, 9, "PENDING")),
    (Attempt("down"), Done()),
    (Retry("down", key="again"), Payment("asha", IN, 9, "PENDING")),
    (Retry("down", key="again"), Payment("asha", IN, 9, "PENDING")),
    (Attempt("down"), Done()),
    (GetPayment("down"), Payment("asha", IN, 9, "PARKED")),
    (Withdraw("asha", 5, DECLINES, key="no"), Payment("asha", OUT, 5, "PENDING")),
    (Freeze("asha"), Snapshot("asha", "INR", 10, "in doubt"), "in doubt"),
    (Attempt("no"), Done()),
    (Get("asha"), Snapshot("asha", "INR", 15, "in doubt")),
    (GetLimits("asha"), Usage("asha", None, 85)),
    (Deposit("asha", 3, PAYS), Refused("wallet_frozen")),
    (Unfreeze("asha"), Snapshot("asha", "INR", 15)),
    (Deposit("asha", 3, PAYS, key="in"), Payment("asha", IN, 3, "PENDING")),
    (Freeze("asha"), Snapshot("asha", "INR", 15, "once more"), "once more"),
    (Attempt("in"), Done()),
    (GetPayment("in"), Payment("asha", IN, 3, "PARKED")),
    (Withdraw("$mei", 2, TIMES_OUT, key="late"), Payment("$mei", OUT, 2, "PENDING")),
    (Attempt("late"), Done()),
    (
        Audit(),
        Report(
            (),
            6,
            14,
            (
                Totals("INR", AMOUNT_MAX + 20, FILLED + 105, 25, 0, 3),
                Totals("USD", -2, 0, 2, 2),
            ),
        ),
    ),
    (Retry("late"), Payment("$mei", OUT, 2, "PENDING")),
    (Attempt("late"), Done()),
    (GetPayment("late"), Payment("$mei", OUT, 2, "SUCCEEDED")),
    (Unfreeze("asha"), Snapshot("asha", "INR", 15)),
    (Retry("in"), Payment("asha", IN, 3, "PENDING")),
    (Attempt("in"), Done()),
    (
        History("$mei"),
        HistoryPage(
            (
                Entry("$mei", "DEBIT", 2, 8, ""),
                Entry("$mei", "TRANSFER_IN", 10, 10, "to mei"),
            ),
            2,
        ),
    ),
    (SetLimits("asha", None, 5), Usage("asha", None, 85)),
    (Withdraw("asha", 6, PAYS, key="v"), Approval("asha", 6)),
    (Confirm("v", key="made"), Payment("asha", OUT, 6, "PENDING")),
    (Confirm("v"), Refused("approval_closed")),
    (Attempt("made"), Done()),
    (GetPayment("made"), Payment("asha", OUT, 6, "SUCCEEDED")),
    (Get("asha"), Snapshot("asha", "INR", 12)),
]

BATCHES: Rows = [
    (Create("bela"), Snapshot("bela", "INR", 0)),
    (Create("cora"), Snapshot("cora", "INR", 0)),
    (
        Batch((Add("bela", 100), Transfer("bela", "cora", 60), Deduct("cora", 10))),
        (
            Entry("bela", "CREDIT", 100, 100, "pay day"),
            (
                Entry("bela", "TRANSFER_OUT", 60, 40, "pay day"),
                Entry("cora", "TRANSFER_IN", 60, 60, "pay day"),
            ),
            Entry("cora", "DEBIT", 10, 50, "pay day"),
        ),
        "pay day",
    ),
    (
        Batch((Transfer("bela", "cora", 40), Deduct("bela", 41))),
        Refused("insufficient_funds", (*INSUFFICIENT_41, OF_1)),
    ),
    (Batch((Add("bela", 1), Add("zoe", 1))), Refused("wallet_not_found", (OF_1,))),
    (SetLimits("bela", None, 30), Usage("bela", None, 60)),
    (
        Batch((Add("bela", 1), Deduct("bela", 31))),
        Refused("approval_required", (OF_1,)),
    ),
    (Get("bela"), Snapshot("bela", "INR", 40)),
]
"""Each is refused for its second operation."""

NO_WEBHOOK = Refused("webhook_not_found")
RECEIVERS: Rows = [
    (ListWebhooks(), ()),
    (CreateWebhook(key="a"), Webhook("a")),
    (CreateWebhook(key="a"), Webhook("a")),
    (CreateWebhook(key="b"), Webhook("b")),
    (ListWebhooks(), (Webhook("a"), Webhook("b"))),
    (GetWebhook("a"), Webhook("a")),
    (DeleteWebhook("a"), Done()),
    (DeleteWebhook("a"), NO_WEBHOOK),
    (GetWebhook("a"), NO_WEBHOOK),
    (ListWebhooks(), (Webhook("b"),)),
    (DeleteWebhook("b"), Done()),
]

ASKED = [
    Row(*row)
    for row in WALLETS_AND_MONEY + LIMITS_EXCHANGES_AND_PAYMENTS + BATCHES + RECEIVERS
]
"""What is asked, one call after the other, and what the service answers."""


def assert_asked(
    client: Asks, work: Callable[[Operation, str], Result] | None = None
) -> None:
    """Assert that all of it is answered so; `work` is who does what only the workers of
    a service do, if the client cannot."""
    for operation, result, by in ASKED:
        ask = work if work and operation.of_workers else client.ask
        assert ask(operation, by) == result, str(operation)


def test_every_operation_is_asked_for_above() -> None:
    assert {type(row.operation) for row in ASKED} == set(OPERATIONS)


def test_every_answer_in_process_has_its_value(service: WalletService) -> None:
    assert_asked(Client(service))


def test_every_answer_over_http_has_the_same_value(
    service: WalletService, client: FlaskClient
) -> None:
    def attempt(operation: Operation, label: str) -> Result:
        assert service.background.run_due() == 1, "the one payment that waits"
        return Done()

    assert_asked(over_http(client), attempt)


def test_ids_and_times_make_no_difference() -> None:
    owned: dict[str, Any] = {"clock": time.time_ns, "new_id": uuid4}
    assert_asked(Client(new_service(SETTINGS, new_code=lambda: CODE, **owned)))


def test_an_audit_that_is_not_balanced_has_its_problems_either_way(
    service: WalletService, client: FlaskClient
) -> None:
    asker = over_http(client)
    asker.ask(Create("asha"), "")
    asker.ask(Add("asha", 100), "")
    [wallet] = service.store.wallets.values()
    wallet.balance = 60
    report = asker.ask(Audit(), "")
    assert report == Client(service).ask(Audit(), "")
    assert report == Report(
        (
            "the balance is 60, but the transactions add up to 100",
            "the balance is 60, which is not the last balanceAfter",
            "the balances in INR are 60, but credits less debits are 100",
        ),
        1,
        1,
        (Totals("INR", 60, 100, 0),),
    )


@pytest.mark.parametrize(
    "error",
    [each.example() for each in every_refusal() if not issubclass(each, Exhausted)],
    ids=lambda error: error.code,
)
def test_every_refusal_has_the_same_value_either_way(error: WalletError) -> None:
    value = value_of(error, no_name)
    assert isinstance(value, Refused) and value.code == error.code
    status = problems.status_of(type(error))
    assert value_of_json(status, problems.document(error), no_name) == value


def test_a_bug_is_a_failure_and_no_refusal() -> None:
    def broken_clock() -> int:
        raise ZeroDivisionError("by zero")

    service = new_service(clock=broken_clock)
    failed = Failed("ZeroDivisionError", "by zero")
    assert Client(service).ask(Create("asha"), "") == failed
    asker = over_http(create_app(service).test_client())
    assert asker.ask(Create("asha"), "") == Failed("internal_server_error")


def test_what_there_is_at_rest_is_read_by_name_and_oldest_first(
    service: WalletService,
) -> None:
    client = Client(service)
    for row in [Row(*row) for row in WALLETS_AND_MONEY]:
        client.ask(row.operation, row.by)
    assert client.ask(AtRest(), "") == Rest(
        (
            (
                Snapshot("asha", "INR", 30),
                Usage("asha", None, 70),
                (
                    Entry("asha", "CREDIT", 100, 100, "pay"),
                    Entry("asha", "DEBIT", 10, 90, "tea"),
                    Entry("asha", "TRANSFER_OUT", 60, 30, "m"),
                ),
            ),
            (
                Snapshot("ravi", "INR", AMOUNT_MAX),
                Usage("ravi", None, 0),
                (
                    Entry("ravi", "CREDIT", FILLED, FILLED, "k"),
                    Entry("ravi", "TRANSFER_IN", 60, AMOUNT_MAX, "m"),
                ),
            ),
        )
    )


def test_a_transaction_without_a_description_was_made_by_nobody(
    client: FlaskClient, service: WalletService
) -> None:
    wallet_id = open_wallet(service, 100, "asha")
    nobodys = HistoryPage((Entry("asha", "CREDIT", 100, 100, ""),), 1)
    page = service.get_history(wallet_id)
    assert value_of(page, {wallet_id: "asha"}.__getitem__) == nobodys
    body = client.get(f"/wallet/{wallet_id}/transactions").get_json()
    assert value_of_json(200, body, {wallet_id: "asha"}.__getitem__) == nobodys


@pytest.mark.parametrize("unknown", [None, 7, "text", {}, {"balance": "100"}], ids=repr)
def test_an_unknown_answer_is_a_failure_that_the_specification_never_gives(
    unknown: Any,
) -> None:
    failure = Failed("nothing that is known", repr(unknown))
    assert value_of(unknown, no_name) == failure
    assert value_of_json(200, unknown, no_name) == failure


def no_name(id: str) -> str:
    raise AssertionError("nobody is named here")
