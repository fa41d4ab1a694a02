"""One example of everything that an operation takes and answers, for the API
description."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import inspect
from msgspec.structs import replace
from uuid_utils import UUID

from wallet_app.api.outgoing import answers
from wallet_app.api.outgoing.csv_answers import csv_chunks
from wallet_app.domain import transactions
from wallet_app.domain.errors.example_values import (
    APPROVAL_ID,
    DELIVERY_ID,
    MOVED_AT,
    PAYMENT_ID,
    SOURCE_ID,
    TARGET_ID,
    TRANSACTION_ID,
    USER_ID,
    WEBHOOK_ID,
)
from wallet_app.domain.transactions import HOUSE, TransactionType, WalletStatus
from wallet_app.gateways.bank import Direction
from wallet_app.services.approvals.approval import (
    ATTEMPTS_MAX,
    RESENDS_MAX,
    ApprovalStatus,
)
from wallet_app.services.approvals.approvals import THRESHOLD
from wallet_app.services.events import EventType
from wallet_app.services.json_forms import (
    Alert,
    Approval,
    JsonObject,
    Payment,
    Transaction,
    Wallet,
    WalletCounterparty,
)
from wallet_app.services.payments.payment import BankAnswer
from wallet_app.services.webhooks.delivery_log import DeliveryStatus

T = TypeVar("T", bound=JsonObject)

PATH_IDS = {
    "userId": USER_ID,
    "walletId": SOURCE_ID,
    "transactionId": TRANSACTION_ID,
    "approvalId": APPROVAL_ID,
    "paymentId": PAYMENT_ID,
    "webhookId": WEBHOOK_ID,
    "deliveryId": DELIVERY_ID,
}
"""What the ids in a path name. All but the delivery are there under the demo server."""


def example(form: type[T], **given: object) -> T:
    """Return an example of an answer: what is given, and the examples of its fields."""
    info = inspect.type_info(form)
    assert isinstance(info, inspect.StructType)
    others = (each for each in info.fields if each.required and each.name not in given)
    return form(**given, **{each.name: _example(each.type) for each in others})


def _example(info: inspect.Type) -> Any:
    match info:
        case inspect.Metadata(extra_json_schema={"examples": [first, *_]}):
            return first
        case inspect.Metadata():
            return _example(info.type)
        case inspect.StructType():
            assert issubclass(info.cls, JsonObject)
            return example(info.cls)
        case inspect.EnumType():
            return next(iter(info.cls))
        case inspect.LiteralType():
            return info.values[0]
        case inspect.UnionType():  # one of them is None
            return None
        case inspect.BoolType():
            return True
        case inspect.IntType():
            return 0
    raise TypeError(f"{info} needs an example")


_OPENED_AT = "2026-01-01T00:00:00.000Z"

WALLET = example(Wallet, balance=0, created_at=_OPENED_AT, updated_at=_OPENED_AT)
CREATED = replace(WALLET, currency="EUR")
_SOURCE = example(Wallet, created_at=_OPENED_AT)
_TARGET = replace(_SOURCE, id=TARGET_ID, wallet_id=TARGET_ID, balance=15_000)
WALLETS = answers.Wallets([_SOURCE])
_PAGE = {"page": 1, "limit": 20, "total": 1, "total_pages": 1}
WALLET_PAGE = answers.WalletPage([_SOURCE], **_PAGE)
FROZEN = replace(
    _SOURCE, status=WalletStatus.FROZEN, frozen_reason="Card reported stolen"
)
LIQUIDITY = answers.Wallets(
    [
        replace(_SOURCE, user_id=HOUSE, balance=-831_200),
        replace(_TARGET, user_id=HOUSE, balance=10_000, currency="USD"),
    ]
)

_DEBIT = example(
    Transaction,
    type=TransactionType.DEBIT,
    category="food",
    description="Dinner on Friday",
)
_CREDIT = replace(_DEBIT, type=TransactionType.CREDIT, balance_after=50_000)
SENT = replace(
    _DEBIT,
    type=TransactionType.TRANSFER_OUT,
    reference_id=_DEBIT.id,
    counterparty=example(WalletCounterparty, wallet_id=TARGET_ID),
)
_RECEIVED = replace(
    SENT,
    id="e3b5d7f9-2c4e-4a6b-9d8f-0c1b2d3e4f5a",
    wallet_id=TARGET_ID,
    type=TransactionType.TRANSFER_IN,
    balance_after=15_000,
    counterparty=example(WalletCounterparty),
)
CREDIT = answers.Movement(replace(_SOURCE, balance=50_000), _CREDIT)
DEBIT = answers.Movement(_SOURCE, _DEBIT)
TRANSFER = answers.Transfer(
    SENT.reference_id,
    answers.Movement(_SOURCE, SENT),
    answers.Movement(_TARGET, _RECEIVED),
)
BATCH = answers.Batch([CREDIT, TRANSFER])
PAGE = example(answers.History, transactions=[_DEBIT], **_PAGE)
_EXPORTED = transactions.Transaction(
    id=UUID(_DEBIT.id),
    wallet=transactions.WalletIdentity(SOURCE_ID, USER_ID, "INR", MOVED_AT),
    type=_DEBIT.type,
    amount=_DEBIT.amount,
    balance_after=_DEBIT.balance_after,
    reference_id=None,
    category=_DEBIT.category,
    description=_DEBIT.description,
    created_at=MOVED_AT,
)
EXPORT = b"".join(csv_chunks([_EXPORTED])).decode()
SUMMARY = example(
    answers.Summary,
    since=_OPENED_AT,
    count=2,
    by_type={type: answers.TypeTotals(0, 0) for type in TransactionType}
    | {
        TransactionType.CREDIT: answers.TypeTotals(1, 50_000),
        TransactionType.DEBIT: answers.TypeTotals(1, 15_000),
    },
    by_category=[
        answers.CategoryTotals("food", count=1, incoming=0, outgoing=15_000),
        answers.CategoryTotals(None, count=1, incoming=50_000, outgoing=0),
    ],
)
LIMITS = example(
    answers.WalletLimits,
    per_transaction=20_000,
    daily=50_000,
    spent_today=15_000,
    spent_this_month=15_000,
    remaining_today=35_000,
    day_ends="2026-01-11T00:00:00.000Z",
    month_ends="2026-02-01T00:00:00.000Z",
)
QUOTE = example(
    answers.Quote,
    from_currency="USD",
    from_amount=10_000,
    to_amount=831_200,
    expires_at="2026-01-10T10:03:00.000Z",
)
APPROVAL = example(
    Approval,
    reason=THRESHOLD,
    attempts_left=ATTEMPTS_MAX,
    resends_left=RESENDS_MAX,
    expires_at="2026-01-10T10:07:00.000Z",
)
APPROVAL_PAGE = answers.ApprovalPage([APPROVAL], **_PAGE)
CANCELLED = replace(APPROVAL, status=ApprovalStatus.CANCELLED)
RESENT = replace(APPROVAL, resends_left=RESENDS_MAX - 1)
DEPOSIT = example(Payment, next_attempt_at=_SOURCE.updated_at)
WITHDRAWAL = replace(DEPOSIT, direction=Direction.WITHDRAWAL)
PAYMENT_PAGE = answers.PaymentPage([WITHDRAWAL], **_PAGE)
RETRIED = replace(
    WITHDRAWAL,
    bank_answer=BankAnswer.UNKNOWN,
    attempts=6,
    last_error="the answer did not arrive",
)
STATEMENTS = answers.Statements(
    {"INR": answers.Statement(paid_in=50_000, paid_out=15_000)}
)
ALERTS = example(
    answers.Alerts,
    alerts=[example(Alert, target_id=TARGET_ID, approval_id=APPROVAL.id)],
    **_PAGE,
)
_EVENTS = (EventType.TRANSACTION_CREATED, EventType.PAYMENT_FAILED)
WEBHOOK = example(answers.Webhook, events=_EVENTS, created_at=_OPENED_AT)
NEW_WEBHOOK = example(
    answers.NewWebhook,
    events=_EVENTS,
    created_at=_OPENED_AT,
    secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
)
WEBHOOKS = answers.Webhooks([WEBHOOK])
REDELIVERED = example(
    answers.Delivery,
    type=EventType.TRANSACTION_CREATED,
    attempts=7,
    answer=503,
    last_error="the answer was 503",
    next_attempt_at=_SOURCE.updated_at,
)
_FAILED = replace(REDELIVERED, status=DeliveryStatus.FAILED, next_attempt_at=None)
DELIVERIES = example(answers.Deliveries, deliveries=[_FAILED], **_PAGE)
AUDIT = example(
    answers.Audit,
    wallets=2,
    transactions=3,
    currencies={"INR": answers.CurrencyTotals(50_000, 50_000, 0, 0, 0)},
    problems=[],
)
HEALTH = example(
    answers.Health,
    background=example(answers.Background, queued=1, oldest_due_at=_SOURCE.updated_at),
)
