"""Records what each step of the service touches, for `reduction`.

What several threads can see is in attributes that are set again, and in lists, dicts,
sets and queues. For as long as a block takes, the attributes are descriptors, and what
they hold is of a class that records each use. So the product is not changed, and a
touch without a lock is seen like any other.
"""

from __future__ import annotations

import ast
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from msgspec import Struct

import wallet_app
from tests.concurrency import mutants
from tests.concurrency.client import Client
from tests.concurrency.outbox import Listener
from tests.concurrency.reduction import Mode
from tests.concurrency.scheduler import Scheduler
from tests.ledgers import passing_time

PARTS = ("store.py", "services", "domain", "gateways/sandbox_bank.py")
"""The files of the product that have state of the ledger."""

OWN = {"audit_report.py", "audit_parts.py", "summary.py"}
"""Files in which a call only adds up what it alone sees; others see it complete."""

OTHERS = (Client, Listener)
"""What the threads of a test share beside the service."""

CONTAINERS = (dict, list, set, deque)

SILENT = set(
    "__class__ __class_getitem__ __delattr__ __dict__ __dir__ __doc__ __format__ "
    "__getattribute__ __getstate__ __hash__ __init__ __init_subclass__ __missing__ "
    "__module__ __new__ __reduce__ __reduce_ex__ __repr__ __setattr__ __sizeof__ "
    "__slots__ __str__ __subclasshook__ __weakref__ fromkeys".split()
)
"""What a container has that touches nothing of its contents."""

READING = set(
    "__add__ __and__ __contains__ __copy__ __eq__ __ge__ __getitem__ __gt__ __le__ "
    "__len__ __lt__ __mul__ __ne__ __or__ __rmul__ __ror__ __sub__ copy count "
    "difference get index intersection isdisjoint issubset issuperset union".split()
)
GOING_THROUGH = set("__iter__ __reversed__ items keys values".split())

HEAPS = {"items"}
"""Attributes that hold a heap: `heapq` changes it without a call of its methods."""


Thing = tuple[object, ...]


