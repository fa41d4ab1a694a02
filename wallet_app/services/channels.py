"""Where the code of an approval goes, by the names of `WALLET_OTP_CHANNEL`."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from wallet_app.services.approval import ApprovalSnapshot
from wallet_app.services.approvals import SendCode

logger = logging.getLogger("wallet_app.otp")


def log(approval: ApprovalSnapshot, code: str) -> None:
    """Write the code into the log, for development."""
    logger.warning("The code of approval %s is %s", approval.id, code)


def webhook(approval: ApprovalSnapshot, code: str) -> None:
    """Tell nobody: there are no webhooks yet that an SMS or mail bridge could hear."""


CHANNELS: Mapping[str, SendCode] = {"webhook": webhook, "log": log}
