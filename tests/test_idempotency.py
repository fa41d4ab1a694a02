"""Idempotency keys: what is run, what is replayed, and what is forgotten."""

from __future__ import annotations

import threading
from typing import NoReturn

import pytest

from tests.ledgers import (
    SECOND,
    BoundedLock,
    Clock,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from tests.refusals import every_refusal
from wallet_app.domain.errors.request_errors import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IdempotencyKeysExhausted,
)
from wallet_app.domain.errors.wallet_errors import (
    InsufficientFunds,
    WalletExists,
    WalletNotFound,
)
from wallet_app.domain.transactions import Transaction
from wallet_app.services.commit import OnCommits, commit
from wallet_app.services.idempotency import IdempotencyKeys
from wallet_app.services.service import WalletService

TIMEOUT_SECONDS = 10


def add(service: WalletService, wallet_id: str, key: str = "key") -> Transaction:
    return service.add(wallet_id, 100, key=key, fingerprint=("add", wallet_id, 100))


def test_a_request_that_is_sent_again_is_answered_and_not_run_again(
    service: WalletService,
) -> None:
    wallet_id = open_wallet(service)
    first = add(service, wallet_id)
    replays = []
    service.idempotency.on_replay = lambda: replays.append("replay")
    with nothing_moves(service):
        again = add(service, wallet_id)
    assert again == first
    assert replays == ["replay"]
    assert balances(service, wallet_id) == [100]


def test_without_a_fingerprint_the_key_says_which_request_it_is(
    service: WalletService,
) -> None:
    source, target = open_wallet(service, 100), open_wallet(service)
    for _ in range(2):
        service.transfer(source, target, 30, key="k")
    assert balances(service, source, target) == [70, 30]


def test_another_key_runs_again(service: WalletService) -> None:
    wallet_id = open_wallet(service)
    add(service, wallet_id, "one")
    add(service, wallet_id, "two")
    assert balances(service, wallet_id) == [200]


def test_a_key_is_refused_for_another_request(service: WalletService) -> None:
    wallet_id = open_wallet(service)
    add(service, wallet_id)
    with nothing_moves(service), pytest.raises(IdempotencyKeyReused):
        service.add(wallet_id, 1, key="key", fingerprint="else")


def test_a_refusal_is_an_outcome_and_is_replayed(service: WalletService) -> None:
    wallet_id = open_wallet(service, 50)

    def deduct() -> None:
        service.deduct(wallet_id, 60, key="key", fingerprint="deduct")

    with pytest.raises(InsufficientFunds) as first:
        deduct()
    service.add(wallet_id, 100)  # now it would be possible
    raised = [first.value]
    for _ in range(2):
        with nothing_moves(service), pytest.raises(InsufficientFunds) as again:
            deduct()
        raised.append(again.value)
    for error in raised:
        assert error.values == {"balance": 50, "amount": 60}
        assert error.detail == first.value.detail
    assert len(set(map(id, raised))) == 3, "tracebacks would pile up on a shared one"


def test_not_found_is_kept_too(service: WalletService) -> None:
    for _ in range(2):
        with nothing_moves(service), pytest.raises(WalletNotFound):
            add(service, "nobody")
    assert len(service.idempotency) == 1


def test_a_conflict_leaves_the_key_free(service: WalletService) -> None:
    service.create_wallet("asha")
    with nothing_moves(service), pytest.raises(WalletExists):
        service.create_wallet("asha", key="key", fingerprint="asha")
    service.create_wallet("ravi", key="key", fingerprint="ravi")


def test_the_contract_says_which_refusals_are_kept() -> None:
    kept = {error.code for error in every_refusal() if error.kept}
    assert kept == {
        "wallet_not_found",
        "transaction_not_found",
        "same_wallet",
        "currency_mismatch",
        "insufficient_funds",
        "balance_overflow",
        "fx_liquidity_exhausted",
        "wallet_frozen",
        "limit_exceeded",
        "fraud_blocked",
        "payment_not_found",
        "webhook_not_found",
        "delivery_not_found",
        "url_not_allowed",
        "same_currency",
        "fx_rate_unavailable",
        "amount_not_exchangeable",
        "quote_not_found",
        "quote_mismatch",
        "quote_expired",
        "approval_required",
        "approval_not_found",
        "approval_expired",
        "otp_invalid",
        "too_many_resends",
    }


