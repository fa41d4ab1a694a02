"""Somebody's wallets: found in a file, and called by the names that they have there.

A subject is a class, or a module of functions, that can do some of what the exercise
asks. A class without `create` is one wallet, and each wallet an object of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from types import ModuleType
from typing import Any

from tests.concurrency.primitives import Lock
from tests.concurrency.scheduler import UNSHOWN

UNSHOWN.add(__file__)

SUFFIXES = ("", "_money", "_funds", "_amount", "_to_wallet", "_from_wallet")


def _with_suffixes(*verbs: str) -> tuple[str, ...]:
    return tuple(f"{verb}{suffix}" for verb in verbs for suffix in SUFFIXES)


NAMES: dict[str, tuple[str, ...]] = {
    "create": (
        *("create", "create_wallet", "open", "open_wallet", "new_wallet"),
        *("create_account", "open_account", "add_wallet", "add_account", "register"),
    ),
    "add": _with_suffixes("add", "deposit", "credit", "fund", "top_up"),
    "deduct": _with_suffixes("deduct", "withdraw", "debit", "spend", "pay", "subtract"),
    "transfer": _with_suffixes("transfer", "send", "move", "transfer_to"),
    "balance": ("balance", "get_balance", "balance_of", "current_balance"),
    "history": (
        *("history", "transactions", "get_history", "get_transactions", "statement"),
    ),
}
"""What each operation is called, by those who have written one."""

READ = ("balance", "history")
"""What need not be a method."""

OPENED = {"asha": 100, "ravi": 100}
"""The wallets at first."""

REFUSED = "refused"


class NoSubject(Exception):
    """There is nothing in the file that could be explored."""


@dataclass(frozen=True)
class Operation:
    """One call of a program: `Operation("add", ("asha",), 60)`."""

    kind: str
    wallets: tuple[str, ...]
    amount: int | None = None
    name: str = ""
    """What it is called in the subject."""

    def __call__(self, wallets: Wallets) -> object:
        return wallets.call(self)

    @property
    def ends(self) -> tuple[str, str]:
        """The wallets that the amount leaves and that it comes to, if there are any."""
        match self.kind:
            case "add":
                return "", self.wallets[0]
            case "deduct":
                return self.wallets[0], ""
            case "transfer":
                return self.wallets[0], self.wallets[1]
        return "", ""

    def __repr__(self) -> str:
        values = [*self.wallets, *([self.amount] if self.amount is not None else ())]
        return f"{self.name or self.kind}({', '.join(map(str, values))})"


class Subject:
    """What a module offers, and how it is called."""

    def __init__(
        self, module: ModuleType, cls: str = "", called: Mapping[str, str] = {}
    ) -> None:
        if cls and not isinstance(getattr(module, cls, None), type):
            raise NoSubject(f"there is no class {cls!r}")
        self.cls = cls or _class_in(module, called)
        owner = getattr(module, self.cls) if self.cls else module
        self.names = _names(owner, called)
        for kind in called:
            if kind not in self.names:
                raise NoSubject(f"there is no {called[kind]!r} to {kind} with")
        if not {"add", "deduct", "transfer"} & set(self.names):
            raise NoSubject("it has neither add nor deduct nor transfer")
        self.is_one_wallet = "create" not in self.names and bool(self.cls)

    @property
    def missing(self) -> list[str]:
        """What the exercise asks for and nothing was found for."""
        wanted = [each for each in NAMES if each != "create" or not self.is_one_wallet]
        return [kind for kind in wanted if kind not in self.names]

    def offered(self, operations: Iterable[Operation]) -> list[Operation]:
        """Return those that it has, by the names that it has for them."""
        return [
            replace(each, name=self.names[each.kind])
            for each in operations
            if each.kind in self.names
        ]

    def opened(self, module: ModuleType) -> Wallets:
        """Return new wallets, which hold what they do at first."""
        wallets = Wallets(self, module)
        for name, balance in OPENED.items():
            wallets.open(name, balance)
        return wallets


class Wallets:
    """The wallets of one run, by name."""

    def __init__(self, subject: Subject, module: ModuleType) -> None:
        self._subject = subject
        self._new: Any = getattr(module, subject.cls) if subject.cls else None
        self._whole: Any = module
        if self._new is not None and not subject.is_one_wallet:
            self._whole = self._new()
        self._wallets: dict[str, Any] = {}
        self._made: dict[str, Any] = {}
        """What `create` has returned."""

    def open(self, name: str, balance: int) -> None:
        """Create a wallet that holds so much."""
        self.call(Operation("create", (name,)))
        if not self._subject.is_one_wallet:
            self._settle(name)
        if balance and "add" in self._subject.names:
            held = self.call(Operation("balance", (name,)))
            missing = balance - held if isinstance(held, int) else balance
            if missing > 0:
                self.call(Operation("add", (name,), missing))

    def call(self, operation: Operation) -> object:
        """Return what the subject answers, without what differs from run to run."""
        name = self._subject.names.get(operation.kind, "")
        if operation.kind == "create":
            return self._create(name, operation.wallets[0])
        if not name:
            return None
        known = [self._wallets.get(each, each) for each in operation.wallets]
        owner = self._whole
        if self._subject.is_one_wallet:
            owner, *known = known
        amount = [] if operation.amount is None else [operation.amount]
        answer = getattr(owner, name)
        if callable(answer):
            answer = answer(*known, *amount)
        elif known and isinstance(answer, Mapping):
            answer = answer.get(known[0])
        return _plain(operation.kind, answer)

    def _create(self, name: str, user: str) -> object:
        if self._subject.is_one_wallet:
            self._wallets[user] = _called(self._new, user)
            return "created"
        if not name:  # functions for wallets that nobody creates
            self._wallets[user] = user
            return "created"
        made = _called(getattr(self._whole, name), user)
        self._made.setdefault(user, made)
        self._wallets.setdefault(user, _ids_in(made, user)[0])
        return "created"

    def _settle(self, user: str) -> None:
        """Find out by what a wallet is known, if its balance can be read."""
        for known in _ids_in(self._made.get(user), user):
            before, self._wallets[user] = self._wallets[user], known
            with suppress(Exception):
                self.call(Operation("balance", (user,)))
                return
            self._wallets[user] = before

    def name_locks(self) -> None:
        """Give locks the names of the attributes that they are in."""
        _name_locks(self._whole, "", 3)
        if self._subject.is_one_wallet:
            for name, wallet in self._wallets.items():
                _name_locks(wallet, name, 3)


def _class_in(module: ModuleType, called: Mapping[str, str]) -> str:
    """Return the name of the class that can do most of what is asked; none if the
    module itself can do more."""
    classes = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__
        if not inspect.isabstract(each)
    ]
    best = max([module, *classes], key=lambda each: len(_names(each, called)))
    return best.__name__ if isinstance(best, type) else ""


def _names(owner: object, called: Mapping[str, str]) -> dict[str, str]:
    """Return what each operation is called by its owner, if it has it: a method rather
    than an attribute."""
    found = {}
    for kind, known in NAMES.items():
        names = (called[kind],) if kind in called else known
        methods = [each for each in names if callable(getattr(owner, each, None))]
        if kind in READ:
            methods += [each for each in names if hasattr(owner, each)]
            methods += [each for each in names if each in _fields(owner)]
        if methods:
            found[kind] = methods[0]
    return found


def _fields(owner: object) -> Sequence[str]:
    """Return the attributes that a class sets in its `__init__`."""
    init = getattr(owner, "__init__", None)
    code = getattr(init, "__code__", None)
    return () if code is None or not isinstance(owner, type) else code.co_names


def _called(create: Callable[..., object], user: str) -> object:
    """Call what makes a wallet: with its user, and with a balance of 0, as far as it
    takes them."""
    needed = [
        each
        for each in inspect.signature(create).parameters.values()
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    ]
    values = [
        0 if number or "balance" in each.name else user
        for number, each in enumerate(needed[:2])
    ]
    return create(*values)


def _ids_in(made: Any, user: str) -> list[object]:
    """Return by what a wallet may be known that was created, most likely first: an id
    in what was returned, that itself, or the name of its user."""
    if made is None or isinstance(made, bool):
        return [user]
    names = ("id", "wallet_id", "walletId")
    if isinstance(made, dict):
        return [*(made[name] for name in names if name in made), user]
    ids = [getattr(made, name) for name in names if hasattr(made, name)]
    return [*ids, made, user]


def _plain(kind: str, answer: Any) -> object:
    """Return an answer as a value that can be compared: ids and times are left out."""
    if kind == "balance":
        return _whole(_member(answer, "balance", answer))
    if kind == "history":
        return tuple(_member(each, "amount", "entry") for each in answer or ())
    if answer is False:
        return REFUSED
    answer = _whole(answer)
    return answer if isinstance(answer, int | float | Decimal) else "done"


def _whole(balance: object) -> object:
    """Return an amount of a currency's units as an integer, however it is kept."""
    if isinstance(balance, float | Decimal) and balance % 1 == 0:
        return int(balance)
    return balance


def _member(whole: object, name: str, otherwise: object) -> object:
    """Return a key of a dictionary, an attribute of an object, or the number itself."""
    if isinstance(whole, dict):
        return whole.get(name, otherwise)
    return whole if isinstance(whole, int) else getattr(whole, name, otherwise)


def _name_locks(owner: object, path: str, depth: int) -> None:
    """Name the locks in an object, and in what it holds."""
    if isinstance(owner, Lock):
        owner.lock.name = path or owner.lock.name
    elif depth:
        if isinstance(owner, dict):
            inside = {f"{path}[{key!r}]": each for key, each in list(owner.items())}
        else:
            names = [*getattr(owner, "__dict__", ()), *getattr(owner, "__slots__", ())]
            inside = {f"{path}.{name}": getattr(owner, name, None) for name in names}
        for name, each in inside.items():
            if not isinstance(each, ModuleType | type):
                _name_locks(each, name.removeprefix("."), depth - 1)
