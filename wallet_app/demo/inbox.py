"""A receiver of webhooks, on the demo server itself: it verifies what comes, with the
library that any receiver would use, and fails when it is asked to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from threading import Lock

from standardwebhooks import Webhook, WebhookVerificationError

from wallet_app.services.json_forms import JsonObject, timestamp

MESSAGES_MAX = 100

BODY_BYTES_MAX = 65_536
"""Of one message: the service's own are a hundredth of that."""


class Received(JsonObject):
    """A message as it came, and how it was answered. `verified` is None where no
    secret was known to verify it with."""

    message_id: str
    timestamp: str
    body: str
    verified: bool | None
    answer: int
    received_at: str


class Inbox:
    """The latest messages, newest first."""

    def __init__(self) -> None:
        self.is_failing = False
        self._lock = Lock()
        self._signer: Webhook | None = None
        self._messages: deque[Received] = deque(maxlen=MESSAGES_MAX)

    def know(self, secret: str) -> None:
        """Verify what comes from now on with this secret. Raises ValueError."""
        self._signer = Webhook(secret)

    def receive(self, headers: Mapping[str, str], body: bytes, now: int) -> int:
        """Keep a message, unless it is too long; return the status to answer: 503 while
        it is failing."""
        if len(body) > BODY_BYTES_MAX:
            return 413
        verified = (
            None if self._signer is None else _verify(self._signer, headers, body)
        )
        answer = 503 if self.is_failing else 401 if verified is False else 204
        received = Received(
            headers.get("webhook-id", ""),
            headers.get("webhook-timestamp", ""),
            body.decode(errors="replace"),
            verified,
            answer,
            timestamp(now),
        )
        with self._lock:
            self._messages.appendleft(received)
        return answer

    def messages(self) -> list[Received]:
        with self._lock:
            return list(self._messages)


def _verify(signer: Webhook, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        signer.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # or it is no UTF-8, no base64
        return False
    return True
