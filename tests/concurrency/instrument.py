"""Loads a Python file so that threads can be switched between its statements.

The file is not changed: what runs is a copy, in which each statement that another
thread could notice is a switch point. `self.balance += 60` is two: what it computes,
and where it stores that.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
)
from typing import Any, TypeVar

from tests.concurrency.reduction import EVERYTHING, Mode, Touch, Touches
from tests.concurrency.scheduler import Scheduler
from tests.concurrency.stand_ins import StandIns

SWITCH, STORE, AFTER, VALUE = "__switch__", "__store__", "__after__", "__value_{}__"

LOCKING = ("acquire", "release")
"""Calls of these are steps of the scheduler, or belong to the statement before."""

UNSEEN_CALLS = set(
    "abs float format hash id int isinstance print range repr round str super "
    "type".split()
) | {
    name
    for name, each in vars(builtins).items()
    if isinstance(each, type)
    if issubclass(each, BaseException)
}
"""Calls that nobody notices who does not see their arguments."""

READING_CALLS = set(
    "all any bool dict enumerate filter frozenset iter len list map max min next "
    "reversed set sorted sum tuple zip".split()
)
READING_METHODS = set("copy count get index items keys values".split())
"""Calls that change nothing, and read what is in a list or a dictionary."""

CONSUMING_CALLS = set(
    "all any dict frozenset list max min set sorted sum tuple".split()
)
"""Those that go through what they are given before they return."""

WAITING_METHODS = set(
    "acquire join notify notify_all put put_nowait release set start task_done wait "
    "wait_for".split()
)
"""Calls of what `threading` and `queue` offer. What they touch are steps of theirs."""

SLEEPS = ("time.sleep(", "sleep(")

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

EVERYTHING_TOUCHED: Touches = frozenset({EVERYTHING})

LOOK = (ast.Attribute, ast.Subscript)

ITEMS = "the items of something"
"""All lists and dictionaries are one thing: two names may well stand for the same."""

CONSTANTS = (
    *(int, float, str, bytes, ModuleType, type, BuiltinFunctionType),
    *(property, staticmethod, classmethod, MemberDescriptorType, GetSetDescriptorType),
)
"""What keeps nothing of a run in it."""

T = TypeVar("T")


class Source:
    """A Python file whose locks, threads and queues are the scheduler's.

    Raises SyntaxError.
    """

    def __init__(self, path: Path, scheduler: Scheduler) -> None:
        tree = ast.parse(path.read_bytes(), str(path))
        self._instrument = _Instrument(tree)
        self._touches = self._instrument.touches
        ast.fix_missing_locations(tree)
        # What this file imports from __future__ is not meant for that one.
        self._code = compile(tree, str(path), "exec", dont_inherit=True)
        self._path = str(path)
        self._scheduler = scheduler
        self._stand_ins = StandIns(scheduler)
        self._module: ModuleType | None = None

    def module(self) -> ModuleType:
        """Return the file as a module that nobody has used; what has no state of its
        own is not imported again.

        Raises what the file raises where it is imported.
        """
        self._stand_ins.reset()
        if self._module is None or self._has_state(self._module):
            self._module = self._imported()
        return self._module

    def _has_state(self, module: ModuleType) -> bool:
        """Return whether variables of a module, or of its classes, hold more than
        constants, or are set again."""
        own = [
            each
            for each in vars(module).values()
            if isinstance(each, type) and each.__module__ == module.__name__
        ]
        return self._instrument.rebinds or not all(
            _is_constant(each)
            for owner in (module, *own)
            for name, each in vars(owner).items()
            if not (name.startswith("__") and name.endswith("__"))
            and name not in self._instrument.imported
        )

    def _imported(self) -> ModuleType:
        module = ModuleType(f"subject_{Path(self._path).stem}")
        module.__file__ = self._path
        own = {SWITCH: self._switch, STORE: self._store, AFTER: self._after}
        vars(module).update(own)
        vars(module)["__builtins__"] = self._stand_ins.builtins
        sys.modules[module.__name__] = module  # where dataclasses look for it
        exec(self._code, vars(module))
        return module

    def _switch(self, line: int, touches: int) -> bool:
        step = self._scheduler.step("line", (self._path, line))
        if step is not None:
            step.touches = self._touches[touches]
        return True

    def _after(self, line: int, touches: int, value: T) -> T:
        self._switch(line, touches)
        return value

    def _store(self, line: int, touches: int, target: str, value: T) -> T:
        step = self._scheduler.step("store", (self._path, line, target))
        if step is not None:
            step.touches = self._touches[touches]
            step.value = value if isinstance(value, int | float | str) else None
        return value


def _is_constant(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    if isinstance(value, FunctionType):
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return value.__closure__ is None and all(map(_is_constant, defaults))
    return value is None or isinstance(value, CONSTANTS)


class _Instrument:
    """Puts switch points into the functions of a module."""

    def __init__(self, tree: ast.Module) -> None:
        self.touches: list[Touches] = []
        """What the statement of each switch point touches."""
        nodes = list(ast.walk(tree))
        self._shared = {
            name
            for node in nodes
            if isinstance(node, ast.Global | ast.Nonlocal)
            for name in node.names
        }
        defined = (ast.FunctionDef, ast.ClassDef)
        self._known = {node.name for node in nodes if isinstance(node, defined)}
        self._divided = {
            node.name
            for node in nodes
            if isinstance(node, ast.FunctionDef)
            or (isinstance(node, ast.ClassDef) and any(map(_is_init, node.body)))
        }
        """What has switch points inside when it is called."""
        self._set_later = {
            node.attr
            for function in nodes
            if isinstance(function, ast.FunctionDef) and function.name != "__init__"
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
        }
        """Attributes of which not each object has its own from the beginning on."""
        self.imported = {
            (alias.asname or alias.name).partition(".")[0]
            for node in nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        self.rebinds = any(map(self._is_rebound, nodes))
        """Whether variables of the module, or of its classes, are set in functions."""
        self._seen_calls = self._known | self.imported | UNSEEN_CALLS
        if not any(isinstance(node, ast.Lambda) for node in nodes):
            # What a variable holds that is called is a function of this module.
            self._seen_calls |= {
                node.id
                for node in nodes
                if isinstance(node, ast.Name) and not hasattr(builtins, node.id)
            }
        self.outside(tree.body)

    def outside(self, statements: Sequence[ast.stmt]) -> None:
        """Put switch points into the functions that are defined here."""
        for statement in statements:
            if isinstance(statement, ast.FunctionDef):
                statement.body = self.block(statement.body, frozenset())
            else:
                for block in _blocks(statement):
                    self.outside(block)

    def block(self, statements: Sequence[ast.stmt], around: Touches) -> list[ast.stmt]:
        """Return the statements of a function with switch points between them. Each
        also touches what the loops `around` them go through."""
        block: list[ast.stmt] = []
        for statement in statements:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                self.outside([statement])
                block.append(statement)
                continue
            match statement:
                case ast.With():
                    _nest(statement)
                case ast.While(test=ast.UnaryOp(ast.Not(), ast.Call() as call)):
                    if self._spins(call, statement):
                        call.args, call.keywords = [], []  # it waits, which is the same
            inside = around
            loop = statement if isinstance(statement, ast.For) else None
            if loop is not None and not _is_range(loop.iter):
                inside = around.union(*map(self._touched, self._header(loop)))
            for inner in _blocks(statement):
                inner[:] = self.block(inner, inside)
            if loop is not None and inside is not around and not _is_switch(loop.body):
                loop.body.insert(0, self._switch(loop, [], inside))
            block += self._switched(statement, around)
        return block

    def _switched(self, statement: ast.stmt, around: Touches) -> list[ast.stmt]:
        """Return a statement with the switch points before it and in it."""
        match statement:
            case ast.AugAssign() if self._is_visible(statement.target):
                read = copy(statement.target)
                read.ctx = ast.Load()
                first = self._switch(statement, [read, statement.value], around)
                self._divide(statement, [statement.value], around)
                return [first, *self._split(statement, around)]
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                targets = _targets(statement)
                if any(map(self._is_visible, targets)):
                    first = self._switch(statement, [value], around)
                    is_visible = self._is_visible(value)
                    self._divide(statement, [value], around)
                    statement.value = self._stored(statement, targets, value, around)
                    return [first, statement] if is_visible else [statement]
            case ast.While(test=test):
                if self._is_visible(test):
                    again = self._switch(statement, [test], around).value
                    self._divide(statement, [test], around)
                    statement.test = ast.BoolOp(ast.And(), [again, test])
                return [statement]
        header = list(self._header(statement))
        if any(map(self._is_visible, header)):
            first = self._switch(statement, header, around)
            self._divide(statement, header, around)
            return [first, statement]
        return [statement]

    def _divide(
        self, statement: ast.stmt, nodes: Sequence[ast.AST], around: Touches
    ) -> None:
        """Put switch points where a statement goes on after others could have run: into
        each round of a comprehension, and after each call of a function of the module.
        What follows touches what is left of the statement; but a generator can also be
        gone through elsewhere."""
        touched = self._noted(nodes, around)
        inside = [each for node in nodes for each in ast.walk(node)]
        at_once = {
            id(argument)
            for call in inside
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
            if call.func.id in CONSUMING_CALLS
            for argument in call.args
        }
        for each in inside:
            if isinstance(each, COMPREHENSIONS) and self._is_visible(each):
                is_late = isinstance(each, ast.GeneratorExp) and id(each) not in at_once
                number = self._number_of(EVERYTHING_TOUCHED) if is_late else touched
                for generator in each.generators:
                    switch = _call(SWITCH, statement, ast.Constant(number))
                    generator.ifs.insert(0, ast.copy_location(switch, statement))
            elif isinstance(each, ast.Call) and self._is_divided_by(each, nodes):
                if self.touches[touched]:
                    again = _call(AFTER, statement, ast.Constant(touched), copy(each))
                    each.func, each.args, each.keywords = again.func, again.args, []

    def _is_divided_by(self, call: ast.Call, nodes: Sequence[ast.AST]) -> bool:
        """Return whether a call has switch points inside, and is not the last thing
        that is done there."""
        last = [*nodes, *(getattr(node, "value", None) for node in nodes)]
        match call.func:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return name in self._divided and call not in last
        return False

    def _header(self, statement: ast.stmt) -> Iterator[ast.AST]:
        """Yield what a statement evaluates itself, without its blocks."""
        match statement:
            case ast.If(test=value) | ast.Match(subject=value):
                yield value
            case ast.For(target=target, iter=items):
                yield ast.comprehension(target, items, [], 0)
            case ast.AnnAssign(value=value):
                if value is not None:
                    yield value
            case ast.With(items=[item]):
                yield from self._looked_up(item.context_expr)
            case ast.Raise(exc=ast.expr() as error):
                if any(isinstance(each, LOOK) for each in ast.walk(error)):
                    yield error
            case ast.Try() | ast.Raise():
                return
            case ast.Expr(ast.Call(ast.Attribute(owner, name))) if name in LOCKING:
                yield from self._looked_up(owner)
            case _:
                yield statement

    def _spins(self, call: ast.Call, loop: ast.While) -> bool:
        """Return whether a loop does nothing but try to acquire one lock until it is
        free: `while not self.lock.acquire(False): pass`."""
        match call:
            case ast.Call(ast.Attribute(lock, "acquire"), [ast.Constant(False)], []):
                pass
            case ast.Call(
                ast.Attribute(lock, "acquire"),
                [],
                [ast.keyword("blocking", ast.Constant(False))],
            ):
                pass
            case _:
                return False
        is_same = all(
            isinstance(each, ast.Name | ast.Attribute | ast.expr_context)
            and getattr(each, "attr", "") not in self._set_later
            for each in ast.walk(lock)
        )
        does_nothing = all(
            isinstance(each, ast.Pass) or ast.unparse(each).startswith(SLEEPS)
            for each in loop.body
        )
        return is_same and does_nothing and not loop.orelse

    def _looked_up(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what is done to find a lock. Who takes it stops there: only what comes
        before is a step."""
        for each in ast.walk(node):
            match each:
                case ast.Call() | ast.Subscript():
                    yield each
                case ast.Attribute(attr=name) if name in self._set_later:
                    yield each

    def _is_visible(self, node: ast.AST | None) -> bool:
        """Return whether another thread could notice when this is evaluated, or change
        what comes of it."""
        for each in ast.walk(node) if node is not None else ():
            match each:
                case ast.Call(func=ast.Name(id=name)) if name in UNSEEN_CALLS:
                    continue
                case ast.Call() | ast.Attribute() | ast.Subscript():
                    return True
                case ast.comprehension(iter=items) if not _is_range(items):
                    return True
                case ast.Compare(ops=ops) if any(map(_looks_inside, ops)):
                    return True
                case ast.Name(id=name) if name in self._shared:
                    return True
        return False

    def _is_rebound(self, node: ast.AST) -> bool:
        match node:
            case ast.Global():
                return True
            case ast.Attribute(value=owner, ctx=ast.Store() | ast.Del()):
                names = {
                    each.id for each in ast.walk(owner) if isinstance(each, ast.Name)
                }
                parts = {
                    each.attr
                    for each in ast.walk(owner)
                    if isinstance(each, ast.Attribute)
                }
                return (
                    bool(names & {*self._known, "cls", "type"}) or "__class__" in parts
                )
        return False

    def _split(self, statement: ast.AugAssign, around: Touches) -> list[ast.stmt]:
        """Return `target += value` as a read and a store."""
        target = statement.target
        new: list[ast.stmt] = []

        def kept(value: ast.expr, number: int) -> ast.Name:
            name = VALUE.format(number)
            new.append(ast.Assign([ast.Name(name, ast.Store())], value))
            return ast.Name(name, ast.Load())

        match target:
            case ast.Attribute():
                owner = kept(target.value, 1)
                read: ast.expr = ast.Attribute(owner, target.attr, ast.Load())
                written: ast.expr = ast.Attribute(owner, target.attr, ast.Store())
            case ast.Subscript():
                owner, index = kept(target.value, 1), kept(target.slice, 2)
                read = ast.Subscript(owner, index, ast.Load())
                written = ast.Subscript(owner, index, ast.Store())
            case _:
                read, written = ast.Name(target.id, ast.Load()), target
        value = kept(read, 3)
        changed = ast.Name(value.id, ast.Store())
        new.append(ast.AugAssign(changed, statement.op, statement.value))
        stored = self._stored(statement, [target], value, around)
        new.append(ast.Assign([written], stored))
        return [ast.copy_location(each, statement) for each in new]

    def _switch(
        self, statement: ast.stmt, nodes: Sequence[ast.AST], around: Touches
    ) -> ast.Expr:
        call = _call(SWITCH, statement, ast.Constant(self._noted(nodes, around)))
        return ast.copy_location(ast.Expr(call), statement)

    def _stored(
        self,
        statement: ast.stmt,
        targets: Sequence[ast.expr],
        value: ast.expr,
        around: Touches,
    ) -> ast.expr:
        text = ast.Constant(", ".join(map(ast.unparse, targets)))
        noted = ast.Constant(self._noted(targets, around))
        return _call(STORE, statement, noted, text, value)

    def _noted(self, nodes: Sequence[ast.AST], around: Touches) -> int:
        """Note what nodes touch, and return its number."""
        return self._number_of(around.union(*map(self._touched, nodes)))

    def _number_of(self, touches: Touches) -> int:
        self.touches.append(touches)
        return len(self.touches) - 1

    def _touched(self, node: ast.AST) -> Touches:
        """Return what is touched when this is evaluated. The functions of this module
        that it calls have switch points of their own, and are left out."""
        touches: set[Touch] = set()
        methods = {
            id(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)
        }
        for each in ast.walk(node):
            match each:
                case ast.Call(func=ast.Name(id=name)):
                    if name in READING_CALLS:
                        touches.add(Touch(ITEMS, Mode.READ))
                    elif name not in self._seen_calls:
                        touches.add(EVERYTHING)
                case ast.Call(func=ast.Attribute(ast.Name(id=name), attr=method)):
                    if name != "self" and name not in self.imported:
                        touches |= _of_method(method)
                    elif name == "self" and method not in self._known:
                        touches.add(EVERYTHING)
                case ast.Call(func=ast.Attribute(attr=method)):
                    touches |= _of_method(method)
                case ast.Call():
                    touches.add(EVERYTHING)
                case ast.Attribute(attr=name, ctx=context) if id(each) not in methods:
                    touches.add(Touch(name, _mode(context)))
                case ast.Subscript(ctx=context):
                    touches.add(Touch(ITEMS, _mode(context)))
                case ast.comprehension():
                    touches.add(Touch(ITEMS, Mode.READ))
                case ast.Compare(ops=ops) if any(map(_looks_inside, ops)):
                    touches.add(Touch(ITEMS, Mode.READ))
                case ast.Name(id=name, ctx=context) if name in self._shared:
                    touches.add(Touch(("variable", name), _mode(context)))
        return frozenset(touches)


