"""Runs the probes in order, and gathers what they came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import msgspec

from tests.judge import contract, setup
from tests.judge.calls import Done, Lane, Op, Outcome, Plan, Record
from tests.judge.client import MS, Spent
from tests.judge.curl import curl
from tests.judge.races import AFTER_EVERY_RACE, RACES, Check, Draw, Race
from tests.judge.subject import Subject, Undecided
from tests.judge.sums import TooManyUnknown
from tests.judge.verdicts import Finding, Result, Verdict

AGAIN = 10
"""How often a witness is tried again, to say how often it comes back."""

SMALLER_TRIES = 8
"""How often a smaller round is tried before it is taken to be too small."""

SMALLER_SECONDS = 3.0
ALIVE = "races/alive"
UNKNOWN_TIME = "the time was up before it was tried"
CAUSES = {
    "40p01": "PostgreSQL reports a deadlock (40P01)",
    "40001": "PostgreSQL reports a serialization failure (40001)",
    "deadlock": "the database reports a deadlock",
    "database is locked": "SQLite reports that the database is locked",
}


@dataclass
class Judge:
    """One run against one server."""

    subject: Subject
    seed: int
    ends_ns: int
    only: Sequence[str] = ()
    at_once: int = 16
    progress: Callable[[str], None] = lambda text: None
    results: list[Result] = field(default_factory=list)
    after: dict[str, Result] = field(default_factory=dict)
    latency_ns: int = MS
    control: str = ""
    is_dead: bool = False

    def run(self, found: setup.Walk) -> list[Result]:
        """Run the probes that are wanted, and return what they came to."""
        self.latency_ns, self.control = found.latency_ns, found.wallet
        races = [race for race in RACES if self.is_wanted(race.name)]
        try:
            memory = setup.one_memory(self.subject)
            self.results += [memory, setup.serves_at_once(self.subject, found)]
            for result in contract.run(self.subject, self.is_wanted, self.progress):
                self.results.append(result)
        except (Spent, Undecided) as error:
            self.results.append(
                Result("setup", Verdict.UNKNOWN, f"not decided: {error}")
            )
            memory = None
        if memory is not None and memory.verdict is Verdict.FAIL:
            said = "skipped: more than one memory behind the address"
            self.results += [_left_out(race, Verdict.SKIPPED, said) for race in races]
            return self.results
        for number, race in enumerate(races):
            self.progress(race.name)
            share = (self.ends_ns - time.monotonic_ns()) // (len(races) - number)
            self.results.append(self.race(race, found, share))
        self._close_after(races)
        return self.results

    def is_wanted(self, name: str) -> bool:
        """Tell whether a probe is among those asked for; "races" means all of them."""
        return not self.only or any(
            name == each or name.startswith(f"{each}/") for each in self.only
        )

    # Races

    def race(self, race: Race, found: setup.Walk, share_ns: int) -> Result:
        """Run the rounds of a race until one fails."""
        missing = [kind for kind in race.needs if not self.subject.offers(kind)]
        if missing:
            said = f"not offered: {', '.join(missing)}"
            return _left_out(race, Verdict.SKIPPED, said)
        if race.name == "races/same-key" and not found.has_keys:
            return _left_out(race, Verdict.SKIPPED, "no idempotency keys")
        if self.is_dead:
            return _left_out(race, Verdict.UNKNOWN, "the server no longer answers")
        rounds = _Rounds(race)
        ends = time.monotonic_ns() + share_ns
        draw = Draw(Random(f"{self.seed} {race.name}"), self.at_once, self.latency_ns)
        try:
            for number in range(race.rounds):
                if number and time.monotonic_ns() > ends:
                    break
                result = self._round(race, draw, number, rounds)
                if result is not None:
                    return result
        except Undecided as error:
            if not rounds.decided:
                return _left_out(race, Verdict.UNKNOWN, str(error))
        except Spent:
            if not rounds.decided:
                return _left_out(race, Verdict.UNKNOWN, UNKNOWN_TIME)
        return rounds.result()

    def _round(
        self, race: Race, draw: Draw, number: int, rounds: _Rounds
    ) -> Result | None:
        """Run one round; return what it came to if that ends the race."""
        plans = [make for make in race.plans if self.is_offered(make(draw))]
        plan = plans[number % len(plans)](draw)
        record = self.subject.play(plan)
        failed = self._failed(record, race.checks)
        if failed is not None:
            return self._convicted(race, *failed, number + 1, rounds)
        if race.may_hang and (stuck := not_answered(record)):
            result = self._hangs(race, record, stuck, number + 1)
            if result is not None:
                return result
        rounds.add(record, self._failed(record, race.weak))
        self._after(record, number + 1)
        self._is_alive(record)
        return None

    def is_offered(self, plan: Plan) -> bool:
        kinds = {op.kind for stage in plan.stages for lane in stage for op in lane.ops}
        return self.subject.offers(*kinds)

    def _failed(
        self, record: Record, checks: Sequence[Check]
    ) -> tuple[Record, Finding] | None:
        """Return what contradicts the exercise, also after more time."""
        for check in checks:
            try:
                finding = check(record)
                if finding is None:
                    continue
                settled = self.subject.later(record)
                finding = check(settled)
            except TooManyUnknown:
                return None
            if finding is not None:
                return settled, finding
        return None

    def _convicted(
        self, race: Race, record: Record, finding: Finding, rounds: int, had: _Rounds
    ) -> Result:
        """Return the verdict, with the smallest round that shows it."""
        had.add(record, None)
        record, finding = self._smaller(race.checks, record, finding)
        return Result(
            race.name,
            Verdict.FAIL,
            finding.sentence,
            race.is_must,
            rounds,
            had.overlap(),
            finding,
            record,
            self.curl(record, finding),
            self._again(race.checks, record.plan),
        )

    def _smaller(
        self, checks: Sequence[Check], record: Record, finding: Finding
    ) -> tuple[Record, Finding]:
        """Return the smallest round that was found to fail too."""
        ends = time.monotonic() + SMALLER_SECONDS
        is_smaller = True
        while is_smaller:
            is_smaller = False
            for plan in smaller(record.plan, _ops(record, finding)):
                if time.monotonic() > ends:
                    return record, finding
                found = self._fails(checks, plan, SMALLER_TRIES, ends)
                if found is not None:
                    record, finding = found
                    is_smaller = True
                    break
        return record, finding

    def _fails(
        self, checks: Sequence[Check], plan: Plan, tries: int, ends: float
    ) -> tuple[Record, Finding] | None:
        for _ in range(tries):
            if time.monotonic() > ends:
                return None
            try:
                record = self.subject.play(plan)
            except (Undecided, Spent):
                return None
            for check in checks:
                try:
                    finding = check(record)
                except TooManyUnknown:
                    continue
                if finding is not None:
                    return record, finding
        return None

    def _again(self, checks: Sequence[Check], plan: Plan) -> str:
        """Return how often a round fails when it is run again."""
        came, tried = replay(self.subject, checks, plan, AGAIN)
        return f"came back {came} of {tried} times" if tried else ""

    def _hangs(
        self, race: Race, record: Record, stuck: Sequence[Done], rounds: int
    ) -> Result | None:
        """Return the verdict if it happens again, and not without shared wallets."""
        lonely = self.subject.play(apart(record.plan))
        if not_answered(lonely):
            return None
        second = self.subject.play(record.plan)
        if not not_answered(second):
            return None
        first = stuck[0]
        if first.is_timed_out:
            sentence = (
                f"{len(stuck)} of {len(record.done)} valid calls were never answered; "
                "the same calls on wallets that nobody shares were"
            )
            likely = "each of two calls has a lock that the other one waits for"
        else:
            sentence = (
                f"{len(stuck)} of {len(record.done)} valid calls failed "
                f"({first.status}); the same calls on wallets that nobody shares "
                "did not"
            )
            likely = ""
        said = " ".join(each.said for each in stuck).lower()
        likely = next((text for key, text in CAUSES.items() if key in said), likely)
        other = next(
            (each for each in stuck[1:] if each.op.wallet != first.op.wallet), first
        )
        places = tuple(
            place for place, each in enumerate(record.done) if each in (first, other)
        )
        finding = Finding(sentence, "", places, likely)
        return Result(
            race.name,
            Verdict.FAIL,
            sentence,
            race.is_must,
            rounds,
            finding=finding,
            record=record,
            curl=self.curl(record, finding),
            again="twice of two times",
        )

    # After every race

    def _after(self, record: Record, rounds: int) -> None:
        for name, _, check in AFTER_EVERY_RACE:
            if name in self.after or not self.is_wanted(name):
                continue
            failed = self._failed(record, [check])
            if failed is not None:
                later, finding = failed
                self.after[name] = Result(
                    name,
                    Verdict.FAIL,
                    finding.sentence,
                    rounds=rounds,
                    finding=finding,
                    record=later,
                    curl=self.curl(later, finding),
                    again=self._again([check], record.plan),
                )

    def _is_alive(self, record: Record) -> None:
        """Ask for a wallet that no race touches, twice before the server is dead."""
        if self.is_dead or self.subject.read(self.control) is not None:
            return
        self.subject.pause()
        done = self.subject.one(Op("read"), [self.control])
        if done.balance is None:
            self.is_dead = done.status is None
            said = f"after a race a read of another wallet is not answered: {done.said}"
            self.after.setdefault(
                ALIVE, Result(ALIVE, Verdict.FAIL, said, record=record)
            )

    def _close_after(self, races: Sequence[Race]) -> None:
        """Say what the checks after every race came to."""
        count = sum(result.rounds for result in self.results)
        for name, said in (
            (AFTER_EVERY_RACE[0][0], "nothing that was refused is in a balance"),
            (ALIVE, "the server answered after every race"),
        ):
            if not self.is_wanted(name) or not races:
                continue
            self.results.append(
                self.after.get(name)
                or Result(
                    name,
                    Verdict.PASS if count else Verdict.UNKNOWN,
                    said if count else "no race was run",
                    rounds=count,
                )
            )
        history = self.after.get("races/history")
        if history is not None:
            kept = [each for each in self.results if each.probe != history.probe]
            old = [each for each in self.results if each.probe == history.probe]
            if not old or old[0].verdict is not Verdict.FAIL:
                self.results[:] = [*kept, history]

    def curl(self, record: Record, finding: Finding) -> tuple[str, ...]:
        """Return the requests of the witnesses as commands."""
        secret = frozenset(name.lower() for name in self.subject.adapter.headers)
        origin = self.subject.client.origin
        users = [self.subject.new_user()]
        return tuple(
            curl(origin, self.subject.asked(op, record.ids, users), secret)
            for op in dict.fromkeys(_ops(record, finding))
        )


@dataclass
class _Rounds:
    """What the rounds of a race have come to so far."""

    race: Race
    decided: int = 0
    records: list[Record] = field(default_factory=list)
    weak: tuple[Record, Finding] | None = None

    def add(self, record: Record, weak: tuple[Record, Finding] | None) -> None:
        self.records.append(record)
        self.decided += _is_decided(record)
        self.weak = self.weak or weak

    def overlap(self) -> str:
        """Return how far the calls overlapped."""
        calls = [each for record in self.records for each in record.done]
        if not calls:
            return ""
        met = sum(
            any(
                one.lane != other.lane
                and one.released < other.ended
                and other.released < one.ended
                for other in record.done
            )
            for record in self.records
            for one in record.done
        )
        return f"{100 * met // len(calls)} % of {len(calls):,} calls overlapped"

    def result(self) -> Result:
        race, count = self.race, len(self.records)
        if not self.decided:
            said = "too few calls were answered"
            busy = sum(
                each.status == 429 for record in self.records for each in record.done
            )
            if busy:
                said = f"{busy} calls were answered 429"
            return _left_out(race, Verdict.UNKNOWN, said)
        if self.weak is not None:
            record, finding = self.weak
            return Result(
                race.name,
                Verdict.WEAK,
                finding.sentence,
                race.is_must,
                count,
                self.overlap(),
                finding,
                record,
            )
        return Result(
            race.name, Verdict.PASS, race.shows, race.is_must, count, self.overlap()
        )


def replay(
    subject: Subject, checks: Sequence[Check], plan: Plan, times: int
) -> tuple[int, int]:
    """Run a round again; return how often it failed, and how often it was tried."""
    came = tried = 0
    for _ in range(times):
        try:
            record = subject.play(plan)
        except (Undecided, Spent):
            break
        tried += 1
        for check in checks:
            try:
                if check(record) is not None:
                    came += 1
                    break
            except TooManyUnknown:
                continue
    return came, tried


def smaller(plan: Plan, witnesses: Sequence[Op]) -> Iterator[Plan]:
    """Yield plans with fewer calls: the witnesses alone, a half, all but one lane."""
    if len(plan.stages) != 1:
        return
    (stage,) = plan.stages
    candidates = [
        [lane for lane in stage if any(op in witnesses for op in lane.ops)],
        list(stage[: len(stage) // 2]),
        list(stage[len(stage) // 2 :]),
    ]
    if len(stage) <= 6:
        candidates += [[*stage[:i], *stage[i + 1 :]] for i in range(len(stage))]
    for lanes in candidates:
        if 2 <= len(lanes) < len(stage):
            yield Plan(plan.starts, (tuple(lanes),))


def apart(plan: Plan) -> Plan:
    """Return a plan of the same size in which no two calls share a wallet."""
    starts: list[int] = []
    lanes: list[Lane] = []
    for stage in plan.stages:
        for lane in stage:
            for op in lane.ops:
                source, target = len(starts), None
                starts.append(plan.starts[op.wallet])
                if op.to is not None:
                    target = len(starts)
                    starts.append(plan.starts[op.to])
                own = msgspec.structs.replace(op, wallet=source, to=target)
                lanes.append(Lane((own,), lane.offset_ns))
    return Plan(tuple(starts), (tuple(lanes),))


def not_answered(record: Record) -> list[Done]:
    """Return the calls that timed out or failed within the server."""
    return [
        each
        for each in record.done
        if each.is_timed_out or (each.status is not None and each.status >= 500)
    ]


def _is_decided(record: Record) -> bool:
    """Tell whether a round says anything."""
    answered = [
        each
        for each in record.done
        if each.outcome is not Outcome.UNKNOWN and each.status != 429
    ]
    return len(answered) >= 2 and None not in record.rest


def _ops(record: Record, finding: Finding) -> list[Op]:
    return [record.done[place].op for place in finding.witnesses]


def _left_out(race: Race, verdict: Verdict, said: str) -> Result:
    return Result(race.name, verdict, said, race.is_must)
