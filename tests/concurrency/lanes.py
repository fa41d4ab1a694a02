"""Shows the steps of a run as lanes: a column for each thread, a row for each step.

What stands to the right is where in the code the step was made, and that line of code
if there is room. A line across the lanes is a switch that the schedule asked for while
a thread could have run on. No row is wider than it may be: the code is left out first,
then the function, and an answer takes several rows before the place is left out.
"""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Protocol

from rich.text import Text

from tests.concurrency.judge import in_words
from tests.concurrency.primitives import Condition, Death, Semaphore, Signal
from tests.concurrency.scheduler import Choice, Lock, Run, Site, Step
from tests.concurrency.values import name_in
from tests.lanes import (
    FATAL,
    GAP,
    LANE_MAX,
    Layout,
    cut,
    drawn,
    lane_widths,
    printable,
    squeezed,
)
from tests.lanes import Row as LaneRow
from wallet_app.store import Wallet

NUMBER = 6
"""Characters for the number of a step."""

ANSWER_MAX = 24
"""What an answer is wrapped to, if otherwise the place would have to go."""

CODE_MIN = 32
"""With less room than this, a line of code says too little."""

LINES_MAX, LINES_FIRST, LINES_LAST = 10, 2, 6
"""Of more lines of code than that in a row, only the first and the last are shown."""

UNSHOWN_STEPS = ("begin to wait", "wake", "set", "clear", "look")
"""What only `reduction.py` must know of, or what a line of code says already."""


class Shown(Protocol):
    """What lanes must know of an execution."""

    @property
    def run(self) -> Run: ...

    @property
    def preempted(self) -> Mapping[int, Choice]: ...

    @property
    def count(self) -> int:
        """How many threads there are."""
        ...


@dataclass(frozen=True)
class Row:
    """One row of a trace; no thread means that it goes across the lanes."""

    number: int | None
    thread: int | None
    what: str
    text: str
    style: str = ""
    place: str = ""
    function: str = ""
    code: str = ""


def lanes(execution: Shown, columns: int) -> Text:
    """Return the steps of an execution, side by side."""
    rows = list(_folded(_rows(execution)))
    layout = _layout(rows, execution.count, columns)
    heads = [f"thread {thread}" for thread in range(execution.count)]
    return drawn("step", heads, map(_in_lane, rows), layout)


def _in_lane(row: Row) -> LaneRow:
    number = "" if row.number is None else f"{row.number:4}"
    is_whole = row.what in ("invoke", "return")
    return LaneRow(number, row.thread, row.text, row.style, is_whole)


# How wide everything is


def _layout(rows: Sequence[Row], count: int, columns: int) -> Layout:
    """Return the fullest layout that fits."""
    wide = _widths(rows, count, LANE_MAX)
    tight = _widths(rows, count, ANSWER_MAX)
    nothing = [""] * len(rows)
    places = [row.place for row in rows]
    functions = [f"{row.place} {row.function}".rstrip() for row in rows]
    for layout in (
        *_with_code(rows, wide, columns),
        *_with_code(rows, tight, columns),
        Layout(NUMBER, wide, functions),
        Layout(NUMBER, tight, functions),
        Layout(NUMBER, wide, places),
        Layout(NUMBER, tight, places),
        Layout(NUMBER, wide, nothing),
        Layout(NUMBER, tight, nothing),
    ):
        if layout.width <= columns:
            return layout
    return squeezed(Layout(NUMBER, tight, nothing), columns)


def _with_code(
    rows: Sequence[Row], widths: list[int], columns: int
) -> Iterator[Layout]:
    """Yield the layout that shows lines of code, if there is room for them."""
    longest = max((len(row.place) for row in rows), default=0) + GAP
    room = columns - Layout(NUMBER, widths, []).end - longest
    if room >= CODE_MIN:
        coded = [f"{row.place:{longest}}{cut(row.code, room)}" for row in rows]
        yield Layout(NUMBER, widths, [each.rstrip() for each in coded])


def _widths(rows: Sequence[Row], count: int, answer_max: int) -> list[int]:
    """Return how wide each lane must be, within bounds."""
    most = {"return": answer_max}
    return lane_widths(
        (
            (row.thread, min(len(row.text), most.get(row.what, LANE_MAX)))
            for row in rows
            if row.thread is not None
        ),
        count,
    )


# What the rows are


