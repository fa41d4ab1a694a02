"""What operations answer in JSON. Each answer is declared once, as a class, and made
from what the service returns; those that webhooks send, too, are in `json_forms.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from flask import Response
from msgspec import UNSET, Meta, UnsetType, field
from msgspec.structs import asdict

from wallet_app.domain.errors.example_values import DELIVERY_ID, QUOTE_ID, WEBHOOK_ID
from wallet_app.domain.transactions import TransactionType
from wallet_app.services import limits, quotes, summary
from wallet_app.services.audit import audit_report
from wallet_app.services.events import EventType
from wallet_app.services.json_forms import (
    Alert,
    Amount,
    Approval,
    Currency,
    Json,
    JsonObject,
    Payment,
    Time,
    Transaction,
    TransactionId,
    Wallet,
    WalletId,
    doc,
    json_line,
    uuid,
)
from wallet_app.services.webhooks.delivery_log import DeliveryStatus
from wallet_app.services.webhooks.webhook import WebhookStatus

QuoteId = Annotated[str, uuid(QUOTE_ID)]
WebhookId = Annotated[str, uuid(WEBHOOK_ID)]
DeliveryId = Annotated[str, uuid(DELIVERY_ID)]
Sum = Annotated[
    int,
    doc(
        "Minor units, exact. As a sum it may pass 2^53-1, the largest integer that "
        "every JSON client reads exactly."
    ),
]


def answer(body: JsonObject | Json, status: int = 200, **headers: str) -> Response:
    """Return a JSON response."""
    return Response(json_line(body), status, headers, content_type="application/json")


class Wallets(JsonObject):
    wallets: list[Wallet]


class WalletPage(JsonObject):
    wallets: list[Wallet]
    page: int
    limit: int
    total: int
    total_pages: int


class ApprovalPage(JsonObject):
    approvals: list[Approval]
    page: int
    limit: int
    total: int
    total_pages: int


class PaymentPage(JsonObject):
    payments: list[Payment]
    page: int
    limit: int
    total: int
    total_pages: int


class Movement(JsonObject):
    wallet: Wallet
    transaction: Transaction


class Transfer(JsonObject):
    reference_id: TransactionId | None
    source: Movement = field(name="from")
    target: Movement = field(name="to")


class Batch(JsonObject):
    results: Annotated[
        list[Any],
        Meta(
            description="In the order of the operations, what each would answer alone.",
            extra_json_schema={
                "items": {
                    "oneOf": [
                        {"$ref": "#/components/schemas/Movement"},
                        {"$ref": "#/components/schemas/Transfer"},
                    ]
                }
            },
        ),
    ]


class Quote(JsonObject):
    id: QuoteId = field(name="quoteId")
    from_currency: Currency
    to_currency: Currency
    rate: Annotated[
        str,
        doc("Major units of the second currency for one of the first, exact."),
        Meta(examples=["83.12"]),
    ]
    from_amount: Amount
    to_amount: Amount
    expires_at: Time

    @classmethod
    def from_quote(cls, quote: quotes.Quote) -> Self:
        return cls.of(quote, rate=f"{quote.rate:f}")


class WalletLimits(JsonObject):
    wallet_id: WalletId
    currency: Currency
    per_transaction: int | None
    daily: int | None
    monthly: int | None
    approval_threshold: int | None
    spent_today: int
    spent_this_month: int
    remaining_today: Annotated[int | None, doc("Null without limit.")]
    remaining_this_month: Annotated[int | None, doc("Null without limit.")]
    day_ends: Time = field(name="dayResetsAt")
    month_ends: Time = field(name="monthResetsAt")

    @classmethod
    def from_usage(cls, usage: limits.Usage) -> Self:
        return cls.of(usage, **asdict(usage.limits))


class History(JsonObject):
    transactions: list[Transaction]
    page: Annotated[int | None, doc("Null where the page was asked for by `before`.")]
    limit: int
    total: int
    total_pages: int


class Alerts(JsonObject):
    alerts: list[Alert]
    page: int
    limit: int
    total: int
    total_pages: int


class TypeTotals(JsonObject):
    count: int
    amount: Sum


class CategoryTotals(JsonObject):
    category: Annotated[
        str | None, doc("Null stands for the transactions without one.")
    ]
    count: int
    incoming: Sum
    outgoing: Sum


class OtherCategories(JsonObject):
    categories: int
    count: int
    incoming: Sum
    outgoing: Sum


_OF_EACH_TYPE = {
    "properties": {
        each: {"$ref": "#/components/schemas/TypeTotals"} for each in TransactionType
    },
    "required": list(TransactionType),
}


class Summary(JsonObject):
    wallet_id: WalletId
    currency: Currency
    since: Time | None = field(name="from")
    until: Time | None = field(name="to")
    count: int
    by_type: Annotated[
        dict[TransactionType, TypeTotals],
        Meta(extra_json_schema=_OF_EACH_TYPE),
    ]
    by_category: Annotated[
        list[CategoryTotals],
        Meta(
            max_length=summary.CATEGORIES_MAX,
            description="By name, null last; of more than these, the ones with the "
            "largest amounts.",
        ),
    ]
    other_categories: Annotated[
        OtherCategories, doc("Those that `byCategory` has no room for.")
    ]

    @classmethod
    def from_totals(
        cls,
        totals: summary.Totals,
        wallet_id: str,
        since: int | None,
        until: int | None,
    ) -> Self:
        by_category = sorted(
            totals.by_category.items(),
            key=lambda item: (item[0] is None, item[0] or ""),
        )
        return cls.of(
            totals,
            wallet_id=wallet_id,
            since=since,
            until=until,
            by_type={
                type: TypeTotals.of(sums) for type, sums in totals.by_type.items()
            },
            by_category=[
                CategoryTotals.of(sums, category=category)
                for category, sums in by_category
            ],
            other_categories=OtherCategories.of(totals.other_categories),
        )


class CurrencyTotals(JsonObject):
    balances: int
    credits: int
    debits: int
    withdrawals_in_flight: Annotated[
        int, doc("Taken from wallets, and not known to be paid by the bank.")
    ]
    deposits_in_flight: Annotated[
        int, doc("Paid by the bank, and not in the wallets yet.")
    ]


class AuditProblem(JsonObject):
    wallet_id: WalletId | None
    transaction_id: TransactionId | None
    detail: str


class Audit(JsonObject):
    balanced: bool
    wallets: int
    transactions: int
    currencies: dict[str, CurrencyTotals]
    problems: list[AuditProblem]

    @classmethod
    def from_report(cls, report: audit_report.AuditReport) -> Self:
        currencies = sorted(report.currencies.items())
        return cls.of(
            report,
            currencies={name: CurrencyTotals.of(each) for name, each in currencies},
            problems=[AuditProblem.of(each) for each in report.problems],
        )


class Webhook(JsonObject):
    id: WebhookId
    url: Annotated[str, Meta(examples=["https://receiver.example/wallets"])]
    events: tuple[EventType, ...]
    status: Annotated[WebhookStatus, doc("DISABLED: the receiver answered 410.")]
    created_at: Time


class NewWebhook(Webhook):
    secret: Annotated[
        str | None, doc("Signs each message. It is shown once: null in a replay.")
    ]


class Webhooks(JsonObject):
    webhooks: list[Webhook]


class Delivery(JsonObject):
    id: DeliveryId
    message_id: Annotated[
        str,
        doc("The `webhook-id`, the same at each attempt."),
        Meta(examples=["msg_5d1c8e3a-7f42-4b9d-a6c0-e83b2f5d7a14"]),
    ]
    type: EventType
    status: DeliveryStatus
    attempts: int
    answer: Annotated[
        int | None, doc("Of the latest answer; null where none came.")
    ] = field(name="answerStatus")
    last_error: str | None
    next_attempt_at: Time | None
    created_at: Time
    updated_at: Time


class Deliveries(JsonObject):
    deliveries: list[Delivery]
    page: int
    limit: int
    total: int
    total_pages: int


class Background(JsonObject):
    is_running: bool = field(name="running")
    queued: int = field(name="queueLength")
    running: int = field(name="inProgress")
    oldest_due_at: Time | None
    last_error: Annotated[str | None, doc("The latest error that nobody expected.")]
    last_error_at: Time | None


class Health(JsonObject):
    status: Literal["ok"]
    background: Background


class Statement(JsonObject):
    paid_in: Sum
    paid_out: Sum


class Statements(JsonObject):
    currencies: dict[str, Statement]


class Problem(JsonObject, forbid_unknown_fields=False):
    """A problem document (RFC 9457). Each kind adds the values that a client needs to
    act."""

    type: Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})]
    title: str
    status: int
    detail: str
    code: Annotated[str, doc("For programs.")]
    operation: Annotated[
        int | UnsetType, doc("Of a batch: the index of the refused one.")
    ] = UNSET
