"""A history that is made once, and all that the exercise says of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.judge.arithmetic.calls import Entry, Op, Outcome
from tests.judge.arithmetic.histories import broken_chain
from tests.judge.arithmetic.verdicts import Verdict
from tests.judge.arithmetic.wording import short
from tests.judge.contract.bench import BUSY, Bench, Case, Seen, amounts
from tests.judge.wire import answers
from tests.judge.wire.adapter import History
from tests.judge.wire.client import Request
from tests.judge.wire.subject import Undecided

STORY = (
    Op("add", 0, 50),
    Op("deduct", 0, 3),
    Op("add", 0, 20),
    Op("transfer", 0, 11, 1),
    Op("transfer", 1, 5, 0),
    Op("deduct", 0, 7),
    Op("add", 0, 2),
)
"""Each amount is there once, so that an entry shows which call it is of."""

LATE_SECONDS = 0.5
"""How long after the answer entries are looked for once more."""

LIMIT = 3
THEIRS = History().request

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Story:
    """What was done, what the wallet held afterwards, and its history since.

    `at_once` was read after the balance, `later` half a second later if entries were
    missing. `rows` are the
    entries as they came, `other` those of the other wallet.
    """

    ids: tuple[str, str]
    done: tuple[Op, ...]
    is_accepted: bool
    """Some calls may be done later."""
    held: int | None
    at_once: tuple[Entry, ...]
    later: tuple[Entry, ...]
    rows: list[Row]
    other: list[Row]
    reading: Request

    def op(self, amount: int) -> Op | None:
        return next((op for op in self.done if op.amount == amount), None)


def story_of(bench: Bench) -> Story | Seen:
    """Return the story, or why there is none: that is tried again only if the server
    was busy. Raises Undecided and Spent."""
    if not isinstance(bench.story, Story | Seen):
        try:
            bench.story = _told(bench)
        except Undecided as error:
            if not bench.is_busy:
                bench.story = Seen(Verdict.UNKNOWN, str(error))
            raise
    return bench.story


def _told(bench: Bench) -> Story:
    """Make the story. Raises Undecided and Spent."""
    subject = bench.subject
    ids = (subject.open(), subject.open())
    done: list[Op] = []
    is_accepted = False
    for op in STORY:
        if not subject.offers(op.kind):
            continue
        came = subject.one(op, ids)
        if came.outcome is Outcome.REFUSED or came.status is None:
            said = f"{op.kind} of {op.amount}: {came.status or ''} {came.said}"
            raise Undecided(f"no history could be made: {said}")
        done.append(op)
        if came.outcome is Outcome.UNKNOWN:
            is_accepted = True
            _wait(bench, ids, done)
    held = subject.read(ids[0])
    at_once = subject.history(ids[0])
    if at_once is None or len(at_once) < len(done):
        time.sleep(LATE_SECONDS)
    later = subject.history(ids[0])
    reading = subject.asked(Op("history"), ids)
    rows, other = (_rows(bench, subject.asked(Op("history", i), ids)) for i in (0, 1))
    if at_once is None or later is None:
        raise Undecided("the history cannot be read")
    return Story(
        ids, tuple(done), is_accepted, held, at_once, later, rows, other, reading
    )


def _wait(bench: Bench, ids: Sequence[str], done: Sequence[Op]) -> None:
    """Wait until what was accepted is done: the next call may need it."""
    expected = [sum(op.changes().get(wallet, 0) for op in done) for wallet in (0, 1)]
    bench.settled(ids, lambda found: amounts(found) == expected)


def _rows(bench: Bench, request: Request) -> list[Row]:
    """Return the entries that are objects; none if the server refuses to say.

    Raises Undecided and client.Spent.
    """
    exchange = bench.send(request)
    answer = exchange.answer
    if answer is None or answer.status in BUSY:
        raise Undecided(f"the history cannot be read: {answers.said(exchange)}")
    if not 200 <= answer.status < 300:
        return []
    try:
        found = answers.rows(answer, bench.subject.adapter)
    except answers.Unreadable:
        return []
    return [row for row in found if isinstance(row, dict)]


def of_story(judge: Callable[[Bench, Story], Seen]) -> Callable[[Bench], Seen]:
    """Return a case that is judged by the story."""

    def judged(bench: Bench) -> Seen:
        story = story_of(bench)
        if isinstance(story, Seen):
            return story
        seen = judge(bench, story)
        requests = seen.requests or (story.reading,)
        return Seen(seen.verdict, seen.sentence, seen.sums, requests, seen.likely)

    return judged


def weaker(bench: Bench) -> Verdict:
    """Return FAIL for who has the paths of the exercise: others may have another form
    of history."""
    is_theirs = bench.subject.adapter.history.request == THEIRS
    return Verdict.FAIL if is_theirs else Verdict.WEAK


# Cases


def complete(bench: Bench, story: Story) -> Seen:
    """The history adds up to the balance, at once."""
    expected = [op.changes()[0] for op in story.done]
    is_late = len(story.at_once) < len(expected) == len(story.later)
    had = story.at_once if is_late else story.later
    total = sum(each.change for each in had)
    sums = (
        f"wallet {short(story.ids[0])}: {len(expected)} calls were acknowledged, and "
        f"then it held {story.held}; the history, asked for after that, had "
        f"{len(had)} entries, which come to {total}"
    )
    missing = Counter(expected) - Counter(each.change for each in had)
    if missing and len(had) < len(expected):
        sums += f"; not there: {', '.join(f'{change:+}' for change in missing)}"
    if story.held is None:
        return Seen(Verdict.UNKNOWN, "the balance cannot be read")
    if is_late and not story.is_accepted and story.held == sum(expected):
        likely = "entries are written after the answer"
        sentence = "the history is behind the balance"
        return Seen(Verdict.FAIL, sentence, sums, likely=likely)
    is_short = len(story.later) != len(expected) and not story.is_accepted
    if is_short or total != story.held:
        if is_late:
            return Seen(Verdict.UNKNOWN, "balance and history are read from the past")
        return Seen(Verdict.FAIL, "the history does not match the balance", sums)
    said = f"{len(expected)} entries are there at once, and come to the balance"
    return Seen(Verdict.PASS, said)


def balance_after(bench: Bench, story: Story) -> Seen:
    """The balances in the entries follow from each other."""
    if any(each.after is None for each in story.later):
        if bench.subject.adapter.history.after != History().after:
            return Seen(Verdict.SKIPPED, "the entries have no balances")
        sentence = "an entry has no balanceAfter"
        return Seen(Verdict.WEAK, sentence)
    total = sum(each.change for each in story.later)
    broken = broken_chain(0, total, story.later)
    if broken is not None:
        sentence = "the balances in the history do not follow from each other"
        return Seen(Verdict.FAIL, sentence, broken)
    return Seen(Verdict.PASS, "each balanceAfter follows from the one before")


def types(bench: Bench, story: Story) -> Seen:
    """The entries have the types of the exercise."""
    names = {"add": "CREDIT", "deduct": "DEBIT"}
    wrong = []
    for amount, row in _by_amount(bench, story.rows):
        op = story.op(amount)
        if op is None:
            continue
        out = "TRANSFER_IN" if op.wallet else "TRANSFER_OUT"
        found = row.get(bench.subject.adapter.history.type)
        if found != names.get(op.kind, out):
            wrong.append(f"{op.kind} of {amount}: {answers.shown(str(found), 20)}")
    if wrong:
        said = f"types are not the exercise's: {', '.join(wrong)}"
        return Seen(Verdict.WEAK, said)
    return Seen(Verdict.PASS, "types are CREDIT, DEBIT, TRANSFER_IN and TRANSFER_OUT")


COMMON = ("amount", "currency", "status", "description", "category", "type")


def linked(bench: Bench, story: Story) -> Seen:
    """The two sides of a transfer have one reference."""
    if not bench.subject.offers("transfer"):
        return Seen(Verdict.SKIPPED, "no transfers")
    for amount in (11, 5):
        sides = [
            dict(_by_amount(bench, rows)).get(amount)
            for rows in (story.rows, story.other)
        ]
        if None in sides and len(story.other) >= 2:
            return Seen(Verdict.UNKNOWN, f"the transfer of {amount} has other amounts")
        if None in sides:
            sums = (
                f"the transfer of {amount}: {len(story.other)} entries of two are in "
            )
            sums += "the history of the other wallet"
            return Seen(Verdict.FAIL, "a transfer has not two entries", sums)
        one, other = (side or {} for side in sides)
        if not _share(one, other):
            sums = f"the transfer of {amount}: {_shown(one)} and {_shown(other)}"
            return Seen(weaker(bench), "nothing links the sides of a transfer", sums)
    return Seen(Verdict.PASS, "both sides of a transfer have one reference")


def _share(one: Row, other: Row) -> bool:
    """Tell whether two entries have a reference in common, or name each other."""
    ids = {str(row.get("id", "")) for row in (one, other)}
    for name, value in one.items():
        if str(value) in ids and name != "id":
            return True
        is_reference = isinstance(value, str | int) and not isinstance(value, bool)
        if name in COMMON or "At" in name or "alance" in name or not is_reference:
            continue
        if "wallet" in name.lower() or "account" in name.lower():
            continue
        if value and other.get(name) == value:
            return True
    return any(str(value) in ids and name != "id" for name, value in other.items())


def _shown(row: Row) -> str:
    return answers.shown(str({name: str(value) for name, value in row.items()}), 300)


def latest_first(bench: Bench, story: Story) -> Seen:
    """The latest entry is the first."""
    order = [op.amount for op in story.done][::-1]
    sized = _by_amount(bench, story.rows)
    found = [amount for amount, _ in sized if amount in order]
    if sorted(found) != sorted(order):
        return Seen(Verdict.UNKNOWN, "not all entries are on the first page")
    if found == order:
        return Seen(Verdict.PASS, "the latest entry is the first")
    moments = [str(row.get("createdAt")) for _, row in sized]
    sums = f"done: {order[::-1]}; the history: {found}"
    if moments == sorted(moments, reverse=True) and len(set(moments)) < len(moments):
        said = "entries of one moment are not latest first: createdAt does not tell"
        return Seen(Verdict.WEAK, said, sums)
    return Seen(weaker(bench), "the history is not latest first", sums)


def filtered(bench: Bench, story: Story) -> Seen:
    """?type=DEBIT has the debits, and no others."""
    limit = bench.subject.adapter.history.limit
    request = _asking(bench, story, f"type=DEBIT&limit={limit}")
    if request is None or not bench.subject.offers("deduct"):
        return Seen(Verdict.SKIPPED, "no ?type= in this form of history")
    rows = _rows(bench, request)
    found = sorted(amount for amount, _ in _by_amount(bench, rows))
    expected = sorted(op.amount for op in story.done if op.kind == "deduct")
    if found != expected:
        sums = f"debits: {expected}; with ?type=DEBIT: {found}"
        sentence = "?type=DEBIT has not the debits alone"
        return Seen(Verdict.FAIL, sentence, sums, (request,))
    return Seen(Verdict.PASS, "?type=DEBIT has the debits, and no others")


def paged(bench: Bench, story: Story) -> Seen:
    """Over the pages, each entry is there once."""
    first = bench.subject.adapter.history.page_first
    requests = []
    pages = []
    for page in range(first, first + len(story.done) // LIMIT + 2):
        request = _asking(bench, story, f"limit={LIMIT}&page={page}")
        if request is None:
            return Seen(Verdict.SKIPPED, "no pages in this form of history")
        requests.append(request)
        pages.append([size for size, _ in _by_amount(bench, _rows(bench, request))])
    found = [amount for page in pages for amount in page]
    expected = [amount for amount, _ in _by_amount(bench, story.rows)]
    sums = f"entries: {expected}; pages of {LIMIT}: {pages}"
    if any(len(page) > LIMIT for page in pages):
        sentence = f"with ?limit={LIMIT} a page has more entries than {LIMIT}"
        return Seen(Verdict.FAIL, sentence, sums, tuple(requests[:1]))
    if Counter(found) != Counter(expected):
        sentence = "over the pages an entry is missing, or there twice"
        return Seen(Verdict.FAIL, sentence, sums, tuple(requests))
    return Seen(Verdict.PASS, f"over pages of {LIMIT} each entry is there once")


def _asking(bench: Bench, story: Story, query: str) -> Request | None:
    """Return a request for a history with a query, if it has the form of the
    exercise."""
    if bench.subject.adapter.history.request != THEIRS:
        return None
    path = story.reading.target.partition("?")[0]
    return Request("GET", f"{path}?{query}", None, story.reading.headers)


def _by_amount(bench: Bench, rows: Sequence[Row]) -> list[tuple[int, Row]]:
    """Return the entries with their amounts, without signs."""
    adapter = bench.subject.adapter
    found = []
    for row in rows:
        try:
            amount = answers.money(
                answers.at(row, adapter.history.amount), adapter.scale
            )
        except answers.Unreadable:
            continue
        found.append((abs(amount), row))
    return found


NEEDS = ("history", "add")

CASES = tuple(
    Case(f"contract/history/{name}", shows, NEEDS, of_story(judge), is_must)
    for name, shows, judge, is_must in (
        ("complete", "the history matches the balance", complete, True),
        ("balance-after", "each balanceAfter follows", balance_after, True),
        ("types", "CREDIT, DEBIT, TRANSFER_IN, TRANSFER_OUT", types, True),
        ("linked", "both sides of a transfer have one reference", linked, True),
        ("latest-first", "the latest entry is the first", latest_first, True),
        ("type-filter", "?type=DEBIT has the debits alone", filtered, True),
        ("pages", "over the pages each entry is there once", paged, True),
    )
)
