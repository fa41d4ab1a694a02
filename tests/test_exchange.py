"""Exchanges: what a quote promises is what is moved."""

from __future__ import annotations

import threading

import pytest

from tests.answers import NOBODY
from tests.house import Call, House
from tests.ledgers import FULL, SECOND, balances, everything, nothing_moves, open_wallet
from wallet_app.domain.errors.approval_errors import ApprovalExpired
from wallet_app.domain.errors.exchange_errors import (
    LiquidityExhausted,
    QuoteExpired,
    QuoteMismatch,
    QuoteNotFound,
    QuoteUsed,
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
from wallet_app.domain.transactions import AMOUNT_MAX, TransactionType
from wallet_app.services.service import WalletService
from wallet_app.store import Wallet

OUT, IN = TransactionType.TRANSFER_OUT, TransactionType.TRANSFER_IN
TIMEOUT_SECONDS = 10


def test_an_exchange_is_four_linked_transactions(house: House) -> None:
    sent, received = house.exchange(house.quote())
    assert balances(house.service, house.source, house.target) == [16_880, 1_000]
    rupees, dollars = house.service.list_liquidity()
    assert (rupees.currency, rupees.balance) == ("INR", 83_120)
    assert (dollars.currency, dollars.balance) == ("USD", -1_000)
    (taken,) = house.service.get_history(rupees.id).rows
    (given_away,) = house.service.get_history(dollars.id).rows
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


def test_an_exchange_whose_outcome_cannot_be_kept_leaves_no_trace(house: House) -> None:
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
