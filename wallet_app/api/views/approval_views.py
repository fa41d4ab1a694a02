"""Look at an approval, confirm it, cancel it, have its code sent again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from wallet_app.api.current_service import service
from wallet_app.api.incoming.idempotency_header import once
from wallet_app.api.incoming.request_schemas import ConfirmBody, EmptyBody
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import (
    REPLAYED,
    answers,
    refuses,
    takes_command,
)
from wallet_app.api.outgoing.answers import answer
from wallet_app.api.outgoing.outcomes import outcome
from wallet_app.domain.errors.approval_errors import (
    ApprovalClosed,
    ApprovalExpired,
    ApprovalNotFound,
    CodeInvalid,
    ResendsExhausted,
    TooManyWrongCodes,
)
from wallet_app.domain.errors.exchange_errors import (
    LiquidityExhausted,
    QuoteExpired,
    QuoteNotFound,
    QuoteUsed,
)
from wallet_app.domain.errors.payment_errors import PaymentsExhausted
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    FraudBlocked,
    InsufficientFunds,
    LimitExceeded,
    WalletFrozen,
)
from wallet_app.services.json_forms import Approval

blueprint = Blueprint("approvals", __name__)


@blueprint.get("/approvals/<uuid:id>")
@answers(200, examples.APPROVAL)
@refuses(ApprovalNotFound, NotFound)
def get(id: UUID) -> Response:
    """Get an approval"""
    return answer(Approval.of(service().get_approval(str(id))))


@blueprint.post("/approvals/<uuid:id>/confirm")
@takes_command(ConfirmBody(), examples.CONFIRM_BODY)
@answers(200, examples.DEBIT, examples.TRANSFER, **REPLAYED)
@answers(202, examples.WITHDRAWAL, Location="The payment.", **REPLAYED)
@refuses(
    ApprovalNotFound,
    NotFound,
    CodeInvalid,
    TooManyWrongCodes,
    ApprovalExpired,
    ApprovalClosed,
    WalletFrozen,
    InsufficientFunds,
    LiquidityExhausted,
    BalanceOverflow,
    LimitExceeded,
    FraudBlocked,
    QuoteNotFound,
    QuoteUsed,
    QuoteExpired,
    PaymentsExhausted,
)
def confirm(body: dict[str, Any], id: UUID) -> Response:
    """Confirm an approval with the code that was sent

    The movement is made now, by all the rules that hold now, and answered as if it had
    been asked for now. It is made once, however many confirm. Where a rule refuses it,
    the approval still waits. The fifth wrong code rejects it; after five for one wallet
    in a day from one address, no further code from there counts.
    """
    return outcome(service().confirm_approval(str(id), body["otp"], **once()))


@blueprint.post("/approvals/<uuid:id>/cancel")
@takes_command(EmptyBody(), {})
@answers(200, examples.CANCELLED, **REPLAYED)
@refuses(ApprovalNotFound, NotFound, ApprovalExpired, ApprovalClosed)
def cancel(body: dict[str, Any], id: UUID) -> Response:
    """Cancel an approval: its movement will not be made"""
    return answer(Approval.of(service().cancel_approval(str(id), **once())))


@blueprint.post("/approvals/<uuid:id>/resend")
@takes_command(EmptyBody(), {})
@answers(200, examples.RESENT, **REPLAYED)
@refuses(ApprovalNotFound, NotFound, ApprovalExpired, ApprovalClosed, ResendsExhausted)
def resend(body: dict[str, Any], id: UUID) -> Response:
    """Send a new code

    It alone counts from now on, and the time to confirm begins anew, though for an
    exchange it ends with the quote. The wrong codes so far still count.
    """
    return answer(Approval.of(service().resend_code(str(id), **once())))