def test_a_crash_before_the_commit_leaves_the_key_free(service: WalletService) -> None:
    wallet_id = open_wallet(service)

    def crash(on_commit: OnCommits) -> NoReturn:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        service.idempotency.run("key", "crash", crash)
    add(service, wallet_id)
    assert balances(service, wallet_id) == [100]


@pytest.mark.parametrize("error", [RuntimeError(), WalletNotFound("nobody")], ids=repr)
def test_an_error_after_the_commit_does_not_hide_the_outcome(
    service: WalletService, error: Exception
) -> None:
    wallet_id = open_wallet(service)

    def commit_and_fail(on_commit: OnCommits) -> NoReturn:
        service.money.add(wallet_id, 100, on_commit=on_commit)
        raise error

    with pytest.raises(type(error)):
        service.idempotency.run("key", ("add", wallet_id, 100), commit_and_fail)
    with nothing_moves(service):
        assert add(service, wallet_id).balance_after == 100


def test_a_request_that_is_still_running_is_not_run_twice(
    service: WalletService,
) -> None:
    wallet_id = open_wallet(service)
    running, go_on = threading.Event(), threading.Event()

    def slow(on_commit: OnCommits) -> Transaction:
        running.set()
        assert go_on.wait(TIMEOUT_SECONDS)
        return service.money.add(wallet_id, 100, on_commit=on_commit)

    first = threading.Thread(
        target=service.idempotency.run, args=("key", ("add", wallet_id, 100), slow)
    )
    first.start()
    try:
        assert running.wait(TIMEOUT_SECONDS)
        with nothing_moves(service), pytest.raises(IdempotencyInProgress):
            add(service, wallet_id)
    finally:
        go_on.set()
        first.join(TIMEOUT_SECONDS)
    assert add(service, wallet_id).balance_after == 100
    assert balances(service, wallet_id) == [100]


def test_a_key_is_kept_for_its_time_and_not_longer() -> None:
    clock = Clock()
    service = new_service(clock=clock)
    wallet_id = open_wallet(service)
    add(service, wallet_id)
    clock.now += 86_400 * SECOND - 1
    add(service, wallet_id)
    assert balances(service, wallet_id) == [100]
    clock.now += 1
    add(service, wallet_id)
    assert balances(service, wallet_id) == [200]
    assert len(service.idempotency) == 1


def test_a_claim_that_outlived_its_key_does_not_take_the_next_one_along() -> None:
    clock = Clock()
    keys = IdempotencyKeys(clock, 60, BoundedLock)

    def next_one(on_commit: OnCommits) -> str:
        commit(on_commit, "answer")
        return "answer"

    def run_out_of_time_and_crash(on_commit: OnCommits) -> NoReturn:
        clock.now += 60 * SECOND
        keys.run("key", "", next_one)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        keys.run("key", "", run_out_of_time_and_crash)
    assert len(keys) == 1


def test_keys_are_bounded_and_none_is_forgotten_early() -> None:
    clock = Clock()
    keys = IdempotencyKeys(clock, 60, BoundedLock, keys_max=2)

    def answer(on_commit: OnCommits) -> str:
        commit(on_commit, "answer")
        return "answer"

    def run_again(on_commit: OnCommits) -> str:
        raise AssertionError("ran again")

    for key in ("one", "two"):
        keys.run(key, "", answer)
    clock.now += 20 * SECOND
    with pytest.raises(IdempotencyKeysExhausted) as refused:
        keys.run("three", "", answer)
    assert refused.value.values == {"maximum": 2, "retry_after_seconds": 40}
    assert keys.run("one", "", run_again) == "answer"
    clock.now += 40 * SECOND
    keys.run("three", "", answer)
    assert len(keys) == 1
