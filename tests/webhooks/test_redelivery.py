"""A message can be delivered again by hand."""

from __future__ import annotations

import threading
from functools import partial
from uuid import UUID

import pytest

from tests.answers import NOBODY, assert_problem, post
from tests.background.work import started
from tests.ledgers import FULL, SECOND, Crash
from tests.webhooks.listening import (
    LOG,
    NAP_SECONDS,
    TIMEOUT_SECONDS,
    Acting,
    Listening,
    nothing_is_sent,
)
from wallet_app.gateways.delivery_connection import Reply
from wallet_app.services.events import EventType
from wallet_app.services.webhooks.webhooks import REDELIVERIES_MAX
from wallet_app.settings import Settings


@pytest.fixture
def received(listening: Listening) -> Listening:
    """A webhook that has received one message."""
    listening.move()
    listening.run()
    return listening


def test_a_delivery_is_shown_as_it_is() -> None:
    listening = Listening(Reply(503, "60"))
    listening.move()
    listening.run()
    (delivery,) = listening.list_over_http().get_json()["deliveries"]
    assert UUID(delivery["id"])
    assert delivery == {
        "id": delivery["id"],
        "messageId": listening.ids[0],
        "type": "transaction.created",
        "status": "PENDING",
        "attempts": 1,
        "answerStatus": 503,
        "lastError": "the answer was 503",
        "nextAttemptAt": "2026-01-01T00:01:00.000Z",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }


def test_a_message_that_was_received_can_be_delivered_again(
    received: Listening,
) -> None:
    received.clock.now += SECOND
    response = received.redeliver(received.delivery().id)
    assert response.status_code == 202
    reopened = response.get_json()
    assert reopened == received.list_over_http().get_json()["deliveries"][0]
    assert reopened["status"] == "PENDING"
    assert reopened["nextAttemptAt"] == "2026-01-01T00:00:01.000Z"
    received.service.background.run_due()
    delivery = received.delivery()
    assert (delivery.status, delivery.attempts) == ("SUCCEEDED", 2)
    (_, first, body), (_, second, same_body) = received.receivers.posts
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) == int(first["webhook-timestamp"]) + 1
    assert body == same_body


def test_a_message_that_was_given_up_is_delivered_again_by_the_whole_schedule() -> None:
    settings = Settings(webhook_retry_seconds=(0, 5, 60))
    listening = Listening(*[500] * 6, settings=settings)
    listening.move()
    for attempts in (3, 6):
        for wait, due in ((0, 1), (4, 0), (1, 1), (59, 0), (1, 1)):
            assert listening.run(wait) == due
        delivery = listening.delivery()
        assert (delivery.status, delivery.attempts) == ("FAILED", attempts)
        assert listening.redeliver(delivery.id).status_code == 202
    listening.run()
    assert listening.delivery().status == "SUCCEEDED"
    assert listening.ids == [listening.delivery().message_id] * 7


def test_a_message_that_is_redelivered_is_sent_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(NAP_SECONDS, 60)
    came, receivers = threading.Event(), Acting()
    listening = Listening(transport=receivers)
    listening.move()
    listening.run()
    receivers.act = came.set
    with started(listening.service.background, *listening.queues):
        assert listening.redeliver(listening.delivery().id).status_code == 202
        assert came.wait(TIMEOUT_SECONDS)


def test_a_redelivery_with_a_key_is_done_once(received: Listening) -> None:
    key = {"Idempotency-Key": "k"}
    first = received.redeliver(received.delivery().id, **key)
    received.run()
    with nothing_is_sent(received):
        replayed = received.redeliver(received.delivery().id, **key)
        assert (replayed.status_code, replayed.data) == (202, first.data)
        assert replayed.headers["Idempotent-Replayed"] == "true"
    assert len(received.ids) == 2


def test_a_redelivery_that_does_not_commit_is_not_done(received: Listening) -> None:
    redeliver = partial(received.service.webhooks.redeliver, received.webhook_id)
    with nothing_is_sent(received), pytest.raises(Crash):
        redeliver(received.delivery().id, FULL)
    redeliver(received.delivery().id)
    received.run()
    assert received.delivery().attempts == 2


def test_a_pending_message_is_not_redelivered() -> None:
    listening = Listening(500)
    listening.move()
    for seconds in (0, 5):  # not attempted yet, then attempted once
        pending = listening.delivery()
        refused = listening.redeliver(pending.id)
        problem = assert_problem(refused, 409, "not_redeliverable")
        assert problem["deliveryId"] == pending.id
        assert listening.delivery() == pending
        assert listening.run(seconds) == 1
    assert len(listening.ids) == 2


