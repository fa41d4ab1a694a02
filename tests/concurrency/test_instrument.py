"""A file is loaded so that threads can be switched between its statements, and does
what it does without that."""

from __future__ import annotations

import importlib.util
import re
import textwrap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.concurrency.instrument import ITEMS, Source
from tests.concurrency.reduction import EVERYTHING, Mode, Touch, meet
from tests.concurrency.scheduler import Scheduler

READ_ITEMS, CHANGE_ITEMS = Touch(ITEMS, Mode.READ), Touch(ITEMS, Mode.CHANGE)

Load = Callable[[str], Source]


@pytest.fixture
def load(tmp_path: Path, scheduler: Scheduler) -> Load:
    """Return a function that writes a file and loads it."""

    def loaded(text: str) -> Source:
        path = tmp_path / "written.py"
        path.write_text(textwrap.dedent(text))
        return Source(path, scheduler)

    return loaded


def steps(scheduler: Scheduler, body: Callable[[], object]) -> list[tuple[Any, ...]]:
    """Return the lines and stores at which a call can be switched."""
    run = scheduler.run([body])
    assert all(
        step.number is not None for step in run.steps if step.what in ("line", "store")
    )
    return [
        (step.what, *step.subject[1:])
        for step in run.steps
        if step.what in ("line", "store")
    ]


def touches(scheduler: Scheduler, body: Callable[[], object]) -> list[set[Touch]]:
    """Return what each line and store of a call touches, also of one that raises."""

    def ended() -> None:
        with suppress(Exception):
            body()

    run = scheduler.run([ended])
    return [set(each.touches) for each in run.steps if each.what in ("line", "store")]


ONE_STATEMENT = [
    ("of.x += 1", [("line", 2), ("store", 2, "of.x")]),
    ("of.d['a'] += 1", [("line", 2), ("store", 2, "of.d['a']")]),
    ("of.l[0:1] += [2]", [("line", 2), ("store", 2, "of.l[0:1]")]),
    ("global g; g += 1", [("line", 2), ("store", 2, "g")]),
    ("of.x = 1", [("store", 2, "of.x")]),
    ("of.x = of.y = 1", [("store", 2, "of.x, of.y")]),
    ("of.x: int = 1", [("store", 2, "of.x")]),
    ("of.x = of.y", [("line", 2), ("store", 2, "of.x")]),
    ("a = of.x", [("line", 2)]),
    ("a = 1; a += of.x", [("line", 2)]),
    ("a = 1; a += 1", []),
    ("a: dict[str, int] = {}", []),
    ("a: dict[str, int]", []),
    ("a = (1, 2); b, c = a; d = b + c if b else -c", []),
    ("raise ValueError(f'no {str(1)}')", []),
    ("return of.x", [("line", 2)]),
    ("return 1", []),
    ("of.f()", [("line", 2)]),
    ("del of.d['a']", [("line", 2)]),
    ("if of.x: pass", [("line", 2)]),
    ("if 'a' in known: pass", [("line", 2)]),
    ("assert of.x == 1", [("line", 2)]),
    ("a = [each for each in known]", [("line", 2)] * 2),
    ("a = {n: m for n in known for m in of.l if n}", [("line", 2)] * 4),
    ("of.x = sum(each for each in of.l)", [("line", 2)] * 3 + [("store", 2, "of.x")]),
    (
        "of.x += len([each for each in known])",
        [("line", 2)] * 2 + [("store", 2, "of.x")],
    ),
    ("return of.own()", [("line", 2)]),
    ("return of.own() + of.x", [("line", 2)] * 2),
    ("of.x = of.own() + of.own()", [("line", 2)] * 3 + [("store", 2, "of.x")]),
    ("of.l.append(of.own())", [("line", 2)] * 2),
    ("if of.own() == of.x: pass", [("line", 2)] * 2),
    ("for _ in [of.own()]: pass", [("line", 2)] * 3),
    ("a = (each for each in known)", [("line", 2)]),
    ("a = [each for each in range(2)]", []),
    ("with of.lock: pass", []),
    ("with of.locks['a']: pass", [("line", 2)]),
    ("with of.lock, of.locks['a']: pass", [("line", 2)]),
    ("with of.later: pass", [("line", 2)]),
    ("of.locks['a'].acquire()", [("line", 2)]),
    ("raise ValueError(of.x)", [("line", 2)]),
    ("with of.locked(): pass", [("line", 2), ("line", 18)]),
    ("of.lock.acquire(); of.lock.release()", []),
    ("'''Says what it does.'''", []),
    ("print('done')", []),
]


