"""What a movement came to, as an answer: it was made, it goes on as a payment, or it
waits for an approval."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Response

from wallet_app.api.outgoing.answers import Batch, Movement, Transfer, answer
from wallet_app.domain.transactions import Transaction
from wallet_app.services import json_forms
from wallet_app.services.approvals.approval import ApprovalSnapshot, Moved
from wallet_app.services.json_forms import Approval, Payment
from wallet_app.services.money import Pair
from wallet_app.services.payments.payment import PaymentSnapshot


def outcome(result: Moved | ApprovalSnapshot) -> Response:
    """Return the answer to a movement."""
    if isinstance(result, ApprovalSnapshot):
        return answer(Approval.of(result), 202, Location=f"/approvals/{result.id}")
    if isinstance(result, PaymentSnapshot):
        return answer(Payment.of(result), 202, Location=f"/payments/{result.id}")
    return answer(_made(result))


def outcomes(results: Iterable[Transaction | Pair]) -> Response:
    """Return the answer to a batch."""
    return answer(Batch([_made(each) for each in results]))


def _made(result: Transaction | Pair) -> Movement | Transfer:
    if isinstance(result, Transaction):
        return _movement(result)
    source, target = map(_movement, result)
    return Transfer(source.transaction.reference_id, source, target)


def _movement(transaction: Transaction) -> Movement:
    wallet = json_forms.Wallet.of(transaction.wallet_after)
    return Movement(wallet, json_forms.Transaction.of(transaction))
