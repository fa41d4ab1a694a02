"""Movements while a receiver of webhooks hangs, against movements of which nobody is
notified; and whether a healthy receiver gets every event at full load."""

from __future__ import annotations

import sys
import time

from tests.benchmarks.conditions import on_processor
from tests.benchmarks.over_http import (
    CLIENTS_PROCESSOR,
    Runner,
    call,
    posts,
    race,
    served,
    transfer_bodies,
)
from tests.benchmarks.report import Row, Scale, at_least
from tests.receivers import receiving
from tests.server import CONFIGURED, running

CONNECTIONS = 8
PRIVATE = {"WALLET_WEBHOOK_ALLOW_PRIVATE": "1"}
RECEIVER = (sys.executable, "-m", "tests.benchmarks.receiver")
DRAIN_SECONDS = 120


def receivers_rows(scale: Scale) -> list[Row]:
    """`POST /wallet/transfer` with one webhook."""
    return [_hangs(scale), _is_healthy(scale)]


def _hangs(scale: Scale) -> Row:
    """The receiver never answers."""
    with (
        receiving(hangs=True) as receiver,
        served(CONFIGURED, PRIVATE) as notifying,
        served(CONFIGURED, PRIVATE) as alone,
    ):
        webhook = {"url": receiver.url, "events": ["transaction.created"]}
        call(notifying.url, "POST", "/webhooks", webhook)
        runners = [
            Runner(server.url, posts("/wallet/transfer", transfer_bodies(server.url)))
            for server in (notifying, alone)
        ]
        these, those = race(runners, CONNECTIONS, scale.rounds * 2, scale.slice_seconds)
    return at_least(
        "POST /wallet/transfer, a webhook's receiver hangs, against no webhook",
        "/s",
        [slice.rate for slice in these],
        [slice.rate for slice in those],
        0.90,
    )


def _is_healthy(scale: Scale) -> Row:
    """The receiver answers at once: each event arrives, in order for each wallet,
    though some wait for the load to end."""
    with served(CONFIGURED, PRIVATE) as server:
        with on_processor(CLIENTS_PROCESSOR):
            receiver = running(RECEIVER)
            with receiver as receiver_server:
                bodies = transfer_bodies(server.url)
                webhook = {
                    "url": receiver_server.url,
                    "events": ["transaction.created"],
                }
                call(server.url, "POST", "/webhooks", webhook)
                runner = Runner(server.url, posts("/wallet/transfer", bodies))
                began = time.perf_counter()
                load = runner.run(CONNECTIONS, scale.storm_seconds)
                _drain(server.url)
                seconds = time.perf_counter() - began
                came = call(receiver_server.url, "GET", "/")
    made = 2 * len(load.seconds)
    arrived = came["messages"] - came["outOfOrder"]
    return Row(
        "deliveries to a healthy receiver, against transactions under full load",
        f"{came['messages'] / seconds:,.0f} /s",
        f"{2 * load.rate:,.0f} /s",
        f"{arrived / made:.3f}",
        ">= 1.00",
        arrived == made,
    )


def _drain(url: str) -> None:
    """Wait until nothing is queued any more, but not for ever."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline:
        background = call(url, "GET", "/health")["background"]
        if not background["queueLength"] + background["inProgress"]:
            return
        time.sleep(0.2)
