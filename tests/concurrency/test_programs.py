"""Programs: what they mean, how they are written, and what Hypothesis draws."""

from __future__ import annotations

from dataclasses import astuple, replace
from itertools import combinations, product
from random import Random
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.concurrency.client import Client
from tests.concurrency.programs import (
    EXTRAS,
    LEDGERS,
    NAMES,
    NEW,
    OPERATIONS,
    SETUP,
    Program,
    before,
    operations,
    pairs,
    program_from,
    programs,
    schedule_from,
    simpler,
)
from tests.concurrency.specification import (
    Add,
    Create,
    Deduct,
    Operation,
    Transfer,
    answer,
)
from tests.concurrency.specification_of_payments import Attempt, Learn, Settle
from tests.concurrency.specification_of_reads import AtRest, Audit, Get
from wallet_app.services.service import WalletService

pytestmark = pytest.mark.slow

T = TypeVar("T")

SEED = 1
DRAWN, FEW = 300, 100
CONFLICTS_MIN, SAME_KEYS_MIN = 0.5, 0.02
"""The least shares of programs in which two threads name the same wallet, or send
the same key. They were 0.76 and 0.03 when this was written."""

AS_IT_COMES = settings(
    max_examples=DRAWN,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SHRUNK = settings(AS_IT_COMES, phases=[Phase.generate, Phase.shrink])

KINDS = {kind.__name__: kind for kind in OPERATIONS}
TWO, UNUSED = {"asha": 100, "ravi": 100}, {"asha": 0, "ravi": 0}
PAST = [
    Transfer("asha", "ravi", 60),
    Deduct("asha", 60),
    Create("zoe"),
    Add("zoe", 7, key="k"),
    Add("zoe", 7, key="k"),
    Deduct("zoe", 7, key="k"),
]
PROGRAMS = [
    Program({}),
    Program({"asha": 0}, []),
    Program(TWO, [Add("asha", 60)], [Audit(), Get("ravi")]),
    Program(TWO, [Transfer("asha", "ravi", 60, key="k", faults=(2, 3))], before=PAST),
    *[Program(wallets, [Get("asha")], before=PAST) for wallets in LEDGERS],
]
each_program = pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))


def drawn(strategy: SearchStrategy[T], examples: int = DRAWN) -> list[T]:
    """Return what Hypothesis draws: the same each time."""
    collected: list[T] = []

    @seed(SEED)
    @settings(AS_IT_COMES, max_examples=examples)
    @given(strategy)
    def collect(value: T) -> None:
        collected.append(value)

    collect()
    assert len(collected) == examples
    return collected


@pytest.fixture(scope="module")
def some() -> list[Program]:
    return drawn(programs())


def named(operation: Operation) -> set[str]:
    """Return whose wallets an operation is about."""
    return {value for value in astuple(operation) if value in (*NAMES, NEW)}


# What a program is


@each_program
def test_the_repr_of_a_program_is_the_python_that_makes_it(program: Program) -> None:
    again = eval(repr(program), KINDS | {"Program": Program})
    assert again == program
    assert repr(again) == repr(program), "the order of the wallets counts"


def test_a_program_is_written_as_people_write_it() -> None:
    program = Program(TWO, [Add("asha", 60)], (Get("ravi"),), before=(Audit(),))
    assert repr(program) == (
        "Program({'asha': 100, 'ravi': 100}, "
        "[Add('asha', 60)], [Get('ravi')], before=[Audit()])"
    )


def test_programs_that_differ_in_anything_are_not_equal() -> None:
    program = Program(TWO, [Add("asha", 60)], before=PAST)
    assert program == Program(dict(TWO), (Add("asha", 60),), before=tuple(PAST))
    for other in (
        Program({"asha": 100}, [Add("asha", 60)], before=PAST),
        Program(TWO, [Add("asha", 61)], before=PAST),
        Program(TWO, [Add("asha", 60, faults=(1,))], before=PAST),
        Program(TWO, [Add("asha", 60)], [Add("asha", 60)], before=PAST),
        Program(TWO, [Add("asha", 60)]),
    ):
        assert program != other


def test_a_program_stays_what_it_was_when_what_it_was_made_from_changes() -> None:
    wallets, calls, before = dict(TWO), [Get("asha")], [Audit()]
    program = Program(wallets, calls, before=before)
    for given_away in (wallets, calls, before):
        given_away.clear()
    assert program == Program(TWO, [Get("asha")], before=[Audit()])


def test_the_setup_opens_each_wallet_and_then_does_what_came_before() -> None:
    program = Program({"ravi": 0, "asha": 100}, [Audit()], before=[Get("asha")])
    assert program.setup == [
        Create("ravi"),
        Create("asha"),
        Add("asha", 100),
        Get("asha"),
    ]


@each_program
def test_the_ledger_of_a_program_is_what_its_setup_makes_of_the_service(
    program: Program, service: WalletService
) -> None:
    client = Client(service)
    for operation in program.setup:
        client.ask(operation, SETUP)
    ledger = program.ledger()
    at_rest, _ = answer(ledger, AtRest(), "")
    assert client.ask(AtRest(), "") == at_rest
    assert len(service.idempotency) == len(ledger.kept)
    for kept in ledger.kept:
        assert isinstance(kept.request, Operation)
        again = replace(kept.request, key=kept.key)
        assert client.ask(again, "again") == kept.result


def test_the_wallets_hold_what_the_program_says_when_its_threads_start() -> None:
    for wallets in LEDGERS:
        ledger = Program(wallets).ledger()
        held = {name: ledger.book(name).balance for name in wallets}
        assert held == wallets
        assert len(ledger.books) == len(wallets)


