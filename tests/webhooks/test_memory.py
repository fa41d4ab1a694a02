"""What is deleted is freed, and without memory nothing is half done."""

from __future__ import annotations

import json
import threading
import weakref
from functools import partial
from typing import Any, NoReturn

import pytest

from tests.allocations import in_a_child, needs_failing_allocations, with_failing
from tests.background.work import new_queue, started
from tests.ledgers import START, nothing_logged
from tests.webhooks.listening import TIMEOUT_SECONDS, Acting, Listening
from tests.webhooks.memory import needing_no_collection, reachable
from wallet_app.gateways.delivery import Transport
from wallet_app.services.background import THREADS_MAX
from wallet_app.services.events import Event, EventType
from wallet_app.services.json_forms import json_bytes
from wallet_app.store import ThreadLock

ALLOCATIONS_MAX = 150
THREADS_OF_THE_BANK = 4


def test_a_deleted_webhook_is_freed_with_all_that_waits_without_a_collection(
    listening: Listening,
) -> None:
    with needing_no_collection():
        webhook_id = listening.listen()
        listening.receivers.replies = [204, 503, "nobody answered", 204]
        listening.move(4)
        listening.ask_for_approval()
        listening.run()
        listening.move(4)
        listening.service.delete_webhook(webhook_id)
        assert all(
            webhook_id not in each
            for each in reachable(listening.service)
            if isinstance(each, str)
        )


def test_a_deleted_webhook_that_has_threads_is_freed_without_a_collection() -> None:
    came, receivers = threading.Event(), Acting()
    listening = Listening(transport=receivers)
    listening.service.delete_webhook(listening.webhook_id)
    receivers.act = came.set
    with started(listening.service.background):
        with needing_no_collection():
            listening.webhook_id = listening.listen()
            threads = [each for queue in listening.queues for each in queue.threads]
            # A webhook refers to its queues, so it is freed when they are.
            freed = [weakref.ref(queue) for queue in listening.queues]
            listening.move(10)
            assert came.wait(TIMEOUT_SECONDS)
            listening.service.delete_webhook(listening.webhook_id)
            while threads:
                threads.pop().join(TIMEOUT_SECONDS)
        assert len(freed) == 5
        assert [queue() for queue in freed] == [None] * 5


def refusing(address: tuple[str, int], seconds: float) -> NoReturn:
    raise ConnectionRefusedError


def silent(address: tuple[str, int], seconds: float) -> NoReturn:
    raise TimeoutError


def buggy(address: tuple[str, int], seconds: float) -> NoReturn:
    raise RuntimeError


@pytest.mark.parametrize("connect", [refusing, silent, buggy])
def test_a_failed_attempt_leaves_nothing_that_only_a_collection_would_free(
    connect: Any,
) -> None:
    transport = Transport(resolve=lambda *_: ["8.8.8.8", "1.1.1.1"], connect=connect)
    listening = Listening(transport=transport)
    with nothing_logged(), needing_no_collection():
        listening.move()
        listening.run()
        assert listening.delivery().attempts == 1


@pytest.mark.slow  # and where coverage is measured, more is allocated
@needs_failing_allocations
def test_a_delivery_is_queued_or_not_when_any_single_allocation_fails() -> None:
    def trials() -> int:
        return sum(map(failing_allocation, range(ALLOCATIONS_MAX)))

    with nothing_logged():
        assert in_a_child(trials) > 5


def failing_allocation(n: int) -> bool:
    """Notify a webhook, and send, while an allocation fails; return whether one did."""
    locks: list[ThreadLock] = []

    def new_lock() -> ThreadLock:
        locks.append(ThreadLock())
        return locks[-1]

    listening = Listening(lock_factory=new_lock)
    (transaction,) = listening.service.store.wallets[listening.source].history
    event = Event(EventType.TRANSACTION_CREATED, START, transaction)
    failed = False
    for act in (
        partial(listening.service.outbox.listener, event),
        listening.service.background.run_due,
    ):
        failed |= isinstance(with_failing(n, 1, act).result, BaseException)
        assert not any(lock.locked() for lock in locks)
    listening.service.outbox.listener(event)
    for seconds in (60, 300):  # an attempt that could not be noted is made again
        listening.run(seconds)
    assert listening.deliveries() != []
    assert {each.status for each in listening.deliveries()} == {"SUCCEEDED"}
    assert len(set(listening.ids)) == len(listening.deliveries())
    health = listening.service.health()
    assert (health.queued, health.running) == (0, 0)
    return failed


@pytest.mark.slow  # and where coverage is measured, more is allocated
@needs_failing_allocations
def test_a_webhook_is_deleted_with_its_threads_or_not_at_all_without_memory() -> None:
    def trials() -> int:
        return sum(map(failing_deletion, range(ALLOCATIONS_MAX)))

    assert in_a_child(trials) > 5


def failing_deletion(n: int) -> bool:
    """Delete a webhook for which messages wait, while an allocation fails; return
    whether it failed. Then the webhook is as it was, or gone with its threads."""
    listening = Listening(lock_factory=ThreadLock)
    listening.move(2)
    service = listening.service
    deleted = with_failing(n, 1, partial(service.delete_webhook, listening.webhook_id))
    has_failed = isinstance(deleted.result, MemoryError)
    if has_failed:
        assert len(service.list_webhooks()) == 1
        assert listening.run() == 2
        service.delete_webhook(listening.webhook_id)
    assert service.list_webhooks() == []
    service.background.add(new_queue("rest", THREADS_MAX - THREADS_OF_THE_BANK))
    return has_failed


@pytest.mark.slow  # and where coverage is measured, more is allocated
@needs_failing_allocations
@pytest.mark.parametrize("length", [1, 300, 5_000])
def test_json_without_memory_is_an_error_and_not_the_end_of_the_process(
    length: int,
) -> None:
    body = {"text": "x" * length}

    def trials() -> list[object]:
        return [with_failing(n, 1, lambda: json_bytes(body)).result for n in range(20)]

    written = {
        each if isinstance(each, bytes) else type(each) for each in in_a_child(trials)
    }
    assert written == {MemoryError, json.dumps(body, separators=(",", ":")).encode()}
