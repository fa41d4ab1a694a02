"""Crowds: connections that send nothing, or were polite once, beyond every limit."""

from __future__ import annotations

import time

from tests.attacks.arena import Arena, Attack
from tests.attacks.crowd import Client, Crowd, raise_descriptor_limit
from tests.attacks.wire import request

SILENT = 2_000
POLITE = 1_000
AT_ONCE = 20
NEW_EACH_SECOND = 300
TICKS_EACH_SECOND = 10
OTHERS = 200
"""Descriptors that newcomers and whatever else is open take."""

OPEN_SECONDS = 1.0
BEYOND_LIMIT = (985, 1_500)
RESETS = 2_000
GONE = 4_000
GONE_AT_ONCE = 50
GONE_EACH_SECOND = 250


def silent(arena: Arena) -> str:
    raise_descriptor_limit(SILENT + OTHERS)
    with Crowd(arena.target) as crowd:
        crowd.open(SILENT)
        crowd.tend(OPEN_SECONDS)
        seen = arena.newcomers(crowd)
        crowd.tend(arena.seconds / 2)
        return f"{SILENT} silent; {seen}; {len(crowd.open_clients)} still open"


def silent_stream(arena: Arena) -> str:
    raise_descriptor_limit(int(NEW_EACH_SECOND * arena.seconds) + OTHERS)
    with Crowd(arena.target) as crowd:
        return _stream(arena, crowd)


def _stream(arena: Arena, crowd: Crowd) -> str:
    """Open 300 silent connections a second; half-way there, newcomers ask."""
    seen = ""
    ticks = int(arena.seconds * TICKS_EACH_SECOND)
    begun = time.monotonic()
    for tick in range(1, ticks + 1):
        crowd.open(NEW_EACH_SECOND // TICKS_EACH_SECOND)
        if tick == ticks // 2:
            seen = arena.newcomers(crowd)
        crowd.tend(begun + tick / TICKS_EACH_SECOND - time.monotonic())
    return f"{NEW_EACH_SECOND} new ones a second for {arena.seconds:.0f} s; {seen}"


def polite(arena: Arena) -> str:
    raise_descriptor_limit(POLITE + OTHERS)
    with Crowd(arena.target) as crowd:
        seen = _be_polite(arena, crowd)
        newcomers = arena.newcomers(crowd)
        crowd.tend(arena.seconds / 2)
        return f"{seen}; {newcomers}"


def _be_polite(arena: Arena, crowd: Crowd) -> str:
    """Have 1,000 clients ask once and stay."""
    data = request("GET", "/health", host=arena.target.authority)
    clients: list[Client] = []

    def is_answered() -> bool:
        return all(each.answers or each.is_closed for each in clients[-AT_ONCE:])

    for _ in range(POLITE // AT_ONCE):
        clients += crowd.open(AT_ONCE, data)
        crowd.tend(2, is_answered)
    answered = sum(client.is_served for client in clients)
    assert answered == POLITE, f"{answered} of {POLITE} polite clients were answered"
    return f"{POLITE} idle ones answered once"


def all_three(arena: Arena) -> str:
    stream = int(NEW_EACH_SECOND * arena.seconds)
    raise_descriptor_limit(SILENT + POLITE + stream + OTHERS)
    with Crowd(arena.target) as crowd:
        crowd.open(SILENT)
        crowd.tend(OPEN_SECONDS)
        seen = _be_polite(arena, crowd)
        return f"{SILENT} silent; {seen}; {_stream(arena, crowd)}"


def beyond_limits(arena: Arena) -> str:
    raise_descriptor_limit(max(BEYOND_LIMIT) + OTHERS)
    seen = ""
    for count in BEYOND_LIMIT:
        with Crowd(arena.target) as crowd:
            crowd.open(count)
            crowd.tend(OPEN_SECONDS)
            seen = arena.newcomers(crowd)
    return f"{BEYOND_LIMIT} at once, then gone at once; {seen}"


def resets(arena: Arena) -> str:
    with Crowd(arena.target) as crowd:
        for _ in range(RESETS // 100):
            crowd.open(100)
            crowd.tend(0.02)
            crowd.close(reset=True)
        return f"{RESETS} connections reset; {arena.newcomers(crowd)}"


def gone(arena: Arena) -> str:
    """Send some requests at once, and be gone before the answers."""
    body = {"walletId": arena.witnesses[0], "amount": 0}
    data = request("POST", "/wallet/add", body, host=arena.target.authority)
    with Crowd(arena.target) as crowd:
        begun = time.monotonic()
        for number in range(GONE // GONE_AT_ONCE):
            crowd.open(GONE_AT_ONCE, data * 4)
            crowd.tend(0.5, lambda: not any(each.pending for each in crowd.clients))
            crowd.close(reset=True)
            # As much as a server can answer beside good clients.
            pause = begun + number * GONE_AT_ONCE / GONE_EACH_SECOND - time.monotonic()
            time.sleep(max(pause, 0))
        return f"{GONE} gone before their answers; {arena.newcomers(crowd)}"


ATTACKS = (
    Attack("silent connections", silent),
    Attack("a stream of silent connections", silent_stream),
    Attack("idle keep-alive connections", polite),
    Attack("all three at once", all_three, is_strict=True),
    Attack("connections beyond every limit", beyond_limits),
    Attack("resets", resets, is_fast=True),
    Attack("gone before the answers", gone, margin_mib=3.0),
)