def _is_init(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef) and statement.name == "__init__"


def _is_switch(block: Sequence[ast.stmt]) -> bool:
    """Return whether a block begins with a switch point."""
    match block[0]:
        case (
            ast.Expr(value=ast.Call(func=ast.Name(id=name)))
            | ast.Assign(value=ast.Call(func=ast.Name(id=name)))
            | ast.AnnAssign(value=ast.Call(func=ast.Name(id=name)))
        ):
            return name in (SWITCH, STORE)
    return False


def _is_range(items: ast.AST) -> bool:
    match items:
        case ast.Call(func=ast.Name(id="range")):
            return True
    return False


def _looks_inside(operator: ast.cmpop) -> bool:
    return isinstance(operator, ast.In | ast.NotIn)


def _mode(context: ast.expr_context) -> Mode:
    return Mode.READ if isinstance(context, ast.Load) else Mode.CHANGE


def _of_method(name: str) -> set[Touch]:
    """Return what a method touches of an object that can be anything."""
    if name in WAITING_METHODS:
        return set()
    return {Touch(ITEMS, Mode.READ if name in READING_METHODS else Mode.CHANGE)}


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the blocks of a compound statement."""
    parts: list[Any] = [statement]
    parts += getattr(statement, "handlers", [])  # of a try
    parts += getattr(statement, "cases", [])  # of a match
    for part in parts:
        for name in ("body", "orelse", "finalbody"):
            if block := getattr(part, name, None):
                yield block


def _nest(statement: ast.With) -> None:
    """Let each further item be a `with` of its own, which is the same."""
    first, *others = statement.items
    if others:
        inner = ast.copy_location(ast.With(others, statement.body), statement)
        statement.items, statement.body = [first], [inner]


def _targets(statement: ast.stmt) -> list[ast.expr]:
    match statement:
        case ast.Assign(targets=targets):
            return targets
        case ast.AnnAssign(target=target):
            return [target]
    return []


def _call(name: str, statement: ast.stmt, *more: ast.expr) -> ast.Call:
    line = ast.Constant(statement.lineno)
    return ast.Call(ast.Name(name, ast.Load()), [line, *more], [])
