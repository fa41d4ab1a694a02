"""Codes: how they are made, compared, sent and kept."""

from __future__ import annotations

import hmac
import logging

import pytest

from tests.approving import Waiting
from tests.ledgers import (
    balances,
    new_service,
    open_wallet,
)
from wallet_app.domain.errors.approval_errors import (
    CodeInvalid,
)
from wallet_app.services.approvals.approval import ApprovalSnapshot
from wallet_app.services.approvals.codes import new_code
from wallet_app.settings import Settings
from wallet_app.store import ThreadLock


def test_codes_are_six_digits_made_by_chance() -> None:
    codes = {new_code() for _ in range(500)}
    assert all(len(code) == 6 and code.isdecimal() for code in codes)
    assert len(codes) > 450


def test_a_code_is_kept_nowhere() -> None:
    waiting = Waiting(new_code=lambda: "314159")
    approval = waiting.approvals.table.find(waiting.request().id)
    kept = repr([getattr(approval, slot) for slot in approval.__slots__])
    assert "314159" not in kept + repr(vars(waiting.approvals))
    twin = waiting.approvals.table.find(waiting.request().id)
    assert twin.digest != approval.digest, "equal codes can be told apart"
    other_process = Waiting(new_code=lambda: "314159")
    same_id = other_process.approvals.table.find(other_process.request().id)
    assert same_id.digest != approval.digest, "there is no key"


def test_codes_are_compared_in_constant_time(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval_id = waiting.request().id
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: False)
    with pytest.raises(CodeInvalid):
        waiting.approvals.confirm(approval_id, waiting.codes.sent[approval_id])


@pytest.mark.parametrize("channel", ["log", "webhook"])
def test_a_code_is_in_the_log_on_the_log_channel_only(
    caplog: pytest.LogCaptureFixture, channel: str
) -> None:
    caplog.set_level(logging.DEBUG)
    service = new_service(
        Settings(otp_channel=channel, approval_threshold=0),
        new_code=lambda: "314159",
        send_code=None,
    )
    approval = service.deduct(open_wallet(service, 5), 1)
    assert isinstance(approval, ApprovalSnapshot)
    shown = [line for line in caplog.messages if "314159" in line]
    assert len(shown) == (channel == "log")
    assert all(approval.id in line for line in shown)


def test_every_code_is_sent_before_a_later_one_can_be() -> None:
    held: list[bool] = []

    def send(approval: ApprovalSnapshot, code: str) -> None:
        lock = sending.approvals.table.find(approval.id).lock
        assert isinstance(lock, ThreadLock)
        held.append(lock.locked())

    sending = Waiting(lock_factory=ThreadLock, send_code=send)
    approval = sending.request()
    sending.approvals.resend(approval.id)
    assert held == [True, True]


def test_no_lock_of_a_wallet_is_held_while_a_code_is_sent() -> None:
    def send(approval: ApprovalSnapshot, code: str) -> None:
        sending.approvals.get(approval.id)
        sending.service.add(sending.source, 1)
        sending.service.audit()

    sending = Waiting(send_code=send)
    approval = sending.deduct(500)
    assert isinstance(approval, ApprovalSnapshot)
    sending.approvals.resend(approval.id)
    assert balances(sending.service, sending.source) == [1_002]
