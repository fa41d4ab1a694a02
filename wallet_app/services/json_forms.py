"""What the service's values look like in JSON, in answers and in webhooks alike.

Each shape is declared once, as a class: the API description is made from it, too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Annotated, Any, Self, get_args, get_type_hints

from msgspec import Meta, Struct, field, json

from wallet_app.domain import transactions
from wallet_app.domain.currencies import MINOR_DIGITS
from wallet_app.domain.transactions import (
    AMOUNT_MAX,
    TransactionType,
    WalletSnapshot,
    WalletStatus,
)
from wallet_app.gateways.bank import Direction
from wallet_app.services import alerts
from wallet_app.services.approvals.approval import ApprovalSnapshot, ApprovalStatus
from wallet_app.services.events import Event
from wallet_app.services.fraud import Verdict
from wallet_app.services.payments.payment import (
    BankAnswer,
    PaymentSnapshot,
    PaymentStatus,
)
from wallet_app.settings import FRAUD_RULES

Json = dict[str, Any]
Writer = Callable[[Any], object]

CURRENCIES = tuple(MINOR_DIGITS)
FLAG_VERDICTS = (Verdict.REVIEW, Verdict.BLOCK)


def doc(description: str) -> Meta:
    """Say in the API description what a field means."""
    return Meta(description=description)


def uuid(example: str) -> Meta:
    """Say that a text is a UUID, such as this one."""
    return Meta(extra_json_schema={"format": "uuid"}, examples=[example])


def one_of(values: tuple[str, ...], example: str) -> Meta:
    """Say that a text is one of these, such as the example."""
    return Meta(extra_json_schema={"enum": list(values)}, examples=[example])


_TRANSACTION_ID = uuid("d2a4c6e8-1b3d-4f5a-8c7e-9b0a1c2d3e4f")
_TIME = Meta(
    extra_json_schema={"format": "date-time"}, examples=["2026-01-10T10:02:00.000Z"]
)

_COUNTERPARTY = doc(
    "With whom: the other wallet of a transfer, the other user's of an exchange, or "
    "the bank. Null for a plain add or deduct."
)

WalletId = Annotated[str, uuid("6f0c7f0e-6a52-4c55-9a0c-3d5f4f0b7a11")]
UserId = Annotated[str, uuid("0b8f6c52-1f6e-4c57-8f38-5c3d1f0a9e01")]
ApprovalId = Annotated[str, uuid("a7c3e1f9-5b2d-4e8a-9c6f-1d0b3a5c7e92")]
AlertId = Annotated[str, uuid("e8d1b4a7-6c3f-4d2e-9b5a-7f0c1e2d3b48")]
PaymentId = Annotated[str, uuid("8b5e2d9c-4f1a-4c7e-b3d6-0a9c8e7f6d52")]
TransactionId = Annotated[str, _TRANSACTION_ID]
BankAccount = Annotated[str, Meta(examples=["sandbox-ok"])]
Currency = Annotated[str, one_of(CURRENCIES, "INR")]
Amount = Annotated[int, Meta(ge=1, le=AMOUNT_MAX, examples=[15_000])]
Balance = Annotated[int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX, examples=[35_000])]
Time = Annotated[str, _TIME]
FraudRule = Annotated[str, one_of(FRAUD_RULES, "drain")]
FlagVerdict = Annotated[str, one_of(FLAG_VERDICTS, Verdict.REVIEW)]


class JsonObject(
    Struct, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """A JSON object, whose members are the fields in their order."""

    @classmethod
    def of(cls, value: object, **given: object) -> Self:
        """Return what the value's attributes of the same names say, except for the
        fields that are given. Times are nanoseconds since 1970, UTC."""
        names, read, writers = _fields(cls)
        if given:
            said = [given[n] if n in given else getattr(value, n) for n in names]
        else:
            said = list(read(value))
        for index, write in writers:
            if said[index] is not None:
                said[index] = write(said[index])
        return cls(*said)


@cache
def _fields(
    cls: type[Struct],
) -> tuple[list[str], Callable[[object], Any], list[tuple[int, Writer]]]:
    """Return the names of the fields, what reads them all, and what writes some of
    them, by position."""
    types = get_type_hints(cls, include_extras=True)
    writers: list[tuple[int, Writer]] = [
        (index, write)
        for index, type in enumerate(types.values())
        for marker, write in _WRITERS
        if _is_marked(type, marker)
    ]
    return list(types), attrgetter(*types), writers


def _is_marked(type: object, marker: Meta) -> bool:
    """Return whether an annotated type, or a part of it, has this annotation."""
    return marker in getattr(type, "__metadata__", ()) or any(
        _is_marked(part, marker) for part in get_args(type)
    )


@lru_cache(maxsize=1024)
def timestamp(nanoseconds: int) -> str:
    """Return a time by RFC 3339 in UTC, cut to milliseconds. An answer has the same
    few times over and over, so they are remembered."""
    milliseconds = nanoseconds // 1_000_000
    return f"{_to_the_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=1024)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


class Wallet(JsonObject):
    id: WalletId
    wallet_id: Annotated[WalletId, doc("The same as id.")]
    user_id: UserId
    currency: Currency
    balance: Annotated[Balance, doc("Negative only for wallets of the house.")]
    status: WalletStatus
    created_at: Time
    updated_at: Time
    frozen_reason: Annotated[str | None, doc("Of a frozen wallet only.")] = None


class WalletCounterparty(JsonObject, tag_field="kind", tag="wallet"):
    wallet_id: WalletId
    user_id: UserId


class ExchangeCounterparty(JsonObject, tag_field="kind", tag="exchange"):
    wallet_id: WalletId
    user_id: UserId


class BankCounterparty(JsonObject, tag_field="kind", tag="bank"):
    payment_id: PaymentId
    bank_account: BankAccount


Counterparty = WalletCounterparty | ExchangeCounterparty | BankCounterparty


class Transaction(JsonObject):
    id: TransactionId
    wallet_id: WalletId
    type: TransactionType
    amount: Amount
    currency: Currency
    balance_after: Balance
    reference_id: Annotated[
        TransactionId | None,
        doc(
            "The two sides of a transfer share one: the id of what left. What a "
            "payment moves has the payment's."
        ),
    ]
    counterparty: Annotated[Counterparty | None, _COUNTERPARTY]
    category: str | None
    description: str | None
    created_at: Time


class Approval(JsonObject):
    id: ApprovalId = field(name="approvalId")
    wallet_id: WalletId
    target_id: Annotated[WalletId | None, doc("Of a transfer.")] = field(
        name="toWalletId"
    )
    amount: Amount
    currency: Currency
    reason: Annotated[str, doc("`approval-threshold`, or the name of a fraud rule.")]
    status: ApprovalStatus
    attempts_left: int
    resends_left: int
    created_at: Time
    expires_at: Time


class ApprovalRequest(Approval):
    otp: str


class Alert(JsonObject):
    id: AlertId
    wallet_id: WalletId
    target_id: WalletId | None = field(name="toWalletId")
    rule: FraudRule
    verdict: FlagVerdict
    amount: Amount
    currency: Currency
    approval_id: Annotated[ApprovalId | None, doc("What it waits for.")]
    created_at: Time


class Payment(JsonObject):
    id: Annotated[PaymentId, doc("The `referenceId` of its transactions, too.")]
    wallet_id: WalletId
    direction: Direction
    amount: Amount
    currency: Currency
    bank_account: BankAccount
    status: Annotated[
        PaymentStatus, doc("PARKED: too many attempts; retry it by hand.")
    ]
    bank_answer: Annotated[
        BankAnswer, doc("UNKNOWN: asked, without an answer. It may have paid.")
    ]
    attempts: int
    last_error: str | None
    next_attempt_at: Time | None
    created_at: Time
    updated_at: Time


_FORMS: dict[type[Struct], type[JsonObject]] = {
    transactions.Transaction: Transaction,
    WalletSnapshot: Wallet,
    PaymentSnapshot: Payment,
    ApprovalSnapshot: Approval,
    alerts.Alert: Alert,
}
"""How the subjects of events are written."""


def event_bytes(event: Event) -> bytes:
    """Return the body of a webhook: what happened, when, and to what."""
    if event.code is None:
        data = _FORMS[type(event.subject)].of(event.subject)
    else:
        data = ApprovalRequest.of(event.subject, otp=event.code)
    body = {"type": event.type, "timestamp": timestamp(event.at), "data": data}
    return json_bytes(body)


def _counterparty(other: transactions.Counterparty) -> Counterparty:
    match other:
        case transactions.WalletIdentity():
            return WalletCounterparty(other.id, other.user_id)
        case transactions.Exchanged(wallet):
            return ExchangeCounterparty(wallet.id, wallet.user_id)
        case transactions.PaymentIdentity():
            return BankCounterparty(str(other.id), other.bank_account)


_WRITERS: list[tuple[Meta, Writer]] = [
    (_TIME, timestamp),
    (_TRANSACTION_ID, str),
    (_COUNTERPARTY, _counterparty),
]
"""How a value is written that is no JSON yet, by the annotation of its field."""


def json_bytes(body: object) -> bytes:
    """Return JSON. msgspec's `encode` ends the process where memory runs out within it
    (msgspec 0.22.0); its `encode_into` raises MemoryError."""
    written = bytearray()
    _ENCODER.encode_into(body, written)
    return bytes(written)


def json_line(body: object) -> bytes:
    """Return JSON that ends with a newline, so that the prompt of a terminal does not
    stick to it."""
    return json_bytes(body) + b"\n"


_ENCODER = json.Encoder()