@pytest.mark.parametrize(
    ("statement", "expected"), ONE_STATEMENT, ids=[row[0] for row in ONE_STATEMENT]
)
def test_a_statement_is_a_switch_point_if_another_thread_could_notice_it(
    load: Load, scheduler: Scheduler, statement: str, expected: object
) -> None:
    module = load(
        f"""\
        def do(of):
            {statement}
        import threading
        g = 1
        known = ["a"]
        class Of:
            def __init__(self):
                self.x, self.y, self.d, self.l = 1, 2, {{"a": 1}}, [1, 2]
                self.lock = threading.Lock()
                self.locks = {{"a": threading.Lock()}}
                self.later = threading.Lock()
                self.f = print
            def own(self):
                return 1
            def lock_again(self):
                self.later = threading.Lock()
            def locked(self):
                return self.lock
        """
    ).module()
    of = module.Of()

    def body() -> None:
        try:
            module.do(of)
        except ValueError:
            pass

    assert steps(scheduler, body) == expected


def test_each_test_of_a_while_and_each_round_of_a_for_is_a_switch_point(
    load: Load, scheduler: Scheduler
) -> None:
    module = load(
        """\
        class Counter:
            left = 2
        counter = Counter()
        items = [1, 2]
        def count():
            while counter.left:
                counter.left -= 1
        def go_through():
            total = 0
            for each in items:
                total += each
            return total
        def look_at_each():
            for each in items:
                each.bit_length()
        """
    ).module()
    test, read, store = ("line", 6), ("line", 7), ("store", 7, "counter.left")
    assert steps(scheduler, module.count) == [*[test, read, store] * 2, test]
    assert steps(scheduler, module.go_through) == [("line", 10)] * 3
    first, inside = ("line", 14), ("line", 15)
    assert steps(scheduler, module.look_at_each) == [first, inside, inside]


def test_nested_functions_branches_and_handlers_have_switch_points_of_their_own(
    load: Load, scheduler: Scheduler
) -> None:
    module = load(
        """\
        class Wallet:
            balance = 1
        wallet = Wallet()
        def outer(key):
            def inner():
                return wallet.balance
            try:
                match key:
                    case "a":
                        inner()
                    case _:
                        wallet.balance = 2
                        raise KeyError(key)
            except KeyError:
                wallet.balance = 3
            else:
                wallet.balance = 4
            finally:
                wallet.balance = 5
        """
    ).module()

    def stored(line: int) -> tuple[str, int, str]:
        return "store", line, "wallet.balance"

    taken = steps(scheduler, lambda: module.outer("a"))
    assert taken == [("line", 10), ("line", 6), stored(17), stored(19)]
    raised = steps(scheduler, lambda: module.outer("b"))
    assert raised == [stored(12), stored(15), stored(19)]


# What statements touch


TOUCHED = [
    ("self.x += 1", [{Touch("x", Mode.READ)}, {Touch("x", Mode.CHANGE)}]),
    ("self.x = 1", [{Touch("x", Mode.CHANGE)}]),
    ("self.d[1] = 2", [{Touch("d", Mode.READ), CHANGE_ITEMS}]),
    ("return self.d[1]", [{Touch("d", Mode.READ), READ_ITEMS}]),
    ("return 1 in self.d", [{Touch("d", Mode.READ), READ_ITEMS}]),
    ("return [1 for each in known]", [{READ_ITEMS}] * 2),
    (
        "return sum(each for each in known) + self.x",
        [{READ_ITEMS, Touch("x", Mode.READ)}] * 2,
    ),
    (
        "return list(n for n in (m for m in known))",
        [{READ_ITEMS}, {EVERYTHING}, {READ_ITEMS}],
    ),
    ("return len(known)", [{READ_ITEMS}]),
    ("known.append(1)", [{CHANGE_ITEMS}]),
    ("known.copy()", [{READ_ITEMS}]),
    ("self.own()", [set()]),
    ("with self.locks[1]: pass", [{Touch("locks", Mode.READ), READ_ITEMS}]),
    ("self.locks[1].acquire()", [{Touch("locks", Mode.READ), READ_ITEMS}]),
    ("raise Refused(self.x)", [{Touch("x", Mode.READ)}]),
    ("self.event.set()", [{Touch("event", Mode.READ)}]),
    ("self.given()", [{EVERYTHING}]),
    ("(lambda: 1)()", [{EVERYTHING}]),
    ("global g; return g", [{Touch(("variable", "g"), Mode.READ)}]),
    ("global g; g = 2", [{Touch(("variable", "g"), Mode.CHANGE)}]),
    (
        "for _ in known: self.x = 1",
        [{READ_ITEMS}, {READ_ITEMS, Touch("x", Mode.CHANGE)}],
    ),
]


