"""Runs the cases of the contract: one call after the other, what the exercise says."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import localcontext

from tests.judge.arithmetic.calls import Op
from tests.judge.arithmetic.verdicts import Finding, Harm, Result, Verdict
from tests.judge.contract import bad_answers, history_cases, right_calls
from tests.judge.contract.bench import Bench, Case, Seen, Stopped
from tests.judge.wire import answers
from tests.judge.wire.answers import EXACT, shown
from tests.judge.wire.client import Exchange, Request, Spent
from tests.judge.wire.curl import curl
from tests.judge.wire.subject import Subject, Undecided

CASES: tuple[Case, ...] = (
    *right_calls.CASES,
    *history_cases.CASES,
    *bad_answers.CASES,
)

STATUSES = ("contract/statuses", "what is refused is not refused with a success")

HANGS_MAX = 2
"""After so many wallets that no longer answer, no more are risked: each costs twice
the time-out."""

WRONG = (Verdict.FAIL, Verdict.WEAK)
NOT_FOUND = 404
LOOK_SECONDS = 0.05
BUSY_SECONDS = 1.0
BUSY_WAITS_MAX = 8
LIMITED = "the server limits requests (429): switch that off"
LIMITED_MAX = 5
SENTENCE_MAX = 400


def run(
    subject: Subject, is_wanted: Callable[[str], bool], progress: Callable[[str], None]
) -> Iterator[Result]:
    """Yield what the wanted cases come to. Raises nothing."""
    yield from judged(Bench(subject), is_wanted, progress)


def judged(
    bench: Bench, is_wanted: Callable[[str], bool], progress: Callable[[str], None]
) -> Iterator[Result]:
    """Yield what the wanted cases come to on a bench. Raises nothing."""
    running = _Run(bench.subject, bench)
    for case in CASES:
        if is_wanted(case.name):
            progress(case.name)
            yield running.result(case)
    if bench.failing:
        said = f"{bench.failing} calls were refused with a status of success"
        yield Result(STATUSES[0], Verdict.WEAK, said, is_must=False)


@dataclass
class _Run:
    """What has gone wrong so far, and is not tried again."""

    subject: Subject
    bench: Bench
    stopped: str = ""
    """Why nothing more can be tried."""
    hung: dict[str, str] = field(default_factory=dict)
    """The cases after which a wallet hung, by the kind of their calls."""
    waited: Counter[str] = field(default_factory=Counter)
    """How many cases have waited for the time-out, by the kind of their calls."""
    waits: int = 0
    limited: int = 0
    """How many cases in a row a limit of requests has left open."""
    watched: str = ""

    def result(self, case: Case) -> Result:
        seen = self._seen(case)
        said = seen.sentence
        if seen.answered and seen.verdict in (Verdict.WEAK, Verdict.UNKNOWN):
            said = f"{said}: {seen.answered}"
        finding = None
        commands: tuple[str, ...] = ()
        if seen.verdict is Verdict.FAIL:
            answered = f"it answered: {shown(seen.answered)}" if seen.answered else ""
            sums = "; ".join(each for each in (seen.sums, answered) if each)
            sentence, sums = (
                shown(text, SENTENCE_MAX) for text in (seen.sentence, sums)
            )
            finding = Finding(sentence, sums, likely=seen.likely, harm=seen.harm)
        if seen.verdict in WRONG:
            secret = frozenset(name.lower() for name in self.subject.adapter.headers)
            origin = self.subject.client.origin
            commands = tuple(curl(origin, each, secret) for each in seen.requests)
        return Result(
            case.name,
            seen.verdict,
            shown(said, SENTENCE_MAX),
            case.is_must or finding is not None,
            finding=finding,
            curl=commands,
        )

    def _seen(self, case: Case) -> Seen:
        if missing := self.subject.left_out(case.needs):
            return Seen(*missing)
        if self.stopped:
            return Seen(Verdict.UNKNOWN, self.stopped)
        before = self.hung.get(case.needs[0])
        if before is not None:
            return Seen(Verdict.UNKNOWN, f"not tried: no answer after {before}")
        self._watch()
        seen = self._tried(case)
        if not self._is_another(seen):
            return seen
        self._watch()
        again = self._tried(case)
        if self._is_another(again) or again.verdict in WRONG:
            return again
        return Seen(Verdict.UNKNOWN, "the server was restarted while it was tried")

    def _watch(self) -> None:
        """Have a wallet that no case touches: it is gone if the server was restarted
        and has forgotten everything."""
        if not self.watched and not self.subject.adapter.wallets:
            with suppress(Undecided, Spent):
                self.watched = self.subject.open()

    def _is_another(self, seen: Seen) -> bool:
        """Tell whether the server that has failed was restarted since: then nothing
        is left of what it knew."""
        if seen.verdict not in WRONG:
            return False
        try:
            is_back = seen.is_dead and self._is_back()
            is_lost = (
                self.watched != ""
                and self.subject.one(Op("read"), [self.watched]).status == NOT_FOUND
            )
        except Spent:
            return False
        if is_back or is_lost:
            self.watched = self.stopped = ""
            self.bench.drop()
            self.bench.story = None
        return is_back or is_lost

    def _is_back(self) -> bool:
        """Wait for a server that takes no connections. Raises Spent."""
        ends = time.monotonic() + self.bench.back_seconds
        while self.bench.send(self.subject.probe()).answer is None:
            if time.monotonic() > ends:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def _tried(self, case: Case) -> Seen:
        """Try a case, and no more after some that a limit of requests left open."""
        before = self.subject.client.limited
        seen = self._judged(case)
        is_open = seen.verdict is Verdict.UNKNOWN
        if not is_open or self.subject.client.limited == before:
            self.limited = 0
            return seen
        self.limited += 1
        if self.limited >= LIMITED_MAX:
            self.stopped = LIMITED
        return Seen(Verdict.UNKNOWN, LIMITED)

    def _judged(self, case: Case) -> Seen:
        self._wait()
        began = time.monotonic()
        try:
            with localcontext(EXACT):
                return case.judge(self.bench)
        except Stopped as error:
            return self._stopped(case, error)
        except Undecided as error:
            self.bench.drop()
            return self._is_gone(case) or Seen(Verdict.UNKNOWN, str(error))
        except Spent as error:
            self.stopped = f"not tried: {error}"
            return Seen(Verdict.UNKNOWN, self.stopped)
        finally:
            if time.monotonic() - began >= self.subject.client.timeout_seconds:
                self._note_wait(case)

    def _note_wait(self, case: Case) -> None:
        """Note that a case has waited in vain: not many of a kind can, in time."""
        kind = case.needs[0]
        self.waited[kind] += 1
        if self.waited[kind] >= HANGS_MAX:
            self.hung.setdefault(kind, case.name)

    def _wait(self) -> None:
        """Give a server that counts requests a moment."""
        if self.bench.is_busy and self.waits < BUSY_WAITS_MAX:
            self.waits += 1
            time.sleep(max(BUSY_SECONDS, self.subject.client.retry_seconds))
        self.bench.begin()

    def _is_gone(self, case: Case) -> Seen | None:
        """Return what a case came to after which the server answers nothing."""
        try:
            self.bench.valid(self.subject.probe)
        except Spent:
            return None
        except Stopped as error:
            if error.is_dead:
                return self._stopped(case, error)
            self.stopped = f"not tried: no answer since {case.name}"
        return None

    def _stopped(self, case: Case, error: Stopped) -> Seen:
        self.bench.drop()
        exchange = error.exchange
        requests = (*self.bench.sent, exchange.request)
        if error.is_dead:
            self.stopped = f"the server died after {case.name}"
            sentence = "after it the server takes no more connections"
            return replace(_hangs(sentence, exchange, requests), is_dead=True)
        self.hung[case.needs[0]] = case.name
        if len(self.hung) >= HANGS_MAX:
            self.stopped = (
                f"not tried: wallets hang after {', '.join(self.hung.values())}"
            )
        sentence = "after it a valid call on the same wallet is not answered, twice"
        return _hangs(sentence, exchange, requests)


def _hangs(sentence: str, exchange: Exchange, requests: tuple[Request, ...]) -> Seen:
    return Seen(
        Verdict.FAIL, sentence, answers.said(exchange), requests, harm=Harm.HANGS
    )
