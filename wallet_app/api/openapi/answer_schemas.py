"""What comes out: the schemas that describe answers. `answers.py` makes them."""

from __future__ import annotations

from marshmallow import INCLUDE, fields
from marshmallow.validate import Length, OneOf, Range

from wallet_app.api.incoming.request_schemas import LimitsBody
from wallet_app.api.outgoing.camel import CamelSchema
from wallet_app.domain.transactions import AMOUNT_MAX, TransactionType, WalletStatus
from wallet_app.gateways.bank import Direction
from wallet_app.services.approvals.approval import ApprovalStatus
from wallet_app.services.events import EventType
from wallet_app.services.payments.payment import BankAnswer, PaymentStatus
from wallet_app.services.summary import CATEGORIES_MAX
from wallet_app.services.webhooks.delivery_log import DeliveryStatus
from wallet_app.services.webhooks.webhook import WebhookStatus
from wallet_app.settings import FRAUD_RULES


class Balance(fields.Integer):
    """A balance: negative for liquidity wallets of the house only."""

    def __init__(self) -> None:
        super().__init__(required=True, validate=Range(-AMOUNT_MAX, AMOUNT_MAX))


class WalletAnswer(CamelSchema):
    id = fields.UUID(required=True)
    wallet_id = fields.UUID(required=True, metadata={"description": "The same as id."})
    user_id = fields.UUID(required=True)
    currency = fields.String(required=True)
    balance = Balance()
    status = fields.String(required=True, validate=OneOf(list(WalletStatus)))
    frozen_reason = fields.String(metadata={"description": "Of a frozen wallet only."})
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class TransactionAnswer(CamelSchema):
    id = fields.UUID(required=True)
    wallet_id = fields.UUID(required=True)
    type = fields.String(required=True, validate=OneOf(list(TransactionType)))
    amount = fields.Integer(required=True, validate=Range(1, AMOUNT_MAX))
    currency = fields.String(required=True)
    balance_after = Balance()
    reference_id = fields.UUID(
        required=True,
        allow_none=True,
        metadata={
            "description": "The two sides of a transfer share one: the id of what "
            "left. What a payment moves has the payment's."
        },
    )
    category = fields.String(required=True, allow_none=True)
    description = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)


class MovementAnswer(CamelSchema):
    wallet = fields.Nested(WalletAnswer, required=True)
    transaction = fields.Nested(TransactionAnswer, required=True)


class TransferAnswer(CamelSchema):
    reference_id = fields.UUID(required=True)
    source = fields.Nested(MovementAnswer, required=True, data_key="from")
    target = fields.Nested(MovementAnswer, required=True, data_key="to")


class WalletsAnswer(CamelSchema):
    wallets = fields.List(fields.Nested(WalletAnswer), required=True)


class QuoteAnswer(CamelSchema):
    quote_id = fields.UUID(required=True)
    from_currency = fields.String(required=True)
    to_currency = fields.String(required=True)
    rate = fields.String(
        required=True,
        metadata={
            "description": "Major units of the second currency for one of the first, "
            "as an exact decimal."
        },
    )
    from_amount = fields.Integer(required=True, validate=Range(1, AMOUNT_MAX))
    to_amount = fields.Integer(required=True, validate=Range(1, AMOUNT_MAX))
    expires_at = fields.DateTime(required=True)


class LimitsAnswer(LimitsBody):
    wallet_id = fields.UUID(required=True)
    currency = fields.String(required=True)
    spent_today = fields.Integer(required=True)
    spent_this_month = fields.Integer(required=True)
    remaining_today = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Null without limit."}
    )
    remaining_this_month = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Null without limit."}
    )
    day_resets_at = fields.DateTime(required=True)
    month_resets_at = fields.DateTime(required=True)


