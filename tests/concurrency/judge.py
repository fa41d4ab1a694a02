"""Says what is wrong with a history of calls, and first how much money is lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from tests.concurrency.ledger import Ledger
from tests.concurrency.linearizability import Call, linearize
from tests.concurrency.losses import lost
from tests.concurrency.results import (
    Approval,
    Done,
    Entry,
    Failed,
    HistoryPage,
    Payment,
    Quoted,
    Refused,
    Report,
    Rest,
    Result,
    Snapshot,
    Summed,
    Totals,
    Usage,
    Webhook,
)
from tests.concurrency.specification import (
    KEY_IN_PROGRESS,
    KEY_REUSED,
    Operation,
    answer,
    is_kept,
)
from tests.concurrency.specification_of_payments import Attempt

IN_TURN = "One call at a time"
BUSY = (Refused(KEY_IN_PROGRESS), Refused(KEY_REUSED))


@dataclass(frozen=True)
class Asked:
    """An operation as a call: who made it, under which label. No thread means that
    it was made when all had ended."""

    operation: Operation
    by: str
    thread: int | None = None

    def __str__(self) -> str:
        if self.thread is None:
            return f"{self.operation} in the end:"
        return f"Thread {self.thread}'s {self.operation} answered"


def judge(calls: Sequence[Call], initial: Ledger) -> str | None:
    """Return what no order of the calls explains; None when one explains it all."""
    bound = [
        part
        for call in calls
        if not _meanwhile(call, calls, initial)
        for part in _parts(call)
    ]
    if linearize(bound, initial, _apply) is not None:
        return None
    return explain(bound, initial)


def _apply(ledger: Ledger, asked: Asked) -> tuple[Result, Ledger]:
    return answer(ledger, asked.operation, asked.operation.key or asked.by)


def _parts(call: Call) -> Iterator[Call]:
    """Yield what others can come between: of an attempt, its two halves."""
    operation = call.operation.operation
    if not isinstance(operation, Attempt) or isinstance(call.result, Refused):
        yield call
        return
    learn, settle = operation.halves
    asked = call.operation
    yield replace(call, operation=replace(asked, operation=learn), result=Done())
    yield replace(call, operation=replace(asked, operation=settle))


def _meanwhile(call: Call, calls: Sequence[Call], initial: Ledger) -> bool:
    """Tell whether a key was refused because a call with it was under way.

    Between two calls nothing is under way: the specification has no such answer. It is
    right when another call overlaps that held the key: with the same request where
    the answer is that it is in progress, with another where it is that the key was
    used before. Such a call has no effect. Of a key that has its result already no
    call is under way.
    """
    if call.result not in BUSY or _has_result(call, calls, initial):
        return False
    asked = replace(call.operation.operation, faults=())
    for other in calls:
        holder = replace(other.operation.operation, faults=())
        if (
            other.result not in BUSY
            and holder.key == asked.key
            and (holder == asked) is (call.result == Refused(KEY_IN_PROGRESS))
            and other.invoked < call.returned
            and call.invoked < other.returned
        ):
            return True
    return False


def _has_result(call: Call, calls: Sequence[Call], initial: Ledger) -> bool:
    """Tell whether a result was kept for the call's key before the call began."""
    key = call.operation.operation.key
    return any(kept.key == key for kept in initial.kept) or any(
        other.operation.operation.key == key
        and other.returned < call.invoked
        and other.result not in BUSY
        and is_kept(other.result)
        for other in calls
    )


def explain(calls: Sequence[Call], initial: Ledger) -> str:
    """Put into words why no order of the calls explains their results."""
    possible: list[set[Result]] = [set() for _ in calls]
    for results in _sequential(range(len(calls)), calls, initial):
        for i, result in results.items():
            possible[i].add(result)
    wrong = [
        (call, in_words(call.result), sorted({in_words(each) for each in expected}))
        for call, expected in zip(calls, possible, strict=True)
        if call.result not in expected
    ]
    if not wrong:
        return (
            "Each answer is possible, but no one order of the calls gives all of them."
        )
    # An answer that is wrong, but in the same words as a right one, helps nobody.
    call, answered, right = min(wrong, key=lambda each: each[1] in each[2])
    said = f"{call.operation} {answered}.", f"{IN_TURN}: {' or '.join(right)}."
    return "\n".join([*_losses(calls, possible), *said])


