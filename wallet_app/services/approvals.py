"""Approvals: movements that wait until somebody confirms them."""

from __future__ import annotations

from wallet_app.errors import ApprovalRequired
from wallet_app.services.movement import Movement


def no_approval_needed(movement: Movement) -> None:
    """Keep back what is above the wallet's threshold until it is confirmed."""
    source = movement.source
    if source is None or source.terms is None or movement.approved:
        return
    threshold = source.terms.limits.approval_threshold
    if threshold is not None and movement.amount > threshold:
        raise ApprovalRequired("approval-threshold")
