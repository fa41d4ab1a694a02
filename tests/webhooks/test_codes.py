"""The code of an approval: it is sent before all else, and nobody keeps it."""

from __future__ import annotations

import pytest

from tests.webhooks.listening import (
    CODE,
    LOG,
    SECRET,
    Acting,
    Listening,
    nothing_is_sent,
)
from tests.webhooks.memory import is_remembered
from tests.webhooks.occurrences import MOVED
from wallet_app.settings import Settings

ASKED = "approval.requested"
DELAYS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000)


def listening_to(
    codes: list[str], *replies: int, transport: Acting | None = None
) -> Listening:
    """Return a service whose approvals have these codes, in turn."""
    left = iter(codes)
    return Listening(*replies, transport=transport, new_code=lambda: next(left))


def test_a_code_goes_to_the_webhook_and_confirms(listening: Listening) -> None:
    approval_id = listening.ask_for_approval()
    listening.run()
    (body,) = listening.bodies
    assert (body["type"], body["data"]["approvalId"]) == (ASKED, approval_id)
    listening.service.confirm_approval(approval_id, body["data"]["otp"])
    listening.run()
    assert listening.types == [ASKED, MOVED]


def test_a_new_code_is_sent_too() -> None:
    listening = listening_to(["111111", "222222"])
    approval_id = listening.ask_for_approval()
    listening.run()
    listening.service.resend_code(approval_id)
    listening.run()
    assert listening.codes == ["111111", "222222"]
    assert listening.bodies[1]["data"]["resendsLeft"] == 2


def test_a_code_is_not_retried_after_a_newer_one_was_sent() -> None:
    listening = listening_to(["111111", "222222", "333333"], 503, 204)
    approval_id = listening.ask_for_approval()
    assert listening.ask_for_approval() != approval_id
    listening.run()
    listening.service.resend_code(approval_id)
    listening.run()
    listening.run(5)
    assert listening.codes == ["111111", "222222", "333333"]
    superseded = listening.deliveries()[0]
    assert (superseded.status, superseded.attempts) == ("FAILED", 1)
    assert superseded.last_error == "a newer code was sent"


def test_a_code_is_not_retried_if_a_newer_one_came_while_it_was_sent() -> None:
    receivers = Acting()
    listening = listening_to(["111111", "222222"], 503, transport=receivers)
    approval_id = listening.ask_for_approval()

    def resend() -> None:
        receivers.act = lambda: None
        listening.service.resend_code(approval_id)

    receivers.act = resend
    listening.run()
    listening.run(1_000_000)
    assert listening.codes == ["111111", "222222"]
    first, second = listening.deliveries()
    assert (first.status, first.attempts, first.answer) == ("FAILED", 1, 503)
    assert first.last_error == "a newer code was sent"
    assert (second.status, second.attempts) == ("SUCCEEDED", 1)
    assert listening.service.health().queued == 0
    receivers.posts.clear()
    assert not is_remembered("111111", listening.service)


def test_a_code_is_not_sent_after_it_has_expired() -> None:
    listening = Listening(503)
    listening.ask_for_approval()
    listening.run()
    listening.run(300)
    assert len(listening.bodies) == 1
    expired = listening.delivery()
    assert (expired.status, expired.last_error) == ("FAILED", "the code has expired")


def test_on_another_channel_no_webhook_has_the_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listening = Listening(settings=Settings(otp_channel="log"))
    with nothing_is_sent(listening):
        listening.ask_for_approval()
    assert CODE in caplog.text


# Bounds of their own


def test_codes_are_sent_while_the_log_is_full_of_other_messages(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LOG}.PENDING_MAX", 1)
    listening.move(3)
    listening.ask_for_approval()
    listening.run()
    assert listening.types == [MOVED, ASKED]
    statuses = [each.status for each in listening.deliveries()]
    assert statuses == ["SUCCEEDED", "FAILED", "FAILED", "SUCCEEDED"]


def test_other_messages_are_sent_while_the_log_is_full_of_codes(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LOG}.PENDING_MAX", 1)
    for _ in range(3):
        listening.ask_for_approval()
    listening.move()
    listening.run()
    assert listening.types == [ASKED] * 3 + [MOVED]


def test_a_code_that_comes_while_the_log_is_full_of_codes_is_forgotten(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LOG}.CODES_MAX", 0)
    listening.ask_for_approval()
    listening.run()
    assert listening.delivery().status == "FAILED"
    assert not is_remembered(CODE, listening.service)


# Nobody keeps a code


@pytest.mark.parametrize(
    ("replies", "steps"),
    [([204], (0,)), ([500] * len(DELAYS), DELAYS), ([410], (0,))],
    ids=["received", "given up", "gone"],
)
def test_a_code_is_forgotten_when_its_delivery_has_ended(
    replies: list[int], steps: tuple[int, ...]
) -> None:
    listening = Listening(*replies)
    listening.ask_for_approval()
    for step in steps:
        assert is_remembered(CODE, listening.service)
        assert CODE not in listening.list_over_http().text
        listening.run(step)
        assert CODE in listening.codes
    assert listening.delivery().status in ("SUCCEEDED", "FAILED")
    listening.receivers.posts.clear()
    assert not is_remembered(CODE, listening.service)
    with nothing_is_sent(listening):
        response = listening.redeliver(listening.delivery().id)
        assert response.get_json()["code"] == "not_redeliverable"
        assert CODE not in response.text + listening.list_over_http().text


def test_a_code_that_waits_for_a_receiver_that_is_gone_is_forgotten() -> None:
    listening = Listening(410)
    listening.move()
    listening.ask_for_approval()
    listening.run()
    assert len(listening.ids) == 1
    assert not is_remembered(CODE, listening.service)


def test_no_answer_shows_a_code_or_a_secret(listening: Listening) -> None:
    approval_id = listening.ask_for_approval()
    listening.run()
    for path in (
        "/webhooks",
        f"/webhooks/{listening.webhook_id}",
        f"/webhooks/{listening.webhook_id}/deliveries",
        f"/approvals/{approval_id}",
        "/health",
    ):
        text = listening.client.get(path).text
        assert CODE not in text and SECRET not in text and "whsec" not in text