def test_the_calls_of_all_threads_are_counted_and_those_before_are_not() -> None:
    assert Program(TWO, before=PAST).calls == 0
    assert Program(TWO, [Get("asha")] * 2, [Audit()], before=PAST).calls == 3


# What Hypothesis draws


def test_no_operation_of_the_model_is_forgotten() -> None:
    kinds = {*Operation.__subclasses__(), *Attempt.__subclasses__()}
    assert set(OPERATIONS) == kinds - {AtRest, Learn, Settle}
    assert all(draw.kind is kind for kind, draw in OPERATIONS.items())


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_every_kind_of_operation_is_drawn(kind: type[Operation]) -> None:
    found = find(operations, lambda each: type(each) is kind, settings=AS_IT_COMES)
    assert type(found) is kind


def test_operations_are_drawn_with_every_key_and_fault_that_is_listed() -> None:
    calls = drawn(operations)
    listed = {(each.get("key"), each.get("faults", ())) for each in EXTRAS}
    assert {(call.key, call.faults) for call in calls if call.writes} == listed
    assert {(call.key, call.faults) for call in calls if not call.writes} == {
        (None, ())
    }, "what only reads takes no key and never crashes"


@pytest.mark.parametrize("threads, calls", [(2, 2), (2, 4), (3, 4), (4, 6)])
def test_threads_and_calls_are_as_many_as_asked_for_and_no_more(
    threads: int, calls: int
) -> None:
    all_drawn = drawn(programs(threads, calls), FEW)
    for program in all_drawn:
        assert program.wallets in LEDGERS
        assert all(program.threads), "a thread has nothing to do"
        made = [call for thread in program.threads for call in thread]
        assert list(program.before) == before(*made)
    numbers = range(2, min(threads, calls) + 1)
    assert {len(program.threads) for program in all_drawn} == set(numbers)
    assert {program.calls for program in all_drawn} == set(range(2, calls + 1))


def test_threads_often_meet_at_the_same_wallet(some: list[Program]) -> None:
    conflicts = [
        any(
            named(one) & named(other)
            for thread, following in combinations(program.threads, 2)
            for one, other in product(thread, following)
        )
        for program in some
    ]
    assert sum(conflicts) >= CONFLICTS_MIN * DRAWN


def test_two_threads_sometimes_send_the_same_key(some: list[Program]) -> None:
    shared = [
        sum(any(call.key for call in thread) for thread in program.threads) > 1
        for program in some
    ]
    assert sum(shared) >= SAME_KEYS_MIN * DRAWN


def test_the_simplest_program_is_two_threads_that_add_to_one_wallet() -> None:
    simplest = find(programs(), lambda program: True, settings=SHRUNK)
    assert simplest == Program(TWO, [Add("asha", 60)], [Add("asha", 60)])


def test_a_pair_is_two_calls_that_overlap() -> None:
    for program in drawn(pairs(), FEW):
        assert [len(thread) for thread in program.threads] == [1, 1]


def test_the_simplest_pair_is_on_wallets_that_nobody_has_used() -> None:
    simplest = find(pairs(), lambda program: True, settings=SHRUNK)
    assert simplest == Program(UNUSED, [Add("asha", 60)], [Add("asha", 60)])


def test_typical_calls_are_few_differ_and_crash_where_they_are_to() -> None:
    for kind, draw in OPERATIONS.items():
        typical = draw.typical
        assert 1 <= len(typical) <= len(draw.extras) + 1
        assert len(set(typical)) == len(typical)
        for call in typical:
            assert type(call) is kind
            assert not call.faults or min(call.faults) <= call.writes
    assert OPERATIONS[Get].typical == [Get("asha"), Get("ravi")]
    assert OPERATIONS[Add].typical == [
        Add("asha", 60),
        Add("asha", 60, faults=(1,)),
        Add("asha", 60, key="k"),
        Add("asha", 60, key="k", faults=(1,)),
        Add("ravi", 60),
    ]


def test_plain_chance_picks_what_is_listed_and_gives_keys_to_what_writes() -> None:
    random = Random(SEED)
    for kind, draw in OPERATIONS.items():
        listed = {kind(*value) for value in draw.values}
        assert {draw.pick(random, None) for _ in range(DRAWN)} == listed
        key = "k" if kind.writes and not kind.of_workers else None
        assert {draw.pick(random, "k").key for _ in range(FEW)} == {key}


# Smaller ones, and written ones


def test_simpler_programs_lack_one_call_or_have_their_threads_turned_round() -> None:
    one, other, third = Add("asha", 60), Get("asha"), Get("ravi")
    assert list(simpler(Program(TWO, [one, other], [third]))) == [
        Program(TWO, [other], [third]),
        Program(TWO, [one], [third]),
        Program(TWO, [one, other]),
        Program(TWO, [third], [one, other]),
    ]


@each_program
def test_a_program_is_read_as_it_is_written(program: Program) -> None:
    assert program_from(repr(program)) == program


@pytest.mark.parametrize("text", ["7", "Add('asha', 60)", "[]", "{0: 1}"])
def test_what_is_no_program_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match="that is no program"):
        program_from(text)


def test_a_schedule_is_read_as_it_is_written() -> None:
    for schedule in ({}, {4: 1}, {4: 1, 7: 0}):
        assert schedule_from(repr(schedule)) == schedule


@pytest.mark.parametrize("text", ["[]", "{4}", "{4: None}", "{'4': 1}", "{4: True}"])
def test_what_is_no_schedule_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"a schedule is \{step: thread}"):
        schedule_from(text)


def test_threads_are_alike_that_make_the_same_calls() -> None:
    one, other = [Add("asha", 60)], [Add("asha", 60, key="k")]
    program = Program({"asha": 0}, one, other, one, other, one)
    assert program.alike == {2, 3, 4}
