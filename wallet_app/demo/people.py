"""Some people with money, so that there is something to see. All of it is made up.

Their money moves by the same path as everybody's, under a clock that goes through the
days before the start.
"""

from __future__ import annotations

from threading import Lock
from uuid import UUID, uuid4

from msgspec import Struct

from wallet_app.services.money import Money
from wallet_app.services.service import WalletService
from wallet_app.store import Wallet

PEOPLE_MAX = 100
"""Names that are known; the page needs no more."""

DAY = 86_400_000_000_000
"""Nanoseconds."""

ASHA, RAVI, MEI, ZOE = (str(UUID(int=(0xDE30 << 112) + n)) for n in range(1, 5))


class Person(Struct, frozen=True):
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


class People:
    """Everybody who has a name on the page."""

    def __init__(self, service: WalletService) -> None:
        self._lock = Lock()
        self._people = list(FIRST)
        _Past(service).happen()

    def all(self) -> list[Person]:
        with self._lock:
            return list(self._people)

    def add(self, name: str) -> Person | None:
        """Return a new person with this name; None where there are too many."""
        person = Person(str(uuid4()), name)
        with self._lock:
            if len(self._people) >= PEOPLE_MAX:
                return None
            self._people.append(person)
        return person


class _Past:
    """The weeks before the start, as they happened to the first people: before there
    were the limits and the fraud rules that the settings have for every wallet."""

    def __init__(self, service: WalletService) -> None:
        self._service = service
        self._now = service.clock() - (7 * WEEKS + 1) * DAY
        self._money = Money(
            service.store, lambda: self._now, service.new_id, service.outbox
        )

    def happen(self) -> None:
        wallets = {}
        for user, currency, amount in OPENED:
            wallets[user, currency] = self._open(user, currency)
            self._money.add(
                wallets[user, currency].id, amount, "opening", "To begin with"
            )
        asha, ravi = wallets[ASHA, "INR"].id, wallets[RAVI, "INR"].id
        for _ in range(WEEKS):
            self._week(asha, ravi)
        self._money.deduct(wallets[MEI, "JPY"].id, 18_400, "travel", "Train to Kyoto")
        self._money.deduct(wallets[ZOE, "EUR"].id, 4_390, "food", "Dîner")
        for wallet in wallets.values():
            with wallet:
                wallet.policy = self._policy

    def _open(self, user: str, currency: str) -> Wallet:
        """Open a wallet that is as old as its history."""
        store = self._service.store
        with store.registry:
            wallet = store.new_wallet(
                str(self._service.new_id()), user, currency, self._now
            )
            self._policy, wallet.policy = wallet.policy, None
            with store.publish(wallet):
                pass
        return wallet

    def _week(self, asha: str, ravi: str) -> None:
        self._money.transfer(ravi, asha, *RENT)
        self._money.add(ravi, *SALARY)
        for day in range(7):
            for at, category, amount, description in SPENT:
                if at == day:
                    self._money.deduct(asha, amount, category, description)
            self._now += DAY
