"""Decides whether the balances of a round contradict the exercise."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tests.judge.arithmetic.calls import Done, Outcome, Record
from tests.judge.arithmetic.sums import Change, Sums, minus, plus
from tests.judge.arithmetic.verdicts import Finding, Verdict
from tests.judge.arithmetic.wording import counted, in_sums, noun_of, number

WAYS_MAX = 1 << 16
"""What the changes of sixteen calls may come to; of more, none is named."""


def wrong_balance(record: Record) -> Finding | None:
    """Return what no choice among the unknown calls explains; None if one does.

    That a refused call was applied is `refused_but_applied`. Raises TooManyUnknown.
    """
    sums = Sums(record)
    if not sums.is_readable:
        return None
    missing = sums.missing()
    if sums.is_explained(missing) or _refused_that_count(sums, missing):
        return None
    return (
        _lost(sums, missing)
        or _twice(sums, missing)
        or _half(sums, missing)
        or _unexplained(sums)
    )


def refused_but_applied(record: Record) -> Finding | None:
    """Return the refused calls without which the balances are not explained.

    Raises TooManyUnknown.
    """
    sums = Sums(record)
    if not sums.is_readable or sums.is_explained(sums.missing()):
        return None
    applied = _refused_that_count(sums, sums.missing())
    if not applied:
        return None
    return Finding(
        f"{counted(applied)} refused and applied all the same",
        in_sums(record, applied, "was refused, and is in the balance"),
        record.places(applied),
        "the balance is changed before the check, or not put back after it",
    )


def _refused_that_count(sums: Sums, missing: Change) -> list[Done]:
    return _fewest(
        sums, sums.refused, {minus(missing, each) for each in sums.choices()}
    )


def _fewest(
    sums: Sums, calls: Sequence[Done], wanted: Collection[Change]
) -> list[Done]:
    """Return the fewest of these calls that together change what is wanted."""
    ways: dict[Change, tuple[Done, ...]] = {(0,) * sums.count: ()}
    for call in calls:
        for change, some in list(ways.items()):
            more = plus(change, sums.change(call))
            if more not in ways or len(some) + 1 < len(ways[more]):
                ways[more] = (*some, call)
        if len(ways) > WAYS_MAX:
            return []
    fits = sorted((ways[each] for each in wanted if ways.get(each)), key=len)
    return [*fits[0]] if fits else []


def _lost(sums: Sums, missing: Change) -> Finding | None:
    """Return the acknowledged calls that are not in the balances."""
    changing = [each for each in sums.acknowledged if any(sums.change(each))]
    wanted = {minus(each, missing) for each in sums.choices()}
    lost = _fewest(sums, changing, wanted)
    return _said_lost(sums, changing, lost) if lost else None


def _said_lost(sums: Sums, all: Sequence[Done], lost: Sequence[Done]) -> Finding:
    record = sums.record
    noun = noun_of(all)
    left = len(all) - len(lost)
    return Finding(
        f"{number(len(all))} {noun}{'s' * (len(all) != 1)} acknowledged, "
        f"{number(left)} {'is' if left == 1 else 'are'} in the balance",
        in_sums(record, lost, "is lost"),
        record.places([*lost, *_over(lost, all)]),
        _why_lost(lost, all),
    )


def _over(lost: Sequence[Done], all: Sequence[Done]) -> list[Done]:
    """Return the call that most likely overwrote the first lost one."""
    first = lost[0]
    others = [
        each
        for each in all
        if each not in lost and each.began < first.ended and first.began < each.ended
    ]
    same = [each for each in others if _same_place(each, first)]
    close = sorted(
        same or others,
        key=lambda each: (
            each.balance is None or first.balance is None,
            abs(each.ended - first.ended),
        ),
    )
    return close[:1]


def _same_place(one: Done, other: Done) -> bool:
    """Tell whether two answers begin from one balance."""
    return _before(one) is not None and _before(one) == _before(other)


def _before(done: Done) -> int | None:
    if done.balance is None or done.op.kind not in ("add", "deduct"):
        return None
    return done.balance - done.op.changes()[done.op.wallet]


def _why_lost(lost: Sequence[Done], all: Sequence[Done]) -> str:
    over = _over(lost, all)
    if over and _same_place(over[0], lost[0]):
        return f"both read {_before(lost[0])} before either wrote"
    alone = not over
    if alone:
        return "equal calls are taken for one" if len(all) > 1 else ""
    return "a balance was read, and written later without a look at what came between"


def _twice(sums: Sums, missing: Change) -> Finding | None:
    """Return the acknowledged calls that the balances have more than once."""
    for each in sums.acknowledged:
        change = sums.change(each)
        for times in range(1, 64):
            scaled = tuple(times * part for part in change)
            if not any(change) or not sums.is_explained(minus(missing, scaled)):
                continue
            total = times + 1
            keyed = ", with one key," if each.op.key else ""
            return Finding(
                f"one {each.op.kind}{keyed} is in the balance {total} times",
                in_sums(sums.record, [each], f"is in it {total} times"),
                sums.record.places(
                    [
                        other
                        for other in sums.record.done
                        if other.op == each.op and other.outcome is each.outcome
                    ][:2],
                ),
                "the key is looked up, and written down only after the call has run"
                if each.op.key
                else "",
            )
    return None


def _half(sums: Sums, missing: Change) -> Finding | None:
    """Return a transfer of which one half is in the balances."""
    total = sum(missing)
    transfers = [
        each
        for each in (*sums.acknowledged, *sums.unknown, *sums.refused)
        if each.op.kind == "transfer" and each.op.to is not None
    ]
    for each in transfers:
        done = each.outcome is Outcome.ACKNOWLEDGED
        source, target = each.op.wallet, each.op.to
        for wallet, change in ((source, -each.op.amount), (target, each.op.amount)):
            if wallet is None or not 0 <= wallet < sums.count or source == target:
                continue
            only = tuple(
                (-change if done else change) if place == wallet else 0
                for place in range(sums.count)
            )
            if sums.is_explained(minus(missing, only)):
                debited = (wallet == source) is not done
                half = "debited and never credited"
                if not debited:
                    half = "credited and never debited"
                over = _beside(sums, each, wallet)
                if done and over:
                    side = "credit" if debited else "debit"
                    return Finding(
                        f"two calls changed one wallet at once, and the {side} of one "
                        "transfer is lost",
                        in_sums(sums.record, [each], f"was {half}"),
                        sums.record.places([each, over]),
                        "both read the balance of that wallet before either wrote",
                    )
                return Finding(
                    f"a transfer that was {each.outcome} is half done: {half}",
                    in_sums(sums.record, [each], f"was {half}"),
                    sums.record.places([each]),
                    "debit and credit are two steps, and nothing takes the first back",
                )
    if total and all(
        each.op.kind == "transfer" for each in (*sums.acknowledged, *sums.unknown)
    ):
        said = f"{abs(total)} {'more' if total > 0 else 'less'}"
        return Finding(
            f"transfers have changed the sum over all wallets: {said} than before",
            in_sums(sums.record, [], ""),
            sums.record.places(sums.acknowledged[:2]),
            "a transfer takes or gives more than it moves",
        )
    return None


def _beside(sums: Sums, call: Done, wallet: int) -> Done | None:
    """Return a call on the same wallet that was under way at the same time."""
    for other in sums.acknowledged:
        is_beside = other.began < call.ended and call.began < other.ended
        if other is not call and is_beside and sums.change(other)[wallet]:
            return other
    return None


def _unexplained(sums: Sums) -> Finding:
    return Finding(
        "no choice among the calls explains the balance",
        in_sums(sums.record, [], ""),
        sums.record.places(sums.acknowledged[:2]),
        "a balance was read, and written later without a look at what came between",
    )


def overspent(record: Record) -> Finding | None:
    """Return the debits that were acknowledged beyond what a wallet can have had."""
    sums = Sums(record)
    for wallet, start in enumerate(record.starts):
        debits = [each for each in sums.acknowledged if sums.change(each)[wallet] < 0]
        credits = [
            each
            for each in (*sums.acknowledged, *sums.unknown)
            if sums.change(each)[wallet] > 0
        ]
        most = start + sum(sums.change(each)[wallet] for each in credits)
        out = -sum(sums.change(each)[wallet] for each in debits)
        if out > most:
            return Finding(
                f"{counted(debits)} acknowledged, {out} in all, of a wallet that never "
                f"had more than {most}",
                in_sums(record, [], ""),
                record.places(debits[:2]),
                "the funds are checked before the lock is taken, or without one",
            )
    for wallet, rest in enumerate(record.rest):
        if rest is not None and rest < 0:
            return Finding(
                f"a balance is below zero: {rest}",
                in_sums(record, [], ""),
                record.places(
                    [
                        each
                        for each in sums.acknowledged
                        if sums.change(each)[wallet] < 0
                    ][:2],
                ),
                "the funds are checked before the lock is taken, or without one",
            )
    return None


def refused_with_funds(record: Record) -> Finding | None:
    """Return a debit that was refused although there was enough in any order."""
    sums = Sums(record)
    for each in sums.refused:
        if each.op.kind not in ("deduct", "transfer") or each.status == 429:
            continue
        wallet = each.op.wallet
        if not 0 <= wallet < sums.count or each.op.to == wallet:
            continue
        if each.op.to is not None and not 0 <= each.op.to < sums.count:
            continue
        others = -sum(
            min(0, sums.change(other)[wallet])
            for other in (*sums.acknowledged, *sums.unknown)
        )
        if record.starts[wallet] - others >= each.op.amount:
            return Finding(
                f"a {each.op.kind} of {each.op.amount} was refused although all others "
                f"together leave {record.starts[wallet] - others}",
                in_sums(record, [each], "was refused"),
                record.places([each]),
                "it failed for a conflict, and was not tried again",
                Verdict.WEAK,
            )
    return None
