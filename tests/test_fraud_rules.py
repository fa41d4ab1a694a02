"""Fraud rules: each just below, at and just above where it begins to see fraud."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import asdict

from tests.flagging import BY
from tests.ledgers import SECOND, START, new_service, open_wallet
from wallet_app.domain.fraud_signals import FraudSignals, Thresholds
from wallet_app.services.fraud import RULES, Outgoing, Verdict
from wallet_app.settings import FRAUD_RULES, Settings


def ago(seconds: int, nanoseconds: int = 0) -> int:
    return START - seconds * SECOND - nanoseconds


def out(amount: int = 1, **facts: Any) -> Outgoing:
    """Return a movement out of a wallet that has no counters except these."""
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


def test_each_threshold_is_the_setting_of_its_name() -> None:
    names = [name for name in Thresholds.__struct_fields__ if name != "rules"]
    numbers: dict[str, Any] = {name: number for number, name in enumerate(names, 1)}
    set_to = {f"fraud_{name}": number for name, number in numbers.items()}
    service = new_service(replace(Settings(fraud_rules=("drain",)), **set_to))
    policy = service.store.wallets[open_wallet(service)].policy
    assert policy.fraud is not None
    assert asdict(policy.fraud) == {"rules": ("drain",), **numbers}
