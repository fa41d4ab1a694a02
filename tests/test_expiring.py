"""What is kept for a while is evicted in constant time, and bounded by owner, too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.allocations import in_a_child, needs_failing_allocations, with_failing
from tests.ledgers import SECOND
from wallet_app.domain.errors.exchange_errors import QuotesExhausted
from wallet_app.services.expiring import EVICTIONS_MAX, SHARES, Expiring

TTL = 60 * SECOND


def table(
    size_max: int = 8, kept_seconds: int = 0, evicted: list[str] | None = None
) -> Expiring[str]:
    return Expiring(
        size_max,
        60,
        kept_seconds,
        QuotesExhausted,
        None if evicted is None else evicted.append,
    )


def add(values: Expiring[str], key: str, now: int, owner: str | None = None) -> None:
    values.ensure_slot(now, owner)
    values.add(key, key, now, owner)


def test_a_value_is_there_until_it_expires() -> None:
    values = table()
    add(values, "a", 5)
    assert values.get("a", 5 + TTL - 1) == "a"
    assert values.get("a", 5 + TTL) is None
    assert values.get("b", 5) is None


@pytest.mark.slow
def test_one_call_evicts_a_bounded_number_of_what_has_expired() -> None:
    evicted: list[str] = []
    values = table(200_000, evicted=evicted)
    for number in range(200_000):
        values.add(str(number), str(number), 0)
    steps = []
    for number in range(20):
        before = len(evicted)
        add(values, f"new {number}", TTL)
        steps.append(len(evicted) - before)
    assert steps == [EVICTIONS_MAX] * 20
    assert evicted == [str(number) for number in range(20 * EVICTIONS_MAX)]
    assert values.get("199999", TTL) is None, "absent before it is evicted"
    assert values.get("new 0", TTL) == "new 0"


class Counted(Expiring[str]):
    """Counts what moves from one queue to the other."""

    released = 0

    def release(self, key: str) -> None:
        self.released += 1
        super().release(key)


def test_one_call_goes_through_a_bounded_number_of_what_has_expired() -> None:
    values = Counted(4 * SHARES * EVICTIONS_MAX, 60, 0, QuotesExhausted)
    for number in range(3 * EVICTIONS_MAX):
        values.add(str(number), "", 0, "owner")
    values.ensure_slot(TTL)
    assert values.released == EVICTIONS_MAX
    values.ensure_slot(TTL, "owner")
    assert values.released == 3 * EVICTIONS_MAX, "the owner's, and those of all"


def test_one_call_evicts_a_bounded_number_of_what_was_released_and_expired() -> None:
    evicted: list[str] = []
    values = table(200_000, 600, evicted)
    for number in range(3 * EVICTIONS_MAX):
        add(values, str(number), 0)
        values.release(str(number))
    values.ensure_slot(TTL + 600 * SECOND)
    assert len(evicted) == EVICTIONS_MAX


def test_what_expired_takes_no_slot_and_its_key_is_free() -> None:
    values = table(2)
    add(values, "a", 0, "owner")
    add(values, "b", 0)
    add(values, "b", TTL)
    add(values, "a", TTL, "owner")
    assert [values.get(key, 2 * TTL - 1) for key in "ab"] == ["a", "b"]
    assert len(values) == 2


def test_a_key_that_expired_and_is_not_evicted_yet_is_added_again() -> None:
    values = table(3 * EVICTIONS_MAX)
    for number in range(2 * EVICTIONS_MAX):
        add(values, str(number), 0)
    last = str(2 * EVICTIONS_MAX - 1)
    add(values, last, TTL)
    assert values.get(last, TTL) == last
    assert len(values) == EVICTIONS_MAX


def test_a_key_that_expired_counts_for_its_new_owner_only() -> None:
    values = table(8 * EVICTIONS_MAX)
    for number in range(EVICTIONS_MAX + 1):
        add(values, str(number), 0, "one")
    add(values, str(EVICTIONS_MAX), TTL, "two")
    values.remove(str(EVICTIONS_MAX))
    assert values.owners() == {}


def test_a_full_table_refuses_and_says_when_the_oldest_expires() -> None:
    values = table(2)
    add(values, "a", 0)
    add(values, "b", 20 * SECOND)
    with pytest.raises(QuotesExhausted) as refused:
        add(values, "c", 40 * SECOND)
    assert refused.value.values == {"maximum": 2, "retry_after_seconds": 20}
    assert [values.get(key, 40 * SECOND) for key in "abc"] == ["a", "b", None]


def test_what_is_not_needed_is_evicted_first_and_only_for_a_slot() -> None:
    evicted: list[str] = []
    values = table(3, kept_seconds=600, evicted=evicted)
    for key in "abc":
        add(values, key, 0)
    values.release("c")
    values.release("b")
    assert [values.get(key, 0) for key in "abc"] == ["a", "b", "c"]
    add(values, "d", 0)
    add(values, "e", 0)
    assert evicted == ["c", "b"]
    with pytest.raises(QuotesExhausted):
        add(values, "f", 0)
    assert [values.get(key, 0) for key in "ade"] == ["a", "d", "e"]


def test_what_expired_is_kept_while_there_is_room() -> None:
    values = table(2, kept_seconds=600)
    add(values, "a", 0)
    add(values, "b", TTL)
    assert values.get("a", TTL + 600 * SECOND - 1) == "a"
    assert values.get("a", TTL + 600 * SECOND) is None
    add(values, "c", TTL)
    assert values.get("a", TTL) is None


def test_a_value_that_is_renewed_lets_those_behind_it_expire_first() -> None:
    values = table(2)
    add(values, "a", 0)
    add(values, "b", 10 * SECOND)
    values.renew("a", 50 * SECOND)
    add(values, "c", 70 * SECOND)
    assert [values.get(key, 70 * SECOND) for key in "abc"] == ["a", None, "c"]
    values.remove("a")
    values.renew("a", 70 * SECOND)
    assert values.get("a", 70 * SECOND) is None


def test_an_owner_holds_at_most_a_quarter_and_the_others_go_on() -> None:
    values = table(8)
    add(values, "a", 0, "one")
    add(values, "b", 20 * SECOND, "one")
    with pytest.raises(QuotesExhausted) as refused:
        add(values, "c", 30 * SECOND, "one")
    assert refused.value.values == {"maximum": 2, "retry_after_seconds": 30}
    assert values.get("c", 30 * SECOND) is None
    for number in range(4):
        add(values, f"other {number}", 30 * SECOND, f"other {number}")
    add(values, "nobody's", 30 * SECOND)
    add(values, "nobody's either", 30 * SECOND)
    with pytest.raises(QuotesExhausted) as refused:
        add(values, "too many", 30 * SECOND, "newcomer")
    assert refused.value.values == {"maximum": 8, "retry_after_seconds": 30}


@pytest.mark.parametrize("how", ["expired", "released", "removed"])
def test_what_an_owner_no_longer_holds_counts_no_more(how: str) -> None:
    values, now = table(8, kept_seconds=600), 0
    for key in "ab":
        add(values, key, 0, "one")
    match how:
        case "expired":
            now = TTL
        case "released":
            values.release("a")
        case "removed":
            values.remove("a")
    add(values, "c", now, "one")
    assert values.get("c", now) == "c"


def test_an_owner_has_its_share_while_others_wait_to_be_evicted() -> None:
    values = table(8 * EVICTIONS_MAX)
    for number in range(3 * EVICTIONS_MAX):
        add(values, f"before {number}", 0)
    for number in range(2 * EVICTIONS_MAX):
        add(values, str(number), 0, "one")
    add(values, "new", TTL, "one")
    assert values.get("new", TTL) == "new"


class Failing(str):
    """A key at which the last of a number of look-ups fails."""

    left = 0

    def __hash__(self) -> int:
        self.left -= 1
        if self.left == 0:
            raise MemoryError
        return super().__hash__()


@pytest.mark.parametrize("lookups", [1, 2, 3, 4])
def test_a_value_for_which_there_is_no_memory_is_not_half_kept(lookups: int) -> None:
    values, key = table(8), Failing("b")
    add(values, "a", 0, "one")
    key.left = lookups
    with pytest.raises(MemoryError):
        add(values, key, 0, "two")
    assert values.owners() == {"one": 1}
    assert values.get("b", 0) is None


def test_an_owner_of_nothing_takes_no_memory() -> None:
    values = table(8)
    for number in range(20):
        add(values, str(number), number * TTL, str(number))
        values.remove(str(number))
    assert values.owners() == {}


KEPT = TTL + 600 * SECOND
MOMENTS = (0, KEPT - 1, KEPT, KEPT + SECOND - 1, KEPT + SECOND)


def shape(values: Expiring[str]) -> tuple[dict[str, int], dict[str, int], int]:
    """Return for how many moments each value is kept, who holds how many slots, and
    how many are taken."""
    kept = {
        key: sum(values.get(key, moment) is not None for moment in MOMENTS)
        for key in ("old", "a", "b", "c", "new")
    }
    return kept, values.owners(), len(values)


CALLS: dict[str, Callable[[Expiring[str]], None]] = {
    "add": lambda values: values.add("new", "new", SECOND, "one"),
    "add for a new owner": lambda values: values.add("new", "new", SECOND, "two"),
    "renew": lambda values: values.renew("a", SECOND),
    "release": lambda values: values.release("a"),
    "remove": lambda values: values.remove("a"),
    "evict": lambda values: values.ensure_slot(KEPT - 1, "two"),
}


@needs_failing_allocations
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.slow
def test_a_call_does_all_or_nothing_whatever_allocation_fails(
    call: Callable[[Expiring[str]], None],
) -> None:
    def trials() -> None:
        for n in range(100):
            evicted: list[str] = []
            values = table(4 if call is CALLS["evict"] else 8, 600, evicted)
            for key in ("old", "a", "b", "c"):
                values.add(key, key, 0, "one")
            values.release("old")
            before = shape(values)
            struck = with_failing(n, 1, partial(call, values)).struck
            kept, _, taken = shape(values)
            assert taken == sum(times > 0 for times in kept.values())
            if call is CALLS["evict"]:
                there = {key for key, times in kept.items() if times}
                assert there | set(evicted) == {"old", "a", "b", "c"}
            elif struck:
                assert shape(values) == before
            if not struck:
                assert shape(values) != before
                return
        raise AssertionError("it does not end")

    in_a_child(trials)
