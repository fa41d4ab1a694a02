"""How many approvals are kept, and how many codes can be tried."""

from __future__ import annotations

from functools import partial

import pytest

from tests.approving import TTL_SECONDS, WRONG, Waiting
from tests.ledgers import (
    SECOND,
    BoundedLock,
    Clock,
    Codes,
    Ids,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app.domain.errors.approval_errors import (
    ApprovalNotFound,
    ApprovalsExhausted,
    CodeInvalid,
    TooManyWrongCodes,
)
from wallet_app.domain.spending import Limits
from wallet_app.services.approvals.approval import ApprovalSnapshot, ApprovalStatus
from wallet_app.services.approvals.approvals import Approvals
from wallet_app.settings import Settings


class SmallTable:
    """A service that keeps two approvals."""

    def __init__(self) -> None:
        self.clock, self.codes = Clock(), Codes()
        self.service = new_service(Settings(approval_threshold=0), clock=self.clock)
        self.approvals = self.service.approvals = Approvals(
            self.clock,
            self.clock,
            Ids(),
            self.codes,
            self.codes.send,
            TTL_SECONDS,
            self.service.alerts,
            BoundedLock,
            kept_max=2,
        )

    def ask(self) -> str:
        command = partial(self.service.money.deduct, open_wallet(self.service, 5), 1)
        approval = self.approvals.run(command)
        assert isinstance(approval, ApprovalSnapshot)
        return approval.id

    def confirm(self, id: str, code: str | None = None) -> object:
        return self.approvals.confirm(id, code or self.codes.sent[id])


def test_approvals_are_bounded_and_none_that_waits_is_forgotten() -> None:
    small = SmallTable()
    first, second = small.ask(), small.ask()
    small.clock.now += 1
    one = open_wallet(small.service, 5)
    with nothing_moves(small.service), pytest.raises(ApprovalsExhausted) as refused:
        small.approvals.run(partial(small.service.money.deduct, one, 1))
    assert refused.value.values == {"maximum": 2, "retry_after_seconds": TTL_SECONDS}
    small.clock.now += TTL_SECONDS * SECOND - 1
    assert small.approvals.get(second).status is ApprovalStatus.EXPIRED
    third = small.ask()
    with pytest.raises(ApprovalNotFound):
        small.approvals.get(first)
    assert small.approvals.get(second).status is ApprovalStatus.EXPIRED
    assert small.approvals.get(third).status is ApprovalStatus.PENDING
    assert len(small.approvals.table.wallets()) == 2


@pytest.mark.parametrize("how", ["confirmed", "cancelled", "rejected"])
def test_a_closed_approval_gives_its_slot_to_the_next_one(how: str) -> None:
    small = SmallTable()
    waiting, closed = small.ask(), small.ask()
    match how:
        case "confirmed":
            small.confirm(closed)
        case "cancelled":
            small.approvals.cancel(closed)
        case "rejected":
            for _ in range(5):
                with pytest.raises(CodeInvalid):
                    small.confirm(closed, WRONG)
    assert small.approvals.get(closed).status.lower() == how
    small.ask()
    with pytest.raises(ApprovalNotFound):
        small.approvals.get(closed)
    assert small.approvals.get(waiting).status is ApprovalStatus.PENDING
    with pytest.raises(ApprovalsExhausted):
        small.ask()


def test_an_old_approval_that_is_resent_waits_on_and_blocks_no_other() -> None:
    small = SmallTable()
    resent, expired = small.ask(), small.ask()
    small.clock.now += TTL_SECONDS * SECOND - 1
    small.approvals.resend(resent)
    small.clock.now += 1
    small.ask()
    with pytest.raises(ApprovalNotFound):
        small.approvals.get(expired)
    small.confirm(resent)


def test_nobody_can_guess_on_and_on(waiting: Waiting) -> None:
    """Not by approvals that are rejected, cancelled or expired, or sent again."""

    def guess(approval: ApprovalSnapshot) -> None:
        with pytest.raises(CodeInvalid):
            waiting.approvals.confirm(approval.id, WRONG)

    began = waiting.clock.now
    rejected, cancelled, expired = (waiting.request() for _ in range(3))
    for _ in range(5):
        guess(rejected)
    waiting.clock.now += 1
    for _ in range(4):
        guess(cancelled)
    waiting.approvals.cancel(cancelled.id)
    for _ in range(4):
        guess(expired)
    waiting.clock.now += TTL_SECONDS * SECOND
    last = waiting.request()
    guess(last)
    other = waiting.request()
    waiting.approvals.resend(last.id)
    guess(last)
    with nothing_moves(waiting.service), pytest.raises(TooManyWrongCodes) as refused:
        waiting.deduct(500)
    assert refused.value.values == {
        "wallet_id": waiting.source,
        "maximum": 15,
        "retry_after_seconds": 86_400 - TTL_SECONDS,
    }
    waiting.confirm(other)
    stranger = open_wallet(waiting.service, 1_000)
    waiting.service.set_limits(stranger, Limits(approval_threshold=0))
    waiting.service.deduct(stranger, 1)
    waiting.clock.now = began + 86_400 * SECOND - 1
    with pytest.raises(TooManyWrongCodes):
        waiting.deduct(500)
    waiting.clock.now += 1
    waiting.request()
    waiting.clock.now += 86_400 * SECOND
    waiting.request()
    assert waiting.approvals.table.guessed_wallets() == set()
