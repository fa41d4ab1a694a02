"""Quotes: what an amount comes to in another currency, promised for a while.

A rate is an exact decimal: major units of one currency for a major unit of another.
What an amount comes to is rounded down to the receiver's minor unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_UP, Context, Decimal
from functools import partial

from wallet_app.domain.clock import SECOND, Clock, Deadline, NewId
from wallet_app.domain.currencies import MINOR_DIGITS
from wallet_app.domain.errors.exchange_errors import (
    AmountNotExchangeable,
    QuoteExpired,
    QuoteMismatch,
    QuoteNotFound,
    QuotesExhausted,
    QuoteUsed,
    RateUnavailable,
    SameCurrency,
)
from wallet_app.domain.transactions import AMOUNT_MAX
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.events import Event
from wallet_app.services.expiring import Expiring
from wallet_app.store import LockFactory, Store

QUOTES_MAX = 100_000
KEPT_SECONDS = 3_600
"""How long a quote is remembered after it can no longer be used, so that a late request
gets `quote_expired`, not 404; for a shorter time if there are very many."""

_EXACT = Context(prec=100)
"""Enough digits for an amount times a rate."""

_INVERSE = Context(prec=34, rounding=ROUND_UP)
"""Rounded up, by less than one part in 10**33: so an amount that comes to whole minor
units comes to just these, and no other amount is carried over the next one."""

Rates = Iterable[tuple[str, str, Decimal]]


@dataclass(slots=True, eq=False)
class Quote:
    """A promise to exchange just these amounts, in minor units, once. `used` is
    protected by the locks of the two liquidity wallets that the exchange goes through;
    nothing else changes."""

    id: str
    from_currency: str
    to_currency: str
    rate: Decimal
    from_amount: int
    to_amount: int
    deadline: Deadline
    used: bool = False

    @property
    def expires_at(self) -> int:
        return self.deadline.date

    def prepare(self, outcome: object) -> tuple[object, tuple[Event, ...]]:
        return outcome, ()

    def commit(self) -> None:
        """Be used, together with the exchange."""
        self.used = True

    def check(self, source: str, target: str, amount: int, now: int) -> None:
        """Refuse an exchange between these currencies that was not promised, or no
        longer is at this time of the monotonic clock."""
        promised = self.from_currency, self.to_currency, self.from_amount
        if promised != (source, target, amount):
            raise QuoteMismatch(self.id, *promised)
        if self.used:
            raise QuoteUsed(self.id)
        if now >= self.deadline.monotonic:
            raise QuoteExpired(self.id, self.expires_at)


class Quotes:
    """Makes quotes and keeps them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        monotonic: Clock,
        new_id: NewId,
        rates: Rates,
        ttl_seconds: int,
        lock_factory: LockFactory,
        quotes_max: int = QUOTES_MAX,
    ) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._new_id = new_id
        self._rates = _both_ways(rates)
        self._ttl_ns = ttl_seconds * SECOND
        self._lock = lock_factory()
        self._quotes = Expiring[Quote](
            quotes_max, ttl_seconds, KEPT_SECONDS, QuotesExhausted
        )

    def create(
        self,
        from_currency: str,
        to_currency: str,
        amount: int,
        on_commit: OnCommits = (),
        caller: str | None = None,
    ) -> Quote:
        """The quote counts for its caller, if one is given: each holds a share of the
        quotes that wait to be used."""
        if from_currency == to_currency:
            raise SameCurrency(from_currency)
        rate = self._rates.get((from_currency, to_currency))
        if rate is None:
            raise RateUnavailable(from_currency, to_currency)
        to_amount = convert(amount, from_currency, to_currency, rate)
        if not 1 <= to_amount <= AMOUNT_MAX:
            raise AmountNotExchangeable(from_currency, to_currency, amount)
        now, monotonic_now = self._clock(), self._monotonic()
        pair = from_currency, to_currency
        self._store.add_liquidity([(each, str(self._new_id())) for each in pair], now)
        quote = Quote(
            str(self._new_id()),
            from_currency,
            to_currency,
            rate,
            amount,
            to_amount,
            Deadline(now + self._ttl_ns, monotonic_now + self._ttl_ns),
        )
        with self._lock:
            self._quotes.ensure_slot(monotonic_now, caller)
            add = partial(self._quotes.add, quote.id, quote, monotonic_now, caller)
            commit(on_commit, quote, add)
        return quote

    def find(self, quote_id: str) -> Quote:
        """Raise QuoteNotFound if there is no such quote."""
        now = self._monotonic()
        with self._lock:
            quote = self._quotes.get(quote_id, now)
        if quote is None:
            raise QuoteNotFound(quote_id)
        return quote

    def release(self, quote_id: str) -> None:
        """Let a used quote be forgotten when another one needs its slot. This comes
        after a commit, so it does not fail."""
        self._quotes.release_after_commit(quote_id, self._lock)


def convert(amount: int, from_currency: str, to_currency: str, rate: Decimal) -> int:
    """Return what an amount comes to, in minor units, rounded down."""
    digits = MINOR_DIGITS[to_currency] - MINOR_DIGITS[from_currency]
    exact = _EXACT.multiply(Decimal(amount), rate).scaleb(digits, _EXACT)
    return int(exact.to_integral_value(ROUND_FLOOR))


def _both_ways(rates: Rates) -> dict[tuple[str, str], Decimal]:
    """Return the rates and their inverses."""
    both = {}
    for base, other, rate in rates:
        both[base, other] = rate
        both[other, base] = _INVERSE.divide(Decimal(1), rate)
    return both