@pytest.mark.parametrize(
    ("statement", "expected"), TOUCHED, ids=[row[0] for row in TOUCHED]
)
def test_a_switch_point_says_what_its_statement_touches(
    load: Load, scheduler: Scheduler, statement: str, expected: list[set[Touch]]
) -> None:
    wallet = load(
        f"""\
        import threading
        g, known = 1, [0]
        class Refused(Exception):
            pass
        class Wallet:
            def __init__(self):
                self.locks = {{1: threading.Lock()}}
                self.x, self.d, self.given = 0, {{1: 1}}, print
                self.event = threading.Event()
            def own(self):
                pass
            def do(self):
                {statement}
        """
    )
    found = touches(scheduler, wallet.module().Wallet().do)
    assert found == expected


def test_a_look_into_a_dictionary_meets_a_store_in_it(
    load: Load, scheduler: Scheduler
) -> None:
    """Otherwise the reduction would never try these two in both orders."""
    module = load(
        """\
        wallets = {}
        def look():
            return "asha" in wallets
        def store():
            wallets["asha"] = 1
        """
    ).module()
    [look], [store] = (touches(scheduler, each) for each in (module.look, module.store))
    assert meet(frozenset(look), frozenset(store))


# The file, and what is imported


def test_the_file_is_not_changed_and_its_line_numbers_are_kept(
    tmp_path: Path, scheduler: Scheduler
) -> None:
    text = "import os\n\n\ndef fail(of):\n    of.x = 1\n    of.x += \\\n        [][1]\n"
    path = tmp_path / "written.py"
    path.write_text(text)
    module = Source(path, scheduler).module()

    class Of:
        x = 1

    with pytest.raises(IndexError) as raised:
        module.fail(Of())
    assert path.read_text() == text
    assert raised.traceback[-1].path == path
    assert raised.traceback[-1].lineno + 1 in (6, 7)


def test_a_file_may_say_how_it_is_encoded(tmp_path: Path, scheduler: Scheduler) -> None:
    path = tmp_path / "written.py"
    path.write_bytes("# coding: latin-1\nNAME = 'Zoë'\n".encode("latin-1"))
    assert Source(path, scheduler).module().NAME == "Zoë"


FIELDS = """
from dataclasses import dataclass, field
@dataclass
class Wallet:
    balance: int = 0
    seen: list = field(default_factory=list)
"""

STATE = [
    ("wallets = {}", True),
    ("class Wallets:\n    known = {}", True),
    ("class Wallets:\n    lock = threading.Lock()", True),
    ("class Wallets:\n    made = 0\n    def f(self): Wallets.made += 1", True),
    ("class Wallets:\n    made = 0\n    def f(self): type(self).made += 1", True),
    ("number = 0\ndef f():\n    global number\n    number += 1", True),
    ("def f(seen=[]): pass", True),
    ("LOCKS = (threading.Lock(), threading.Lock())", True),
    ("class Wallet:\n    balance = 0\n    def add(self, n): self.balance += n", False),
    (
        "class Wallet:\n    __slots__ = ('x',)\n    @property\n    def f(self): pass",
        False,
    ),
    ("from __future__ import annotations\nLIMIT, NAMES = 5, ('a', 'b')", False),
    (FIELDS, False),
]


@pytest.mark.parametrize(("text", "is_new"), STATE, ids=[row[0] for row in STATE])
def test_a_module_is_imported_again_only_if_it_keeps_something(
    load: Load, text: str, is_new: bool
) -> None:
    future = "from __future__ import annotations\n"
    first = future if text.startswith(future) else ""
    source = load(f"{first}import threading\n{text.removeprefix(future)}\n")
    assert (source.module() is not source.module()) is is_new


def test_ids_and_random_numbers_are_the_same_in_each_run(load: Load) -> None:
    source = load(
        """\
        from random import random
        from uuid import uuid4
        class Wallet:
            pass
        service, seen = uuid4(), []
        def ids():
            one, other = Wallet(), Wallet()
            return service, uuid4(), id(one), id(other), id(one), random()
        """
    )
    service, made, one, other, again, _ = first = source.module().ids()
    assert source.module().ids() == first
    assert len({service, made}) == 2
    assert one == again != other


def test_what_this_program_imports_from_the_future_is_not_in_force_there(
    load: Load,
) -> None:
    module = load("class Wallet:\n    balance: int = 0\n").module()
    assert module.Wallet.__annotations__ == {"balance": int}


def test_dataclasses_may_have_postponed_annotations(load: Load) -> None:
    module = load(
        """\
        from __future__ import annotations
        from dataclasses import KW_ONLY, dataclass, field
        from typing import ClassVar
        @dataclass(slots=True)
        class Wallet:
            kind: ClassVar[str] = "plain"
            balance: int = 0
            _: KW_ONLY
            seen: list[int] = field(default_factory=list)
        """
    ).module()
    assert module.Wallet(60, seen=[1]) == module.Wallet(60, seen=[1])


