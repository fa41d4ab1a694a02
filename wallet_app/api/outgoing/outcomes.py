"""What a movement came to, as an answer: it was made, it goes on as a payment, or it
waits for an approval."""

from __future__ import annotations

from flask import Response

from wallet_app.api.outgoing.answers import answer, movement_json, transfer_json
from wallet_app.domain.transactions import Transaction
from wallet_app.services.approvals.approval import ApprovalSnapshot, Moved
from wallet_app.services.json_forms import approval_json, payment_json
from wallet_app.services.payments.payment import PaymentSnapshot


def outcome(result: Moved | ApprovalSnapshot) -> Response:
    """Return the answer to a movement."""
    if isinstance(result, ApprovalSnapshot):
        location = f"/approvals/{result.id}"
        return answer(approval_json(result), 202, Location=location)
    if isinstance(result, PaymentSnapshot):
        location = f"/payments/{result.id}"
        return answer(payment_json(result), 202, Location=location)
    if isinstance(result, Transaction):
        return answer(movement_json(result.wallet_after, result))
    sent, received = result
    return answer(
        transfer_json(
            movement_json(sent.wallet_after, sent),
            movement_json(received.wallet_after, received),
        )
    )
