"""Webhooks are created, listed and deleted, and there is a bound on them."""

from __future__ import annotations

import threading
from typing import NoReturn
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.answers import assert_problem, post
from tests.background.work import started
from tests.ledgers import FULL, Crash, new_service, open_wallet
from tests.webhooks.listening import ALL, SECRET, URL, Json, Listening
from tests.webhooks.memory import reachable
from wallet_app.domain.errors.webhook_errors import (
    TooManyWebhooks,
    WebhookNotFound,
    WebhooksExhausted,
)
from wallet_app.services.service import WalletService
from wallet_app.services.webhooks.webhooks import WEBHOOKS_MAX, WEBHOOKS_MAX_OF_CALLER

GOOD: Json = {"url": URL, "events": ["wallet.created"]}
KEY = {"Idempotency-Key": "k"}
CALLER = "192.0.2.1"


def test_a_webhook_is_created_with_a_secret_that_no_later_answer_shows(
    listening: Listening,
) -> None:
    client = listening.client
    listening.service.delete_webhook(listening.webhook_id)
    assert client.get("/webhooks").get_json() == {"webhooks": []}
    body = {"url": URL, "events": ["wallet.frozen", "wallet.created"]}
    response = post(client, "/webhooks", body)
    assert response.status_code == 201
    created = response.get_json()
    assert UUID(created["id"])
    assert created == {
        "id": created["id"],
        "url": URL,
        "events": ["wallet.created", "wallet.frozen"],
        "status": "ACTIVE",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "secret": SECRET,
    }
    assert response.location == f"/webhooks/{created['id']}"
    del created["secret"]
    assert client.get(response.location).get_json() == created
    other = listening.listen(url=f"{URL}/other")
    first, second = client.get("/webhooks").get_json()["webhooks"]
    assert (first, second["id"]) == (created, other)


def test_a_webhook_with_a_key_is_created_once_and_its_secret_is_shown_once(
    listening: Listening,
) -> None:
    body = {"url": URL, "events": list(ALL)}
    first = post(listening.client, "/webhooks", body, **KEY)
    replayed = post(listening.client, "/webhooks", body, **KEY)
    assert replayed.status_code == 201
    assert first.get_json()["secret"] == SECRET
    assert replayed.get_json() == first.get_json() | {"secret": None}
    assert all(each != SECRET for each in reachable(listening.service.idempotency))
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert len(listening.service.list_webhooks()) == 2


def test_a_webhook_that_does_not_commit_is_not_created() -> None:
    service = new_service()
    with pytest.raises(Crash):
        service.webhooks.create(URL, ALL, FULL)
    assert service.list_webhooks() == []
    open_wallet(service, 5)
    assert not service.outbox.is_open
    for _ in range(WEBHOOKS_MAX):
        service.create_webhook(URL, ALL)


def test_an_event_that_is_named_twice_is_sent_once(listening: Listening) -> None:
    listening.service.delete_webhook(listening.webhook_id)
    events = ["wallet.frozen", "wallet.created", "wallet.frozen"]
    created = post(listening.client, "/webhooks", GOOD | {"events": events}).get_json()
    assert created["events"] == ["wallet.created", "wallet.frozen"]
    listening.service.freeze(listening.source, "x")
    listening.run()
    assert listening.types == ["wallet.frozen"]


def test_a_webhook_is_deleted_once_and_notified_no_more(listening: Listening) -> None:
    client, path = listening.client, f"/webhooks/{listening.webhook_id}"
    listening.listen(url=f"{URL}/other")
    listening.move()
    response = client.delete(path)
    assert (response.status_code, response.data) == (204, b"")
    for missing in (
        client.delete(path),
        client.get(path),
        client.get(f"{path}/deliveries"),
    ):
        assert_problem(missing, 404, "webhook_not_found")
    listening.move()
    listening.run(1_000_000)
    assert listening.urls == [f"{URL}/other"] * 2
    assert len(listening.service.list_webhooks()) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": URL},
        {"events": ["wallet.created"]},
        *[GOOD | {"events": events} for events in ([], ["wallet.exploded"], None)],
        GOOD | {"events": ["wallet.created", "*"]},
        GOOD | {"events": ["WALLET_CREATED"]},
        GOOD | {"events": "wallet.created"},
        GOOD | {"events": {"wallet.created": True}},
        GOOD | {"events": [["wallet.created"]]},
        GOOD | {"events": [None]},
        *[GOOD | {"url": url} for url in (5, None, "", [URL])],
        GOOD | {"url": "https://a.example/" + "x" * 2_000},
        GOOD | {"secret": SECRET},
    ],
    ids=lambda body: str(body)[:60],
)
def test_a_body_of_the_wrong_shape_creates_no_webhook(
    client: FlaskClient, service: WalletService, body: Json
) -> None:
    assert_problem(post(client, "/webhooks", body), 400, "invalid_request")
    assert service.list_webhooks() == []
    assert not service.outbox.is_open


