"""Durations are counted by the monotonic clock: a step of the wall clock ends nothing
early and keeps nothing longer."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.ledgers import (
    SECOND,
    START,
    Clock,
    Codes,
    Receivers,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app.domain.errors.approval_errors import (
    ApprovalExpired,
    CodeInvalid,
    TooManyWrongCodes,
)
from wallet_app.domain.errors.exchange_errors import QuoteExpired
from wallet_app.domain.spending import Limits
from wallet_app.domain.transactions import Transaction
from wallet_app.services.approvals.approval import ApprovalSnapshot, ApprovalStatus
from wallet_app.services.events import EventType
from wallet_app.services.quotes import Quote
from wallet_app.services.service import WalletService
from wallet_app.settings import Settings

TTL_SECONDS = 60
HOUR, DAY = 3_600 * SECOND, 86_400 * SECOND

SETTINGS = Settings(
    fx_rates=(("USD", "INR", Decimal("83.12")),),
    fx_quote_ttl_seconds=TTL_SECONDS,
    otp_ttl_seconds=TTL_SECONDS,
    idempotency_ttl_seconds=TTL_SECONDS,
)


class TwoClocks:
    """A service with a wall clock and a monotonic one, and three wallets."""

    def __init__(self) -> None:
        self.wall, self.monotonic, self.codes = Clock(), Clock(7), Codes()
        self.service: WalletService = new_service(
            SETTINGS,
            clock=self.wall,
            monotonic=self.monotonic,
            new_code=self.codes,
            send_code=self.codes.send,
        )
        self.rupees = open_wallet(self.service, 1_000)
        self.dollars = open_wallet(self.service, 1_000, currency="USD")
        self.service.set_limits(self.rupees, Limits(approval_threshold=100))

    def pass_time(self, ns: int) -> None:
        """Let time pass by the monotonic clock alone."""
        self.monotonic.now += ns

    def add(self) -> Transaction:
        return self.service.add(self.rupees, 1, key="key", fingerprint="add")

    def request(self) -> ApprovalSnapshot:
        approval = self.service.deduct(self.rupees, 500)
        assert isinstance(approval, ApprovalSnapshot)
        return approval

    def confirm(self, approval: ApprovalSnapshot) -> object:
        code = self.codes.sent[approval.id]
        return self.service.confirm_approval(approval.id, code)

    def exchange(self, quote: Quote) -> object:
        return self.service.transfer(self.dollars, self.rupees, 1, quote_id=quote.id)


@pytest.fixture(params=[-HOUR, DAY], ids=["an hour back", "a day ahead"])
def stepped(request: pytest.FixtureRequest) -> int:
    """How far the wall clock steps."""
    step: int = request.param
    return step


@pytest.fixture
def clocks() -> TwoClocks:
    return TwoClocks()


def test_a_key_is_kept_for_its_time(clocks: TwoClocks, stepped: int) -> None:
    clocks.add()
    clocks.wall.now += stepped
    clocks.pass_time(TTL_SECONDS * SECOND - 1)
    clocks.add()
    assert balances(clocks.service, clocks.rupees) == [1_001]
    clocks.pass_time(1)
    clocks.add()
    assert balances(clocks.service, clocks.rupees) == [1_002]


def test_an_approval_waits_for_its_time(clocks: TwoClocks, stepped: int) -> None:
    in_time, too_late = clocks.request(), clocks.request()
    assert in_time.expires_at == START + TTL_SECONDS * SECOND
    clocks.wall.now += stepped
    clocks.pass_time(TTL_SECONDS * SECOND - 1)
    clocks.confirm(in_time)
    assert balances(clocks.service, clocks.rupees) == [500]
    get = clocks.service.get_approval
    assert get(too_late.id).status is ApprovalStatus.PENDING
    clocks.pass_time(1)
    assert get(too_late.id).status is ApprovalStatus.EXPIRED
    with nothing_moves(clocks.service), pytest.raises(ApprovalExpired) as refused:
        clocks.confirm(too_late)
    assert refused.value.values["expired_at"] == too_late.expires_at


def test_a_resent_approval_waits_for_its_time_again(
    clocks: TwoClocks, stepped: int
) -> None:
    approval = clocks.request()
    clocks.wall.now += stepped
    clocks.pass_time(TTL_SECONDS * SECOND - 1)
    resent = clocks.service.resend_code(approval.id)
    assert resent.expires_at == START + stepped + TTL_SECONDS * SECOND
    clocks.pass_time(TTL_SECONDS * SECOND - 1)
    clocks.confirm(approval)
    assert balances(clocks.service, clocks.rupees) == [500]


def test_a_quote_can_be_used_for_its_time(clocks: TwoClocks, stepped: int) -> None:
    in_time, too_late = (clocks.service.create_quote("USD", "INR", 1) for _ in "ab")
    assert in_time.expires_at == START + TTL_SECONDS * SECOND
    clocks.wall.now += stepped
    clocks.pass_time(TTL_SECONDS * SECOND - 1)
    clocks.exchange(in_time)
    clocks.pass_time(1)
    with nothing_moves(clocks.service), pytest.raises(QuoteExpired) as refused:
        clocks.exchange(too_late)
    assert refused.value.values["expired_at"] == too_late.expires_at


def test_an_approval_ends_with_its_quote(clocks: TwoClocks, stepped: int) -> None:
    clocks.service.set_limits(clocks.dollars, Limits(approval_threshold=0))
    quote = clocks.service.create_quote("USD", "INR", 1)
    clocks.wall.now += stepped
    clocks.pass_time(1)
    approval = clocks.service.transfer(
        clocks.dollars, clocks.rupees, 1, quote_id=quote.id
    )
    assert isinstance(approval, ApprovalSnapshot)
    assert approval.expires_at == quote.expires_at
    clocks.pass_time(TTL_SECONDS * SECOND - 1)
    with nothing_moves(clocks.service), pytest.raises(ApprovalExpired):
        clocks.confirm(approval)


def test_wrong_codes_count_for_a_day(clocks: TwoClocks, stepped: int) -> None:
    for _ in range(3):
        approval = clocks.request()
        for _ in range(5):
            with pytest.raises(CodeInvalid):
                clocks.service.confirm_approval(approval.id, "999999")
    clocks.wall.now += stepped
    clocks.pass_time(DAY - 1)
    with nothing_moves(clocks.service), pytest.raises(TooManyWrongCodes) as refused:
        clocks.request()
    assert refused.value.values["retry_after_seconds"] == 1
    clocks.pass_time(1)
    clocks.request()


def test_a_code_is_sent_by_the_time_that_it_can_be_confirmed_in() -> None:
    wall, receivers = Clock(), Receivers()
    service = new_service(
        SETTINGS,
        clock=wall,
        monotonic=Clock(),
        new_code=Codes(),
        send_code=None,
        transport=receivers,
    )
    service.create_webhook("https://sms.example/", [EventType.APPROVAL_REQUESTED])
    wallet = open_wallet(service, 1_000)
    service.set_limits(wallet, Limits(approval_threshold=100))
    service.deduct(wallet, 101)
    wall.now += DAY
    service.background.run_due()
    assert len(receivers.posts) == 1
