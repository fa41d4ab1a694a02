"""Requests that cost a server much."""

from __future__ import annotations

import json
import time

from tests.attacks.arena import Arena, Attack
from tests.attacks.crowd import Client, Crowd, exchange
from tests.attacks.wire import request

LOOPS = 4
"""Connections that ask again as soon as they are answered."""

AUDITS = 32
ANSWER_BYTES_MAX = 65_536
UNKNOWN_FIELDS = 60_000
"""As many as fit in a megabyte."""


def _in_a_loop(arena: Arena, data: bytes, seconds: float) -> list[Client]:
    """Have a few connections ask the same again and again; return one for each ask."""
    ended: list[Client] = []
    asking: list[Client] = []

    def is_over(client: Client) -> bool:
        return client.is_closed or bool(client.answers)

    def is_any_over() -> bool:
        return any(map(is_over, asking))

    deadline = time.monotonic() + seconds
    with Crowd(arena.target) as crowd:
        while time.monotonic() < deadline:
            asking += crowd.open(LOOPS - len(asking), data)
            crowd.tend(0.2, is_any_over)
            ended += filter(is_over, asking)
            for each in asking.copy():
                if is_over(each):
                    asking.remove(each)
    return ended


def descriptions(arena: Arena) -> str:
    data = request(
        "GET", "/openapi.json", host=arena.target.authority, keep_alive=False
    )
    asked = _in_a_loop(arena, data, arena.seconds / 2)
    statuses = {answer.status for client in asked for answer in client.answers}
    assert statuses == {200}, f"answered {statuses}"
    return f"{len(asked)} answers in {arena.seconds / 2:.0f} s"


def unknown_fields(arena: Arena) -> str:
    body = {f"field{number}": 0 for number in range(UNKNOWN_FIELDS)}
    assert len(json.dumps(body)) < 2**20
    data = request(
        "POST", "/wallet/add", body, host=arena.target.authority, keep_alive=False
    )
    asked = _in_a_loop(arena, data, arena.seconds / 2)
    answers = [answer for client in asked for answer in client.answers]
    assert {answer.status for answer in answers} == {400}, "not answered with 400"
    longest = max(len(answer.body) for answer in answers)
    assert longest <= ANSWER_BYTES_MAX, f"an answer of {longest:,} bytes"
    return f"{len(asked)} in {arena.seconds / 2:.0f} s, answers of {longest:,} bytes"


def audits(arena: Arena) -> str:
    """32 at once, over a history that takes some time."""
    data = request("GET", "/audit", host=arena.target.authority, keep_alive=False)
    rounds = max(int(arena.seconds / 5), 1)
    for _ in range(rounds):
        clients = exchange(arena.target, [data] * AUDITS, 10)
        balanced = [a.json()["balanced"] for c in clients for a in c.answers]
        assert balanced == [True] * AUDITS, f"{len(balanced)} of {AUDITS} audits"
    return f"{rounds} times {AUDITS} audits, all balanced"


ATTACKS = (
    Attack("/openapi.json in a loop", descriptions),
    Attack("a megabyte of unknown fields in a loop", unknown_fields, margin_mib=64.0),
    Attack("32 audits at once", audits, needs_large=True),
)