class ApprovalAnswer(CamelSchema):
    approval_id = fields.UUID(required=True)
    wallet_id = fields.UUID(required=True)
    to_wallet_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "Of a transfer."}
    )
    amount = fields.Integer(required=True, validate=Range(1, AMOUNT_MAX))
    currency = fields.String(required=True)
    reason = fields.String(
        required=True,
        metadata={"description": "`approval-threshold`, or the name of a fraud rule."},
    )
    status = fields.String(required=True, validate=OneOf(list(ApprovalStatus)))
    attempts_left = fields.Integer(required=True)
    resends_left = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True)


class PaymentAnswer(CamelSchema):
    id = fields.UUID(
        required=True,
        metadata={"description": "The `referenceId` of its transactions, too."},
    )
    wallet_id = fields.UUID(required=True)
    direction = fields.String(required=True, validate=OneOf(list(Direction)))
    amount = fields.Integer(required=True, validate=Range(1, AMOUNT_MAX))
    currency = fields.String(required=True)
    bank_account = fields.String(required=True)
    status = fields.String(
        required=True,
        validate=OneOf(list(PaymentStatus)),
        metadata={"description": "PARKED: too many attempts; retry it by hand."},
    )
    bank_answer = fields.String(
        required=True,
        validate=OneOf(list(BankAnswer)),
        metadata={
            "description": "UNKNOWN: asked, without an answer. It may have paid."
        },
    )
    attempts = fields.Integer(required=True)
    last_error = fields.String(required=True, allow_none=True)
    next_attempt_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class WebhookAnswer(CamelSchema):
    id = fields.UUID(required=True)
    url = fields.String(required=True)
    events = fields.List(fields.String(validate=OneOf(list(EventType))), required=True)
    status = fields.String(
        required=True,
        validate=OneOf(list(WebhookStatus)),
        metadata={"description": "DISABLED: the receiver answered 410."},
    )
    created_at = fields.DateTime(required=True)


class NewWebhookAnswer(WebhookAnswer):
    secret = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "Signs each message. It is shown once: null in a replay."
        },
    )


class WebhooksAnswer(CamelSchema):
    webhooks = fields.List(fields.Nested(WebhookAnswer), required=True)


class DeliveryAnswer(CamelSchema):
    id = fields.UUID(required=True)
    message_id = fields.String(
        required=True,
        metadata={"description": "The `webhook-id`, the same at each attempt."},
    )
    type = fields.String(required=True, validate=OneOf(list(EventType)))
    status = fields.String(required=True, validate=OneOf(list(DeliveryStatus)))
    attempts = fields.Integer(required=True)
    answer_status = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Of the latest answer; null where none came."},
    )
    last_error = fields.String(required=True, allow_none=True)
    next_attempt_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class NumberedPageAnswer(CamelSchema):
    page = fields.Integer(required=True)
    limit = fields.Integer(required=True)
    total = fields.Integer(required=True)
    total_pages = fields.Integer(required=True)


class DeliveryPageAnswer(NumberedPageAnswer):
    deliveries = fields.List(fields.Nested(DeliveryAnswer), required=True)


class PageAnswer(CamelSchema):
    transactions = fields.List(fields.Nested(TransactionAnswer), required=True)
    page = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Null where the page was asked for by `before`."},
    )
    limit = fields.Integer(required=True)
    total = fields.Integer(required=True)
    total_pages = fields.Integer(required=True)


class AlertAnswer(CamelSchema):
    id = fields.UUID(required=True)
    wallet_id = fields.UUID(required=True)
    to_wallet_id = fields.UUID(required=True, allow_none=True)
    rule = fields.String(required=True, validate=OneOf(FRAUD_RULES))
    verdict = fields.String(required=True, validate=OneOf(["review", "block"]))
    amount = fields.Integer(required=True, validate=Range(1, AMOUNT_MAX))
    currency = fields.String(required=True)
    approval_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "What it waits for."}
    )
    created_at = fields.DateTime(required=True)


class AlertPageAnswer(NumberedPageAnswer):
    alerts = fields.List(fields.Nested(AlertAnswer), required=True)