# It does what it does without switch points


WRITTEN = '''\
"""All that a class can be written with."""
import contextlib
import functools

log = []

def noted(name, value):
    log.append(name)
    return value

def twice(method):
    @functools.wraps(method)
    def wrapper(*args, **kwargs):
        return method(*args, **kwargs), method(*args, **kwargs)
    return wrapper

class Base:
    def __init__(self):
        """Begins with nothing."""
        self.__balance = 0
        self.items = {"a": 1, "l": [1, 2, 3]}

    @property
    def balance(self):
        """What is there."""
        return self.__balance

    @balance.setter
    def balance(self, value):
        if value < 0:
            raise ValueError(f"{value} is less than nothing")
        self.__balance = value

    @twice
    def add(self, amount):
        self.__balance += amount
        return self.__balance

    @staticmethod
    def double(number):
        return number * 2

    @classmethod
    def new(cls, balance):
        made = cls()
        made.balance = balance
        return made

    @contextlib.contextmanager
    def undone(self):
        before = self.__balance
        try:
            yield before
        except KeyError:
            self.__balance = before
        finally:
            log.append("left")

class Wallet(Base):
    def __init__(self):
        super().__init__()
        self.balance = 10

def store_order():
    target = noted("a", {1: 2})[noted("b", 1)] = noted("c", 3)
    return target

def augmented_order(fails=False):
    values = {"k": 1}
    def owner(): return noted("owner", values)
    def index(): return noted("index", "k")
    def more():
        noted("more", 0)
        values["k"] = 100
        if fails:
            raise KeyError("more")
        return 5
    owner()[index()] += more()
    return values

def in_place():
    wallet = Wallet()
    one = other = wallet.items["l"]
    wallet.items["l"] += [4]
    wallet.items["l"][0:2] += [9]
    one[::2] = [0] * len(one[::2])
    return one is other is wallet.items["l"], one

def refused():
    wallet = Wallet.new(5)
    try:
        wallet.balance -= 6
    finally:
        log.append(wallet.balance)

def matched(value):
    match value:
        case {"amount": int(amount)} if amount > 0:
            return "amount", amount
        case [first, *rest]:
            return first, rest
        case _:
            return None

def looped():
    wallet, seen = Wallet(), []
    while wallet.balance > 6:
        wallet.balance -= 1
        if wallet.balance == 8:
            continue
        seen.append(wallet.balance)
    else:
        seen.append("else")
    for key in wallet.items:
        if key == "l":
            break
        seen.append(key)
    else:
        seen.append("no break")
    return seen

def handled():
    wallet = Wallet()
    with wallet.undone() as before:
        wallet.add(60)
        raise KeyError(before)
    return wallet.balance

def generated():
    wallet = Wallet()
    def each():
        nonlocal wallet
        for _ in range(2):
            wallet.balance += 1
            yield wallet.balance
    return list(each()), [key for key in wallet.items if key in wallet.items]

CALLS = {
    "add": lambda: Wallet().add(5),
    "double": lambda: Wallet.double(4),
    "names": lambda: sorted(vars(Wallet())),
    "doc": lambda: (Base.__init__.__doc__, Base.balance.__doc__, Base.add.__name__),
    "store order": store_order,
    "augmented order": augmented_order,
    "augmented order, raising": lambda: augmented_order(fails=True),
    "in place": in_place,
    "refused": refused,
    "matched": lambda: [matched(v) for v in ({"amount": 3}, {"amount": 0}, [1, 2])],
    "looped": looped,
    "handled": handled,
    "generated": generated,
    "missing": lambda: Wallet().items["no"],
    "no attribute": lambda: Wallet().no,
}
'''


def done(module: ModuleType, name: str) -> tuple[object, str, object]:
    """Return what a call returns or raises, and in which order it did what."""
    try:
        result, raised = module.CALLS[name](), ""
    except Exception as error:  # noqa: BLE001 - what it raises is compared
        result, raised = None, repr(error)
    return result, raised, module.log


@pytest.mark.parametrize("name", re.findall(r'^    "(.+)": ', WRITTEN, re.M))
def test_a_call_comes_to_the_same_with_switch_points_and_without(
    load: Load, scheduler: Scheduler, tmp_path: Path, name: str
) -> None:
    instrumented = load(WRITTEN).module()
    spec = importlib.util.spec_from_file_location("plain", tmp_path / "written.py")
    assert spec is not None and spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    expected = done(plain, name)
    assert done(instrumented, name) == expected
    in_a_run: list[object] = []
    fresh = load(WRITTEN).module()
    scheduler.run([lambda: in_a_run.append(done(fresh, name))])
    assert in_a_run == [expected]
