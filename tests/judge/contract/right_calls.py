"""Calls that a server must do, and what is in the wallets afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from uuid import uuid4

from tests.judge.arithmetic.calls import Kind, Op, Outcome
from tests.judge.arithmetic.verdicts import Harm, Verdict
from tests.judge.arithmetic.wording import short
from tests.judge.contract.bench import BUSY, Bench, Case, Held, Seen, amounts
from tests.judge.wire import answers
from tests.judge.wire.client import Exchange, Request

Step = tuple[Kind, int, str]
"""A kind of call, the number of its wallet, the amount. A transfer is to the other."""

Change = tuple[Decimal, Decimal]
NOTHING = (Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Right:
    """Calls, one after another, on two new wallets.

    `may_refuse` is for amounts so large or so small that refusing them is as good.
    `in_units` says that amounts are as the server writes them, and not minor units.
    """

    name: str
    shows: str
    starts: tuple[int, int]
    steps: tuple[Step, ...]
    may_refuse: bool = False
    in_units: bool = False

    def changes(self, step: Step, scale: int) -> Change:
        kind, wallet, text = step
        amount = Decimal(text)
        if self.in_units:
            amount = amount.scaleb(scale, answers.EXACT)
        own = amount if kind == "add" else -amount
        other = amount if kind == "transfer" else Decimal(0)
        return (other, own) if wallet else (own, other)


INT32, INT53, INT64 = 2**31 - 1, 2**53 - 1, 2**63 - 1

RIGHT = (
    Right(
        "add/raises",
        "an add raises the balance by its amount",
        (0, 0),
        (("add", 0, "7"), ("add", 0, "2")),
    ),
    Right(
        "deduct/lowers",
        "a deduct lowers the balance by its amount",
        (20, 0),
        (("deduct", 0, "4"),),
    ),
    Right(
        "deduct/to-zero",
        "all that is there can be deducted",
        (20, 0),
        (("deduct", 0, "20"),),
    ),
    Right(
        "transfer/moves",
        "a transfer moves its amount, and the sum stays",
        (20, 5),
        (("transfer", 0, "3"), ("transfer", 1, "1")),
    ),
    Right(
        "transfer/everything",
        "all that is there can be transferred",
        (20, 0),
        (("transfer", 0, "20"),),
    ),
    Right(
        "precision/int32",
        "a balance above 2,147,483,647 is exact or refused",
        (7, 0),
        (("add", 0, f"{INT32}"), ("add", 0, "1"), ("deduct", 0, "2")),
        may_refuse=True,
        in_units=True,
    ),
    Right(
        "precision/int32-received",
        "a receiver's balance above 2,147,483,647 is exact or refused",
        (20, 0),
        (("add", 1, f"{INT32}"), ("transfer", 0, "13")),
        may_refuse=True,
    ),
    Right(
        "precision/int53",
        "a balance above 2^53 is exact or refused",
        (0, 0),
        (("add", 0, f"{INT53}"), ("add", 0, "2"), ("deduct", 0, "3")),
        may_refuse=True,
    ),
    Right(
        "precision/int64",
        "a balance above 2^63 is exact or refused",
        (0, 0),
        (("add", 0, f"{INT64}"), ("add", 0, "1"), ("add", 0, "2")),
        may_refuse=True,
    ),
    Right(
        "precision/thirty-digits",
        "an amount of 10^30 is exact or refused",
        (7, 0),
        (("add", 0, f"{10**30}"), ("deduct", 0, "2")),
        may_refuse=True,
    ),
    Right(
        "precision/tenths",
        "0.1 and 0.2 are 0.3, or refused",
        (0, 0),
        (("add", 0, "0.1"), ("add", 0, "0.2")),
        may_refuse=True,
        in_units=True,
    ),
    Right(
        "precision/tenths-left",
        "1.1 without 0.2 is 0.9, or refused",
        (0, 0),
        (("add", 0, "1.1"), ("deduct", 0, "0.2")),
        may_refuse=True,
        in_units=True,
    ),
)


@dataclass
class _Course:
    """How the steps went so far."""

    bench: Bench
    ids: Sequence[str]
    held: list[Decimal]
    requests: list[Request]
    terms: list[str]
    refused: str = ""
    failed: str = ""

    def sums(self, found: Sequence[Held]) -> str:
        done = " and ".join(self.terms) or "nothing"
        wrong = "; ".join(
            f"wallet {short(id)} should hold {should:f} and holds {held}"
            for id, should, held in zip(self.ids, self.held, found, strict=True)
            if held.amount != should
        )
        return f"acknowledged: {done}; {wrong or 'the balances are right'}"


def judged(right: Right, bench: Bench) -> Seen:
    """Make the calls, and look at both balances after each.

    Raises Undecided, Stopped and client.Spent.
    """
    ids = [bench.subject.open(start) for start in right.starts]
    course = _Course(bench, ids, [Decimal(each) for each in right.starts], [], [])
    for step in right.steps:
        seen = _made(right, step, course)
        if seen is not None:
            requests = (*course.requests, *(bench.reading(id) for id in ids))
            return replace(seen, requests=requests)
    if course.failed:
        sentence = f"nothing moved, but it failed: {course.failed}"
        return Seen(Verdict.WEAK, sentence, requests=tuple(course.requests))
    note = f" (refused: {course.refused})" if course.refused else ""
    return Seen(Verdict.PASS, f"{right.shows}{note}")


def _made(right: Right, step: Step, course: _Course) -> Seen | None:
    """Make one call; return what ends the case."""
    bench = course.bench
    kind, wallet, text = step
    op = Op(kind, wallet, 0, 1 - wallet if kind == "transfer" else None)
    if right.in_units:
        request = bench.with_amount(op, course.ids, text)
    else:
        sized = Op(kind, wallet, int(text), op.to)
        request = bench.subject.asked(sized, course.ids)
    if request is None:
        return Seen(Verdict.SKIPPED, "the amount is not in the body")
    course.requests.append(request)
    bench.sent.append(request)
    exchange = bench.send(request)
    outcome = bench.outcome(exchange)
    change = right.changes(step, bench.subject.adapter.scale)
    choices = [change] if outcome is Outcome.ACKNOWLEDGED else [NOTHING]
    if outcome is Outcome.UNKNOWN:
        choices = [change, NOTHING]
    after = [
        [held + by for held, by in zip(course.held, each, strict=True)]
        for each in choices
    ]
    found = bench.settled(course.ids, lambda found: amounts(found) == after[0])
    course.held = next((each for each in after if each == amounts(found)), after[0])
    if outcome is not Outcome.REFUSED and course.held == after[0]:
        course.terms.append(f"{kind} of {text}")
    status = exchange.answer.status if exchange.answer else 0
    said = f"{kind} of {text} ({status or 'no answer'})"
    answered = answers.said(exchange)
    if amounts(found) not in after:
        wrong = _wrong(right, course, outcome, found, said)
        return replace(wrong, harm=Harm.MONEY, answered=answered)
    if status in BUSY or not status:
        return Seen(Verdict.UNKNOWN, f"not decided: {said}", answered=answered)
    if outcome is Outcome.REFUSED:
        course.refused = said
    elif status >= 500:
        course.failed = said
    if right.may_refuse or (outcome is not Outcome.REFUSED and status < 500):
        return None
    sentence = f"a valid call is not done: {said}"
    return Seen(Verdict.FAIL, sentence, course.sums(found), answered=answered)


def _wrong(
    right: Right, course: _Course, outcome: Outcome, found: Sequence[Held], said: str
) -> Seen:
    """Return how the balances are wrong after a call."""
    if any(held.status in BUSY for held in found):
        return Seen(Verdict.UNKNOWN, "a balance cannot be read")
    sums = course.sums(found)
    if not all(held.is_read for held in found):
        return Seen(Verdict.FAIL, f"the balance is no number after {said}", sums)
    if outcome is Outcome.REFUSED:
        return Seen(Verdict.FAIL, f"refused, but applied: {said}", sums)
    is_whole = all(held.amount == int(held.amount or 0) for held in found)
    has_fraction = any(each % 1 for each in course.held)
    if has_fraction and is_whole:
        return Seen(Verdict.WEAK, f"fractions are rounded: {said}", sums)
    return Seen(Verdict.FAIL, f"the balance is wrong after {said}", sums)


def _said(exchange: Exchange) -> str:
    said = answers.said(exchange)
    return f"{exchange.answer.status} {said}" if exchange.answer else said


# Creations


def _created(bench: Bench, user: str) -> tuple[Request, Exchange]:
    request = bench.subject.asked(Op("create"), [], [user])
    bench.sent.append(request)
    return request, bench.send(request)


def _id(bench: Bench, exchange: Exchange) -> str:
    """Return the id of a wallet that was made; an empty text if none was."""
    is_made = bench.outcome(exchange) is Outcome.ACKNOWLEDGED
    if exchange.answer is None or not is_made:
        return ""
    try:
        return answers.wallet_id(exchange.answer, bench.subject.adapter.create.id)
    except answers.Unreadable:
        return ""


def new_wallet(bench: Bench) -> Seen:
    """A new wallet holds nothing."""
    request, exchange = _created(bench, bench.subject.new_user())
    id = _id(bench, exchange)
    if not id:
        return Seen(Verdict.UNKNOWN, f"no wallet was made: {_said(exchange)}")
    (held,) = bench.settled([id], lambda found: found[0].amount == 0)
    requests = (request, bench.reading(id))
    if held.is_read and held.amount != 0:
        sentence = f"a new wallet holds {held}, not 0"
        return Seen(Verdict.FAIL, sentence, "", requests)
    if not held.is_read:
        return Seen(Verdict.UNKNOWN, f"its balance cannot be read: {held}")
    return Seen(Verdict.PASS, "a new wallet is there, and holds 0")


FIELDS = ("userId", "balance", "createdAt", "updatedAt")


def wallet_fields(bench: Bench) -> Seen:
    """A wallet that is read has the fields of the exercise."""
    user = bench.subject.new_user()
    request, exchange = _created(bench, user)
    id = _id(bench, exchange)
    if not id:
        return Seen(Verdict.UNKNOWN, f"no wallet was made: {_said(exchange)}")
    reading = bench.reading(id)
    answer = bench.valid(lambda: reading).answer
    assert answer is not None
    try:
        has = dict(_fields(answers.document(answer)))
    except answers.Unreadable as error:
        return Seen(Verdict.UNKNOWN, str(error))
    missing = [name for name in FIELDS if _plain(name) not in has]
    if "walletid" not in has and "id" not in has:
        missing.insert(0, "walletId")
    requests = (request, reading)
    if missing:
        sentence = f"a wallet that is read has no {', '.join(missing)}"
        return Seen(Verdict.WEAK, sentence, "", requests)
    if str(has["userid"]) != user:
        sentence = "a wallet that is read has another userId than it was made for"
        return Seen(
            Verdict.WEAK,
            sentence,
            f"{user}: {answers.shown(str(has['userid']))}",
            requests,
        )
    return Seen(
        Verdict.PASS, "a wallet has its id, its user, its balance and its times"
    )


def _fields(value: object, depth: int = 3) -> list[tuple[str, object]]:
    """Return the fields of an answer and of what is in it."""
    if not isinstance(value, dict) or not depth:
        return []
    inner = [each for part in value.values() for each in _fields(part, depth - 1)]
    return inner + [(_plain(str(name)), each) for name, each in value.items()]


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def created_again(bench: Bench) -> Seen:
    """A second creation for one user is refused with 409, and changes nothing."""
    if "{user}" not in bench.subject.adapter.create.body:
        return Seen(Verdict.SKIPPED, "a wallet is made without a user")
    user = bench.subject.new_user()
    _, exchange = _created(bench, user)
    id = _id(bench, exchange)
    if not id:
        return Seen(Verdict.UNKNOWN, f"no wallet was made: {_said(exchange)}")
    holds = Decimal(0)
    if bench.subject.offers("add"):
        paid = bench.send(bench.subject.asked(Op("add", 0, 5), [id]))
        holds += 5 * (bench.outcome(paid) is Outcome.ACKNOWLEDGED)
    request, again = _created(bench, user)
    (held,) = bench.settled([id], lambda found: found[0].amount == holds)
    requests = (request, request, bench.reading(id))
    said = answers.said(again)
    status = again.answer.status if again.answer else 0
    if held.amount != holds and not bench.is_busy:
        sentence = "a second creation changed the wallet"
        sums = f"it held {holds}, and holds {held}"
        return Seen(Verdict.FAIL, sentence, sums, requests, answered=said)
    if not status or status in BUSY:
        return Seen(Verdict.UNKNOWN, f"a second creation: {_said(again)}")
    other = _id(bench, again)
    if other and other != id:
        is_theirs = bench.subject.adapter.create.request.endswith("/wallet/create")
        verdict = Verdict.FAIL if is_theirs else Verdict.WEAK
        sums = f"{short(id)} and {short(other)}"
        return Seen(verdict, "one user has two wallets", sums, requests)
    if status >= 500:
        sentence = f"a second creation is answered {status}; the exercise says 409"
        return Seen(Verdict.FAIL, sentence, "", requests, answered=said)
    if status != 409 and not bench.is_failing(again):
        sentence = (
            f"a second creation is answered {status}, and not 409; it made nothing"
        )
        return Seen(Verdict.WEAK, sentence, "", requests)
    return Seen(Verdict.PASS, f"a second creation is refused ({status})")


def two_users(bench: Bench) -> Seen:
    """What one user gets is not in the wallet of another."""
    one, other = bench.subject.open(7), bench.subject.open()
    found = bench.settled([one, other], lambda found: amounts(found) == [7, 0])
    requests = (bench.reading(one), bench.reading(other))
    if one == other:
        sentence = f"two users have one wallet: {one}"
        return Seen(Verdict.FAIL, sentence, "", requests, harm=Harm.MONEY)
    if amounts(found) != [7, 0] and all(held.is_read for held in found):
        sums = f"7 was added to one; they hold {found[0]} and {found[1]}"
        sentence = "two wallets are not apart"
        return Seen(Verdict.FAIL, sentence, sums, requests, harm=Harm.MONEY)
    return Seen(Verdict.PASS, "two users have two wallets")


def key_twice(bench: Bench) -> Seen:
    """Two adds with one key are one."""
    id = bench.subject.open()
    request = bench.subject.asked(Op("add", 0, 5, key=str(uuid4())), [id])
    first, second = bench.send(request), bench.send(request)
    (held,) = bench.settled([id], lambda found: found[0].amount == 5)
    if bench.outcome(first) is Outcome.ACKNOWLEDGED and held.amount == 5:
        said = f"two adds with one key are one; the second: {_said(second)}"
        return Seen(Verdict.PASS, said)
    return Seen(Verdict.SKIPPED, "no idempotency keys: a key used twice adds twice")


CASES = (
    Case("contract/create/new", "a new wallet holds 0", ("create",), new_wallet),
    Case(
        "contract/create/fields",
        "a wallet has userId, balance and timestamps",
        ("create",),
        wallet_fields,
        is_must=False,
    ),
    Case(
        "contract/create/again",
        "a second creation for one user: 409",
        ("create",),
        created_again,
    ),
    Case(
        "contract/create/two-users",
        "two users have two wallets",
        ("create", "add"),
        two_users,
    ),
    *(
        Case(
            f"contract/{right.name}",
            right.shows,
            tuple(dict.fromkeys(kind for kind, _, _ in right.steps)),
            partial(judged, right),
        )
        for right in RIGHT
    ),
    Case(
        "contract/add/key-twice",
        "two adds with one key are one",
        ("add",),
        key_twice,
        is_must=False,
    ),
)
