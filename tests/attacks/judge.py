"""Make an attack with good clients beside it, and judge what all of them felt."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from tests.attacks.arena import Arena, Attack
from tests.attacks.good import Seen, good_clients
from tests.attacks.target import NotJudged, Vitals, settled

RATIO_MAX = 3.0
P99_SECONDS_MAX = 0.1
"""A 99th percentile that is shorter than this is short enough in every row that is not
strict: some attacks are work that a server has to do."""

CALM_SECONDS = 2.0
DURING_SECONDS_MIN = 1.0
BYTES_OF_A_TRANSFER = 800
"""What the two transactions of a good client's transfer may add to the memory."""


class Outcome(Enum):
    HELD = "yes"
    NOT_HELD = "NO"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one attack."""

    name: str
    outcome: Outcome
    seen: str
    calm: Seen | None = None
    during: Seen | None = None
    before: Vitals | None = None
    after: Vitals | None = None
    seconds: float = 0.0

    HEADINGS = (
        "attack",
        "held",
        "p99 ms without, during",
        "errors",
        "descriptors",
        "threads",
        "MiB",
        "s",
    )

    def cells(self) -> tuple[str, ...]:
        waits = errors = descriptors = threads = memory = ""
        if self.calm and self.during:
            without, within = self.calm.p99_seconds * 1e3, self.during.p99_seconds * 1e3
            waits = f"{without:.1f} {within:.1f} ({within / without:.1f})"
            errors = f"{self.during.errors} of {self.during.count:,}"
        if self.before and self.after:
            old, new = self.before, self.after
            descriptors = f"{old.descriptors} {new.descriptors}"
            threads = f"{old.threads} {new.threads}"
            memory = f"{old.rss_mib:.0f} {new.rss_mib:.0f}"
        outcome, seconds = self.outcome.value, f"{self.seconds:.0f}"
        named = (self.name, outcome, waits, errors)
        return (*named, descriptors, threads, memory, seconds)


WIDTHS = (40, 10, 24, 16, 11, 9, 9, 4)


def line(cells: Iterable[str]) -> str:
    return "  ".join(f"{cell:{width}}" for cell, width in zip(cells, WIDTHS)).rstrip()


def judged(attack: Attack, arena: Arena) -> Row:
    """Make one attack and return its row."""
    begun = time.monotonic()
    try:
        if attack.starts_server:
            row = Row(attack.name, Outcome.HELD, attack.run(arena))
        else:
            row = _beside_good_clients(attack, arena)
    except NotJudged as why:
        row = Row(attack.name, Outcome.NOT_JUDGED, str(why))
    except (AssertionError, OSError, subprocess.TimeoutExpired) as why:
        row = Row(attack.name, Outcome.NOT_HELD, str(why) or repr(why))
    return _timed(row, time.monotonic() - begun)


def _timed(row: Row, seconds: float) -> Row:
    return Row(
        row.name,
        row.outcome,
        row.seen,
        row.calm,
        row.during,
        row.before,
        row.after,
        seconds,
    )


def _beside_good_clients(attack: Attack, arena: Arena) -> Row:
    if attack.needs_large:
        arena.large_wallet()
    calm = _calm(arena)
    pid = arena.target.worker()
    before = Vitals.of(pid) if pid is not None else None
    problems = []
    seen = ""
    with good_clients(arena.target, arena.good_rate, arena.good) as probe:
        begun = time.monotonic()
        try:
            seen = attack.run(arena)
        except (AssertionError, OSError) as why:
            problems.append(str(why) or repr(why))
        time.sleep(max(begun + DURING_SECONDS_MIN - time.monotonic(), 0))
        during = probe.seen
    try:
        arena.check_ledger()
    except (AssertionError, OSError) as why:
        problems.append(f"THE LEDGER: {str(why) or why!r}")
    after = None
    if pid is not None and before is not None:
        margin = attack.margin_mib + during.count * BYTES_OF_A_TRANSFER / 2**20
        with suppress(OSError):
            after = settled(pid, before, margin)
        if after is None:
            problems.append("THE SERVER: its process is gone")
        elif not after.is_back(before, margin):
            problems.append(f"does not get back to what it held (+ {margin:.0f} MiB)")
    if not problems and _felt(attack, calm, during):
        # The machine itself may have become slower meanwhile.
        calm = max(calm, _calm(arena), key=lambda each: each.p99_seconds)
    problems += _felt(attack, calm, during)
    outcome = Outcome.NOT_HELD if problems else Outcome.HELD
    seen = "; ".join([*problems, seen] if seen else problems)
    return Row(attack.name, outcome, seen, calm, during, before, after)


def _calm(arena: Arena) -> Seen:
    """Return what good clients see when there is nobody else."""
    with good_clients(arena.target, arena.good_rate, arena.good) as probe:
        time.sleep(CALM_SECONDS)
        return probe.seen


def _felt(attack: Attack, calm: Seen, during: Seen) -> list[str]:
    """Return what good clients have to complain of."""
    problems = []
    if during.errors:
        problems.append(f"good clients: {'; '.join(during.first_errors)}")
    if not during.count:
        problems.append("good clients: no answer at all")
    is_short = during.p99_seconds <= P99_SECONDS_MAX and not attack.is_strict
    if during.p99_seconds > RATIO_MAX * calm.p99_seconds and not is_short:
        problems.append(f"good clients wait more than {RATIO_MAX:.0f} times as long")
    return problems
