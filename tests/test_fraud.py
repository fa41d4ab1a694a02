"""Fraud rules: each just below, at and just above where it begins to see fraud."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.allocations import in_a_child, needs_failing_allocations, with_failing
from tests.answers import assert_problem, post
from tests.ledgers import (
    FULL,
    SECOND,
    START,
    BoundedLock,
    Clock,
    Codes,
    Ids,
    balances,
    new_service,
    nothing_moves,
    open_wallet,
)
from wallet_app import create_app
from wallet_app.domain.errors.approval_errors import TooManyApprovals
from wallet_app.domain.errors.wallet_errors import FraudBlocked
from wallet_app.domain.fraud_signals import (
    ARRIVALS_MAX,
    PAYEES_MAX,
    FraudSignals,
    Thresholds,
)
from wallet_app.domain.spending import Limits
from wallet_app.services.alerts import Alerts
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.events import Outbox
from wallet_app.services.fraud import RULES, Outgoing, Verdict
from wallet_app.services.movement import ApprovalRequired
from wallet_app.services.service import WalletService
from wallet_app.settings import FRAUD_RULES, Settings
from wallet_app.store import ThreadLock

BY = Thresholds(
    rules=FRAUD_RULES,
    velocity_count=3,
    velocity_seconds=60,
    spike_factor=10,
    spike_count=5,
    new_payee_amount=1_000,
    drain_percent=90,
    drain_seconds=3_600,
    drain_amount=500,
    structuring_percent=90,
    structuring_count=3,
    structuring_seconds=600,
)
TIMEOUT_SECONDS = 10


def ago(seconds: int, nanoseconds: int = 0) -> int:
    return START - seconds * SECOND - nanoseconds


def out(amount: int = 1, **facts: Any) -> Outgoing:
    """Return a movement out of a wallet that remembers nothing, but for these facts."""
    past = {
        name: facts.pop(name)
        for name in FraudSignals.__struct_fields__
        if name in facts
    }
    values: dict[str, Any] = {
        "target_id": None,
        "now": START,
        "spent": 0,
        "approval_threshold": None,
        "by": BY,
    }
    return Outgoing(amount=amount, signals=FraudSignals(**past), **values | facts)


EDGES = [
    # The fourth within a minute is one too many.
    ("velocity", out(sent_times=(START,) * 2), "allow"),
    ("velocity", out(sent_times=(START,) * 3), "block"),
    ("velocity", out(sent_times=(ago(60, -1), START, START)), "block"),
    ("velocity", out(sent_times=(ago(60), START, START)), "allow"),
    ("velocity", out(sent_times=(ago(60, 1), START, START)), "allow"),
    # More than ten times the average of five or more: here 100.
    ("spike", out(999, sent_count=5, spent=500), "allow"),
    ("spike", out(1_000, sent_count=5, spent=500), "allow"),
    ("spike", out(1_001, sent_count=5, spent=500), "review"),
    ("spike", out(1_001, sent_count=4, spent=400), "allow"),
    ("spike", out(1_001, sent_count=6, spent=600), "review"),
    # An average that is no integer: 10/6 each, ten times that is 16.67.
    ("spike", out(16, sent_count=6, spent=10), "allow"),
    ("spike", out(17, sent_count=6, spent=10), "review"),
    # A first transfer of 1,000 or more.
    ("new-payee", out(999, target_id="ravi"), "allow"),
    ("new-payee", out(1_000, target_id="ravi"), "review"),
    ("new-payee", out(1_001, target_id="ravi"), "review"),
    ("new-payee", out(1_000, target_id="ravi", payees={"ravi": None}), "allow"),
    ("new-payee", out(1_000, target_id="ravi", payees={"mei": None}), "review"),
    ("new-payee", out(1_000), "allow"),
    # 90 % of what arrived in an hour, if that is 500 or more.
    ("drain", out(899, arrivals=((START, 1_000),)), "allow"),
    ("drain", out(900, arrivals=((START, 1_000),)), "review"),
    ("drain", out(901, arrivals=((START, 1_000),)), "review"),
    ("drain", out(1_001, arrivals=((START, 1_000),)), "review"),
    ("drain", out(499, arrivals=((START, 499),)), "allow"),
    ("drain", out(500, arrivals=((START, 500),)), "review"),
    ("drain", out(501, arrivals=((START, 501),)), "review"),
    ("drain", out(900, arrivals=((START, 1), (START, 999))), "review"),
    ("drain", out(900, arrivals=((ago(3_600, -1), 1_000),)), "review"),
    ("drain", out(900, arrivals=((ago(3_600), 1_000),)), "allow"),
    ("drain", out(900, arrivals=((ago(3_600, 1), 1_000),)), "allow"),
    ("drain", out(900), "allow"),
    # The third from 90 to 100 within ten minutes, where 100 is the threshold.
    *(
        (
            "structuring",
            out(a, approval_threshold=100, near_times=(START,) * 2),
            verdict,
        )
        for a, verdict in ((89, "allow"), (90, "review"), (100, "review"))
    ),
    ("structuring", out(101, approval_threshold=100, near_times=(START,) * 2), "allow"),
    ("structuring", out(90, approval_threshold=100, near_times=(START,)), "allow"),
    ("structuring", out(90, approval_threshold=100, near_times=(START,) * 3), "review"),
    ("structuring", out(90, near_times=(START,) * 2), "allow"),
    *(
        (
            "structuring",
            out(90, approval_threshold=100, near_times=(first, START)),
            verdict,
        )
        for first, verdict in (
            (ago(600, -1), "review"),
            (ago(600), "allow"),
            (ago(600, 1), "allow"),
        )
    ),
]


@pytest.mark.parametrize(("name", "movement", "verdict"), EDGES)
def test_a_rule_begins_just_where_its_thresholds_say(
    name: str, movement: Outgoing, verdict: str
) -> None:
    assert RULES[name](movement) is Verdict(verdict)


def test_every_rule_has_its_edges_tried() -> None:
    assert {name for name, _, _ in EDGES} == set(RULES) == set(FRAUD_RULES)
    flagged = {name for name, _, verdict in EDGES if verdict != "allow"}
    assert flagged == set(RULES)


# What a wallet remembers


class Watched:
    """A service with fraud rules, and a wallet in it."""

    def __init__(self, rules: str, balance: int = 100_000, **others: int) -> None:
        self.clock, self.codes = Clock(), Codes()
        names = {f"fraud_{name}": number for name, number in others.items()}
        self.service = new_service(
            Settings(fraud_rules=tuple(rules.split(",")), **names),  # type: ignore[arg-type]
            clock=self.clock,
            new_code=self.codes,
            send_code=self.codes.send,
        )
        self.source = open_wallet(self.service, balance)
        self.target = open_wallet(self.service)
        self.deduct = partial(self.service.money.deduct, self.source)
        self.transfer = partial(self.service.money.transfer, self.source, self.target)

    def run(self, movement: Any, *arguments: Any) -> object:
        return self.service.approvals.run(partial(movement, *arguments))

    def signals(self) -> FraudSignals:
        return self.service.store.wallets[self.source].counters.signals


def test_velocity_blocks_one_too_many_in_a_minute_whoever_confirms() -> None:
    watched = Watched("velocity")
    for n in range(10):
        (watched.deduct if n % 2 else watched.transfer)(1)
    with nothing_moves(watched.service):
        for movement in (watched.deduct, watched.transfer):
            for approved in (False, True):
                with pytest.raises(FraudBlocked) as refused:
                    movement(1, approved=approved)
                assert refused.value.values["rule"] == "velocity"
    watched.clock.now += 60 * SECOND
    for _ in range(10):
        watched.deduct(1)


def test_a_window_that_a_wallet_has_left_stays_behind_whatever_the_clock_says() -> None:
    watched = Watched("velocity")
    for _ in range(10):
        watched.deduct(1)
    watched.clock.now += 60 * SECOND
    watched.service.add(watched.source, 1)
    watched.clock.now -= 60 * SECOND
    watched.deduct(1)


def test_what_arrives_and_what_is_refused_is_not_counted() -> None:
    watched = Watched("velocity", balance=10, velocity_count=2)
    for _ in range(5):
        watched.service.add(watched.source, 1)
        with pytest.raises(Exception, match="balance is"):
            watched.deduct(999)
    watched.deduct(1)
    watched.deduct(1)


def test_spike_compares_with_all_that_was_sent_before() -> None:
    watched = Watched("spike")
    for amount in (1, 2, 3, 4, 5):
        watched.deduct(amount)
    with nothing_moves(watched.service), pytest.raises(ApprovalRequired) as review:
        watched.deduct(31)
    assert review.value.reason == "spike"
    watched.deduct(30)


def test_a_payee_is_new_until_the_first_transfer() -> None:
    watched = Watched("new-payee", new_payee_amount=500)
    with nothing_moves(watched.service), pytest.raises(ApprovalRequired) as review:
        watched.transfer(500)
    assert (review.value.reason, review.value.target_id) == (
        "new-payee",
        watched.target,
    )
    watched.transfer(1)
    watched.transfer(500)
    watched.deduct(500)


def test_drain_looks_at_what_arrived_lately() -> None:
    watched = Watched("drain", balance=100_000)
    with nothing_moves(watched.service), pytest.raises(ApprovalRequired):
        watched.deduct(90_000)
    watched.deduct(89_999)
    watched.clock.now += 3_600 * SECOND
    watched.deduct(10_001)


def test_structuring_sees_the_third_amount_just_under_the_threshold() -> None:
    watched = Watched("structuring")
    watched.service.set_limits(watched.source, Limits(approval_threshold=1_000))
    for amount in (900, 899, 1_000):
        watched.deduct(amount)
    with nothing_moves(watched.service), pytest.raises(ApprovalRequired) as review:
        watched.deduct(950)
    assert review.value.reason == "structuring"
    with pytest.raises(ApprovalRequired) as review:
        watched.deduct(1_001)
    assert review.value.reason == "approval-threshold"


def test_what_is_remembered_is_bounded() -> None:
    past = FraudSignals()
    for n in range(PAYEES_MAX + 10):
        past = past.sent(BY, n, f"payee {n}", True)
        past = past.received(BY, n, 1)
    assert len(past.payees) == PAYEES_MAX
    assert next(iter(past.payees)) == "payee 10"
    assert list(past.payees)[-1] == f"payee {PAYEES_MAX + 9}"
    assert len(past.sent_times) == len(past.near_times) == 3
    assert len(past.arrivals) == ARRIVALS_MAX
    assert sum(amount for _, amount in past.arrivals) == PAYEES_MAX + 10
    assert past.arrivals[0][0] == PAYEES_MAX + 10 - ARRIVALS_MAX
    late = past.received(BY, 3_600 * SECOND + PAYEES_MAX, 7)
    assert sum(amount for _, amount in late.arrivals) == 9 + 7


def test_what_fails_is_not_remembered() -> None:
    watched = Watched("velocity,spike,new-payee,drain,structuring")

    with nothing_moves(watched.service):
        for movement in (watched.deduct, watched.transfer):
            with pytest.raises(RuntimeError):
                movement(5, on_commit=FULL)
    assert watched.signals().sent_count == 0
    assert watched.signals().payees == {}


def test_nothing_is_remembered_where_no_rule_is_to_know() -> None:
    service = new_service()
    source, target = open_wallet(service, 100), open_wallet(service)
    service.set_limits(source, Limits(daily=100))
    service.transfer(source, target, 1)
    assert service.store.wallets[source].counters.signals == FraudSignals()


def test_limits_and_a_freeze_leave_the_rules() -> None:
    watched = Watched("velocity", velocity_count=1)
    watched.service.set_limits(watched.source, Limits())
    watched.service.freeze(watched.source, "Card stolen")
    watched.service.unfreeze(watched.source)
    watched.deduct(1)
    with pytest.raises(FraudBlocked):
        watched.deduct(1)


def test_a_block_counts_for_more_than_a_review_and_then_the_first_rule_does() -> None:
    facts = {"velocity_count": 1, "new_payee_amount": 1, "drain_amount": 1}
    watched = Watched("new-payee,drain,velocity", **facts)
    with pytest.raises(ApprovalRequired) as review:
        watched.transfer(100_000)
    assert review.value.reason == "new-payee"
    watched.deduct(1)
    with pytest.raises(FraudBlocked):
        watched.transfer(99_999)


def test_spenders_at_the_same_time_never_pass_the_velocity() -> None:
    watched = Watched("velocity")
    start = threading.Barrier(8)
    blocked: list[object] = []

    def spend() -> None:
        start.wait(TIMEOUT_SECONDS)
        for _ in range(5):
            try:
                watched.deduct(1)
            except FraudBlocked as refusal:
                blocked.append(refusal)

    threads = [threading.Thread(target=spend, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()
    assert len(blocked) == 30
    assert balances(watched.service, watched.source) == [100_000 - 10]


# Review and alerts


def test_a_review_is_an_approval_and_an_alert() -> None:
    watched = Watched("new-payee", new_payee_amount=500)
    with nothing_moves(watched.service):
        approval = watched.run(watched.transfer, 500)
    assert isinstance(approval, ApprovalSnapshot)
    assert approval.reason == "new-payee"
    (alert,) = watched.service.list_alerts().alerts
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
    alerts = watched.service.list_alerts().alerts
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
    assert watched.service.list_alerts(limit=1).alerts[0].approval_id is None
    assert watched.service.list_alerts().total == 11


def test_alerts_are_listed_newest_first_and_the_oldest_is_forgotten() -> None:
    alerts = Alerts(Clock(), Ids(), Outbox(BoundedLock), BoundedLock, alerts_max=5)
    for amount in range(1, 8):
        flagged = FraudBlocked("velocity", "wallet", amount, "INR", None)
        alerts.add(flagged, Verdict.BLOCK)
    pages = [alerts.page(limit=2, page=page) for page in (1, 2, 3, 4)]
    assert [[alert.amount for alert in page.alerts] for page in pages] == [
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
        return [(each.wallet_id, each.amount) for each in alerts.page().alerts]

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


# Over HTTP


@pytest.fixture
def watched() -> Watched:
    return Watched("velocity,new-payee", velocity_count=1, new_payee_amount=500)


@pytest.fixture
def http(watched: Watched) -> FlaskClient:
    return create_app(watched.service).test_client()


def test_what_is_flagged_is_answered_and_listed(
    http: FlaskClient, watched: Watched
) -> None:
    pair = {"fromWalletId": watched.source, "toWalletId": watched.target}
    review = post(http, "/wallet/transfer", pair | {"amount": 500})
    assert (review.status_code, review.get_json()["reason"]) == (202, "new-payee")
    body = {"walletId": watched.source, "amount": 1}
    assert post(http, "/wallet/deduct", body).status_code == 200
    with nothing_moves(watched.service):
        blocked = post(http, "/wallet/deduct", body)
        problem = assert_problem(blocked, 403, "fraud_blocked")
    assert problem["rule"] == "velocity"
    listed = http.get("/fraud/alerts?limit=1")
    answer = listed.get_json()
    assert {**answer, "alerts": []} == {
        "alerts": [],
        "page": 1,
        "limit": 1,
        "total": 2,
        "totalPages": 2,
    }
    assert answer["alerts"] == [
        {
            "id": answer["alerts"][0]["id"],
            "walletId": watched.source,
            "toWalletId": None,
            "rule": "velocity",
            "verdict": "block",
            "amount": 1,
            "currency": "INR",
            "approvalId": None,
            "createdAt": "2026-01-01T00:00:00.000Z",
        }
    ]
    assert listed.headers["Link"] == (
        '</fraud/alerts?limit=1&page=1>; rel="first", '
        '</fraud/alerts?limit=1&page=2>; rel="next", '
        '</fraud/alerts?limit=1&page=2>; rel="last"'
    )
    (older,) = http.get("/fraud/alerts?limit=1&page=2").get_json()["alerts"]
    assert (older["rule"], older["verdict"]) == ("new-payee", "review")
    assert older["approvalId"] == review.get_json()["approvalId"]
    assert older["toWalletId"] == watched.target


def test_a_block_is_kept_for_its_key_and_is_one_alert(
    http: FlaskClient, watched: Watched
) -> None:
    watched.deduct(1)
    body = {"walletId": watched.source, "amount": 1}
    first, again = (
        post(http, "/wallet/deduct", body, **{"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert_problem(first, 403, "fraud_blocked")
    assert first.data == again.data
    assert watched.service.list_alerts().total == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "page=0", "rule=drain"])
def test_alerts_of_the_wrong_query_are_refused(client: FlaskClient, query: str) -> None:
    response = client.get(f"/fraud/alerts?{query}")
    assert_problem(response, 400, "invalid_request")


def test_out_of_the_box_nothing_is_flagged(
    client: FlaskClient, service: WalletService
) -> None:
    source, target = open_wallet(service, 10**9), open_wallet(service)
    for _ in range(20):
        service.transfer(source, target, 10**7)
    assert client.get("/fraud/alerts").get_json()["alerts"] == []
