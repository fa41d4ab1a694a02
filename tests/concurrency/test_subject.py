"""Somebody's wallets are found in a file, whatever they are called."""

from __future__ import annotations

import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from tests.concurrency.examine import CHANGES
from tests.concurrency.instrument import Source
from tests.concurrency.scheduler import Scheduler
from tests.concurrency.subject import NAMES, NoSubject, Operation, Subject

ASHA, RAVI = ("asha",), ("ravi",)


def module_of(text: str) -> ModuleType:
    module = ModuleType("written")
    exec(textwrap.dedent(text), vars(module))
    return module


def balances(text: str, cls: str = "") -> list[object]:
    """Return what two new wallets hold, and what they do after a transfer."""
    module = module_of(text)
    subject = Subject(module, cls)
    wallets = subject.opened(module)

    def held() -> list[object]:
        return [wallets.call(Operation("balance", name)) for name in (ASHA, RAVI)]

    before = held()
    wallets.call(Operation("deduct", ASHA, 60))
    wallets.call(Operation("add", RAVI, 60))
    return [*before, *held()]


MOVED = [100, 100, 40, 160]


# What is found


def test_the_class_that_can_do_most_is_found() -> None:
    module = module_of(
        """
        class Wallet:
            def add(self, n): pass
            def deduct(self, n): pass
        class Bank:
            def open_account(self, user): pass
            def deposit(self, user, n): pass
            def send(self, source, target, n): pass
        class Report:
            def statement(self): pass
        """
    )
    subject = Subject(module)
    assert subject.cls == "Bank"
    assert subject.names == {
        "create": "open_account",
        "add": "deposit",
        "transfer": "send",
    }
    assert not subject.is_one_wallet


def test_another_class_can_be_named() -> None:
    module = module_of(
        """
        class Bank:
            def create(self, user): pass
            def add(self, user, n): pass
        class Wallet:
            def add(self, n): pass
        """
    )
    assert Subject(module).cls == "Bank"
    assert Subject(module, "Wallet").is_one_wallet
    with pytest.raises(NoSubject, match="there is no class 'Purse'"):
        Subject(module, "Purse")


def test_a_class_that_leaves_its_methods_to_another_is_not_found() -> None:
    module = module_of(
        """
        from abc import ABC, abstractmethod
        class Bank(ABC):
            @abstractmethod
            def add(self, n): pass
        class MyBank(Bank):
            def add(self, n): pass
        """
    )
    assert Subject(module).cls == "MyBank"


def test_functions_of_a_module_are_a_subject() -> None:
    text = """
        wallets = {}
        class InsufficientFunds(Exception): pass
        def create(name): wallets[name] = 0
        def add(name, n): wallets[name] += n
        def deduct(name, n): wallets[name] -= n
        def balance(name): return wallets[name]
    """
    assert Subject(module_of(text)).cls == ""
    assert balances(text) == MOVED


def test_functions_may_know_wallets_that_nobody_creates() -> None:
    text = """
        from collections import Counter
        wallets = Counter()
        def add(name, n): wallets[name] += n
        def deduct(name, n): wallets[name] -= n
        def balance(name): return wallets[name]
    """
    assert balances(text) == MOVED


def test_a_name_that_nobody_would_guess_is_said() -> None:
    module = module_of("class Wallet:\n    def pour(self, n): pass")
    assert Subject(module, called={"add": "pour"}).names == {"add": "pour"}


@pytest.mark.parametrize(
    ("text", "called", "said"),
    [
        ("class Wallet:\n    def add(self, n): pass", {"add": "pour"}, "no 'pour' to"),
        ("class Wallet:\n    def look(self): pass", {}, "neither add nor deduct nor"),
        ("", {}, "neither add nor deduct nor transfer"),
        ("class Wallet:\n    add = 5", {}, "neither add nor deduct nor transfer"),
    ],
)
def test_a_file_without_wallets_is_no_subject(
    text: str, called: dict[str, str], said: str
) -> None:
    with pytest.raises(NoSubject, match=said):
        Subject(module_of(text), called=called)


def test_only_what_it_can_do_is_called_by_its_own_names() -> None:
    subject = Subject(module_of("class W:\n    def top_up(self, n): pass"))
    assert list(map(repr, subject.offered(CHANGES))) == ["top_up(asha, 60)"]


# How wallets are made, and known


CREATED = {
    "nothing is returned": "def create(self, user): self.new(user)",
    "a string": "def create(self, user): return self.new('w-' + user)",
    "a number": "def create(self, user): return self.new(len(self.held) + 7)",
    "a dict with an id": "def create(self, user): return {'id': self.new('w-' + user)}",
    "a dict with another id": (
        "def create(self, user): return {'wallet_id': self.new('w-' + user)}"
    ),
    "a dict without an id": "def create(self, user): self.new(user); return {}",
    "an object with an id": (
        "def create(self, user): return types.SimpleNamespace(id=self.new('w-' + user))"
    ),
    "an object with an id that is not asked for": (
        "def create(self, user):\n"
        "        self.new(user); return types.SimpleNamespace(id=5)"
    ),
    "an object that is the wallet": "def create(self, user): return self.new(object())",
    "an object, known by its user": (
        "def create(self, user): self.new(user); return object()"
    ),
    "success": "def create(self, user): self.new(user); return True",
    "no parameter": "def create(self): return self.new('w-%d' % len(self.held))",
    "two parameters": "def create(self, user, held): return self.new(user, held)",
    "an optional one": "def create(self, user, held=5): return self.new(user, held)",
    "anything": (
        "def create(self, *args, **more):\n        [user] = args; return self.new(user)"
    ),
    "a keyword": "def create(self, user, *, limit=5): return self.new(user)",
}


