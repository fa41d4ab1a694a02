"""Judges one server from its address to its report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec.structs import replace

from tests.judge.reports.report import Report
from tests.judge.run import Judge
from tests.judge.wire import setup
from tests.judge.wire.adapter import Adapter, write_adapter
from tests.judge.wire.client import Client, Limits, Origin
from tests.judge.wire.detection import detect
from tests.judge.wire.subject import Subject

REQUESTS_MAX = 30_000


class NotJudged(Exception):
    """The server cannot be judged: why, and what was tried."""


@dataclass(frozen=True)
class Options:
    """What the command line says. No adapter means that it is to be found out."""

    origin: Origin
    base: str = ""
    only: tuple[str, ...] = ()
    adapter: Adapter | None = None
    seed: int = 1
    seconds: float = 60.0
    timeout_seconds: float = 5.0
    at_once: int = 16
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.origin.authority}{self.base}"


def connected(options: Options) -> Subject:
    """Return the server with an adapter that fits. Raises NotJudged."""
    ends_ns = time.monotonic_ns() + int(options.seconds * 1e9)
    client = Client(
        options.origin,
        Limits(REQUESTS_MAX, ends_ns),
        tuple(options.headers.items()),
        options.timeout_seconds,
    )
    subject = Subject(client, options.adapter or Adapter(), options.base)
    first = client.send(subject.probe())
    if first.answer is None:
        raise NotJudged(f"{options.url} does not answer: {first.failure}")
    client.closes_each = setup.one_connection_at_a_time(subject)
    return subject


def fitting(subject: Subject, is_given: bool) -> setup.Walk:
    """Return what a walk through all calls found; without a given adapter, of the
    first one that fits.

    Raises NotJudged and client.Spent.
    """
    try:
        if is_given:
            return setup.walk(subject)
        return detect(subject)
    except setup.NoFit as error:
        raise NotJudged(str(error)) from error


def judged(options: Options, progress: Callable[[str], None]) -> Report:
    """Run the probes, and return the report. Raises NotJudged."""
    began, started = datetime.now(UTC), time.monotonic()
    subject = connected(options)
    try:
        progress("the adapter")
        found = fitting(subject, options.adapter is not None)
        judge = Judge(
            subject,
            found,
            options.seed,
            subject.client.limits.ends_ns,
            options.only,
            options.at_once,
            progress,
        )
        is_whole = True
        try:
            judge.run()
        except KeyboardInterrupt:
            is_whole = False
        return Report(
            options.url,
            write_adapter(replace(subject.adapter, headers={})),  # they may be secret
            options.seed,
            began.isoformat(timespec="seconds"),
            round(time.monotonic() - started, 1),
            subject.client.sent,
            tuple(found.notes),
            tuple(judge.results),
            is_whole,
            options.only,
        )
    finally:
        subject.client.close()
