"""What the receiver of a webhook knows by Standard Webhooks 1.0 and by HTTP: secrets,
signatures, and for how long it asks to be left alone."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from datetime import UTC
from email.utils import parsedate_to_datetime

from wallet_app.domain.clock import SECOND

PREFIX = "whsec_"
"""What a secret begins with; the rest is base64."""

SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64."""


def new_secret() -> str:
    """Return a secret that nobody can guess."""
    return f"{PREFIX}{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def key_of(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))


def headers_of(message_id: str, body: bytes, key: bytes, now: int) -> dict[str, str]:
    """Return a message's headers for an attempt that is made now."""
    seconds = str(now // SECOND)
    signed = f"{message_id}.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{signature}",
    }


def retry_after_ns(retry_after: str, now: int) -> int:
    """Return for how many nanoseconds a receiver asks to be left alone: it names
    seconds, or a date of the wall clock, which says `now` (RFC 9110, section 10.2.3).
    What is neither asks for nothing."""
    if re.fullmatch("[0-9]+", retry_after):
        return int(retry_after[:12]) * SECOND
    try:
        until = parsedate_to_datetime(retry_after)
        seconds = int(until.replace(tzinfo=until.tzinfo or UTC).timestamp())
    except (ValueError, OverflowError):
        return 0
    return max(seconds * SECOND - now, 0)