def _folded(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the rows without those that say nothing new: a balance that a thread reads
    again before anything else happens, and what is in the middle of many lines."""
    for (what, _), group in groupby(rows, key=lambda row: (row.what, row.thread)):
        alike = list(group)
        if what == "read":
            yield from _last_reads(alike)
        elif what == "line" and len(alike) > LINES_MAX:
            left_out = len(alike) - LINES_FIRST - LINES_LAST
            yield from alike[:LINES_FIRST]
            yield Row(None, alike[0].thread, "gap", f"… {left_out} lines …", "dim")
            yield from alike[-LINES_LAST:]
        else:
            yield from alike


def _last_reads(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the last of the rows that read the same, with how many there are."""
    count = Counter(row.text for row in rows)
    last = {row.text: row for row in rows}
    for row in rows:
        if row is last[row.text]:
            times = count[row.text]
            yield replace(row, text=f"{row.text} (×{times})") if times > 1 else row


def _rows(execution: Shown) -> list[Row]:
    preempted = execution.preempted
    rows: list[Row] = []
    number: int | None = None
    for step in execution.run.steps:
        if step.number is not None and step.number in preempted:
            stopped = preempted[step.number].default
            text = f"here thread {stopped} is stopped, and thread {step.thread} runs"
            rows.append(Row(None, None, "switch", text, FATAL))
        if step.what in ("start", "call"):
            number = step.number  # shown with the call that begins here
            continue
        if step.what in UNSHOWN_STEPS:
            continue
        row = _row(step, number if step.what == "invoke" else step.number)
        rows.append(replace(row, text=printable(row.text), code=printable(row.code)))
    if execution.run.deadlock is not None:
        for waiter in execution.run.deadlock.waiters:
            if waiter.thread < 0:
                continue
            text = f"waits for {waiter.lock.name} for ever"
            row = Row(None, waiter.thread, "wait", text, FATAL)
            rows.append(_placed(row, waiter.site))
    return rows


def _row(step: Step, number: int | None) -> Row:
    thread, what = step.thread, step.what
    match what, step.subject:
        case "invoke", operation:
            return Row(number, thread, what, str(operation), "bold")
        case "return", str(answer):
            return Row(number, thread, what, f"= {answer}", "bold")
        case "return", result:
            return Row(number, thread, what, f"= {in_words(result)}", "bold")
        case "acquire", Lock() as lock:
            row = Row(number, thread, what, f"locks {lock.name}")
        case "release", Lock() as lock:
            row = Row(number, thread, what, f"unlocks {lock.name}")
        case "read", Wallet() as wallet:
            row = Row(number, thread, what, f"reads {named(wallet)}: {step.value}")
        case "write", Wallet() as wallet:
            row = Row(number, thread, what, f"writes {named(wallet)}: {step.value}")
        case "crash", Wallet() as wallet:
            text = f"crashes, not writing {named(wallet)}: {step.value}"
            row = Row(number, thread, what, text, FATAL)
        case "try", Lock() as lock:
            row = Row(number, thread, what, f"tries {lock.name}")
        case "wait", Signal() | Semaphore() as awaited:
            in_vain = ", in vain" if step.value is False else ""
            row = Row(number, thread, what, f"waits for {awaited.name}{in_vain}")
        case "notify", Condition() as condition:
            row = Row(number, thread, what, f"notifies {condition.name}")
        case "die", Death() as death:
            text = f"ends by {death.error}"
            row = Row(number, thread, what, text, FATAL)
        case "sleep", _:
            row = Row(number, thread, what, "sleeps")
        case "store", (str(file), int(line), str(target)):
            text = f"{target} = {step.value if step.value is not None else '…'}"
            return Row(number, thread, what, text, place=f"{Path(file).name}:{line}")
        case "line", (str(file), int(line)):
            source = linecache.getline(file, line).strip()
            place = f"{Path(file).name}:{line}"
            return Row(number, thread, what, source, place=place)
        case _:
            raise TypeError(f"no words for {what} {step.subject!r}")
    return _placed(row, step.site)


def _placed(row: Row, site: Site | None) -> Row:
    """Return the row with its place in the code."""
    if site is None:
        return row
    code, line = site.statement.frames[0]
    file = code.co_filename
    return replace(
        row,
        place=f"{Path(file).name}:{line}",
        function=f"in {code.co_name}",
        code=linecache.getline(file, line).strip(),
    )


def named(wallet: Wallet) -> str:
    return name_in(wallet.currency, wallet.identity.user_id)
