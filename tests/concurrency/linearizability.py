"""Judges whether calls that overlapped could have happened one at a time.

A history is linearizable when each call can be given one moment between its
invocation and its return, so that the answers are those of a sequential model that
makes the calls in the order of these moments (Herlihy and Wing, 1990). The search
is Wing and Gong's, with Lowe's memo of what has been tried.

It knows nothing of wallets or threads.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True)
class Call:
    """One call of a history: what was asked, when, and what came of it.

    `invoked` and `returned` are moments on one clock. A call that returned before
    another was invoked came before it.
    """

    operation: Any
    invoked: int
    returned: int
    result: Hashable


def linearize(
    calls: Sequence[Call], initial: S, apply: Callable[[S, Any], tuple[Hashable, S]]
) -> list[Call] | None:
    """Return the calls in an order that explains every result, if there is one.

    `apply(state, operation)` is the model: the result, and the state after it.
    """
    tried: set[tuple[frozenset[int], S]] = set()

    def search(left: frozenset[int], state: S) -> list[Call] | None:
        if not left:
            return []
        if (left, state) in tried:
            return None
        tried.add((left, state))
        first_return = min(calls[i].returned for i in left)
        for i in sorted(left):
            call = calls[i]
            if call.invoked < first_return:
                result, after = apply(state, call.operation)
                if result == call.result:
                    rest = search(left - {i}, after)
                    if rest is not None:
                        return [call, *rest]
        return None

    return search(frozenset(range(len(calls))), initial)
