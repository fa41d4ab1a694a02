"""Judges our own servers: the broken ones must be convicted, the right ones not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

from rich.console import Console

from tests.judge.arithmetic.verdicts import Verdict
from tests.judge.reports.report import Report
from tests.judge.servers.catalogue import ALL, Bug
from tests.judge.servers.running import running
from tests.judge.session import NotJudged, Options, judged
from tests.judge.wire.adapter import Adapter
from tests.judge.wire.client import Origin

SHARE = 19, 20
"""In at least so many of so many runs each bug is convicted by its probe."""


def run(console: Console, runs: int, names: Sequence[str]) -> int:
    """Print what each server came to. Return 0 if all is as the catalogue says.

    In more than one run a broken server meets only the probe that must convict it.
    """
    is_right = True
    for bug in ALL.values():
        if names and bug.name not in names:
            continue
        for on in bug.servers:
            only = bug.convicted_by[:1] if runs > 1 else ()
            found = [once(bug, on, seed, only) for seed in range(runs)]
            good = sum(as_expected(bug, report) for report in found)
            is_right = is_right and good * SHARE[1] >= runs * SHARE[0]
            convicted = Counter(
                name for report in found for name in convictions(report)
            )
            who = ", ".join(f"{name} {times}" for name, times in convicted.items())
            line = f"{bug.name:26}{on:10}{good} of {runs}   {who}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0 if is_right else 1


def once(
    bug: Bug,
    on: str,
    seed: int,
    only: Sequence[str] = (),
    seconds: float = 60.0,
    timeout_seconds: float = 2.0,
) -> Report | None:
    """Return the report of one run; None if the server cannot be judged."""
    with running(bug.name, on) as url:
        port = urlsplit(url).port
        assert port is not None
        options = Options(
            Origin("127.0.0.1", port),
            only=tuple(only),
            adapter=Adapter(),
            seed=seed,
            seconds=seconds,
            timeout_seconds=timeout_seconds,
        )
        try:
            return judged(options, lambda text: None)
        except NotJudged:
            return None


def convictions(report: Report | None) -> list[str]:
    """Return the probes that convicted."""
    results = report.results if report is not None else ()
    return [each.probe for each in results if each.verdict is Verdict.FAIL]


def as_expected(bug: Bug, report: Report | None) -> bool:
    """Tell whether a bug was convicted by its probe, and a right server by none."""
    convicted = convictions(report)
    if not bug.convicted_by:
        return not convicted
    wanted = bug.convicted_by[0]
    return any(name == wanted or name.startswith(f"{wanted}/") for name in convicted)
