"""The phone of whoever must confirm: it shows the latest codes."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from wallet_app.services.approvals.approval import ApprovalSnapshot

MESSAGES_MAX = 20


class Text(Struct, frozen=True):
    """A text message: a code, and what it confirms."""

    approval: ApprovalSnapshot
    code: str


class Phone:
    """The latest messages, newest first. Each change is one step of the deque's."""

    def __init__(self) -> None:
        self._texts: deque[Text] = deque(maxlen=MESSAGES_MAX)

    def show(self, approval: ApprovalSnapshot, code: str) -> None:
        self._texts.appendleft(Text(approval, code))

    def texts(self) -> list[Text]:
        return list(self._texts)
