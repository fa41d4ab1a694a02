"""Some people with money, so that there is something to see. All of it is made up.

Their money moves by the same use cases as everybody's, under a clock that goes through
the days before the start.
"""

from __future__ import annotations

from threading import Lock
from uuid import UUID, uuid4

from wallet_app.domain.clock import SECOND, Clock
from wallet_app.domain.spending import Policy
from wallet_app.services.json_forms import JsonObject
from wallet_app.services.service import WalletService

PEOPLE_MAX = 100
"""Names that are known; the page needs no more."""

DAY = 86_400 * SECOND

ASHA, RAVI, MEI, ZOE = (str(UUID(int=(0xDE30 << 112) + n)) for n in range(1, 5))


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
SALARY = (6_400_000, "salary", "Salary")


class DemoClock:
    """The injected clock, set back while the people's past is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.set_back_ns = 0

    def __call__(self) -> int:
        return self._clock() - self.set_back_ns


class People:
    """Everybody who has a name on the page."""

    def __init__(self, service: WalletService, clock: DemoClock) -> None:
        self._lock = Lock()
        self._people = list(FIRST)
        _make_past(service, clock)

    def all(self) -> list[Person]:
        with self._lock:
            return list(self._people)

    def add(self, name: str) -> Person | None:
        """Return a new person with this name; None if there are too many."""
        person = Person(str(uuid4()), name)
        with self._lock:
            if len(self._people) >= PEOPLE_MAX:
                return None
            self._people.append(person)
        return person


def _make_past(service: WalletService, clock: DemoClock) -> None:
    """Make the weeks before the start. Limits and fraud rules hold from now on only:
    they would hold what happened before."""
    clock.set_back_ns = (7 * WEEKS + 1) * DAY
    ids, policies = {}, {}
    for user, currency, amount in OPENED:
        wallet_id = ids[user, currency] = service.create_wallet(user, currency).id
        wallet = service.store.wallets[wallet_id]
        policies[wallet_id], wallet.policy = wallet.policy, Policy()
        service.add(wallet_id, amount, "opening", "To begin with")
    asha, ravi = ids[ASHA, "INR"], ids[RAVI, "INR"]
    for _ in range(WEEKS):
        service.transfer(ravi, asha, *RENT)
        service.add(ravi, *SALARY)
        for day in range(7):
            for at, category, amount, description in SPENT:
                if at == day:
                    service.deduct(asha, amount, category, description)
            clock.set_back_ns -= DAY
    service.deduct(ids[MEI, "JPY"], 18_400, "travel", "Train to Kyoto")
    service.deduct(ids[ZOE, "EUR"], 4_390, "food", "Dîner")
    for wallet_id, policy in policies.items():
        service.store.wallets[wallet_id].policy = policy
    clock.set_back_ns = 0
