"""A bank that fails as no bank may."""

from __future__ import annotations

import pytest

from tests.ledgers import SECOND
from tests.payments.paying import (
    ATTEMPTS_MAX,
    DEPOSIT,
    WITHDRAWAL,
    Paying,
    Said,
    Telling,
    assert_both_books_agree,
    frozen,
)
from wallet_app import create_app
from wallet_app.gateways.bank import Direction, Paid
from wallet_app.services.payments.payments import UNEXPECTED


@pytest.mark.parametrize("direction", Direction)
def test_an_error_that_nobody_expected_is_noted_and_the_payment_goes_on(
    direction: Direction, caplog: pytest.LogCaptureFixture
) -> None:
    bank = Telling(RuntimeError("secret"), RuntimeError("secret"), None, Paid())
    paying = Paying(bank=bank)
    http = create_app(paying.service).test_client()
    payment_id = paying.ask(direction)
    for attempts in (1, 2):
        is_now = paying.run(payment_id)
        assert (is_now.status, is_now.bank_answer) == ("PENDING", "UNKNOWN")
        assert (is_now.last_error, is_now.attempts) == (UNEXPECTED, attempts)
        assert is_now.next_attempt_at == paying.clock.now + attempts * SECOND
        health = paying.service.health()
        assert health.last_error == "payments: RuntimeError"
        assert (health.last_error_at, health.running) == (paying.clock.now, 0)
        for path in (f"/payments/{payment_id}", "/health"):
            shown = http.get(path)
            assert shown.status_code == 200
            assert "secret" not in shown.text and "Traceback" not in shown.text
        paying.clock.now = is_now.next_attempt_at
    assert paying.run(payment_id).status == "SUCCEEDED"
    assert [call for call, _ in bank.calls] == ["pay", "look_up", "look_up", "pay"]
    assert "secret" in caplog.text
    assert paying.in_flight() == (0, 0)


def test_a_bank_that_always_breaks_parks_its_payments_and_keeps_no_other_waiting() -> (
    None
):
    broken: list[Said] = [RuntimeError("broken")] * ATTEMPTS_MAX
    paying = Paying(bank=Telling(*broken, Paid()))
    payment_id = paying.ask(WITHDRAWAL)
    parked = paying.run_on(payment_id)
    assert (parked.status, parked.bank_answer) == ("PARKED", "UNKNOWN")
    assert paying.run(paying.ask(WITHDRAWAL)).status == "SUCCEEDED"


def test_what_was_answered_is_not_forgotten_for_an_error_that_comes_after() -> None:
    paying = Paying()
    broken: list[int] = []

    def jitter(longest: int) -> int:
        broken.append(longest)
        if len(broken) == 1:
            raise RuntimeError
        return longest

    paying = Paying(jitter=jitter)
    payment_id = paying.ask(DEPOSIT)
    frozen(paying)
    is_now = paying.run(payment_id)
    assert (is_now.status, is_now.bank_answer) == ("PENDING", "PAID")
    assert is_now.last_error == UNEXPECTED
    assert paying.in_flight() == (0, 300)
    paying.service.unfreeze(paying.wallet_id)
    assert paying.run_on(payment_id).status == "SUCCEEDED"
    assert paying.bank.calls == ["pay"]
    assert_both_books_agree(paying)