def test_nothing_is_redelivered_to_a_receiver_that_is_gone() -> None:
    listening = Listening(204, 410)
    listening.move(3)
    listening.run()
    assert [each.status for each in listening.deliveries()] == [
        "SUCCEEDED",
        "FAILED",
        "FAILED",
    ]
    with nothing_is_sent(listening):
        for delivery in listening.deliveries():
            refused = listening.redeliver(delivery.id)
            assert_problem(refused, 409, "not_redeliverable")


def test_a_delivery_that_does_not_exist_is_not_redelivered(received: Listening) -> None:
    other = received.listen((EventType.WALLET_CREATED,))
    delivery_id = received.delivery().id
    with nothing_is_sent(received):
        for webhook_id, of, code in (
            (received.webhook_id, NOBODY, "delivery_not_found"),
            (other, delivery_id, "delivery_not_found"),
            (NOBODY, delivery_id, "webhook_not_found"),
            (received.webhook_id, "42", "not_found"),
        ):
            path = f"/webhooks/{webhook_id}/deliveries/{of}/redeliver"
            assert_problem(post(received.client, path, {}), 404, code)


def test_a_message_is_redelivered_ten_times_and_no_more(received: Listening) -> None:
    for _ in range(REDELIVERIES_MAX):
        assert received.redeliver(received.delivery().id).status_code == 202
        received.run()
    with nothing_is_sent(received):
        refused = received.redeliver(received.delivery().id)
    problem = assert_problem(refused, 429, "too_many_redeliveries")
    assert problem["maximum"] == 10
    assert received.delivery().attempts == 11


def test_nothing_is_redelivered_while_the_log_is_full(
    received: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LOG}.PENDING_MAX", 0)
    with nothing_is_sent(received):
        refused = received.redeliver(received.delivery().id)
        assert_problem(refused, 409, "not_redeliverable")


def test_a_message_that_comes_while_the_log_is_full_can_be_redelivered(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LOG}.PENDING_MAX", 2)
    listening.move(4)
    *pending, third, fourth = listening.deliveries()
    assert [each.status for each in pending] == ["PENDING"] * 2
    for failed in (third, fourth):
        assert (failed.status, failed.attempts) == ("FAILED", 0)
        assert failed.last_error == "too many deliveries wait"
        assert failed.next_attempt_at is None
    listening.run()
    assert listening.ids == [each.message_id for each in pending]
    assert listening.redeliver(third.id).status_code == 202
    listening.move()
    listening.run()
    fifth = listening.deliveries()[-1]
    assert listening.ids[2:] == [third.message_id, fifth.message_id]
    assert [each.status for each in listening.deliveries()].count("SUCCEEDED") == 4


# The list


def test_the_latest_deliveries_that_ended_are_listed(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> list[str]:
        return [each.id for each in listening.deliveries()]

    monkeypatch.setattr(f"{LOG}.ENDED_MAX", 2)
    listening.move(3)
    first, second, third = listed()
    listening.run()
    assert listed() == [second, third]
    assert_problem(listening.redeliver(first), 404, "delivery_not_found")
    assert listening.redeliver(second).status_code == 202
    listening.run()  # so it has ended last
    listening.move()
    *_, fourth = listed()
    assert listed() == [second, third, fourth]
    listening.run()
    assert listed() == [second, fourth]


def test_deliveries_are_listed_newest_first_page_by_page(listening: Listening) -> None:
    listening.move(5)
    newest_first = [each.id for each in reversed(listening.deliveries())]
    pages = [listening.list_over_http(f"?limit=2&page={page}") for page in (1, 2, 3, 4)]
    listed = [[each["id"] for each in page.get_json()["deliveries"]] for page in pages]
    assert listed == [newest_first[:2], newest_first[2:4], newest_first[4:], []]
    second = pages[1].get_json()
    del second["deliveries"]
    assert second == {"page": 2, "limit": 2, "total": 5, "totalPages": 3}
    path = f"/webhooks/{listening.webhook_id}/deliveries?limit=2&page="
    assert pages[1].headers["Link"] == (
        f'<{path}1>; rel="first", <{path}1>; rel="prev", '
        f'<{path}3>; rel="next", <{path}3>; rel="last"'
    )
    assert 'rel="next"' not in pages[2].headers["Link"]


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=101", "?page=0", "?page=x", "?before=1"]
)
def test_a_query_for_no_page_is_refused(listening: Listening, query: str) -> None:
    assert_problem(listening.list_over_http(query), 400, "invalid_request")
