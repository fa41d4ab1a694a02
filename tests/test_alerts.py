"""What the fraud rules send to review or block is listed, in bounds."""

from __future__ import annotations

from functools import partial

import pytest

from tests.allocations import in_a_child, needs_failing_allocations, with_failing
from tests.flagging import Watched
from tests.ledgers import (
    SECOND,
    START,
    BoundedLock,
    Clock,
    Ids,
    balances,
    nothing_moves,
)
from wallet_app.domain.errors.approval_errors import TooManyApprovals
from wallet_app.domain.errors.wallet_errors import FraudBlocked
from wallet_app.domain.spending import Limits
from wallet_app.services.alerts import Alerts
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import Outbox
from wallet_app.services.fraud import Verdict
from wallet_app.store import ThreadLock


def test_a_review_is_an_approval_and_an_alert() -> None:
    watched = Watched("new-payee", new_payee_amount=500)
    with nothing_moves(watched.service):
        approval = watched.run(watched.transfer, 500)
    assert isinstance(approval, ApprovalSnapshot)
    assert approval.reason == "new-payee"
    (alert,) = watched.service.list_alerts().rows
    assert (alert.wallet_id, alert.target_id) == (watched.source, watched.target)
    assert (alert.rule, alert.verdict) == ("new-payee", Verdict.REVIEW)
    assert (alert.amount, alert.currency) == (500, "INR")
    assert (alert.approval_id, alert.created_at) == (approval.id, START)
    watched.service.confirm_approval(approval.id, watched.codes.sent[approval.id])
    assert balances(watched.service, watched.target) == [500]
    assert watched.service.list_alerts().total == 1


def test_a_block_is_an_alert_also_when_a_confirmed_movement_is_blocked() -> None:
    watched = Watched("new-payee,velocity", new_payee_amount=500, velocity_count=1)
    approval = watched.run(watched.transfer, 500)
    assert isinstance(approval, ApprovalSnapshot)
    watched.deduct(1)
    code = watched.codes.sent[approval.id]
    with nothing_moves(watched.service):
        with pytest.raises(FraudBlocked):
            watched.run(watched.deduct, 1)
        with pytest.raises(FraudBlocked):
            watched.service.confirm_approval(approval.id, code)
    alerts = watched.service.list_alerts().rows
    assert [(alert.verdict, alert.amount) for alert in alerts] == [
        (Verdict.BLOCK, 500),
        (Verdict.BLOCK, 1),
        (Verdict.REVIEW, 500),
    ]
    assert alerts[0].approval_id is None
    watched.clock.now += 60 * SECOND
    watched.service.confirm_approval(approval.id, code)


def test_what_only_passes_the_threshold_is_no_alert() -> None:
    watched = Watched("velocity")
    watched.service.set_limits(watched.source, Limits(approval_threshold=0))
    assert isinstance(watched.run(watched.deduct, 1), ApprovalSnapshot)
    assert watched.service.list_alerts().total == 0


def test_a_review_for_which_no_approval_is_left_is_an_alert_all_the_same() -> None:
    watched = Watched("new-payee", new_payee_amount=1)
    for _ in range(10):
        watched.run(watched.transfer, 1)
    with nothing_moves(watched.service), pytest.raises(TooManyApprovals):
        watched.run(watched.transfer, 1)
    assert watched.service.list_alerts(limit=1).rows[0].approval_id is None
    assert watched.service.list_alerts().total == 11


def test_alerts_are_listed_newest_first_and_the_oldest_is_forgotten() -> None:
    alerts = Alerts(Clock(), Ids(), Outbox(BoundedLock), BoundedLock, alerts_max=5)
    for amount in range(1, 8):
        flagged = FraudBlocked("velocity", "wallet", amount, "INR", None)
        alerts.add(flagged, Verdict.BLOCK)
    pages = [alerts.page(limit=2, page=page) for page in (1, 2, 3, 4)]
    assert [[alert.amount for alert in page.rows] for page in pages] == [
        [7, 6],
        [5, 4],
        [3],
        [],
    ]
    assert {page.total for page in pages} == {5}


def test_one_wallet_hides_no_alert_of_the_others() -> None:
    alerts = Alerts(
        Clock(),
        Ids(),
        Outbox(BoundedLock),
        BoundedLock,
        alerts_max=6,
        alerts_max_of_wallet=3,
    )

    def flag(wallet_id: str, *amounts: int) -> None:
        for amount in amounts:
            flagged = FraudBlocked("velocity", wallet_id, amount, "INR", None)
            alerts.add(flagged, Verdict.BLOCK)

    def listed() -> list[tuple[str, int]]:
        return [(each.wallet_id, each.amount) for each in alerts.page().rows]

    flag("victim", 1)
    flag("stranger", *range(2, 10))
    assert listed() == [
        ("stranger", 9),
        ("stranger", 8),
        ("stranger", 7),
        ("victim", 1),
    ]
    flag("asha", 10, 11)
    assert len(listed()) == 6
    flag("stranger", 12)
    assert listed()[-1] == ("victim", 1), "its own oldest goes first"
    flag("asha", 13)
    assert listed()[-1] == ("stranger", 8)
    flag("victim", *range(14, 20))
    assert [wallet for wallet, _ in listed()] == ["victim"] * 3 + ["asha"] + [
        "stranger"
    ] + ["asha"]
    for newcomer in ("zoe", "lea"):
        flag(newcomer, 20, 21, 22)
    assert set(alerts.counts()) == {"zoe", "lea"}


@needs_failing_allocations
@pytest.mark.slow
def test_whatever_allocation_fails_the_alerts_of_a_wallet_stay_bounded() -> None:
    def trials() -> tuple[int, list[int]]:
        failed, unbounded = 0, []
        for n in range(100):
            alerts = Alerts(
                Clock(),
                Ids(),
                Outbox(ThreadLock),
                ThreadLock,
                6,
                alerts_max_of_wallet=2,
            )
            flagged = FraudBlocked("velocity", "wallet", 1, "INR", None)
            add = partial(alerts.add, flagged, Verdict.BLOCK)
            add()
            add()
            failed += with_failing(n, 1, add).result is not None
            for _ in range(4):
                add()
            if alerts.page().total != 2 or alerts.counts() != {"wallet": 2}:
                unbounded.append(n)
        return failed, unbounded

    failed, unbounded = in_a_child(trials)
    assert failed > 5
    assert unbounded == []
