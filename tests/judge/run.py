"""Runs the probes in order, and gathers what they came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.judge.arithmetic.calls import Op, Plan, Record
from tests.judge.arithmetic.checks import Check, first_finding, not_answered
from tests.judge.arithmetic.verdicts import Finding, Result, Verdict
from tests.judge.contract import contract
from tests.judge.races.races import AFTER_EVERY_RACE, RACES, Draw, Race
from tests.judge.races.rounds import Rounds, left_out
from tests.judge.races.shrinking import apart, in_turn, replay, smallest
from tests.judge.wire import setup
from tests.judge.wire.client import BUSY, Spent
from tests.judge.wire.curl import curl
from tests.judge.wire.subject import Subject, Undecided

ALIVE = "races/alive"
HISTORY = "races/history"
HANGING_SECONDS = 1.0
"""The time-out after a hang has convicted; its control group has it, too."""

UNKNOWN_TIME = "the time was up before it was tried: --time gives it more"
CAUSES = {
    "40p01": "PostgreSQL reports a deadlock (40P01)",
    "40001": "PostgreSQL reports a serialization failure (40001)",
    "deadlock": "the database reports a deadlock",
    "database is locked": "SQLite reports that the database is locked",
}


class Unconfirmed(Undecided):
    """Something was found, and there was no time to see it again."""


@dataclass
class Judge:
    """One run against one server."""

    subject: Subject
    found: setup.Walk
    seed: int
    ends_ns: int
    only: Sequence[str] = ()
    at_once: int = 16
    progress: Callable[[str], None] = lambda text: None
    results: list[Result] = field(default_factory=list)
    after: dict[str, Result] = field(default_factory=dict)
    """What contradicts the exercise after a race, whichever it was."""
    patience: float = 5.0
    """The time-out of one call, in seconds, before a hang has convicted."""
    is_serial: bool = False
    is_dead: bool = False

    def run(self) -> None:
        """Run the probes that are wanted."""
        self.patience = self.subject.client.timeout_seconds
        races = self.races()
        try:
            memory = setup.one_memory(self.subject)
            self.results.append(memory)
            if memory.verdict is Verdict.FAIL:
                said = "there is more than one memory behind the address"
                self.results += [
                    left_out(each, Verdict.SKIPPED, said) for each in races
                ]
                return
            self.is_serial, at_once = setup.serves_at_once(self.subject, self.found)
            self.results.append(at_once)
            self.results += contract.run(self.subject, self.is_wanted, self.progress)
        except (Spent, Undecided) as error:
            self.results.append(Result("setup", Verdict.UNKNOWN, str(error)))
        for number, race in enumerate(races):
            self.progress(race.name)
            share = (self.ends_ns - time.monotonic_ns()) // (len(races) - number)
            self.results.append(self.race(race, share))
        if races:
            self._after_all()
        self.results[:] = [
            each
            for each in self.results
            if each.probe.startswith("setup") or self.is_wanted(each.probe)
        ]

    def is_wanted(self, name: str) -> bool:
        """Tell whether a probe is among those asked for; "races" means all of them."""
        return not self.only or any(
            name == each or name.startswith(f"{each}/") for each in self.only
        )

    def races(self) -> list[Race]:
        """Return the wanted races; all of them if only a check after every race is
        wanted."""
        wanted = [race for race in RACES if self.is_wanted(race.name)]
        after = (ALIVE, *(name for name, _, _ in AFTER_EVERY_RACE))
        return wanted or [race for race in RACES if set(after) & set(self.only)]

    # One race

    def race(self, race: Race, share_ns: int) -> Result:
        """Run the rounds of a race until one fails, or its share of time is used up."""
        random = Random(f"{self.seed} {race.name}")
        draw = Draw(random, self.at_once, self.found.latency_ns)
        plans = [
            make for make in race.plans if self.subject.offers(*_kinds(make(draw)))
        ]
        needs = race.needs if plans else (*race.needs, *_kinds(race.plans[0](draw)))
        if missing := self.subject.left_out(needs):
            return left_out(race, *missing)
        if race.needs_keys and not self.found.has_keys:
            return left_out(race, Verdict.SKIPPED, "not offered: idempotency keys")
        if race.needs_users and "{user}" not in self.subject.adapter.create.body:
            return left_out(race, Verdict.SKIPPED, "not offered: a wallet's user")
        if self.is_dead:
            return left_out(race, Verdict.UNKNOWN, "the server no longer answers")
        rounds = Rounds(race, self.is_serial)
        ends = time.monotonic_ns() + share_ns
        try:
            for number in range(race.rounds):
                if number and time.monotonic_ns() > ends:
                    break
                plan = plans[number % len(plans)](draw)
                result = self._round(race, plan, rounds)
                if result is not None:
                    return result
        except Unconfirmed as error:
            return left_out(race, Verdict.UNKNOWN, str(error))
        except Undecided as error:
            if not rounds.decided:
                return left_out(race, Verdict.UNKNOWN, str(error))
        except Spent:
            if not rounds.decided:
                return left_out(race, Verdict.UNKNOWN, UNKNOWN_TIME)
        return rounds.result()

    def _round(self, race: Race, plan: Plan, rounds: Rounds) -> Result | None:
        """Run one round; return what it came to if that ends the race."""
        record = self.subject.play(plan)
        failed = self._failed(record, race.checks)
        rounds.add(record, None if failed else self._failed(record, race.weak))
        result = None
        if failed is not None:
            result = self._convicted(race.name, race.checks, *failed, rounds)
        elif race.may_hang and not_answered(record):
            result = self._not_answered(race, record, rounds)
        try:
            self._after(record, len(rounds.records))
            self._is_alive(record)
        except (Spent, Undecided):
            if result is None:
                raise
        return result

    def _failed(
        self, record: Record, checks: Sequence[Check]
    ) -> tuple[Record, Finding] | None:
        """Return what contradicts the exercise, also after more time.

        Raises Unconfirmed if there is no more time.
        """
        if first_finding(record, checks) is None:
            return None
        try:
            record = self.subject.later(record)
        except Spent as error:
            raise Unconfirmed(f"a contradiction was not confirmed: {error}") from error
        finding = first_finding(record, checks)
        return None if finding is None else (record, finding)

    def _convicted(
        self,
        probe: str,
        checks: Sequence[Check],
        record: Record,
        finding: Finding,
        rounds: Rounds,
    ) -> Result:
        """Return the verdict, with the smallest round that shows it."""
        record, finding = smallest(self.subject, checks, record, finding)
        came, tried = replay(self.subject, checks, record.plan)
        again = f"came back {len(came)} of {tried} times" if tried else ""
        return self._fail(probe, record, finding, rounds, again)

    def _fail(
        self, probe: str, record: Record, finding: Finding, rounds: Rounds, again: str
    ) -> Result:
        secret = frozenset(name.lower() for name in self.subject.adapter.headers)
        users = [self.subject.new_user()]
        requests = [
            self.subject.asked(op, record.ids, users)
            for op in dict.fromkeys(record.ops(finding.witnesses))
        ]
        origin = self.subject.client.origin
        return Result(
            probe,
            Verdict.FAIL,
            finding.sentence,
            rounds.race.is_must or probe != rounds.race.name,
            len(rounds.records),
            rounds.overlap(),
            finding,
            record,
            tuple(curl(origin, each, secret) for each in requests),
            again,
        )

    def _not_answered(
        self, race: Race, record: Record, rounds: Rounds
    ) -> Result | None:
        """Return the verdict if valid calls fail twice.

        A hang convicts only if as many calls are answered on wallets that nobody
        shares, an error only if the same calls succeed one after another. Raises
        Unconfirmed.
        """
        stuck = not_answered(record)
        first = stuck[0]
        control = apart if first.is_timed_out else in_turn
        try:
            is_alone_too = not_answered(self.subject.play(control(record.plan)))
            if is_alone_too or not not_answered(self.subject.play(record.plan)):
                return None
        except Spent as error:
            raise Unconfirmed(f"a hang was not confirmed: {error}") from error
        count = f"{len(stuck)} of {len(record.done)} valid calls"
        if first.is_timed_out:
            self.subject.client.timeout_seconds = HANGING_SECONDS
            sentence = (
                f"{count} were never answered; the same calls on wallets that nobody "
                "shares were"
            )
            likely = "each of two calls has a lock that the other one waits for"
        else:
            sentence = (
                f"{count} at once failed ({first.status}); one at a time none does"
            )
            likely = ""
        said = " ".join(each.said for each in stuck).lower()
        likely = next((text for key, text in CAUSES.items() if key in said), likely)
        other = next((each for each in stuck if _crosses(each.op, first.op)), first)
        finding = Finding(
            sentence, witnesses=record.places([first, other]), likely=likely
        )
        return self._fail(race.name, record, finding, rounds, "twice of two times")

    # After every race

    def _after(self, record: Record, number: int) -> None:
        """Look at what no race may do, whichever it was."""
        for name, shows, check in AFTER_EVERY_RACE:
            failed = None
            if name not in self.after and self.is_wanted(name):
                failed = self._failed(record, [check])
            if failed is not None:
                rounds = Rounds(Race(name, shows, (), (), ()))
                rounds.records += [record] * number
                self.after[name] = self._convicted(name, [check], *failed, rounds)

    def _is_alive(self, record: Record) -> None:
        """Ask for a wallet that no race touches, twice before it is a failure."""
        client = self.subject.client
        for _ in range(2):
            patience, client.timeout_seconds = client.timeout_seconds, self.patience
            done = self.subject.one(Op("read"), [self.found.wallet])
            client.timeout_seconds = patience
            if done.status is not None and (done.status < 500 or done.status in BUSY):
                return
            self.subject.pause()
        self.is_dead = done.status is None
        said = f"after a race a read of another wallet is not answered: {done.said}"
        self.after.setdefault(ALIVE, Result(ALIVE, Verdict.FAIL, said, record=record))

    def _after_all(self) -> None:
        """Say what was looked at after every race."""
        count = sum(result.rounds for result in self.results)
        for name, said in (
            (AFTER_EVERY_RACE[0][0], "nothing that was refused is in a balance"),
            (ALIVE, "the server answered after every race"),
        ):
            nothing = Result(name, Verdict.UNKNOWN, "no race was run")
            held = Result(name, Verdict.PASS, said, rounds=count)
            self.results.append(self.after.get(name) or (held if count else nothing))
        wrong = self.after.get(HISTORY)
        for place, result in enumerate(self.results):
            if wrong and result.probe == HISTORY and result.verdict != Verdict.FAIL:
                self.results[place] = wrong


def _kinds(plan: Plan) -> list[str]:
    return sorted(
        {op.kind for stage in plan.stages for lane in stage for op in lane.ops}
    )


def _crosses(one: Op, other: Op) -> bool:
    """Tell whether two transfers go in opposite directions."""
    return one.wallet == other.to and one.to is not None
