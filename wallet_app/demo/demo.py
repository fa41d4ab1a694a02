"""The demo server's own: a page that shows the service at work, some people with money,
a phone on which codes arrive, and a receiver of webhooks.

`python wsgi.py` has it, and nothing else does. It is a client of the service like any
other, except that it begins with some history and sees the codes.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from flask import Flask

from wallet_app.demo import demo_views, guard
from wallet_app.demo.inbox import Inbox
from wallet_app.demo.people import DemoClock, People
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.approvals.codes import CHANNELS
from wallet_app.services.json_forms import ApprovalRequest
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings

TEXTS_MAX = 20
"""Codes that the phone shows, newest first."""


class Demo:
    """A service, and what else the page shows."""

    def __init__(self, settings: Settings, **injected: Any) -> None:
        self.phone: deque[ApprovalRequest] = deque(maxlen=TEXTS_MAX)
        self.inbox = Inbox()
        clock = DemoClock(injected.pop("clock", time.time_ns))
        self.service = WalletService(
            settings, send_code=self._send, clock=clock, **injected
        )
        self._channel = CHANNELS[settings.otp_channel](
            self.service.outbox, self.service.clock
        )
        self._rates = settings.fx_rates
        self.people = People(self.service, clock)

    def _send(self, approval: ApprovalSnapshot, code: str) -> None:
        """Send a code by the channel of the settings, and to the phone."""
        self._channel(approval, code)
        self.phone.appendleft(ApprovalRequest.of(approval, otp=code))

    def register(self, app: Flask) -> None:
        """Add the page and its conveniences to the app."""
        guard.register(app)
        app.register_blueprint(
            demo_views.blueprint(self.people, self.phone, self.inbox, self._rates)
        )