class Touches:
    """What is touched in the runs of a scheduler.

    A thing is known by the thread that made it, and by how much that had made before:
    so in every run alike.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._made: Counter[int | None] = Counter()
        self._known: dict[int, tuple[object, Thing]] = {}
        self._is_running = False
        """What is touched before and after the threads run makes no step."""
        self._recorder = threading.get_ident()

    def reset(self) -> None:
        """Begin with a new ledger."""
        self._made.clear()
        self._known.clear()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is touched in the block, in which the threads run."""
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False

    @property
    def noting(self) -> bool:
        """Whether the caller makes a step of the run."""
        return self._is_running and self._scheduler.has_baton()

    def concerns(self) -> bool:
        """Tell whether what the caller touches is looked at: another test's worker may
        still run in this process."""
        if self._is_running:
            return self._scheduler.has_baton()
        return threading.get_ident() == self._recorder

    def new(self) -> tuple[int | None, int]:
        """Return what something is known by that is made now."""
        thread = self._scheduler.thread
        self._made[thread] += 1
        return thread, self._made[thread]

    def note(self, thing: object, mode: Mode) -> None:
        """Note that the step that is being made touches this."""
        if self.noting:
            step = self._scheduler.run_now.steps[-1]
            if step.touches is None:
                step.touches = {}
            if mode is Mode.CHANGE or thing not in step.touches:
                step.touches[thing] = mode

    def know(self, owner: object) -> Thing:
        """Return what an object is known by. Who sets an attribute first makes it."""
        known = self._known.get(id(owner))
        if known is None:
            known = self._known[id(owner)] = owner, self.new()
        return known[1]

    def watched(self, value: Any) -> Any:
        """Return a container that notes each touch, or what is none as it is."""
        if not isinstance(value, CONTAINERS) or isinstance(value, _Watched):
            return value
        made = _watched_class(type(value))(value)
        made.touches, made.thing = self, (*self.new(), "items")
        for key, each in [*value.items()] if isinstance(value, dict) else ():
            if isinstance(each, CONTAINERS):
                made[key] = each
        return made

    def passing_time(self) -> Callable[[], int]:
        """Return a clock that is a nanosecond later each time: who reads it changes
        what others read."""
        tick = passing_time()

        def clock() -> int:
            self.note("the clock", Mode.CHANGE)
            return tick()

        return clock

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Have the ledgers that are made in the block note what is touched."""
        self._recorder = threading.get_ident()
        with ExitStack() as watched:
            for owner, name in watched_attributes():
                slot = vars(owner).get(name)
                attribute = Attribute(self, name, slot)
                watched.enter_context(
                    patch.object(owner, name, attribute, create=slot is None)
                )
            yield


class Attribute:
    """Stands in for an attribute, and notes who reads and sets it."""

    def __init__(self, touches: Touches, name: str, slot: Any) -> None:
        self._touches = touches
        self._name = name
        self._slot = slot
        self._reading = Mode.CHANGE if name in HEAPS else Mode.READ

    def __get__(self, owner: Any, kind: type) -> Any:
        if owner is None:
            return self._slot
        if self._touches.noting:
            self._touches.note((*self._touches.know(owner), self._name), self._reading)
        if self._slot is not None:
            return self._slot.__get__(owner, kind)
        try:
            return vars(owner)[self._name]
        except KeyError:
            raise AttributeError(self._name) from None

    def __set__(self, owner: Any, value: Any) -> None:
        if self._touches.concerns():
            known = self._touches.know(owner)
            if self._touches.noting:
                self._touches.note((*known, self._name), Mode.CHANGE)
            value = self._touches.watched(value)
        if self._slot is not None:
            self._slot.__set__(owner, value)
        else:
            vars(owner)[self._name] = value


class _Watched:
    """A container that notes each touch."""

    touches: Touches
    thing: Thing

    def note(self, mode: Mode) -> None:
        if self.touches.noting:
            self.touches.note(self.thing, mode)


class _View:
    """The keys, values or items of a dict."""

    def __init__(self, container: Any, view: Any) -> None:
        self._container = container
        self._view = view

    def __iter__(self) -> Iterator[Any]:
        return _going_through(self._container, iter(self._view))

    def __reversed__(self) -> Iterator[Any]:
        return _going_through(self._container, reversed(self._view))

    def __len__(self) -> int:
        self._container.note(Mode.READ)
        return len(self._view)

    def __contains__(self, value: object) -> bool:
        self._container.note(Mode.READ)
        return value in self._view


def _going_through(container: Any, values: Iterator[Any]) -> Iterator[Any]:
    while True:
        container.note(Mode.READ)
        try:
            value = next(values)
        except StopIteration:
            return
        yield value


@cache
def _watched_class(kind: type) -> Any:
    methods: dict[str, Any] = {}
    for base in reversed(kind.__mro__[:-1]):
        for name, method in vars(base).items():
            if callable(method) and name not in SILENT:
                methods[name] = _noted(name, getattr(kind, name))
    return type(f"Watched{kind.__name__}", (_Watched, kind), methods)


def _noted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def read(self: Any, *args: Any) -> Any:
        self.note(Mode.READ)
        return method(self, *args)

    def change(self: Any, *args: Any, **named: Any) -> Any:
        self.note(Mode.CHANGE)
        return method(self, *map(self.touches.watched, args), **named)

    def go_through(self: Any) -> Any:
        values = method(self)
        if name in ("__iter__", "__reversed__"):
            return _going_through(self, values)
        return _View(self, values)

    if name in GOING_THROUGH:
        return go_through
    return read if name in READING else change


@cache
def watched_attributes() -> list[tuple[type, str]]:
    """Return the attributes of the ledger that are set again, by the product or by a
    seeded bug, or hold a container."""
    written = {str(file): ast.parse(file.read_text()) for file in _files()}
    seeded = ast.parse(Path(mutants.__file__).read_text())
    again = {name for tree in (*written.values(), seeded) for name in _set_again(tree)}
    return [
        (kind, name)
        for module in list(sys.modules.values())
        for kind, definition in _classes(module, written)
        for name in sorted(_attributes(kind, definition))
        if name in again or name in _containers(definition)
    ]


def _files() -> Iterator[Path]:
    folder = Path(wallet_app.__file__).parent
    for part in PARTS:
        whole = folder / part
        for file in [whole] if whole.is_file() else whole.rglob("*.py"):
            if file.name not in OWN:
                yield file
    for other in OTHERS:
        yield Path(str(sys.modules[other.__module__].__file__))


def _classes(
    module: ModuleType, written: Mapping[str, ast.Module]
) -> Iterator[tuple[type, ast.ClassDef]]:
    """Yield the classes of one of these files whose objects can change."""
    tree = written.get(getattr(module, "__file__", None) or "")
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.ClassDef):
            kind = getattr(module, node.name, Struct)  # or it is inside a function
            if not issubclass(kind, Struct | tuple | BaseException):
                yield kind, node


def _set_again(tree: ast.AST) -> Iterator[str]:
    """Yield the names of attributes that are set outside an `__init__`."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name != "__init__":
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and not isinstance(
                    node.ctx, ast.Load
                ):
                    yield node.attr


def _attributes(kind: type, written: ast.ClassDef) -> set[str]:
    """Return the names of the attributes of the instances of a class."""
    names = {
        node.attr
        for node in ast.walk(written)
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
        if isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    slots = vars(kind).get("__slots__")
    return names if slots is None else {*slots}


def _containers(written: ast.ClassDef) -> set[str]:
    """Return the names of the attributes that hold a container from the beginning."""
    names = set()
    for node in ast.walk(written):
        match node:
            case ast.AnnAssign(target=ast.Attribute(attr=name), value=value):
                pass
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value):
                pass
            case _:
                continue
        if isinstance(
            value, ast.Dict | ast.List | ast.Set | ast.ListComp | ast.DictComp
        ):
            names.add(name)
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            if value.func.id in (
                "dict",
                "list",
                "set",
                "deque",
                "OrderedDict",
                "_Wallets",
            ):
                names.add(name)
    return names