@pytest.mark.parametrize("create", CREATED.values(), ids=CREATED)
def test_a_wallet_is_known_by_what_create_returns(create: str) -> None:
    text = f"""
import types
class Wallets:
    def __init__(self): self.held = {{}}
    def new(self, key, held=0): self.held[key] = held; return key
    {create}
    def add(self, key, n): self.held[key] += n
    def deduct(self, key, n): self.held[key] -= n
    def balance(self, key): return self.held[key]
"""
    assert balances(text) == MOVED


ONE_WALLET = {
    "an attribute": "def __init__(self): self.balance = 0",
    "a user": "def __init__(self, user): self.user, self.balance = user, 0",
    "a user and a balance": "def __init__(self, user, balance): self.balance = balance",
    "a balance": "def __init__(self, balance): self.balance = balance",
    "a balance at first": "def __init__(self, balance=30): self.balance = balance",
    "a class attribute": "balance = 0",
    "a float": "def __init__(self): self.balance = 0.0",
    "a Decimal": "def __init__(self): self.balance = decimal.Decimal('0.00')",
}


@pytest.mark.parametrize("init", ONE_WALLET.values(), ids=ONE_WALLET)
def test_a_class_without_create_is_one_wallet(init: str) -> None:
    text = f"""
import decimal
class Wallet:
    {init}
    def add(self, n): self.balance += n
    def deduct(self, n): self.balance -= n
"""
    moved = balances(text)
    assert moved == MOVED
    assert {type(each) for each in moved} == {int}


BALANCES = {
    "a property": "@property\n    def balance(self): return self.held",
    "a method": "def get_balance(self): return self.held",
    "a dict": "def balance(self): return {'balance': self.held, 'currency': 'INR'}",
    "an object": (
        "def balance(self): return types.SimpleNamespace(balance=self.held, at=0)"
    ),
}


@pytest.mark.parametrize("balance", BALANCES.values(), ids=BALANCES)
def test_a_balance_is_read_however_it_is_kept(balance: str) -> None:
    text = f"""
import types
class Wallet:
    def __init__(self): self.held = 0
    def add(self, n): self.held += n
    def deduct(self, n): self.held -= n
    {balance}
"""
    assert balances(text) == MOVED


def test_a_balance_may_be_an_entry_of_the_service_s_dictionary() -> None:
    text = """
        class Wallets:
            def __init__(self): self.balance = {}
            def create(self, user): self.balance[user] = 0
            def add(self, user, n): self.balance[user] += n
            def deduct(self, user, n): self.balance[user] -= n
    """
    assert balances(text) == MOVED


def test_a_transfer_of_one_wallet_gets_the_other_one() -> None:
    module = module_of(
        """
        class Wallet:
            def __init__(self): self.balance = 0
            def add(self, n): self.balance += n
            def transfer_to(self, other, n):
                self.balance -= n
                other.balance += n
        """
    )
    wallets = Subject(module).opened(module)
    wallets.call(Operation("transfer", ("asha", "ravi"), 60))
    held = [wallets.call(Operation("balance", name)) for name in (ASHA, RAVI)]
    assert held == [40, 160]


ANSWERS = [
    ("False", "refused"),
    ("True", True),
    ("160", 160),
    ("None", "done"),
    ("{'id': 5, 'at': 12.5}", "done"),
    ("object()", "done"),
]


@pytest.mark.parametrize(("answer", "plain"), ANSWERS)
def test_an_answer_is_compared_without_what_differs_from_run_to_run(
    answer: str, plain: object
) -> None:
    text = f"class Wallet:\n    def add(self, n): return {answer}"
    module = module_of(text)
    wallets = Subject(module).opened(module)
    assert wallets.call(Operation("add", ASHA, 60)) == plain


def test_a_history_is_compared_by_its_amounts() -> None:
    module = module_of(
        """
        class Wallet:
            def __init__(self): self.seen = []
            def add(self, n): self.seen.append({"id": object(), "amount": n})
            def history(self): return self.seen
        """
    )
    wallets = Subject(module).opened(module)
    wallets.call(Operation("add", ASHA, 60))
    assert wallets.call(Operation("history", ASHA)) == (100, 60)


def test_locks_have_the_names_of_the_attributes_that_they_are_in(
    tmp_path: Path, scheduler: Scheduler
) -> None:
    path = tmp_path / "written.py"
    path.write_text(
        textwrap.dedent(
            """\
            import threading
            class Account:
                def __init__(self):
                    self.lock = threading.RLock()
            class Wallets:
                def __init__(self):
                    self._lock = threading.Lock()
                    self.accounts = {}
                def create(self, user):
                    self.accounts[user] = Account()
                def add(self, user, n):
                    pass
            """
        )
    )
    module = Source(path, scheduler).module()
    wallets = Subject(module).opened(module)
    wallets.name_locks()
    whole = wallets._whole
    assert whole._lock.lock.name == "_lock"
    names = [each.lock.lock.name for each in whole.accounts.values()]
    assert names == ["accounts['asha'].lock", "accounts['ravi'].lock"]


@pytest.mark.parametrize(
    "name", ["withdraw_funds", "deduct_money", "spend", "debit_from_wallet"]
)
def test_a_verb_is_found_with_what_people_add_to_it(name: str) -> None:
    assert name in NAMES["deduct"]
