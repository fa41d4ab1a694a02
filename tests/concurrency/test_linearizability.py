"""The search for an order of the calls: what it finds, what it refuses, how soon."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import pytest

from tests.concurrency.linearizability import Call, linearize

# A register that holds a number


@dataclass(frozen=True)
class Read:
    """Answers the number."""


@dataclass(frozen=True)
class ReadTwice:
    """Answers the number, and once more what it is then."""


@dataclass(frozen=True)
class Write:
    number: int


@dataclass(frozen=True)
class Add:
    """Answers the sum."""

    number: int


@dataclass(frozen=True)
class Increment:
    """Answers nothing, so that any order of two is as good as the other."""


@dataclass(frozen=True)
class Take:
    """Answers what is left, or fails and changes nothing."""

    number: int


@dataclass(frozen=True)
class TooLittle:
    """The error of a Take, as a value."""

    left: int


Operation = Read | ReadTwice | Write | Add | Increment | Take


def register(number: int, operation: Operation) -> tuple[Hashable, int]:
    match operation:
        case Read():
            return number, number
        case ReadTwice():
            return (number, number), number
        case Write(new):
            return None, new
        case Add(more):
            return number + more, number + more
        case Increment():
            return None, number + 1
        case Take(less) if less > number:
            return TooLittle(number), number
        case Take(less):
            return number - less, number - less


def explains(order: Sequence[Call], initial: int) -> bool:
    """Whether this order keeps to the times of the calls, and gives their results."""
    number = initial
    for i, call in enumerate(order):
        if any(later.returned < call.invoked for later in order[i + 1 :]):
            return False
        result, number = register(number, call.operation)
        if result != call.result:
            return False
    return True


def assert_linearizable(calls: Sequence[Call], initial: int) -> None:
    order = linearize(calls, initial, register)
    assert order is not None
    assert Counter(map(id, order)) == Counter(map(id, calls)), "each call, once"
    assert explains(order, initial)


# Good histories


def test_a_history_without_calls_has_the_empty_order() -> None:
    assert linearize([], 0, register) == []


def test_calls_one_after_the_other_keep_their_order() -> None:
    calls = [
        Call(Write(5), 0, 1, None),
        Call(Add(2), 2, 3, 7),
        Call(Read(), 4, 5, 7),
        Call(Write(5), 6, 7, None),
        Call(Read(), 8, 9, 5),
    ]
    assert linearize(calls, 0, register) == calls
    assert linearize(calls[::-1], 0, register) == calls, "times count, not the list"


def test_calls_that_overlap_are_put_into_the_order_that_explains_them() -> None:
    first, second = Call(Add(1), 0, 3, 11), Call(Add(10), 1, 2, 10)
    assert linearize([first, second], 0, register) == [second, first]


@pytest.mark.parametrize("seen", [0, 5])
def test_a_read_during_a_write_may_see_either_number(seen: int) -> None:
    assert_linearizable([Call(Write(5), 0, 3, None), Call(Read(), 1, 2, seen)], 0)


def test_a_call_may_overlap_several_that_follow_each_other() -> None:
    calls = [
        Call(Write(5), 0, 9, None),
        Call(Read(), 1, 2, 0),
        Call(Add(1), 3, 4, 6),
        Call(Read(), 5, 6, 6),
    ]
    assert_linearizable(calls, 0)
    calls[0] = Call(Write(5), 0, 2, None)
    assert_linearizable(calls, 0)
    calls[0] = Call(Write(5), 4, 9, None)
    assert linearize(calls, 0, register) is None


def test_equal_calls_are_each_put_into_the_order() -> None:
    assert_linearizable([Call(Increment(), 0, 3, None)] * 2, 0)
    twins = [Call(Increment(), 0, 3, None), Call(Increment(), 0, 3, None)]
    assert_linearizable([*twins, Call(Read(), 4, 5, 2)], 0)
    assert linearize([*twins, Call(Read(), 4, 5, 1)], 0, register) is None


def test_an_error_is_a_result_that_an_order_must_explain() -> None:
    refused = Call(Take(60), 0, 3, TooLittle(40))
    served = Call(Take(60), 1, 2, 40)
    assert linearize([refused, served], 100, register) == [served, refused]
    assert linearize([refused], 100, register) is None
    assert linearize([refused, served], 99, register) is None
    assert linearize([refused, refused], 100, register) is None


@pytest.mark.parametrize("last", [1, 2, 3])
def test_an_order_is_found_though_others_were_tried_in_vain(last: int) -> None:
    writes = [Call(Write(number), number, 10 + number, None) for number in (1, 2, 3)]
    assert_linearizable([*writes, Call(Read(), 20, 21, last)], 0)
    assert_linearizable([Call(Read(), 20, 21, last), *writes[::-1]], 0)
    assert linearize([*writes, Call(Read(), 20, 21, 0)], 0, register) is None


# Bad histories


def test_a_lost_update_has_no_order() -> None:
    calls = [Call(Add(1), 0, 3, 1), Call(Add(1), 1, 2, 1)]
    assert linearize(calls, 0, register) is None
    increments = [Call(Increment(), 0, 3, None), Call(Increment(), 1, 2, None)]
    assert linearize([*increments, Call(Read(), 4, 5, 1)], 0, register) is None
    assert_linearizable([*increments, Call(Read(), 4, 5, 2)], 0)


def test_what_has_been_written_is_read_after_the_write_has_returned() -> None:
    written = Call(Write(5), 0, 1, None)
    assert linearize([written, Call(Read(), 2, 3, 0)], 0, register) is None
    assert linearize([Call(Read(), 2, 3, 0), written], 0, register) is None
    assert_linearizable([written, Call(Read(), 2, 3, 5)], 0)


def test_what_is_not_yet_written_is_not_read() -> None:
    calls = [Call(Read(), 0, 1, 5), Call(Write(5), 2, 3, None)]
    assert linearize(calls, 0, register) is None


def test_a_number_that_was_seen_is_not_unseen() -> None:
    """Each read alone could be during the write; the second cannot be before it
    when the first is after it."""
    write = Call(Write(5), 0, 9, None)
    new_then_old = [write, Call(Read(), 1, 2, 5), Call(Read(), 3, 4, 0)]
    old_then_new = [write, Call(Read(), 1, 2, 0), Call(Read(), 3, 4, 5)]
    at_once = [write, Call(Read(), 1, 3, 5), Call(Read(), 2, 4, 0)]
    assert linearize(new_then_old, 0, register) is None
    assert_linearizable(old_then_new, 0)
    assert_linearizable(at_once, 0)


def test_a_read_in_two_parts_is_not_torn() -> None:
    write = Call(Write(5), 0, 3, None)
    assert linearize([write, Call(ReadTwice(), 1, 2, (0, 5))], 0, register) is None
    for whole in ((0, 0), (5, 5)):
        assert_linearizable([write, Call(ReadTwice(), 1, 2, whole)], 0)


def test_one_wrong_result_among_right_ones_is_enough() -> None:
    calls = [Call(Add(1), 2 * i, 2 * i + 1, i + 1) for i in range(6)]
    assert_linearizable(calls, 0)
    for i, call in enumerate(calls):
        wrong = Call(call.operation, call.invoked, call.returned, i + 2)
        assert linearize([*calls[:i], wrong, *calls[i + 1 :]], 0, register) is None


# Against brute force


def random_operation(rng: random.Random) -> Operation:
    operations: list[Operation] = [
        Read(),
        ReadTwice(),
        Write(rng.randrange(3)),
        Add(1),
        Increment(),
        Take(rng.randrange(1, 3)),
    ]
    return rng.choice(operations)


def random_history(rng: random.Random) -> list[Call]:
    """Return calls at random times, with the results of one order, as a rule.

    That order may contradict the times, and now and then a result is of another
    number: there is plenty of either verdict.
    """
    size = rng.randrange(1, 6)
    moments = rng.sample(range(2 * size), 2 * size)
    number, calls = 0, []
    for one, other in zip(moments[:size], moments[size:], strict=True):
        operation = random_operation(rng)
        result, number = register(number, operation)
        if rng.random() < 0.1:
            result, _ = register(rng.randrange(4), operation)
        calls.append(Call(operation, min(one, other), max(one, other), result))
    rng.shuffle(calls)
    return calls


@pytest.mark.slow
def test_it_agrees_with_brute_force_on_thousands_of_histories() -> None:
    rng = random.Random(1)
    verdicts: Counter[tuple[int, bool]] = Counter()
    for _ in range(4_000):
        calls = random_history(rng)
        order = linearize(calls, 0, register)
        possible = any(explains(each, 0) for each in permutations(calls))
        assert (order is not None) == possible, calls
        if order is not None:
            assert_linearizable(calls, 0)
        verdicts[len(calls), possible] += 1
    for size in range(2, 6):
        assert verdicts[size, True] > 100, verdicts
        assert verdicts[size, False] > 100, verdicts


# The memo


class Counted:
    """The register, which counts how often it is asked, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.asked = 0
        self._limit = limit

    def __call__(self, number: int, operation: Operation) -> tuple[Hashable, int]:
        self.asked += 1
        assert self.asked <= self._limit, "it tries again what it has tried"
        return register(number, operation)


def overlapping_increments(count: int) -> Iterator[Call]:
    for i in range(count):
        yield Call(Increment(), i, count + i, None)


def test_what_was_tried_is_not_tried_again() -> None:
    """Of 12 increments 2 ** 12 sets are done at some time, in 12! orders."""
    count = 12
    counted = Counted(limit=(count + 1) * 2**count)
    impossible = Call(Read(), 0, 100, count + 1)
    assert linearize([*overlapping_increments(count), impossible], 0, counted) is None
    assert counted.asked > 2**count, "it has tried every set"


def test_calls_that_follow_each_other_are_tried_in_their_order_only() -> None:
    calls = [Call(Increment(), 2 * i, 2 * i + 1, None) for i in range(100)]
    counted = Counted(limit=101)
    assert linearize([*calls, Call(Read(), 200, 201, 0)], 0, counted) is None
    assert counted.asked == 101


def test_the_same_calls_with_another_state_are_tried() -> None:
    """Both orders of the writes leave the same to do, but not the same number."""
    calls = [Call(Write(1), 0, 3, None), Call(Write(2), 1, 2, None)]
    for last in (1, 2):
        assert_linearizable([*calls, Call(Read(), 4, 5, last)], 0)
