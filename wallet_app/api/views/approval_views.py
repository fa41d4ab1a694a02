"""Look at an approval, confirm it, cancel it, have its code sent again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from wallet_app.api.current_service import service
from wallet_app.api.incoming.request_schemas import (
    ApprovalsQuery,
    ConfirmBody,
    EmptyBody,
)
from wallet_app.api.openapi import examples
from wallet_app.api.openapi.operation import (
    OF_RULES_OUTGOING,
    OF_RULES_TRANSFER,
    answers,
    refuses,
    takes_command,
    takes_query,
)
from wallet_app.api.outgoing.answers import ApprovalPage, answer
from wallet_app.api.outgoing.outcomes import outcome
from wallet_app.api.outgoing.paging import page_answer
from wallet_app.domain.errors.approval_errors import (
    ApprovalClosed,
    ApprovalExpired,
    ApprovalNotFound,
    CodeInvalid,
    ResendsExhausted,
    TooManyWrongCodes,
)
from wallet_app.domain.errors.payment_errors import PaymentsExhausted
from wallet_app.services.json_forms import Approval

blueprint = Blueprint("approvals", __name__)


@blueprint.get("/approvals")
@takes_query(ApprovalsQuery())
@answers(200, examples.APPROVAL_PAGE, Link="The pages around this one.")
def list_approvals(query: dict[str, Any]) -> Response:
    """List approvals, newest first

    Of all wallets, or those of one; with any status, or with one. An approval is kept
    for a day after nobody can confirm it any more.
    """
    page = service().list_approvals(**query)
    return page_answer(ApprovalPage, page, approvals=list(map(Approval.of, page.rows)))


@blueprint.get("/approvals/<uuid:approval_id>")
@answers(200, examples.APPROVAL)
@refuses(ApprovalNotFound)
def get_approval(approval_id: str) -> Response:
    """Get an approval

    Never with its code.
    """
    return answer(Approval.of(service().get_approval(approval_id)))


@blueprint.post("/approvals/<uuid:approval_id>/confirm")
@takes_command(ConfirmBody())
@answers(200, examples.DEBIT, examples.TRANSFER)
@answers(202, examples.WITHDRAWAL, Location="The payment.")
@refuses(
    ApprovalNotFound,
    CodeInvalid,
    TooManyWrongCodes,
    ApprovalExpired,
    ApprovalClosed,
    *OF_RULES_OUTGOING,
    *OF_RULES_TRANSFER,
    PaymentsExhausted,
)
def confirm_approval(command: dict[str, Any], approval_id: str) -> Response:
    """Confirm an approval with the code that was sent

    The movement is made now, by all the rules that hold now, and answered as if it had
    been asked for now. It is made once, however many confirm. Where a rule refuses it,
    the approval still waits. The fifth wrong code rejects it; after five for one wallet
    in a day from one address, no further code from there counts.
    """
    return outcome(service().confirm_approval(approval_id, **command))


@blueprint.post("/approvals/<uuid:approval_id>/cancel")
@takes_command(EmptyBody())
@answers(200, examples.CANCELLED)
@refuses(ApprovalNotFound, ApprovalExpired, ApprovalClosed)
def cancel_approval(command: dict[str, Any], approval_id: str) -> Response:
    """Cancel an approval

    Its movement will not be made.
    """
    return answer(Approval.of(service().cancel_approval(approval_id, **command)))


@blueprint.post("/approvals/<uuid:approval_id>/resend")
@takes_command(EmptyBody())
@answers(200, examples.RESENT)
@refuses(ApprovalNotFound, ApprovalExpired, ApprovalClosed, ResendsExhausted)
def resend_code(command: dict[str, Any], approval_id: str) -> Response:
    """Send a new code

    It replaces the one before, and the time to confirm starts again, though for an
    exchange it ends with the quote. The wrong codes so far still count.
    """
    return answer(Approval.of(service().resend_code(approval_id, **command)))
