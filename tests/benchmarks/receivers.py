"""Movements while a receiver of webhooks hangs, against movements that nobody is told
of."""

from __future__ import annotations

from tests.benchmarks.over_http import (
    Runner,
    call,
    posts,
    race,
    served,
    transfer_bodies,
)
from tests.benchmarks.report import Row, Scale, at_least
from tests.receivers import receiving
from tests.server import CONFIGURED

CONNECTIONS = 8
PRIVATE = {"WALLET_WEBHOOK_ALLOW_PRIVATE": "1"}


def receivers_rows(scale: Scale) -> list[Row]:
    """`POST /wallet/transfer` with one webhook, whose receiver never answers."""
    with (
        receiving(hangs=True) as receiver,
        served(CONFIGURED, PRIVATE) as told,
        served(CONFIGURED, PRIVATE) as untold,
    ):
        webhook = {"url": receiver.url, "events": ["transaction.created"]}
        call(told.url, "POST", "/webhooks", webhook)
        runners = [
            Runner(server.url, posts("/wallet/transfer", transfer_bodies(server.url)))
            for server in (told, untold)
        ]
        these, those = race(runners, CONNECTIONS, scale.rounds * 2, scale.slice_seconds)
    return [
        at_least(
            "POST /wallet/transfer, a webhook's receiver hangs, against no webhook",
            "/s",
            [slice.rate for slice in these],
            [slice.rate for slice in those],
            0.90,
        )
    ]
