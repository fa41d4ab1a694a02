"""Money in other currencies: quotes, and the exchanges that use them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from hypothesis import assume, given
from hypothesis import strategies as st
from uuid_utils import uuid4 as new_uuid

from tests.answers import NOBODY, assert_problem, post
from tests.ledgers import (
    FULL,
    SECOND,
    BoundedLock,
    Clock,
    Codes,
    Ids,
    balances,
    everything,
    made,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app import create_app
from wallet_app.domain.currencies import MINOR_DIGITS
from wallet_app.domain.errors.approval_errors import ApprovalExpired
from wallet_app.domain.errors.exchange_errors import (
    AmountNotExchangeable,
    LiquidityExhausted,
    QuoteExpired,
    QuoteMismatch,
    QuoteNotFound,
    QuotesExhausted,
    QuoteUsed,
    RateUnavailable,
    SameCurrency,
)
from wallet_app.domain.errors.families import WalletError
from wallet_app.domain.errors.wallet_errors import (
    BalanceOverflow,
    CurrencyMismatch,
    InsufficientFunds,
    LimitExceeded,
    SameWallet,
    WalletFrozen,
    WalletNotFound,
)
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import (
    AMOUNT_MAX,
    HOUSE,
    Transaction,
    TransactionType,
)
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.money import Money
from wallet_app.services.quotes import KEPT_SECONDS, Quote, Quotes, convert
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings
from wallet_app.store import Wallet

OUT, IN = TransactionType.TRANSFER_OUT, TransactionType.TRANSFER_IN
TTL_SECONDS = 60
TIMEOUT_SECONDS = 10
RATES = (
    ("USD", "INR", Decimal("83.12")),
    ("JPY", "INR", Decimal("0.57")),
    ("BHD", "JPY", Decimal("401.237")),
)

Call = Callable[[], object]


class House:
    """A service with rates, a wallet of 1,000.00 INR and an empty one in USD."""

    def __init__(self, target: str = "USD") -> None:
        self.clock, self.codes = Clock(), Codes()
        self.service = new_service(
            Settings(fx_rates=RATES),
            clock=self.clock,
            new_code=self.codes,
            send_code=self.codes.send,
        )
        self.source = open_wallet(self.service, 100_000)
        self.target = open_wallet(self.service, currency=target)

    def quote(self, amount: int = 83_120) -> Quote:
        currency = self.service.get_wallet(self.target).currency
        return self.service.create_quote("INR", currency, amount)

    def exchange(self, quote: Quote, **others: Any) -> tuple[Transaction, Transaction]:
        asked: dict[str, Any] = {
            "source_id": self.source,
            "target_id": self.target,
            "amount": quote.from_amount,
            "quote_id": quote.id,
        }
        return made(self.service.transfer(**asked | others))

    def ask_for_approval(self, quote: Quote) -> ApprovalSnapshot:
        """Ask for an exchange that is above the threshold."""
        self.service.set_limits(
            self.source, Limits(approval_threshold=quote.from_amount - 1)
        )
        with nothing_moves(self.service):
            approval = self.service.transfer(
                self.source, self.target, quote.from_amount, quote_id=quote.id
            )
        assert isinstance(approval, ApprovalSnapshot)
        return approval


@pytest.fixture
def house() -> House:
    return House()


# What an amount comes to


@pytest.mark.parametrize(
    ("source", "target", "amount", "comes_to"),
    [
        ("USD", "INR", 1, 83),
        ("USD", "INR", 100, 8_312),
        ("INR", "USD", 8_312, 100),
        ("INR", "USD", 8_311, 99),
        ("INR", "USD", 83_120, 1_000),
        ("JPY", "INR", 1, 57),
        ("JPY", "INR", 100, 5_700),
        ("INR", "JPY", 57, 1),
        ("INR", "JPY", 113, 1),
        ("INR", "JPY", 114, 2),
        ("BHD", "JPY", 1_000, 401),
        ("BHD", "JPY", 1_000_000, 401_237),
        ("JPY", "BHD", 401_237, 1_000_000),
        ("JPY", "BHD", 401_236, 999_997),
    ],
)
def test_an_amount_comes_to_what_the_rate_says_rounded_down(
    house: House, source: str, target: str, amount: int, comes_to: int
) -> None:
    quote = house.service.create_quote(source, target, amount)
    assert (quote.from_amount, quote.to_amount) == (amount, comes_to)
    assert convert(amount, source, target, quote.rate) == comes_to


rates = st.builds(
    lambda digits, point: Decimal(digits).scaleb(-point),
    st.integers(1, 10**15 - 1),
    st.integers(0, 14),
)


@pytest.mark.slow
@given(
    source=st.sampled_from(list(MINOR_DIGITS)),
    target=st.sampled_from(list(MINOR_DIGITS)),
    rate=rates,
    inverse=st.booleans(),
    amount=st.integers(1, AMOUNT_MAX),
)
def test_every_amount_comes_to_the_exact_one_rounded_down(
    source: str, target: str, rate: Decimal, inverse: bool, amount: int
) -> None:
    assume(source != target)
    exact_rate = 1 / Fraction(rate) if inverse else Fraction(rate)
    minor = Fraction(10) ** (MINOR_DIGITS[target] - MINOR_DIGITS[source])
    exact = amount * exact_rate * minor
    given_rate = (target, source, rate) if inverse else (source, target, rate)
    service = new_service(Settings(fx_rates=(given_rate,)))
    if not 1 <= exact < AMOUNT_MAX + 1:
        with pytest.raises(AmountNotExchangeable):
            service.create_quote(source, target, amount)
    else:
        quote = service.create_quote(source, target, amount)
        assert quote.to_amount == exact.numerator // exact.denominator


def test_a_quote_promises_amounts_for_a_while(house: House) -> None:
    quote = house.service.create_quote("USD", "INR", 100)
    assert (quote.from_currency, quote.to_currency) == ("USD", "INR")
    assert quote.rate == Decimal("83.12")
    assert quote.expires_at == house.clock.now + TTL_SECONDS * SECOND
    assert house.service.quotes.find(quote.id) is quote


REFUSED_QUOTES: list[tuple[type[WalletError], tuple[str, str, int]]] = [
    (SameCurrency, ("INR", "INR", 1)),
    (RateUnavailable, ("USD", "JPY", 100)),
    (RateUnavailable, ("USD", "EUR", 100)),
    (AmountNotExchangeable, ("INR", "USD", 83)),
    (AmountNotExchangeable, ("USD", "INR", AMOUNT_MAX)),
]


@pytest.mark.parametrize(("refusal", "asked"), REFUSED_QUOTES, ids=str)
def test_what_cannot_be_exchanged_is_not_quoted(
    house: House, refusal: type[WalletError], asked: tuple[str, str, int]
) -> None:
    with nothing_moves(house.service), pytest.raises(refusal):
        house.service.create_quote(*asked)
    assert not house.service.store.liquidity


def test_the_least_amount_that_comes_to_something_is_quoted(house: House) -> None:
    assert house.quote(84).to_amount == 1


def test_a_quote_is_remembered_for_a_while_after_it_expired(house: House) -> None:
    quote = house.quote()
    kept_seconds = TTL_SECONDS + KEPT_SECONDS
    house.clock.now += kept_seconds * SECOND - 1
    house.quote()
    assert house.service.quotes.find(quote.id) is quote
    house.clock.now += 1
    house.quote()
    with nothing_moves(house.service), pytest.raises(QuoteNotFound):
        house.exchange(quote)


def test_no_more_quotes_are_kept_than_is_good(house: House) -> None:
    store = house.service.store
    quotes = Quotes(
        store, house.clock, house.clock, Ids(), RATES, 60, BoundedLock, quotes_max=2
    )
    first, second = (quotes.create("USD", "INR", 1) for _ in range(2))
    house.clock.now += 1
    with nothing_moves(house.service), pytest.raises(QuotesExhausted) as refused:
        quotes.create("USD", "INR", 1)
    assert refused.value.values == {"maximum": 2, "retry_after_seconds": 60}
    quotes.release(first.id)
    third = quotes.create("USD", "INR", 1)
    with pytest.raises(QuoteNotFound):
        quotes.find(first.id)
    with pytest.raises(QuotesExhausted):
        quotes.create("USD", "INR", 1)
    house.clock.now += 60 * SECOND - 1
    quotes.create("USD", "INR", 1)
    with pytest.raises(QuoteNotFound):
        quotes.find(second.id)
    assert quotes.find(third.id) is third


def test_a_used_quote_gives_its_slot_to_the_next_one(house: House) -> None:
    service, clock = house.service, house.clock
    quotes = Quotes(
        service.store, clock, clock, new_uuid, RATES, 60, BoundedLock, quotes_max=2
    )
    money = Money(service.store, clock, clock, new_uuid, quotes, service.outbox)
    used, waiting = (quotes.create("INR", "USD", 83_120) for _ in range(2))
    with nothing_moves(service), pytest.raises(QuotesExhausted):
        quotes.create("INR", "USD", 83_120)
    exchange = partial(money.transfer, house.source, house.target, 83_120)
    exchange(quote_id=used.id)
    quotes.create("INR", "USD", 83_120)
    with nothing_moves(service), pytest.raises(QuoteNotFound):
        exchange(quote_id=used.id)
    assert quotes.find(waiting.id) is waiting


# Exchanges


def test_an_exchange_is_four_linked_transactions(house: House) -> None:
    sent, received = house.exchange(house.quote())
    assert balances(house.service, house.source, house.target) == [16_880, 1_000]
    rupees, dollars = house.service.list_liquidity()
    assert (rupees.currency, rupees.balance) == ("INR", 83_120)
    assert (dollars.currency, dollars.balance) == ("USD", -1_000)
    (taken,) = house.service.get_history(rupees.id).transactions
    (given_away,) = house.service.get_history(dollars.id).transactions
    assert [
        (each.wallet_id, each.type, each.amount, each.currency, each.balance_after)
        for each in (sent, taken, given_away, received)
    ] == [
        (house.source, OUT, 83_120, "INR", 16_880),
        (rupees.id, IN, 83_120, "INR", 83_120),
        (dollars.id, OUT, 1_000, "USD", -1_000),
        (house.target, IN, 1_000, "USD", 1_000),
    ]
    references = {each.reference_id for each in (sent, taken, given_away, received)}
    assert references == {sent.id}
    assert len({each.id for each in (sent, taken, given_away, received)}) == 4
    report = house.service.audit()
    assert report.problems == []
    assert report.wallets == 4
    assert report.currencies["INR"].balances == 100_000
    assert report.currencies["USD"].balances == 0


@pytest.mark.parametrize(
    ("currency", "amount", "comes_to"), [("JPY", 57, 1), ("USD", 84, 1)]
)
def test_the_last_minor_unit_is_exact_in_wallets(
    currency: str, amount: int, comes_to: int
) -> None:
    house = House(currency)
    house.exchange(house.quote(amount))
    assert balances(house.service, house.target) == [comes_to]


def test_three_minor_digits_are_exact_through_an_exchange(house: House) -> None:
    dinars = open_wallet(house.service, 1_001, currency="BHD")
    yen = open_wallet(house.service, currency="JPY")
    quote = house.service.create_quote("BHD", "JPY", 1_001)
    house.exchange(quote, source_id=dinars, target_id=yen)
    assert balances(house.service, dinars, yen) == [0, 401]
    back = house.service.create_quote("JPY", "BHD", 401)
    house.exchange(back, source_id=yen, target_id=dinars)
    assert balances(house.service, dinars, yen) == [999, 0]
    assert house.service.audit().problems == []


def test_a_quote_can_be_used_until_it_expires(house: House) -> None:
    in_time, too_late = house.quote(100), house.quote(100)
    house.clock.now = in_time.expires_at - 1
    house.exchange(in_time)
    house.clock.now += 1
    with nothing_moves(house.service), pytest.raises(QuoteExpired) as refused:
        house.exchange(too_late)
    assert refused.value.values["expired_at"] == too_late.expires_at


def test_a_quote_is_used_once(house: House) -> None:
    quote = house.quote(100)
    house.exchange(quote)
    with nothing_moves(house.service):
        with pytest.raises(QuoteUsed):
            house.exchange(quote)
        house.clock.now = quote.expires_at
        with pytest.raises(QuoteUsed):
            house.exchange(quote)


def test_a_quote_is_for_just_its_amount_and_its_currencies(house: House) -> None:
    quote = house.quote(100)
    others = open_wallet(house.service, 500), open_wallet(house.service, 1, "", "EUR")
    wrong: list[dict[str, object]] = [
        {"amount": 99},
        {"amount": 101},
        {"source_id": others[1]},
        {"target_id": others[0]},
        {"target_id": others[1]},
        {"source_id": house.target, "target_id": house.source},
    ]
    with nothing_moves(house.service):
        for other in wrong:
            with pytest.raises(QuoteMismatch):
                house.exchange(quote, **other)
    house.exchange(quote)


def test_without_a_quote_currencies_do_not_mix(house: House) -> None:
    with nothing_moves(house.service), pytest.raises(CurrencyMismatch):
        house.service.transfer(house.source, house.target, 1)
    same = open_wallet(house.service)
    house.service.transfer(house.source, same, 1)
    assert balances(house.service, same) == [1]


def test_a_refused_exchange_leaves_its_quote_for_another_time(house: House) -> None:
    quote = house.quote(100_000)
    target = house.service.store.wallets[house.target]

    def fill() -> None:
        house.service.add(house.target, AMOUNT_MAX - quote.to_amount + 1)

    obstacles: list[tuple[type[WalletError], Call, Call]] = [
        (
            WalletFrozen,
            lambda: house.service.freeze(house.source, "Card stolen"),
            lambda: house.service.unfreeze(house.source),
        ),
        (
            WalletFrozen,
            lambda: house.service.freeze(house.target, "Card stolen"),
            lambda: house.service.unfreeze(house.target),
        ),
        (
            InsufficientFunds,
            lambda: house.service.deduct(house.source, 1),
            lambda: house.service.add(house.source, 1),
        ),
        (BalanceOverflow, fill, lambda: house.service.deduct(target.id, 1)),
        (
            LimitExceeded,
            lambda: house.service.set_limits(house.source, Limits(daily=100_000)),
            lambda: house.service.set_limits(house.source, Limits(daily=100_001)),
        ),
    ]
    for refusal, get_in_the_way, go_away in obstacles:
        get_in_the_way()
        with nothing_moves(house.service), pytest.raises(refusal):
            house.exchange(quote)
        go_away()
    house.exchange(quote)
    assert balances(house.service, house.target) == [AMOUNT_MAX]


def test_the_house_can_owe_as_much_as_any_wallet_can_hold_and_no_more() -> None:
    house = House()
    service = house.service
    rich = open_wallet(service, AMOUNT_MAX)
    full = open_wallet(service, currency="JPY")
    most = AMOUNT_MAX // 57 * 57
    quote = service.create_quote("INR", "JPY", most)
    giver = service.store.liquidity["JPY"]
    with giver:
        giver.balance = -AMOUNT_MAX + quote.to_amount - 1
    service.set_limits(rich, Limits(approval_threshold=0))
    before = everything(service)
    with pytest.raises(LiquidityExhausted) as refused:
        house.exchange(quote, source_id=rich, target_id=full)
    assert everything(service) == before
    assert refused.value.values == {"currency": "JPY"}
    service.set_limits(rich, Limits())
    assert balances(service, rich, full) == [AMOUNT_MAX, 0]
    assert not quote.used
    with giver:
        giver.balance += 1
    house.exchange(quote, source_id=rich, target_id=full)
    assert giver.balance == -AMOUNT_MAX


def test_the_house_can_hold_as_much_as_any_wallet_and_no_more(house: House) -> None:
    quote = house.quote()
    taker = house.service.store.liquidity["INR"]
    with taker:
        taker.balance = AMOUNT_MAX - quote.from_amount + 1
    before = everything(house.service)
    with pytest.raises(LiquidityExhausted) as refused:
        house.exchange(quote)
    assert everything(house.service) == before
    assert refused.value.values == {"currency": "INR"}
    with taker:
        taker.balance -= 1
    house.exchange(quote)
    assert taker.balance == AMOUNT_MAX


def test_a_frozen_wallet_comes_before_a_quote_that_does_not_match(house: House) -> None:
    quote, same = house.quote(), open_wallet(house.service)
    with nothing_moves(house.service), pytest.raises(QuoteMismatch):
        house.exchange(quote, target_id=same)
    house.service.freeze(same, "Card stolen")
    with nothing_moves(house.service), pytest.raises(WalletFrozen):
        house.exchange(quote, target_id=same)


def test_an_unknown_quote_or_wallet_is_not_found(house: House) -> None:
    quote = house.quote(100)
    with nothing_moves(house.service):
        with pytest.raises(QuoteNotFound):
            house.exchange(quote, quote_id=NOBODY)
        with pytest.raises(WalletNotFound):
            house.exchange(quote, source_id=NOBODY)
        with pytest.raises(SameWallet):
            house.exchange(quote, target_id=house.source)
    house.exchange(quote)


def test_twenty_transfers_with_one_quote_are_one_exchange(house: House) -> None:
    quote = house.quote(100)
    start = threading.Barrier(20)
    answers: list[object] = []

    def exchange() -> None:
        start.wait(TIMEOUT_SECONDS)
        try:
            answers.append(house.exchange(quote))
        except QuoteUsed as used:
            answers.append(used.code)

    threads = [threading.Thread(target=exchange, daemon=True) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert answers.count("quote_used") == 19
    assert balances(house.service, house.source, house.target) == [99_900, 1]
    assert house.service.audit().problems == []


def test_an_exchange_whose_outcome_cannot_be_kept_leaves_no_trace(
    house: House,
) -> None:
    quote = house.quote(100)
    liquidity = [(w.balance, len(w.history)) for w in liquidity_of(house.service)]
    with nothing_moves(house.service), pytest.raises(RuntimeError):
        house.service.money.transfer(
            house.source, house.target, 100, quote_id=quote.id, on_commit=FULL
        )
    assert not quote.used
    assert liquidity == [
        (w.balance, len(w.history)) for w in liquidity_of(house.service)
    ]
    house.exchange(quote)


def liquidity_of(service: WalletService) -> list[Wallet]:
    return list(service.store.liquidity.values())


def test_an_exchange_above_the_threshold_waits_for_its_approval(house: House) -> None:
    approval = house.ask_for_approval(house.quote(100))
    house.service.confirm_approval(approval.id, house.codes.sent[approval.id])
    assert balances(house.service, house.target) == [1]


def test_an_approval_waits_no_longer_than_its_quote(house: House) -> None:
    quote = house.quote(100)
    house.clock.now += SECOND
    approval = house.ask_for_approval(quote)
    assert approval.expires_at == quote.expires_at
    resent = house.service.resend_code(approval.id)
    assert resent.expires_at == quote.expires_at
    house.clock.now = quote.expires_at
    with nothing_moves(house.service), pytest.raises(ApprovalExpired):
        house.service.confirm_approval(approval.id, house.codes.sent[approval.id])


# The house


def test_money_moves_through_the_house_in_exchanges_only(house: House) -> None:
    house.exchange(house.quote(100))
    for wallet in house.service.list_liquidity():
        assert wallet.user_id == HOUSE
        assert house.service.get_wallet(wallet.id) == wallet
        calls: list[Call] = [
            partial(house.service.add, wallet.id, 1),
            partial(house.service.deduct, wallet.id, 1),
            partial(house.service.transfer, wallet.id, house.target, 1),
            partial(house.service.transfer, house.source, wallet.id, 1),
            partial(house.service.freeze, wallet.id, "mine"),
            partial(house.service.limits.put, wallet.id, Limits()),
        ]
        with nothing_moves(house.service):
            for call in calls:
                with pytest.raises(WalletNotFound):
                    call()


def test_whoever_calls_himself_the_house_is_a_user_like_any_other(
    house: House,
) -> None:
    mine = house.service.create_wallet(HOUSE, "INR")
    house.exchange(house.quote(100))
    assert [wallet.id for wallet in house.service.list_wallets(HOUSE)] == [mine.id]
    with nothing_moves(house.service), pytest.raises(InsufficientFunds):
        house.service.deduct(mine.id, 1)


def test_a_user_has_wallets_by_currency(house: House) -> None:
    for currency in ("USD", "BHD", "INR"):
        house.service.create_wallet("asha", currency)
    wallets = house.service.list_wallets("asha")
    assert [wallet.currency for wallet in wallets] == ["BHD", "INR", "USD"]
    assert house.service.list_wallets("nobody") == []


# Over HTTP


@pytest.fixture
def http(house: House) -> FlaskClient:
    return create_app(house.service).test_client()


QUOTE = {"fromCurrency": "INR", "toCurrency": "USD", "amount": 83_120}


def transfer(house: House, quote_id: object, amount: int = 83_120) -> dict[str, object]:
    return {
        "fromWalletId": house.source,
        "toWalletId": house.target,
        "amount": amount,
        "quoteId": quote_id,
    }


def test_a_quote_is_answered_and_used(http: FlaskClient, house: House) -> None:
    response = post(http, "/fx/quotes", QUOTE)
    assert response.status_code == 201
    quote = response.get_json()
    assert quote == {
        "quoteId": quote["quoteId"],
        "fromCurrency": "INR",
        "toCurrency": "USD",
        "rate": "0.01203079884504331087584215591915304",
        "fromAmount": 83_120,
        "toAmount": 1_000,
        "expiresAt": "2026-01-01T00:01:00.000Z",
    }
    body = transfer(house, quote["quoteId"])
    exchanged = post(http, "/wallet/transfer", body).get_json()
    assert exchanged["from"]["transaction"]["amount"] == 83_120
    assert exchanged["from"]["wallet"]["balance"] == 16_880
    assert exchanged["to"]["transaction"]["amount"] == 1_000
    assert exchanged["to"]["transaction"]["currency"] == "USD"
    with nothing_moves(house.service):
        again = post(http, "/wallet/transfer", body)
        assert_problem(again, 409, "quote_used")
    rupees, dollars = http.get("/fx/liquidity").get_json()["wallets"]
    assert (rupees["balance"], dollars["balance"]) == (83_120, -1_000)
    assert http.get(f"/wallet/{dollars['id']}").get_json() == dollars
    page = http.get(f"/wallet/{dollars['id']}/transactions").get_json()
    assert page["transactions"][0]["balanceAfter"] == -1_000
    audit = http.get("/audit").get_json()
    assert audit["balanced"] and audit["currencies"]["USD"]["balances"] == 0


def test_nobody_opens_a_wallet_as_the_house(http: FlaskClient, house: House) -> None:
    house.exchange(house.quote())
    with nothing_moves(house.service):
        response = post(http, "/wallet/create", {"userId": HOUSE})
    problem = assert_problem(response, 400, "invalid_request")
    assert problem["errors"] == {
        "userId": ["Must be a user's: this one names the house."]
    }
    assert http.get(f"/users/{HOUSE}/wallets").get_json() == {"wallets": []}


def test_a_rate_is_told_as_it_was_given(http: FlaskClient) -> None:
    asked = {"fromCurrency": "USD", "toCurrency": "INR", "amount": 1}
    assert post(http, "/fx/quotes", asked).get_json()["rate"] == "83.12"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"toCurrency": "INR"}, 400, "same_currency"),
        ({"toCurrency": "EUR"}, 422, "fx_rate_unavailable"),
        ({"amount": 1}, 422, "amount_not_exchangeable"),
        ({"toCurrency": "XXX"}, 400, "invalid_request"),
        ({"fromCurrency": "XAU"}, 400, "invalid_request"),
        ({"amount": 1.5}, 400, "invalid_request"),
        ({"amount": 0}, 400, "invalid_request"),
        ({"rate": "1"}, 400, "invalid_request"),
    ],
    ids=str,
)
def test_what_cannot_be_quoted_is_refused(
    http: FlaskClient,
    house: House,
    body: dict[str, object],
    status: int,
    code: str,
) -> None:
    with nothing_moves(house.service):
        assert_problem(post(http, "/fx/quotes", QUOTE | body), status, code)


def test_a_transfer_that_its_quote_does_not_promise_is_refused(
    http: FlaskClient, house: House
) -> None:
    quote_id = post(http, "/fx/quotes", QUOTE).get_json()["quoteId"]
    with nothing_moves(house.service):
        for quote, amount, status, code in (
            (None, 83_120, 400, "currency_mismatch"),
            (quote_id, 83_119, 400, "quote_mismatch"),
            (NOBODY, 83_120, 404, "quote_not_found"),
            ("42", 83_120, 400, "invalid_request"),
        ):
            body = transfer(house, quote, amount)
            assert_problem(post(http, "/wallet/transfer", body), status, code)
        house.clock.now += TTL_SECONDS * SECOND
        expired = post(http, "/wallet/transfer", transfer(house, quote_id))
        assert_problem(expired, 410, "quote_expired")


def test_quotes_and_exchanges_with_a_key_are_made_once(
    http: FlaskClient, house: House
) -> None:
    one, other = (
        post(http, "/fx/quotes", QUOTE, **{"Idempotency-Key": "quote"})
        for _ in range(2)
    )
    assert one.data == other.data
    assert other.headers["Idempotent-Replayed"] == "true"
    body = transfer(house, one.get_json()["quoteId"])
    first, again = (
        post(http, "/wallet/transfer", body, **{"Idempotency-Key": "exchange"})
        for _ in range(2)
    )
    assert (first.status_code, first.data) == (200, again.data)


def test_the_wallets_of_a_user_are_listed(http: FlaskClient, house: House) -> None:
    user_id = str(uuid4())
    created = [
        post(http, "/wallet/create", {"userId": user_id, "currency": each}).get_json()
        for each in ("JPY", "BHD")
    ]
    path = f"/users/{user_id}/wallets"
    assert http.get(path).get_json() == {"wallets": created[::-1]}
    assert http.get(f"/users/{uuid4()}/wallets").get_json() == {"wallets": []}
    assert_problem(http.get("/users/42/wallets"), 404, "not_found")
    before = everything(house.service)
    for code in ("XXX", "XAU"):
        body = {"userId": user_id, "currency": code}
        assert_problem(post(http, "/wallet/create", body), 400, "invalid_request")
    assert everything(house.service) == before