def sum_of_amounts() -> fields.Integer:
    return fields.Integer(
        required=True,
        metadata={
            "description": "Minor units, exact. As a sum it may pass 2^53-1, the "
            "largest integer that every JSON client reads exactly."
        },
    )


class TypeTotalsAnswer(CamelSchema):
    count = fields.Integer(required=True)
    amount = sum_of_amounts()


TypesAnswer = CamelSchema.from_dict(
    {
        type: fields.Nested(TypeTotalsAnswer, required=True, data_key=type)
        for type in TransactionType
    },
    name="TypesAnswer",
)


class DirectionTotalsAnswer(CamelSchema):
    count = fields.Integer(required=True)
    incoming = sum_of_amounts()
    outgoing = sum_of_amounts()


class CategoryTotalsAnswer(DirectionTotalsAnswer):
    category = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Null stands for the transactions without one."},
    )


class OtherCategoriesAnswer(DirectionTotalsAnswer):
    categories = fields.Integer(required=True)


class SummaryAnswer(CamelSchema):
    wallet_id = fields.UUID(required=True)
    currency = fields.String(required=True)
    since = fields.DateTime(required=True, allow_none=True, data_key="from")
    until = fields.DateTime(required=True, allow_none=True, data_key="to")
    count = fields.Integer(required=True)
    by_type = fields.Nested(TypesAnswer, required=True)
    by_category = fields.List(
        fields.Nested(CategoryTotalsAnswer),
        required=True,
        validate=Length(max=CATEGORIES_MAX),
        metadata={
            "description": "By name, null last; of more than these, the ones with "
            "the largest amounts."
        },
    )
    other_categories = fields.Nested(
        OtherCategoriesAnswer,
        required=True,
        metadata={"description": "Those that `byCategory` has no room for."},
    )


CSV_TEXT = {"type": "string"}
"""What JSON Schema can say of an export."""


class CurrencyTotalsAnswer(CamelSchema):
    balances = fields.Integer(required=True)
    credits = fields.Integer(required=True)
    debits = fields.Integer(required=True)
    withdrawals_in_flight = fields.Integer(
        required=True,
        metadata={
            "description": "Taken from wallets, and not known to be paid by the bank."
        },
    )
    deposits_in_flight = fields.Integer(
        required=True,
        metadata={"description": "Paid by the bank, and not in the wallets yet."},
    )


class AuditProblemAnswer(CamelSchema):
    wallet_id = fields.UUID(required=True, allow_none=True)
    transaction_id = fields.UUID(required=True, allow_none=True)
    detail = fields.String(required=True)


class AuditAnswer(CamelSchema):
    balanced = fields.Boolean(required=True)
    wallets = fields.Integer(required=True)
    transactions = fields.Integer(required=True)
    currencies = fields.Dict(
        keys=fields.String(), values=fields.Nested(CurrencyTotalsAnswer), required=True
    )
    problems = fields.List(fields.Nested(AuditProblemAnswer), required=True)


class BackgroundAnswer(CamelSchema):
    running = fields.Boolean(required=True)
    queue_length = fields.Integer(required=True)
    in_progress = fields.Integer(required=True)
    oldest_due_at = fields.DateTime(required=True, allow_none=True)
    last_error = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The latest error that nobody expected."},
    )
    last_error_at = fields.DateTime(required=True, allow_none=True)


class HealthAnswer(CamelSchema):
    status = fields.String(required=True, validate=OneOf(["ok"]))
    background = fields.Nested(BackgroundAnswer, required=True)


class StatementAnswer(CamelSchema):
    paid_in = sum_of_amounts()
    paid_out = sum_of_amounts()


class StatementsAnswer(CamelSchema):
    currencies = fields.Dict(
        keys=fields.String(), values=fields.Nested(StatementAnswer), required=True
    )


class ProblemAnswer(CamelSchema):
    """A problem document (RFC 9457), with the values that a client needs to act."""

    class Meta:
        unknown = INCLUDE

    type = fields.String(required=True, metadata={"format": "uri-reference"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "For programs."})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong with each field."},
    )