def _losses(calls: Sequence[Call], possible: Sequence[set[Result]]) -> Iterator[str]:
    """Yield what is wrong with the balances in the end."""
    for call, expected in zip(calls, possible, strict=True):
        if isinstance(call.result, Rest) and expected:
            said = lost(_balances(call.result), map(_balances, expected))
            if said:
                yield said


def _balances(rest: Rest) -> dict[str, int]:
    return {wallet.name: wallet.balance for wallet, _, _ in rest.wallets}


def _sequential(
    left: Collection[int], calls: Sequence[Call], ledger: Ledger
) -> Iterator[dict[int, Result]]:
    """Yield what the calls answer in each order that their times allow."""
    if not left:
        yield {}
        return
    first_return = min(calls[i].returned for i in left)
    for i in left:
        if calls[i].invoked < first_return:
            result, after = _apply(ledger, calls[i].operation)
            if result is None:
                continue
            for results in _sequential([j for j in left if j != i], calls, after):
                yield {i: result, **results}


def in_words(result: Result) -> str:
    """Return a result as people say it."""
    match result:
        case Entry(type=type, amount=amount, balance_after=balance):
            sign = "-" if type in ("DEBIT", "TRANSFER_OUT") else "+"
            return f"{sign}{amount}, balance {balance}"
        case Snapshot(name=name, balance=balance, frozen=frozen):
            by = "before" if frozen == "before" else f"by {frozen}"
            return f"{name} {balance}" + (f", frozen {by}" if frozen else "")
        case Usage(name=name, daily=daily, spent=spent):
            return f"{name} has spent {spent} of {'any' if daily is None else daily}"
        case Approval(wallet=wallet, amount=amount, status=status, resends_left=left):
            return f"-{amount} from {wallet}: {status}, {left} resends left"
        case Quoted(from_amount=amount, to_amount=comes_to):
            return f"{amount} come to {comes_to}"
        case Payment(wallet=wallet, direction=direction, amount=amount, status=status):
            where = "into" if direction == "DEPOSIT" else "from"
            return f"{direction.lower()} of {amount} {where} {wallet}: {status}"
        case Webhook(by=by):
            return f"the webhook of {by}"
        case Done():
            return "done"
        case HistoryPage(entries=entries):
            return _changes(entries[::-1]) or "no transactions"
        case Summed(types=types, incoming=incoming, outgoing=outgoing):
            number = sum(count for _, count, _ in types)
            return f"{number} transactions: +{incoming} -{outgoing}"
        case Rest(wallets=wallets, payments=payments):
            books = [
                f"{in_words(wallet)} ({_changes(history)})"
                if history
                else in_words(wallet)
                for wallet, _, history in wallets
            ]
            held = ", ".join(books) or "no wallets"
            return "; ".join([held, *map(in_words, payments)])
        case Report(problems=problems) if problems:
            return f"not balanced: {problems[0]}"
        case Report(wallets=wallets, currencies=currencies):
            total = " ".join(map(_total, currencies))
            return f"balanced: {wallets} wallets with {total or 0}"
        case Refused(code=code, numbers=numbers):
            return " ".join([code, *(f"{name}={number}" for name, number in numbers)])
        case Failed(error=error, detail=detail):
            return f"{error}: {detail}" if detail else error
        case (Entry() as sent, Entry() as received):
            sides = (f"{each.wallet} {in_words(each)}" for each in (sent, received))
            return "; ".join(sides)
        case tuple():  # of a batch, or a list
            return "; ".join(map(in_words, result)) or "nothing"
    raise TypeError(f"no words for {result!r}")


def _total(totals: Totals) -> str:
    text = f"{totals.currency} {totals.balances}"
    if totals.withdrawals_in_flight:
        text += f" (and {totals.withdrawals_in_flight} on its way out)"
    if totals.deposits_in_flight:
        text += f" (and {totals.deposits_in_flight} on its way in)"
    return text


def _changes(entries: Sequence[Entry]) -> str:
    return " ".join(in_words(each).split(",")[0] for each in entries)
