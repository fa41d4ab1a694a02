"""Calls as they stand in lanes: who asked what and when, and what was answered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.judge.arithmetic.calls import NOBODY, Done, Op, Outcome
from tests.judge.arithmetic.wording import short
from tests.judge.wire.adapter import Adapter
from tests.judge.wire.answers import shown
from tests.judge.wire.subject import PLACEHOLDER

LANES_MAX = 4
"""More do not stand side by side."""

SAID_MAX = 48

FIELD = re.compile(r'"(\w+)"\s*:\s*("[^"]*"|\{-?\w+\}|[^\s,}]+)')
REASON = re.compile(r'"(?:message|error|detail|reason|title)"\s*:\s*"([^"]{1,200})"')
NAMES = {"{wallet}": "wallet", "{from}": "from", "{to}": "to"}


@dataclass(frozen=True)
class Shown:
    """A call in its lane, in words; moments in ns since the first of them."""

    lane: int
    asked_ns: int
    answered_ns: int
    asked: str
    answered: str
    is_refused: bool = False
    is_unknown: bool = False


def in_lanes(
    done: Sequence[Done], ids: Sequence[str], adapter: Adapter
) -> tuple[Shown, ...]:
    """Return calls in lanes, as many as stand side by side."""
    lanes = list(dict.fromkeys(each.lane for each in done))[:LANES_MAX]
    zero = min((each.released for each in done), default=0)
    return tuple(
        Shown(
            lanes.index(each.lane),
            each.released - zero,
            each.ended - zero,
            asked(each.op, ids, adapter),
            answered(each),
            each.outcome is Outcome.REFUSED,
            each.outcome is Outcome.UNKNOWN,
        )
        for each in done
        if each.lane in lanes
    )


def asked(op: Op, ids: Sequence[str], adapter: Adapter) -> str:
    """Return a call as `POST /wallet/add {amount: 1}`.

    Which wallet it is for is said where there is more than one.
    """
    call = adapter.call(op.kind)
    method, _, target = call.request.partition(" ")
    path = target.partition("?")[0]
    values = {
        "wallet": _name(ids, op.wallet),
        "from": _name(ids, op.wallet),
        "to": _name(ids, op.to) if op.to is not None else "",
        "amount": str(op.amount),
        "-amount": str(-op.amount),
        "user": f"user {op.wallet + 1}",
        "key": op.key,
    }
    fields = []
    for name, template in FIELD.findall(call.body):
        value = template.strip('"')
        if value == "{wallet}" and len(ids) == 1:
            continue
        fields.append(f"{NAMES.get(value, name)}: {_filled(value, values)}")
    if op.key and adapter.key.header and "{key}" not in call.body:
        fields.append(f"key: {op.key}")
    body = f" {{{', '.join(fields)}}}" if fields else ""
    return shown(f"{method} {_filled(path, values)}{body}")


def _filled(text: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def _name(ids: Sequence[str], wallet: int) -> str:
    if wallet == NOBODY or wallet >= len(ids):
        return "nobody"
    return short(ids[wallet])


def answered(done: Done) -> str:
    """Return an answer as `200 balanceAfter 1`."""
    if done.status is None:
        return shown(f"no answer: {done.said}", SAID_MAX)
    said = f"{done.status}"
    if done.outcome is not Outcome.ACKNOWLEDGED:
        reason = REASON.search(done.said)
        return shown(f"{said} {reason[1] if reason else done.said}", SAID_MAX)
    if done.id:
        said += f" id {short(done.id)}"
    if done.entries is not None:
        said += f" {len(done.entries)} entries"
    if done.balance is not None:
        word = "balance" if done.op.kind == "read" else "balanceAfter"
        said += f" {word} {done.balance}"
    return shown(said, SAID_MAX)
