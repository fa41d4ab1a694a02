"""Whatever allocation fails, a use case happens as a whole or not at all.

Each allocation of each use case fails once, on a ledger of its own. Afterwards no lock
is held and the books balance; the same key sent again gives one movement in all, and
its answer; each payment goes on to its end, and each commit is reported.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import pytest
from msgspec.structs import replace

from tests.allocations import in_a_child, needs_failing_allocations, with_failing
from tests.use_cases import USE_CASES, UseCase, World, comparable
from wallet_app.services.webhooks.webhook import NewWebhook

pytestmark = pytest.mark.slow

POINTS_MAX = 3_000
Seen = Mapping[str, Any]


class Run:
    """One use case on a ledger of its own."""

    def __init__(self, case: UseCase, has_webhook: bool, watched: str) -> None:
        self.case, self.world = case, World(has_webhook)
        self.command = case.prepare(self.world)
        self.world.watched.append(watched)
        self.first_id = self.world.sequence.last
        self.is_replay = False

    def act(self) -> object:
        """Run the use case as a view does."""
        if not self.case.takes_key:
            return self.command()
        self.world.service.idempotency.on_replay = self._note_replay
        return self.command(key="key", fingerprint=self.case.name)

    def _note_replay(self) -> None:
        self.is_replay = True

    def outcome(self) -> object:
        """Return what the use case returns or refuses."""
        try:
            return comparable(self.act())
        except Exception as refusal:  # noqa: BLE001 - compared by the caller
            return comparable(refusal)


class Enumeration:
    """Fails each allocation of a use case, and as many as `times` from it on, and
    counts what goes wrong."""

    def __init__(self, case: UseCase, has_webhook: bool, times: int) -> None:
        self.case, self.has_webhook, self.times = case, has_webhook, times
        self.watched = ""
        for _ in range(2):  # the first time warms the caches
            clean = self.new_run()
            self.before = self.seen(clean)
            self.expected = clean.outcome()
            self.watched = id_of(self.expected)
            clean.world.watched[-1] = self.watched
            self.after = self.seen(clean)
        clean.world.finish()
        self.ended, self.posts = self.end_of(clean), clean.world.posts()

    def new_run(self) -> Run:
        return Run(self.case, self.has_webhook, self.watched)

    def seen(self, run: Run) -> Seen:
        """Return what there is to see, except that an attempt that failed may stay
        listed as flagged."""
        seen = run.world.seen()
        return seen | {"alerts": []} if self.case.name == "flagged_transfer" else seen

    def end_of(self, run: Run) -> Seen:
        ended = run.world.ended()
        if self.case.name == "flagged_transfer":  # and may be reported twice
            ended["reported"] = set(ended["reported"])
        return ended

    def run(self) -> tuple[int, dict[str, int]]:
        """Return how many allocations failed, and what went wrong, how often."""
        wrong: Counter[str] = Counter()
        for n in range(POINTS_MAX):
            run = self.new_run()
            trial = with_failing(n, self.times, run.act)
            try:
                self.check(run)
            except Exception as error:  # noqa: BLE001 - counted
                wrong[f"{type(error).__name__}: {error}"] += 1
            if not trial.struck:
                return n, dict(wrong)
        raise AssertionError("it does not end")

    def check(self, run: Run) -> None:
        """Assert that all of it happened, or nothing."""
        world = run.world
        assert world.held() == 0, "a lock stays held"
        assert world.service.audit().problems == [], "the books are wrong"
        if not self.case.is_background:
            self.check_that_it_can_be_sent_again(run)
        world.finish()
        same(self.end_of(run), self.ended, "it ends otherwise")
        posts = world.posts()  # at least once
        assert posts >= self.posts and posts.keys() == self.posts.keys(), "wrong posts"

    def check_that_it_can_be_sent_again(self, run: Run) -> None:
        seen = self.seen(run)
        happened = seen == self.after
        if not happened:
            same(seen, self.before, "half of it happened")
            run.world.sequence.last = run.first_id  # so that ids can be compared
        if happened and not self.case.takes_key:
            return
        outcome, expected = run.outcome(), self.expected
        if happened and isinstance(expected, NewWebhook):
            expected = replace(expected, secret=None)  # a replay does not show it
        assert outcome == expected, "sent again, it is answered otherwise"
        assert run.is_replay is (happened and self.before != self.after), (
            "a wrong replay"
        )
        same(self.seen(run), self.after, "sent again, it comes to something else")


def id_of(outcome: object) -> str:
    """Return the id of a new approval or quote, if the outcome is one."""
    if isinstance(outcome, tuple):
        return str(outcome[0])
    return str(getattr(outcome, "id", ""))


def same(seen: Seen, expected: Seen, otherwise: str) -> None:
    """Assert that two descriptions are equal, and say where they are not."""
    different = [name for name in seen if seen[name] != expected[name]]
    assert not different, f"{otherwise}: {', '.join(different)}"


@needs_failing_allocations
@pytest.mark.parametrize("has_webhook", [False, True], ids=["silent", "webhook"])
@pytest.mark.parametrize("case", USE_CASES, ids=attrgetter("name"))
def test_an_allocation_that_fails_leaves_all_or_nothing(
    case: UseCase, has_webhook: bool
) -> None:
    assert_all_or_nothing(case, has_webhook, times=1)


MOVEMENTS = ("add", "deduct", "transfer", "exchange", "confirm")


@needs_failing_allocations
@pytest.mark.parametrize(
    "case",
    [each for each in USE_CASES if each.name in MOVEMENTS],
    ids=attrgetter("name"),
)
def test_a_movement_is_restored_also_without_memory(case: UseCase) -> None:
    assert_all_or_nothing(case, has_webhook=False, times=20)


def assert_all_or_nothing(case: UseCase, has_webhook: bool, times: int) -> None:
    def trials() -> tuple[int, dict[str, int]]:
        logging.disable()
        return Enumeration(case, has_webhook, times).run()

    points, wrong = in_a_child(trials)
    assert wrong == {}
    assert points >= case.points_min


ANSWERED = ("exchange", "confirm", "cancel")


@needs_failing_allocations
@pytest.mark.parametrize("name", ANSWERED)
def test_what_has_committed_is_answered_whatever_allocation_fails_after_it(
    name: str,
) -> None:
    (case,) = [each for each in USE_CASES if each.name == name]

    def unanswered() -> list[str]:
        logging.disable()
        trials, wrong = Enumeration(case, has_webhook=False, times=1), []
        for n in range(POINTS_MAX):
            run = trials.new_run()
            trial = with_failing(n, 1, run.act)
            if trials.seen(run) == trials.after:
                if comparable(trial.result) != trials.expected:
                    wrong.append(f"{n}: {trial.result!r}")
            if not trial.struck:
                return wrong
        raise AssertionError("it does not end")

    assert in_a_child(unanswered) == []
