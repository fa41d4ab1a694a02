"""What expired idempotency keys cost the requests that come after them."""

from __future__ import annotations

import time
from statistics import median

from tests.benchmarks.conditions import in_fresh_process, settle_as_the_server
from tests.benchmarks.in_process import Timings, in_turns
from tests.benchmarks.report import Row, Scale, at_most
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.idempotency import KEYS_MAX, IdempotencyKeys
from wallet_app.store import ThreadLock

FEW = 2_000
TTL_NS = 1_000_000_000
FIRST_MS_MAX = 5.0
EVICTION_US_MAX = 5.0
SIZE_RATIO_MAX = 3.0
"""Entries of a large table are not in the processor's cache."""


def expiry_rows(scale: Scale) -> list[Row]:
    """The first request after a full table has expired, and what one eviction costs."""
    firsts, many, few = in_fresh_process(expiry_times, scale.rounds)
    slowest, each = max(firsts), median(many)
    ratio = at_most(
        f"evicting one of {KEYS_MAX:,} expired keys or of {FEW:,}",
        "us",
        many,
        few,
        SIZE_RATIO_MAX,
    )
    return [
        Row(
            f"the first key after {KEYS_MAX:,} have expired, the slowest",
            f"{slowest:.2f} ms",
            "-",
            "-",
            f"<= {FIRST_MS_MAX:.0f} ms",
            slowest <= FIRST_MS_MAX,
        ),
        Row(
            f"evicting one of {KEYS_MAX:,} expired keys",
            f"{each:.2f} us",
            "-",
            "-",
            f"<= {EVICTION_US_MAX:.0f} us",
            each <= EVICTION_US_MAX,
        ),
        ratio,
    ]


def expiry_times(rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Return the milliseconds of each first request, and microseconds per eviction
    from a full table and from a small one."""
    settle_as_the_server()
    firsts: list[float] = []
    timings: Timings = in_turns(
        rounds, lambda: _eviction(KEYS_MAX, firsts), lambda: _eviction(FEW, [])
    )
    return firsts, *timings


def _eviction(expired: int, firsts: list[float]) -> float:
    """Fill a table, let all of it expire, and add keys until the last is evicted;
    return microseconds per eviction, of the processor: it waits for nothing."""
    now = 0
    keys = IdempotencyKeys(lambda: now, 1, ThreadLock)
    for number in range(expired):
        keys.run(
            f"{number:036}", b"fingerprint", _answer, caller=f"caller {number % 8}"
        )
    now += TTL_NS
    began = time.process_time()
    keys.run("first", b"fingerprint", _answer, caller="caller 0")
    firsts.append((time.process_time() - began) * 1e3)
    added = 1
    while len(keys) > added:
        keys.run(f"new {added}", b"fingerprint", _answer, caller=f"caller {added % 8}")
        added += 1
    return (time.process_time() - began) / expired * 1e6


def _answer(on_commit: OnCommits) -> str:
    commit(on_commit, "answer")
    return "answer"
