"""What a movement came to, as an answer: it was made, it goes on as a payment, or it
waits for an approval."""

from __future__ import annotations

from flask import Response

from wallet_app.api.outgoing.answers import Movement, Transfer, answer
from wallet_app.domain import transactions
from wallet_app.services.approvals.approval import ApprovalSnapshot, Moved
from wallet_app.services.json_forms import Approval, Payment, Transaction, Wallet
from wallet_app.services.payments.payment import PaymentSnapshot


def outcome(result: Moved | ApprovalSnapshot) -> Response:
    """Return the answer to a movement."""
    if isinstance(result, ApprovalSnapshot):
        return answer(Approval.of(result), 202, Location=f"/approvals/{result.id}")
    if isinstance(result, PaymentSnapshot):
        return answer(Payment.of(result), 202, Location=f"/payments/{result.id}")
    if isinstance(result, transactions.Transaction):
        return answer(_movement(result))
    source, target = map(_movement, result)
    reference_id = source.transaction.reference_id
    return answer(Transfer(reference_id, source, target))


def _movement(transaction: transactions.Transaction) -> Movement:
    return Movement(Wallet.of(transaction.wallet_after), Transaction.of(transaction))
