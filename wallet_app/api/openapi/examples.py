"""One example of everything that an operation answers, for the API description."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace
from uuid_utils import UUID

from wallet_app.api.outgoing.answers import (
    audit_json,
    delivery_json,
    health_json,
    limits_json,
    movement_json,
    new_webhook_json,
    quote_json,
    statements_json,
    summary_json,
    transfer_json,
    wallets_json,
    webhook_json,
)
from wallet_app.api.outgoing.csv_answers import csv_chunks
from wallet_app.domain.clock import Deadline
from wallet_app.domain.errors.example_values import (
    APPROVAL_ID,
    DAY_ENDS,
    DELIVERY_ID,
    MOVED_AT,
    PAYMENT_ID,
    QUOTE_ID,
    SOURCE_ID,
    TARGET_ID,
    TRANSACTION_ID,
    WEBHOOK_ID,
)
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import (
    HOUSE,
    Transaction,
    TransactionType,
    WalletIdentity,
    WalletSnapshot,
)
from wallet_app.gateways.bank import Direction
from wallet_app.gateways.sandbox_bank import Statement
from wallet_app.services.alerts import Alert
from wallet_app.services.approvals.approval import ApprovalSnapshot, ApprovalStatus
from wallet_app.services.approvals.approvals import ATTEMPTS_MAX, RESENDS_MAX, THRESHOLD
from wallet_app.services.audit.audit_report import AuditReport, CurrencyTotals
from wallet_app.services.background import Health
from wallet_app.services.events import EventType
from wallet_app.services.fraud import Verdict
from wallet_app.services.json_forms import (
    alert_json,
    approval_json,
    payment_json,
    transaction_json,
    wallet_json,
)
from wallet_app.services.limits import Usage
from wallet_app.services.payments.payment import (
    BankAnswer,
    PaymentSnapshot,
    PaymentStatus,
)
from wallet_app.services.quotes import Quote
from wallet_app.services.summary import CategoryTotals, Totals, TypeTotals
from wallet_app.services.webhooks.delivery_log import DeliverySnapshot, DeliveryStatus
from wallet_app.services.webhooks.webhook import (
    NewWebhook,
    WebhookSnapshot,
    WebhookStatus,
)

_OPENED = 1_767_225_600_000_000_000

USER_ID = "0b8f6c52-1f6e-4c57-8f38-5c3d1f0a9e01"


def _wallet(
    id: str,
    balance: int,
    updated_at: int = MOVED_AT,
    frozen_reason: str | None = None,
) -> WalletSnapshot:
    return WalletSnapshot(
        id, USER_ID, "INR", balance, frozen_reason, _OPENED, updated_at
    )


def _transaction(
    id: str, wallet_id: str, type: TransactionType, balance_after: int, reference: bool
) -> Transaction:
    return Transaction(
        id=UUID(id),
        wallet=WalletIdentity(wallet_id, USER_ID, "INR", _OPENED),
        type=type,
        amount=15_000,
        balance_after=balance_after,
        reference_id=UUID(TRANSACTION_ID) if reference else None,
        category="food",
        description="Dinner on Friday",
        created_at=MOVED_AT,
    )


WALLET = wallet_json(_wallet(SOURCE_ID, 0, _OPENED))
WALLETS = wallets_json([_wallet(SOURCE_ID, 35_000)])
_quote = Quote(
    QUOTE_ID,
    "USD",
    "INR",
    Decimal("83.12"),
    10_000,
    831_200,
    Deadline(MOVED_AT + 60_000_000_000, 0),
)
QUOTE = quote_json(_quote)
LIQUIDITY = wallets_json(
    WalletSnapshot(id, HOUSE, currency, balance, None, _OPENED, MOVED_AT)
    for id, currency, balance in (
        (SOURCE_ID, "INR", -831_200),
        (TARGET_ID, "USD", 10_000),
    )
)
FROZEN = wallet_json(_wallet(SOURCE_ID, 35_000, MOVED_AT, "Card reported stolen"))
CREDIT = movement_json(
    _wallet(SOURCE_ID, 50_000),
    _transaction(TRANSACTION_ID, SOURCE_ID, TransactionType.CREDIT, 50_000, False),
)
_debit = _transaction(TRANSACTION_ID, SOURCE_ID, TransactionType.DEBIT, 35_000, False)
DEBIT = movement_json(_wallet(SOURCE_ID, 35_000), _debit)
TRANSFER = transfer_json(
    movement_json(
        _wallet(SOURCE_ID, 35_000),
        _transaction(
            TRANSACTION_ID, SOURCE_ID, TransactionType.TRANSFER_OUT, 35_000, True
        ),
    ),
    movement_json(
        _wallet(TARGET_ID, 15_000),
        _transaction(
            "e3b5d7f9-2c4e-4a6b-9d8f-0c1b2d3e4f5a",
            TARGET_ID,
            TransactionType.TRANSFER_IN,
            15_000,
            True,
        ),
    ),
)
PAGE = {
    "transactions": [transaction_json(_debit)],
    "page": 1,
    "limit": 20,
    "total": 1,
    "totalPages": 1,
}
_approval = ApprovalSnapshot(
    id=APPROVAL_ID,
    wallet_id=SOURCE_ID,
    target_id=None,
    amount=15_000,
    currency="INR",
    reason=THRESHOLD,
    status=ApprovalStatus.PENDING,
    attempts_left=ATTEMPTS_MAX,
    resends_left=RESENDS_MAX,
    created_at=MOVED_AT,
    expires_at=MOVED_AT + 300_000_000_000,
    monotonic_expiry=0,
)
APPROVAL = approval_json(_approval)
CANCELLED = approval_json(replace(_approval, status=ApprovalStatus.CANCELLED))
RESENT = approval_json(replace(_approval, resends_left=RESENDS_MAX - 1))
_payment = PaymentSnapshot(
    id=PAYMENT_ID,
    wallet_id=SOURCE_ID,
    direction=Direction.WITHDRAWAL,
    amount=15_000,
    currency="INR",
    bank_account="sandbox-ok",
    status=PaymentStatus.PENDING,
    bank_answer=BankAnswer.NONE,
    attempts=0,
    last_error=None,
    next_attempt_at=MOVED_AT,
    created_at=MOVED_AT,
    updated_at=MOVED_AT,
)
WITHDRAWAL = payment_json(_payment)
DEPOSIT = payment_json(replace(_payment, direction=Direction.DEPOSIT))
RETRIED = payment_json(
    replace(
        _payment,
        bank_answer=BankAnswer.UNKNOWN,
        attempts=6,
        last_error="the answer did not arrive",
    )
)
STATEMENTS = statements_json({"INR": Statement(paid_in=50_000, paid_out=15_000)})
HEALTH = health_json(Health(True, 1, 0, MOVED_AT, None, None))
_webhook = WebhookSnapshot(
    WEBHOOK_ID,
    "https://receiver.example/wallets",
    (EventType.TRANSACTION_CREATED, EventType.PAYMENT_FAILED),
    WebhookStatus.ACTIVE,
    _OPENED,
)
WEBHOOK = webhook_json(_webhook)
WEBHOOKS = {"webhooks": [WEBHOOK]}
NEW_WEBHOOK = new_webhook_json(
    NewWebhook(_webhook, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
)
_delivery = DeliverySnapshot(
    id=DELIVERY_ID,
    message_id="msg_5d1c8e3a-7f42-4b9d-a6c0-e83b2f5d7a14",
    type=EventType.TRANSACTION_CREATED,
    status=DeliveryStatus.FAILED,
    attempts=7,
    answer=503,
    last_error="the answer was 503",
    next_attempt_at=None,
    created_at=MOVED_AT,
    updated_at=MOVED_AT,
)
DELIVERIES = {
    "deliveries": [delivery_json(_delivery)],
    "page": 1,
    "limit": 20,
    "total": 1,
    "totalPages": 1,
}
REDELIVERED = delivery_json(
    replace(_delivery, status=DeliveryStatus.PENDING, next_attempt_at=MOVED_AT)
)
ALERTS = {
    "alerts": [
        alert_json(
            Alert(
                id="e8d1b4a7-6c3f-4d2e-9b5a-7f0c1e2d3b48",
                wallet_id=SOURCE_ID,
                rule="drain",
                verdict=Verdict.REVIEW,
                amount=950_000,
                currency="INR",
                target_id=TARGET_ID,
                approval_id=APPROVAL_ID,
                created_at=MOVED_AT,
            )
        )
    ],
    "page": 1,
    "limit": 20,
    "total": 1,
    "totalPages": 1,
}
LIMITS = limits_json(
    Usage(
        wallet_id=SOURCE_ID,
        currency="INR",
        limits=Limits(per_transaction=20_000, daily=50_000),
        spent_today=15_000,
        spent_this_month=15_000,
        day_ends=DAY_ENDS,
        month_ends=1_769_904_000_000_000_000,
    )
)
EXPORT = b"".join(csv_chunks([_debit])).decode()
_totals = Totals("INR", count=2)
_totals.by_type[TransactionType.CREDIT] = TypeTotals(1, 50_000)
_totals.by_type[TransactionType.DEBIT] = TypeTotals(1, 15_000)
_totals.by_category["food"] = CategoryTotals(1, outgoing=15_000)
_totals.by_category[None] = CategoryTotals(1, incoming=50_000)
SUMMARY = summary_json(SOURCE_ID, _OPENED, None, _totals)
_report = AuditReport(wallets=2, transactions=3)
_report.currencies["INR"] = CurrencyTotals(50_000, 50_000, 0)
AUDIT = audit_json(_report)
CREATE_BODY = {"userId": USER_ID}
AMOUNT_BODY = {"walletId": SOURCE_ID, "amount": 15_000, "category": "food"}
CONFIRM_BODY = {"otp": "493817"}
QUOTE_BODY = {"fromCurrency": "USD", "toCurrency": "INR", "amount": 10_000}
PAYMENT_BODY = {
    "walletId": SOURCE_ID,
    "amount": 15_000,
    "bankAccount": "sandbox-ok",
}
WEBHOOK_BODY = {
    "url": "https://receiver.example/wallets",
    "events": ["transaction.created", "payment.failed"],
}
FREEZE_BODY = {"reason": "Card reported stolen"}
LIMITS_BODY = {"perTransaction": 20_000, "daily": 50_000, "monthly": None}
TRANSFER_BODY = {"fromWalletId": SOURCE_ID, "toWalletId": TARGET_ID, "amount": 15_000}