@pytest.mark.parametrize("url", ["http://{}", "https://{}:8443/hooks"])
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "0.0.0.0", "2130706433"]
    + ["[::ffff:127.0.0.1]"],
)
def test_no_webhook_is_created_for_an_address_that_is_private(
    client: FlaskClient, service: WalletService, host: str, url: str
) -> None:
    refused = post(client, "/webhooks", GOOD | {"url": url.format(host)})
    assert_problem(refused, 400, "url_not_allowed")
    assert service.list_webhooks() == []
    assert not service.outbox.is_open


# Bounds


def test_there_are_sixteen_webhooks_and_no_more(listening: Listening) -> None:
    webhooks = listening.service.webhooks
    for _ in range(WEBHOOKS_MAX - 1):
        listening.listen()
    before = webhooks.all()
    refused = post(listening.client, "/webhooks", GOOD, **KEY)
    assert assert_problem(refused, 409, "too_many_webhooks")["maximum"] == 16
    assert webhooks.all() == before
    webhooks.delete(before[0].id)
    assert post(listening.client, "/webhooks", GOOD, **KEY).status_code == 201


def test_one_caller_has_half_of_the_webhooks_and_no_more(listening: Listening) -> None:
    webhooks = listening.service.webhooks
    for _ in range(WEBHOOKS_MAX_OF_CALLER):
        webhooks.create(URL, ALL, caller=CALLER)
    before = webhooks.all()
    with pytest.raises(TooManyWebhooks) as refused:
        webhooks.create(URL, ALL, caller=CALLER)
    assert refused.value.values == {"maximum": WEBHOOKS_MAX_OF_CALLER}
    assert webhooks.all() == before
    webhooks.create(URL, ALL, caller="192.0.2.2")
    webhooks.create(URL, ALL)
    webhooks.delete(before[-1].id)
    webhooks.create(URL, ALL, caller=CALLER)


@pytest.mark.parametrize(
    ("caller", "size_max"), [(None, WEBHOOKS_MAX), (CALLER, WEBHOOKS_MAX_OF_CALLER)]
)
def test_a_disabled_webhook_is_evicted_when_all_slots_are_taken(
    caller: str | None, size_max: int
) -> None:
    listening = Listening(410)
    webhooks, background = listening.service.webhooks, listening.service.background
    webhooks.delete(listening.webhook_id)
    disabled = webhooks.create(URL, ALL, caller=caller).webhook.id
    for _ in range(size_max - 1):
        webhooks.create(f"{URL}/other", (), caller=caller)
    listening.move()
    listening.run()
    assert webhooks.get(disabled).status == "DISABLED"
    with pytest.raises(Crash):
        webhooks.create(URL, ALL, FULL, caller)
    assert webhooks.get(disabled).status == "DISABLED"
    newest = webhooks.create(URL, ALL, caller=caller).webhook
    every = webhooks.all()
    assert (len(every), every[-1]) == (size_max, newest)
    with pytest.raises(WebhookNotFound):
        webhooks.get(disabled)
    assert len(background.queues) == 1 + 5 * size_max
    with pytest.raises((TooManyWebhooks, WebhooksExhausted)):
        webhooks.create(URL, ALL, caller=caller)


def test_a_webhook_for_which_there_is_no_thread_is_refused(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    with started(listening.service.background):
        before = listening.service.list_webhooks()
        threads = set(threading.enumerate())
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            refused = post(listening.client, "/webhooks", GOOD, **KEY)
        assert_problem(refused, 503, "threads_exhausted")
        assert refused.headers["Retry-After"] == "10"
        assert listening.service.list_webhooks() == before
        assert set(threading.enumerate()) == threads
        assert post(listening.client, "/webhooks", GOOD, **KEY).status_code == 201
