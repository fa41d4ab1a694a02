"""Batches: many movements at one moment, all or none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from tests.ledgers import (
    FULL,
    Crash,
    Receivers,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
    passing_time,
)
from wallet_app import create_app
from wallet_app.domain.errors.approval_errors import ApprovalNeeded
from wallet_app.domain.errors.exchange_errors import QuoteUsed
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.request_errors import IdempotencyKeyReused
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    CurrencyMismatch,
    FraudBlocked,
    InsufficientFunds,
    LimitExceeded,
    SameWallet,
    WalletFrozen,
    WalletNotFound,
)
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.events import EventType
from wallet_app.services.movement import Operation
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings

TIMEOUT_SECONDS = 10
HOOK = "https://93.184.215.14/hook"
RATES = (("INR", "USD", Decimal(2)),)


def add(target: str, amount: int) -> Operation:
    return Operation(target_id=target, amount=amount)


def deduct(source: str, amount: int) -> Operation:
    return Operation(source_id=source, amount=amount)


def transfer(
    source: str, target: str, amount: int, quote: str | None = None
) -> Operation:
    return Operation(source_id=source, target_id=target, amount=amount, quote_id=quote)


def test_each_operation_answers_what_it_would_alone(service: WalletService) -> None:
    asha, ravi = open_wallet(service, 100), open_wallet(service)
    added, moved, taken = service.batch(
        [add(asha, 50), transfer(asha, ravi, 120), deduct(ravi, 20)]
    )
    assert isinstance(moved, tuple)
    sent, received = moved
    assert not isinstance(added, tuple) and not isinstance(taken, tuple)
    assert [t.balance_after for t in (added, sent, received, taken)] == [
        150,
        30,
        120,
        100,
    ]
    assert sent.reference_id == received.reference_id == sent.id
    assert added.reference_id is taken.reference_id is None
    assert balances(service, asha, ravi) == [30, 100]


def test_an_operation_spends_what_those_before_it_have_moved(
    service: WalletService,
) -> None:
    asha, ravi, mei = (open_wallet(service, balance) for balance in (60, 0, 0))
    service.batch([transfer(asha, ravi, 60), transfer(ravi, mei, 60)])
    assert balances(service, asha, ravi, mei) == [0, 0, 60]


def test_the_transactions_of_a_batch_have_one_time() -> None:
    service = new_service(clock=passing_time())
    asha, ravi = open_wallet(service, 100), open_wallet(service)
    before = service.get_wallet(ravi).updated_at
    results = service.batch([add(asha, 1), transfer(asha, ravi, 1), deduct(asha, 1)])
    flat = [t for r in results for t in (r if isinstance(r, tuple) else (r,))]
    (moment,) = {transaction.created_at for transaction in flat}
    assert before < moment < service.clock()


Refused = Callable[[WalletService, str, str], Operation]
LAST: dict[type[WalletError], Refused] = {
    InsufficientFunds: lambda s, asha, ravi: deduct(ravi, 61),
    BalanceOverflow: lambda s, asha, ravi: add(ravi, AMOUNT_MAX),
    SameWallet: lambda s, asha, ravi: transfer(ravi, ravi, 1),
    WalletNotFound: lambda s, asha, ravi: add("nobody", 1),
    WalletFrozen: lambda s, asha, ravi: add(frozen(s), 1),
    LimitExceeded: lambda s, asha, ravi: deduct(limited(s, daily=5), 6),
    ApprovalNeeded: lambda s, asha, ravi: deduct(limited(s, approval_threshold=5), 6),
    CurrencyMismatch: lambda s, asha, ravi: transfer(
        ravi, open_wallet(s, currency="USD"), 1
    ),
    QuoteUsed: lambda s, asha, ravi: exchange(s, ravi, used=True),
}


def frozen(service: WalletService) -> str:
    wallet_id = open_wallet(service)
    service.freeze(wallet_id, "lost card")
    return wallet_id


def limited(service: WalletService, **limits: int) -> str:
    wallet_id = open_wallet(service, 100)
    service.set_limits(wallet_id, Limits(**limits))
    return wallet_id


def exchange(service: WalletService, source: str, *, used: bool) -> Operation:
    """Return an exchange of 10; its quote is used if it is to be refused."""
    dollars = open_wallet(service, currency="USD")
    quote = service.create_quote("INR", "USD", 10)
    if used:
        rich = open_wallet(service, 10)
        service.transfer(rich, dollars, 10, quote_id=quote.id)
    return transfer(source, dollars, 10, quote.id)


@pytest.mark.parametrize("error", LAST, ids=lambda error: error.__name__)
def test_a_refused_operation_leaves_nothing_of_those_before_it(
    error: type[WalletError],
) -> None:
    receivers = Receivers()
    service = new_service(Settings(fx_rates=RATES), transport=receivers)
    asha, ravi = open_wallet(service, 100), open_wallet(service)
    refused = LAST[error](service, asha, ravi)
    service.create_webhook(HOOK, list(EventType))
    service.background.run_due()
    receivers.posts.clear()
    with nothing_moves(service), pytest.raises(error) as raised:
        service.batch([add(asha, 5), transfer(asha, ravi, 60), refused, add(asha, 1)])
    assert raised.value.operation == 2
    service.background.run_due()
    assert receivers.posts == [], "nothing happened, so nobody is notified"


def test_a_crash_in_the_commit_leaves_nothing(service: WalletService) -> None:
    asha, ravi = open_wallet(service, 100), open_wallet(service)
    with nothing_moves(service), pytest.raises(Crash):
        service.money.batch([add(asha, 5), transfer(asha, ravi, 60)], on_commit=FULL)


def test_limits_count_what_the_operations_before_have_spent(
    service: WalletService,
) -> None:
    asha = limited(service, daily=50)
    with nothing_moves(service), pytest.raises(LimitExceeded) as refusal:
        service.batch([deduct(asha, 30), deduct(asha, 30)])
    assert (refusal.value.operation, refusal.value.used) == (1, 30)


def test_fraud_rules_see_what_the_operations_before_have_sent() -> None:
    service = new_service(Settings(fraud_rules=("velocity",), fraud_velocity_count=2))
    asha = open_wallet(service, 100)
    with nothing_moves(service), pytest.raises(FraudBlocked) as refusal:
        service.batch([deduct(asha, 1), deduct(asha, 1), deduct(asha, 1)])
    assert refusal.value.operation == 2
    assert [alert.rule for alert in service.list_alerts().rows] == ["velocity"]


def test_a_quote_is_used_once_also_within_a_batch() -> None:
    service = new_service(Settings(fx_rates=RATES))
    asha = open_wallet(service, 100)
    once = exchange(service, asha, used=False)
    with nothing_moves(service), pytest.raises(QuoteUsed) as refusal:
        service.batch([once, once])
    assert refusal.value.operation == 1
    service.batch([once])
    with nothing_moves(service), pytest.raises(QuoteUsed):
        service.batch([once])
    assert service.audit().balanced


def test_a_batch_with_one_key_moves_once(service: WalletService) -> None:
    asha, ravi = open_wallet(service, 100), open_wallet(service)
    operations = [transfer(asha, ravi, 10), deduct(ravi, 5)]
    first = service.batch(operations, key="k", fingerprint="a")
    assert service.batch(operations, key="k", fingerprint="a") == first
    assert balances(service, asha, ravi) == [90, 5]
    with nothing_moves(service), pytest.raises(IdempotencyKeyReused):
        service.batch(operations, key="k", fingerprint="b")


def test_a_kept_refusal_names_its_operation_again(service: WalletService) -> None:
    asha = open_wallet(service, 10)
    for _ in range(2):
        with nothing_moves(service), pytest.raises(InsufficientFunds) as refusal:
            service.batch([add(asha, 1), deduct(asha, 99)], key="k")
        assert refusal.value.operation == 1


def test_events_are_reported_for_each_transaction_in_order() -> None:
    service = new_service()
    asha, ravi = open_wallet(service, 100), open_wallet(service)
    seen = []
    service.outbox.listener = lambda event: seen.append(event.subject)
    service.outbox.is_open = True
    added, moved = service.batch([add(asha, 5), transfer(asha, ravi, 60)])
    assert isinstance(moved, tuple)
    assert seen == [added, *moved]


def test_batches_over_the_same_wallets_in_opposite_order_do_not_deadlock(
    service: WalletService,
) -> None:
    wallets = [open_wallet(service, 1_000) for _ in range(5)]
    ring = list(zip(wallets, wallets[1:] + wallets[:1], strict=True))
    one = [transfer(source, target, 1) for source, target in ring]
    threads = [
        threading.Thread(target=lambda o=o: [service.batch(o) for _ in range(50)])
        for o in (one, one[::-1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert sum(balances(service, *wallets)) == 5_000
    assert service.audit().balanced


# Over HTTP


@pytest.fixture
def client(service: WalletService) -> FlaskClient:
    return create_app(service=service).test_client()


def as_json(kind: str, amount: object, **ends: str) -> dict[str, object]:
    return {"type": kind, "amount": amount, **ends}


def test_the_answer_is_that_of_each_operation(
    service: WalletService, client: FlaskClient
) -> None:
    asha, ravi = open_wallet(service, 100), open_wallet(service)
    operations = [
        as_json("ADD", 5, walletId=asha),
        as_json("TRANSFER", 60, fromWalletId=asha, toWalletId=ravi),
        as_json("DEDUCT", 1, walletId=ravi),
    ]
    answer = client.post("/wallet/batch", json={"operations": operations})
    assert answer.status_code == 200
    added, moved, taken = answer.get_json()["results"]
    assert added["wallet"]["balance"] == 105
    assert moved["from"]["wallet"]["balance"] == 45
    assert moved["to"]["transaction"]["referenceId"] == moved["referenceId"]
    assert taken["transaction"]["balanceAfter"] == 59


def test_the_problem_is_that_of_the_refused_operation(
    service: WalletService, client: FlaskClient
) -> None:
    asha = open_wallet(service, 100)
    operations = [
        as_json("DEDUCT", 60, walletId=asha),
        as_json("DEDUCT", 60, walletId=asha),
    ]
    with nothing_moves(service):
        answer = client.post("/wallet/batch", json={"operations": operations})
    assert answer.status_code == 400
    problem = answer.get_json()
    assert problem["code"] == "insufficient_funds"
    assert (problem["operation"], problem["balance"], problem["amount"]) == (1, 40, 60)


def test_one_that_needs_an_approval_is_refused(
    service: WalletService, client: FlaskClient
) -> None:
    asha = limited(service, approval_threshold=5)
    operations = [as_json("DEDUCT", amount, walletId=asha) for amount in (5, 6)]
    with nothing_moves(service):
        answer = client.post("/wallet/batch", json={"operations": operations})
    assert answer.status_code == 422
    assert answer.get_json()["code"] == "approval_required"
    assert answer.get_json()["operation"] == 1


def test_all_errors_of_shape_are_listed_by_path(
    service: WalletService, client: FlaskClient
) -> None:
    asha = open_wallet(service, 100)
    operations = [
        as_json("ADD", 5, walletId=asha),
        as_json("ADD", 0, walletId="x"),
        as_json("REFUND", 5),
        7,
        as_json("TRANSFER", 5, walletId=asha),
    ]
    with nothing_moves(service):
        answer = client.post("/wallet/batch", json={"operations": operations})
    assert answer.status_code == 400
    assert sorted(answer.get_json()["errors"]) == [
        "operations.1.amount",
        "operations.1.walletId",
        "operations.2.type",
        "operations.3.type",
        "operations.4.fromWalletId",
        "operations.4.toWalletId",
        "operations.4.walletId",
    ]


@pytest.mark.parametrize("operations", [None, {}, [], "ADD", [{}] * 1_001])
def test_a_batch_is_a_list_of_1_to_1000_operations(
    service: WalletService, client: FlaskClient, operations: object
) -> None:
    with nothing_moves(service):
        answer = client.post("/wallet/batch", json={"operations": operations})
    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == ["operations"]


def test_a_thousand_operations_are_one_batch(
    service: WalletService, client: FlaskClient
) -> None:
    asha, ravi = open_wallet(service, 1_000), open_wallet(service)
    operation = as_json("TRANSFER", 1, fromWalletId=asha, toWalletId=ravi)
    answer = client.post("/wallet/batch", json={"operations": [operation] * 1_000})
    assert answer.status_code == 200
    assert balances(service, asha, ravi) == [0, 1_000]
