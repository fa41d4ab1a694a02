"""No fault makes or loses money: each step of a payment fails once."""

from __future__ import annotations

import pytest

from tests.adversarial_bank import AdversarialBank, Fate
from tests.ledgers import SECOND, Clock, new_service, open_wallet
from tests.payments.faulty_run import Case, Fault, Faults, Run
from tests.payments.paying import WITHDRAWAL
from wallet_app.gateways.bank import Direction
from wallet_app.services.background import BUG_SECONDS
from wallet_app.services.payments import payment_table
from wallet_app.services.payments.payment import PaymentStatus

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quiet")]


POINTS_MAX = 1_000
CASES = [
    Case(direction, account, is_frozen)
    for direction in Direction
    for account, is_frozen in (
        ("sandbox-ok", False),
        ("sandbox-declines", False),
        ("sandbox-flaky", False),
        ("sandbox-times-out", False),
        ("sandbox-down", False),
        ("sandbox-ok", True),
        ("sandbox-declines", True),
    )
]


@pytest.fixture
def one_payment_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a slot that is not released show."""
    monkeypatch.setattr(payment_table, "UNDER_WAY_MAX", 1)


def points_of(case: Case) -> list[str]:
    """Return the points that a payment meets when nothing goes wrong."""
    faults = Faults()
    run = Run(case, faults)
    run.go()
    run.finish()
    return faults.met


@pytest.mark.usefixtures("one_payment_at_a_time")
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case)))
def test_a_fault_at_any_step_of_a_payment_makes_and_loses_nothing(case: Case) -> None:
    struck: list[str] = []
    for n in range(1, POINTS_MAX):
        faults = Faults(n)
        run = Run(case, faults)
        run.go()
        run.finish()
        if not faults.struck:
            break
        struck += faults.struck
    else:
        raise AssertionError("it does not end")
    assert struck == points_of(case)
    assert_every_phase_was_met(case, struck)


def assert_every_phase_was_met(case: Case, struck: list[str]) -> None:
    assert len(struck) >= 15
    assert {"clock", "id", "lock", "before pay"} <= set(struck)
    ask = struck.index("before pay")
    if case.direction is WITHDRAWAL:
        debit = struck.index("debit")
        assert {"clock", "id", "lock"} <= set(struck[:debit])
        assert "second lock" in struck[debit:ask]
    if case.account != "sandbox-down":
        answer = struck.index("after pay" if "after pay" in struck else "after look-up")
        assert {"clock", "lock"} <= set(struck[answer:])
    if case.account == "sandbox-times-out":
        assert {"before look-up", "after look-up", "jitter"} <= set(struck)
    declined = case.account == "sandbox-declines"
    books = declined is (case.direction is WITHDRAWAL)
    books &= case.account != "sandbox-down"
    books &= not case.is_frozen or case.direction is WITHDRAWAL
    assert ("credit" in struck) is books
    if books:
        credit = struck.index("credit")
        assert {"clock", "id", "lock"} <= set(struck[ask:credit])


@pytest.mark.usefixtures("one_payment_at_a_time")
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case)))
def test_two_faults_in_one_payment_make_and_lose_nothing(case: Case) -> None:
    pairs = 0
    for n in range(1, len(points_of(case)) + 1):
        for m in range(n + 1, POINTS_MAX):
            faults = Faults(n, m)
            run = Run(case, faults)
            run.go()
            run.finish()
            if len(faults.struck) < 2:
                break
            pairs += 1
        else:
            raise AssertionError("it does not end")
    assert pairs > 100


class FailingClock(Clock):
    """Fails once, at the read with the number `fails_at`."""

    fails_at = reads = 0

    def __call__(self) -> int:
        self.reads += 1
        if self.reads == self.fails_at:
            raise Fault("clock")
        return super().__call__()


def test_a_payment_whose_error_cannot_be_noted_is_not_lost() -> None:
    """The bank breaks, and then the clock, which the queue reads to note that."""
    clock, bank = FailingClock(), AdversarialBank()
    service = new_service(clock=clock, bank=bank)
    payment = service.payments.deposit(open_wallet(service), 300, "pays")
    bank.fates = [Fate.BROKEN_AFTER]
    clock.fails_at = clock.reads + 3  # after those that choose and take the payment
    service.background.run_due()
    assert clock.reads >= clock.fails_at
    assert service.payments.get(payment.id).status is PaymentStatus.PENDING
    clock.now += BUG_SECONDS * SECOND
    service.background.run_due()
    assert service.payments.get(payment.id).status is PaymentStatus.SUCCEEDED
