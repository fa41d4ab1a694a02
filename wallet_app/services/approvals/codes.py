"""The codes of approvals: how one is made, and where it is sent, by the names of
`WALLET_OTP_CHANNEL`."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping

from wallet_app.domain.clock import Clock
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import Event, EventType, Outbox

logger = logging.getLogger("wallet_app.otp")

SendCode = Callable[[ApprovalSnapshot, str], None]
"""Sends a code to the person who may confirm. It is called under no wallet's lock."""


def new_code() -> str:
    """Return six digits that nobody can guess."""
    return f"{secrets.randbelow(1_000_000):06}"


def log(outbox: Outbox, clock: Clock) -> SendCode:
    """Write codes into the log, for development."""

    def send(approval: ApprovalSnapshot, code: str) -> None:
        logger.warning("The code of approval %s is %s", approval.id, code)

    return send


def webhook(outbox: Outbox, clock: Clock) -> SendCode:
    """Report codes to the webhooks that ask for `approval.requested`: an SMS or mail
    bridge."""

    def send(approval: ApprovalSnapshot, code: str) -> None:
        outbox.put(Event(EventType.APPROVAL_REQUESTED, clock(), approval, code))

    return send


CHANNELS: Mapping[str, Callable[[Outbox, Clock], SendCode]] = {
    "webhook": webhook,
    "log": log,
}
