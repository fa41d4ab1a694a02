"""What goes in: the schemas that read bodies and queries, and describe them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema
from marshmallow.fields import Enum
from marshmallow.validate import Range

from wallet_app.api.incoming import fields
from wallet_app.api.outgoing.camel import CamelSchema
from wallet_app.domain.errors.example_values import SOURCE_ID, TARGET_ID, USER_ID
from wallet_app.domain.transactions import AMOUNT_MAX, TransactionType
from wallet_app.services.approvals.approval import ApprovalStatus
from wallet_app.services.events import EventType
from wallet_app.services.payments.payment import PaymentStatus

PAGE_LIMIT_MAX = 100
PAGE_LIMIT = 20


class BodySchema(CamelSchema):
    """What reads and describes a body, with an example for the description."""

    example: ClassVar[Mapping[str, Any]]


class CreateBody(BodySchema):
    example = {"userId": USER_ID, "currency": "EUR"}
    user_id = fields.UserId(required=True)
    currency = fields.CurrencyCode(
        allow_none=True,
        metadata={"description": "ISO 4217; the service's default when not given."},
    )


class MovementDetails(BodySchema):
    """What every movement of money says, except its wallets."""

    amount = fields.Amount(required=True)
    category = fields.Category(allow_none=True)
    description = fields.Description(allow_none=True)


class AmountBody(MovementDetails):
    example = {"walletId": SOURCE_ID, "amount": 15_000, "category": "food"}
    wallet_id = fields.UuidText(required=True)


class TransferBody(MovementDetails):
    example = {"fromWalletId": SOURCE_ID, "toWalletId": TARGET_ID, "amount": 15_000}
    source_id = fields.UuidText(required=True, data_key="fromWalletId")
    target_id = fields.UuidText(required=True, data_key="toWalletId")
    quote_id = fields.UuidText(
        allow_none=True, metadata={"description": "Of a transfer between currencies."}
    )


class AddOperation(MovementDetails):
    type = fields.operation_type("ADD")
    target_id = fields.UuidText(required=True, data_key="walletId")


class DeductOperation(MovementDetails):
    type = fields.operation_type("DEDUCT")
    source_id = fields.UuidText(required=True, data_key="walletId")


class TransferOperation(TransferBody):
    type = fields.operation_type("TRANSFER")


class BatchBody(BodySchema):
    example = {
        "operations": [
            {"type": "ADD", **AmountBody.example},
            {"type": "TRANSFER", **TransferBody.example},
        ]
    }
    operations = fields.Operations(
        ADD=AddOperation(), DEDUCT=DeductOperation(), TRANSFER=TransferOperation()
    )


class PaymentBody(BodySchema):
    example = {"walletId": SOURCE_ID, "amount": 15_000, "bankAccount": "sandbox-ok"}
    wallet_id = fields.UuidText(required=True)
    amount = fields.Amount(required=True)
    bank_account = fields.BankAccount(required=True)


class WebhookBody(BodySchema):
    example = {
        "url": "https://receiver.example/wallets",
        "events": [EventType.TRANSACTION_CREATED, EventType.PAYMENT_FAILED],
    }
    url = fields.Url(required=True)
    events = fields.EventTypes(required=True)


class QuoteBody(BodySchema):
    example = {"fromCurrency": "USD", "toCurrency": "INR", "amount": 10_000}
    from_currency = fields.CurrencyCode(required=True)
    to_currency = fields.CurrencyCode(required=True)
    amount = fields.Amount("Minor units of the first currency.", required=True)


class EmptyBody(BodySchema):
    """Nothing at all, or an object without fields."""

    example = {}


class FreezeBody(BodySchema):
    example = {"reason": "Card reported stolen"}
    reason = fields.Reason(required=True)


class LimitsBody(BodySchema):
    """All the limits of a wallet: one that is null or not given is none."""

    example = {"perTransaction": 20_000, "daily": 50_000, "monthly": None}
    per_transaction = fields.Limit("The most that may leave at once.")
    daily = fields.Limit("The most that may leave in a day.")
    monthly = fields.Limit("The most that may leave in a month.")
    approval_threshold = fields.Limit("What is above this needs an approval.")


class ConfirmBody(BodySchema):
    example = {"otp": "493817"}
    code = fields.Otp(required=True, data_key="otp")


class PageQuery(CamelSchema):
    limit = fields.QueryInteger(
        validate=Range(1, PAGE_LIMIT_MAX), load_default=PAGE_LIMIT
    )
    # Not described as a default: clients would send it, and with `before`, too.
    page = fields.QueryInteger(validate=Range(1, AMOUNT_MAX), load_default=lambda: 1)


class ApprovalsQuery(PageQuery):
    wallet_id = fields.UuidText()
    status = Enum(ApprovalStatus, by_value=True)


class PaymentsQuery(PageQuery):
    wallet_id = fields.UuidText()
    status = Enum(PaymentStatus, by_value=True)


class SummaryQuery(CamelSchema):
    since = fields.Timestamp(data_key="from", metadata={"description": "Inclusive."})
    until = fields.Timestamp(data_key="to", metadata={"description": "Exclusive."})


class ExportQuery(SummaryQuery):
    type = Enum(TransactionType, by_value=True)
    category = fields.Category()


class HistoryQuery(ExportQuery, PageQuery):
    before = fields.UuidObject(
        metadata={
            "description": "Read on from this transaction, in place of `page`: "
            "new transactions do not push such a page along."
        }
    )

    @validates_schema(pass_original=True)
    def _one_start(self, data: Any, original_data: Any, **kwargs: Any) -> None:
        if "before" in original_data and "page" in original_data:
            raise ValidationError("Cannot go together with page.", "before")
