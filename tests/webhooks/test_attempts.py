"""A message is sent until it is received, given up, or the receiver is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import pytest

from tests.ledgers import SECOND, START, Clock, Receivers
from tests.webhooks.listening import LOG, URL, Acting, Listening
from wallet_app.gateways.delivery_connection import Reply
from wallet_app.services.webhooks.delivery_log import DeliveryLog
from wallet_app.settings import Settings
from wallet_app.store import ThreadLock

DELAYS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000)


@pytest.mark.parametrize("status", [200, 204, 299])
def test_a_message_that_was_received_is_not_sent_again(status: int) -> None:
    listening = Listening(status)
    listening.move()
    listening.run()
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("SUCCEEDED", 1)
    assert (delivery.answer, delivery.last_error) == (status, None)
    assert (delivery.next_attempt_at, delivery.updated_at) == (None, START)
    assert listening.run(1_000_000) == 0


@pytest.mark.parametrize(
    ("reply", "answer", "why"),
    [
        *[
            (status, status, f"the answer was {status}")
            for status in (199, 300, 301, 304, 400, 404, 409, 429, 500, 503)
        ],
        ("the connection was refused", None, "the connection was refused"),
    ],
)
def test_a_message_is_sent_again_after_any_other_answer_or_none(
    reply: int | str, answer: int | None, why: str
) -> None:
    listening = Listening(reply)
    listening.move()
    listening.run()
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("PENDING", 1)
    assert (delivery.answer, delivery.last_error) == (answer, why)
    assert delivery.next_attempt_at == START + 5 * SECOND
    listening.run(5)
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("SUCCEEDED", 2)
    assert (delivery.answer, delivery.last_error) == (204, None)
    assert listening.ids == [delivery.message_id] * 2


def test_the_latest_attempt_that_nobody_answered_leaves_no_answer() -> None:
    listening = Listening(500, "the connection was refused")
    listening.move()
    listening.run()
    listening.run(5)
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("PENDING", 2)
    assert delivery.answer is None
    assert delivery.last_error == "the connection was refused"


def test_a_message_is_sent_by_the_schedule_and_then_given_up() -> None:
    listening = Listening(*[500] * len(DELAYS))
    listening.move()
    for attempts, seconds in enumerate(DELAYS):
        if seconds:
            due_at = listening.clock.now + seconds * SECOND
            assert listening.delivery().next_attempt_at == due_at
            listening.clock.now = due_at - 1
            assert listening.run() == 0
            listening.clock.now = due_at
        assert listening.delivery().attempts == attempts
        assert listening.run() == 1
    delivery, now = listening.delivery(), listening.clock.now
    assert (delivery.status, delivery.attempts) == ("FAILED", len(DELAYS))
    assert (delivery.answer, delivery.last_error) == (500, "the answer was 500")
    assert (delivery.next_attempt_at, delivery.updated_at) == (None, now)
    assert listening.run(1_000_000) == 0
    assert len(set(listening.ids)) == 1


def test_each_wait_is_left_to_chance_up_to_the_schedules() -> None:
    longest: list[int] = []

    def half(most: int) -> int:
        longest.append(most)
        return most // 2

    settings = Settings(webhook_retry_seconds=(4, 6, 8))
    listening = Listening(500, 500, 500, settings=settings, jitter=half)
    listening.move()
    for seconds in (2, 3, 4):
        assert listening.run(seconds - 1) == 0
        assert listening.run(1) == 1
    assert longest == [4 * SECOND, 6 * SECOND, 8 * SECOND]
    assert listening.delivery().status == "FAILED"


@pytest.mark.parametrize("step", [-3_600, 86_400])
def test_no_step_of_the_wall_clock_moves_a_delivery(step: int) -> None:
    monotonic = Clock()
    listening = Listening(503, monotonic=monotonic)
    listening.move()
    assert listening.run() == 1
    assert listening.delivery().next_attempt_at == START + 5 * SECOND
    listening.clock.now += step * SECOND
    listening.move()
    assert listening.run() == 1, "what is new is sent at once"
    monotonic.now += 5 * SECOND - 1
    assert listening.run() == 0
    monotonic.now += 1
    assert listening.run() == 1
    assert {each.status for each in listening.deliveries()} == {"SUCCEEDED"}
    assert listening.service.health().oldest_due_at is None


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120),
        ("0", 5),
        ("4", 5),
        ("6", 6),
        ("36000", 36_000),
        ("36001", 36_000),
        ("999999999", 36_000),
        ("Thu, 01 Jan 2026 12:02:00 GMT", 120),
        ("Thursday, 01-Jan-26 12:02:00 GMT", 120),
        ("Thu Jan  1 12:02:00 2026", 120),
        ("Thu, 01 Jan 2026 12:00:04 GMT", 5),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 5),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 5),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 36_000),
        ("Fri, 31 Dec 99999999999 23:59:59 GMT", 5),
        ("Thu, 01 Jan 2026 12:02:00 +99999999999999999999", 5),
        ("Thu, 32 Jan 2026 12:02:00 GMT", 5),
        *[(no_wait, 5) for no_wait in ("", "soon", "-120", "+120", "1.5", "1e3")],
        *[(no_wait, 5) for no_wait in ("١٢٠", ",", "120, 240")],
    ],
)
def test_a_receiver_can_ask_to_be_left_alone_for_a_while(
    retry_after: str, seconds: int
) -> None:
    listening = Listening(Reply(503, retry_after))
    listening.clock.now += 12 * 3_600 * SECOND
    listening.move()
    listening.run()
    delivery = listening.delivery()
    assert (delivery.attempts, delivery.last_error) == (1, "the answer was 503")
    assert delivery.next_attempt_at == listening.clock.now + seconds * SECOND
    listening.run(seconds)
    assert listening.delivery().status == "SUCCEEDED"


# Receivers that are gone


def test_a_receiver_that_is_gone_is_left_alone_and_others_are_not() -> None:
    listening = Listening(410)
    other = listening.listen(url=f"{URL}/other")
    listening.move(3)
    listening.clock.now += SECOND
    listening.run()
    webhooks = listening.service.webhooks
    assert webhooks.get(listening.webhook_id).status == "DISABLED"
    first, *waited = listening.deliveries()
    assert (first.status, first.attempts, first.answer) == ("FAILED", 1, 410)
    assert first.last_error == "the answer was 410"
    for delivery in waited:
        assert (delivery.status, delivery.attempts) == ("FAILED", 0)
        assert delivery.last_error == "the webhook is disabled"
        assert delivery.next_attempt_at is None
        assert delivery.updated_at == listening.clock.now
    listening.move()
    listening.run(1_000_000)
    assert len(listening.deliveries()) == 3
    assert listening.urls.count(URL) == 1
    assert listening.urls.count(f"{URL}/other") == 4
    assert {each.status for each in listening.deliveries(other)} == {"SUCCEEDED"}
    assert webhooks.get(other).status == "ACTIVE"


def test_what_waits_for_a_receiver_that_is_gone_leaves_its_queue() -> None:
    listening = Listening(503, 410)
    listening.move(3)
    listening.run()
    assert len(listening.ids) == 2
    assert listening.service.health().queued == 0


def test_nothing_is_sent_to_a_receiver_that_is_gone_if_ending_the_rest_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(log: DeliveryLog, why: str, now: int) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr(DeliveryLog, "end_all", failing)
    listening = Listening(410)
    listening.move(3)
    listening.run()
    assert len(listening.ids) == 1
    first, *waited = listening.deliveries()
    assert (first.status, first.last_error) == ("FAILED", "the answer was 410")
    for delivery in waited:
        assert (delivery.status, delivery.attempts) == ("FAILED", 0)
        assert delivery.last_error == "the webhook is disabled"
    health = listening.service.health()
    assert (health.queued, health.running) == (0, 0)


def test_a_receiver_that_accepts_nothing_holds_less_than_one_that_is_slow(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{LOG}.UNRECEIVED_MAX", 2)
    listening.move(4)
    assert listening.pending == 2  # none was received yet
    listening.run()
    listening.move(4)
    assert listening.pending == 4
    listening.receivers.replies = [503] * 99
    listening.run(59)
    listening.move(4)
    assert listening.pending == 8  # one failed attempt proves nothing
    listening.run(1)
    listening.move(4)
    assert listening.pending == 8
    listening.receivers.replies = []
    listening.run(300)
    listening.move(4)
    assert listening.pending == 4  # it receives again


# While a message is sent


def test_a_delivery_that_meets_a_bug_is_attempted_again() -> None:
    class Buggy(Receivers):
        def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
            reply = super().post(url, headers, body)
            if len(self.posts) == 1:
                raise RuntimeError("internal")
            return reply

    listening = Listening(transport=Buggy())
    listening.move()
    listening.run()
    delivery = listening.delivery()
    assert (delivery.status, delivery.attempts) == ("PENDING", 1)
    assert (delivery.answer, delivery.last_error) == (None, "unexpected error")
    health = listening.service.health()
    assert health.last_error == f"webhook {listening.webhook_id}: RuntimeError"
    listening.run(5)
    assert listening.delivery().status == "SUCCEEDED"
    assert len(listening.ids) == 2


def test_a_message_is_sent_under_no_lock() -> None:
    locks: list[ThreadLock] = []
    held: list[bool] = []

    def new_lock() -> ThreadLock:
        locks.append(ThreadLock())
        return locks[-1]

    receivers = Acting()
    listening = Listening(transport=receivers, lock_factory=new_lock)
    receivers.act = lambda: held.extend(lock.locked() for lock in locks)
    listening.move()
    listening.run()
    assert len(listening.ids) == 1
    assert len(held) == len(locks) and not any(held)


def test_nothing_more_is_sent_to_a_webhook_that_is_deleted_meanwhile() -> None:
    receivers = Acting()
    listening = Listening(500, transport=receivers)
    receivers.act = lambda: listening.service.delete_webhook(listening.webhook_id)
    listening.move(2)
    listening.run()
    listening.run(1_000_000)
    assert len(listening.ids) == 1
    assert listening.service.health().queued == 0


def test_a_message_that_was_taken_before_its_webhook_was_deleted_is_not_sent(
    listening: Listening,
) -> None:
    listening.move()
    (queue,) = [queue for queue in listening.queues if queue.items]
    ((_, _, delivery),) = queue.items
    listening.service.delete_webhook(listening.webhook_id)
    assert queue.run(delivery) is None  # as by a worker that had just taken it
    assert listening.ids == []
