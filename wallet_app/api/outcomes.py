"""What a movement came to, as an answer: it was made, or it waits for an approval."""

from __future__ import annotations

from flask import Response

from wallet_app.api.answers import (
    Json,
    answer,
    approval_json,
    movement_json,
    transfer_json,
)
from wallet_app.api.service import service
from wallet_app.domain import Transaction
from wallet_app.services.approvals import ApprovalSnapshot, Moved


def outcome(result: Moved | ApprovalSnapshot) -> Response:
    """Return the answer to a movement."""
    match result:
        case ApprovalSnapshot():
            location = f"/approvals/{result.id}"
            return answer(approval_json(result), 202, Location=location)
        case Transaction():
            return answer(_movement(result))
        case sent, received:
            return answer(transfer_json(_movement(sent), _movement(received)))


def _movement(transaction: Transaction) -> Json:
    return movement_json(service().wallets.after(transaction), transaction)
