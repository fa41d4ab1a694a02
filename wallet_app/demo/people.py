"""Some people with money, so that there is something to see. All of it is made up.

Their money moves by the same use cases as everybody's, under a clock that goes through
the days before the start. What the examples of the API description name is theirs, so
that each can be tried at once.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from threading import Lock
from uuid import uuid4

from uuid_utils import UUID

from wallet_app.domain.clock import SECOND, Clock, NewId
from wallet_app.domain.errors.example_values import (
    APPROVAL_ID,
    PAYMENT_ID,
    SOURCE_ID,
    TARGET_ID,
    TRANSACTION_ID,
    USER_ID,
    WEBHOOK_ID,
)
from wallet_app.domain.spending import Limits, Policy
from wallet_app.services.events import EventType
from wallet_app.services.json_forms import JsonObject
from wallet_app.services.service import WalletService

PEOPLE_MAX = 100
"""Names that are known; the page needs no more."""

DAY = 86_400 * SECOND

ASHA = USER_ID
RAVI, MEI, ZOE = (str(UUID(int=(0xDE30 << 112) + n)) for n in range(2, 5))


class Person(JsonObject):
    user_id: str
    name: str


FIRST = (
    Person(ASHA, "Asha Rao"),
    Person(RAVI, "Ravi Kumar"),
    Person(MEI, "Mei Tanaka"),
    Person(ZOE, "Zoë Laurent"),
)

OPENED = (
    (ASHA, "INR", 8_500_000),
    (RAVI, "INR", 4_200_000),
    (ASHA, "USD", 120_000),
    (MEI, "JPY", 250_000),
    (ZOE, "EUR", 310_050),
)
"""Whose wallets there are, and what was first put into each, in minor units."""

EXAMPLES = {
    (ASHA, "INR"): (SOURCE_ID, TRANSACTION_ID),
    (RAVI, "INR"): (TARGET_ID,),
}
"""The wallets that the API description names, and the first transaction of one."""

WEEKS = 4
SPENT = (
    (0, "groceries", 184_050, "Market on the corner"),
    (1, "transport", 24_000, "Metro card"),
    (2, "food", 92_575, "Lunch with the team"),
    (4, "recharge", 39_900, "Phone, 28 days"),
    (5, "entertainment", 75_000, "Cinema for two"),
)
"""What is spent in each week from an INR wallet: day, category, amount, and on what."""

RENT = (1_250_000, "rent", "My half of the rent")
RECEIVER = "https://receiver.example/wallets"
"""It does not exist (RFC 2606), and is sent what seldom happens."""

SALARY = (6_400_000, "salary", "Salary")


class DemoClock:
    """The injected clock, set back while the people's past is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.set_back_ns = 0

    def __call__(self) -> int:
        return self._clock() - self.set_back_ns


class DemoIds:
    """The injected ids, but first those that are said to come."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self.coming: deque[UUID] = deque()

    def __call__(self) -> UUID:
        return self.coming.popleft() if self.coming else self._new_id()

    def expect(self, *ids: str) -> None:
        """Say which ids come next."""
        self.coming.extend(map(UUID, ids))


class People:
    """Everybody who has a name on the page."""

    def __init__(self, service: WalletService, clock: DemoClock, ids: DemoIds) -> None:
        self._lock = Lock()
        self._people = list(FIRST)
        _make_past(service, clock, ids)

    def all(self) -> list[Person]:
        with self._lock:
            return list(self._people)

    def add(self, name: str) -> Person | None:
        """Return a new person with this name, and a number if there is one whose name
        looks the same: Asha Rao (2). None if there are too many."""
        with self._lock:
            if len(self._people) >= PEOPLE_MAX:
                return None
            taken = {_look_of(person.name) for person in self._people}
            called, number = name, 2
            while _look_of(called) in taken:
                called, number = f"{name} ({number})", number + 1
            person = Person(str(uuid4()), called)
            self._people.append(person)
        return person


def _look_of(name: str) -> str:
    """Return what a reader sees of a name: no case, and nothing that is invisible."""
    plain = unicodedata.normalize("NFKC", name)
    visible = (each for each in plain if unicodedata.category(each) != "Cf")
    return " ".join("".join(visible).casefold().split())


def _make_past(service: WalletService, clock: DemoClock, ids: DemoIds) -> None:
    """Make the weeks before the start. Limits and fraud rules hold from now on only:
    they would hold what happened before."""
    clock.set_back_ns = (7 * WEEKS + 1) * DAY
    wallets, policies = {}, {}
    for user, currency, amount in OPENED:
        ids.expect(*EXAMPLES.get((user, currency), ()))
        wallet_id = wallets[user, currency] = service.create_wallet(user, currency).id
        wallet = service.store.wallets[wallet_id]
        policies[wallet_id], wallet.policy = wallet.policy, Policy()
        service.add(wallet_id, amount, "opening", "To begin with")
    asha, ravi, mei = wallets[ASHA, "INR"], wallets[RAVI, "INR"], wallets[MEI, "JPY"]
    for _ in range(WEEKS):
        service.transfer(ravi, asha, *RENT)
        service.add(ravi, *SALARY)
        for day in range(7):
            for at, category, amount, description in SPENT:
                if at == day:
                    service.deduct(asha, amount, category, description)
            clock.set_back_ns -= DAY
    ids.expect(PAYMENT_ID)
    service.deposit(mei, 60_000, "sandbox-ok")
    service.background.run_due()
    service.deduct(mei, 18_400, "travel", "Train to Kyoto")
    service.store.wallets[mei].policy = Policy(limits=Limits(approval_threshold=50_000))
    ids.expect(str(ids()), APPROVAL_ID)  # first that of the transaction that waits
    service.deduct(mei, 120_000, "travel", "Flight to Osaka")
    service.cancel_approval(APPROVAL_ID)
    service.deduct(wallets[ZOE, "EUR"], 4_390, "food", "Dîner")
    for wallet_id, policy in policies.items():
        service.store.wallets[wallet_id].policy = policy
    ids.expect(WEBHOOK_ID)
    service.create_webhook(RECEIVER, [EventType.PAYMENT_FAILED])
    clock.set_back_ns = 0
