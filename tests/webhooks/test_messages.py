"""What is sent: what the API answers, signed by Standard Webhooks, in order."""

from __future__ import annotations

import base64
import json
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.answers import TIME, post
from tests.ledgers import SECOND, START, Receivers, open_wallet
from tests.webhooks.listening import (
    CODE,
    SECRET,
    TIMEOUT_SECONDS,
    URL,
    Json,
    Listening,
    running,
)
from tests.webhooks.occurrences import MOVED, NOTIFIED
from wallet_app.gateways.delivery_connection import Reply
from wallet_app.services.events import EventType
from wallet_app.services.webhooks.standard_webhooks import new_secret
from wallet_app.settings import Settings

DELAYED = Settings(webhook_retry_seconds=(5, 10))


def test_what_is_sent_is_what_the_api_answers(listening: Listening) -> None:
    client = listening.client

    def get(path: str) -> Any:
        return client.get(path).get_json()

    def sent() -> Json:
        """Return the type and the data of what was sent last."""
        listening.service.background.run_due()
        body = listening.bodies[-1]
        assert list(body) == ["type", "timestamp", "data"]
        assert TIME.fullmatch(body["timestamp"])
        return {body["type"]: body["data"]}

    listening.clock.now += 1_234_567_890
    created = post(client, "/wallet/create", {"userId": str(uuid4())})
    path = f"/wallet/{created.get_json()['id']}"
    assert sent() == {"wallet.created": get(path)}
    assert listening.bodies[-1]["timestamp"] == "2026-01-01T00:00:01.234Z"
    for do, reason in (("freeze", {"reason": "Card stolen 💳"}), ("unfreeze", {})):
        listening.clock.now += SECOND
        post(client, f"{path}/{do}", reason)
        assert sent() == {f"wallet.{do.replace('eeze', 'ozen')}": get(path)}
        assert listening.bodies[-1]["timestamp"] == get(path)["updatedAt"]
    movement = {"walletId": listening.source, "amount": 5, "category": "food"}
    post(client, "/wallet/add", movement | {"description": "Für dich 🎁"})
    history = f"/wallet/{listening.source}/transactions"
    assert sent() == {MOVED: get(history)["transactions"][0]}
    assert listening.bodies[-1]["timestamp"] == sent()[MOVED]["createdAt"]
    transfer = {"fromWalletId": listening.source, "toWalletId": listening.target}
    approval = post(client, "/wallet/transfer", transfer | {"amount": 500}).get_json()
    asked = get(f"/approvals/{approval['approvalId']}")
    assert sent() == {"approval.requested": asked | {"otp": CODE}}
    assert listening.bodies[-2]["data"] == get("/fraud/alerts")["alerts"][0]
    for account, what in (("sandbox-ok", "succeeded"), ("nobody", "failed")):
        body = {"walletId": listening.source, "amount": 5, "bankAccount": account}
        payment = post(client, "/wallet/withdraw", body).get_json()
        assert sent() == {f"payment.{what}": get(f"/payments/{payment['id']}")}


def test_all_four_transactions_of_an_exchange_can_be_read_as_they_were_sent(
    listening: Listening,
) -> None:
    NOTIFIED["exchange"][0](listening)
    listening.run()
    for body in listening.bodies:
        path = f"/wallet/{body['data']['walletId']}/transactions"
        page = listening.client.get(path).get_json()
        assert page["transactions"][0] == body["data"]
    assert len({body["data"]["referenceId"] for body in listening.bodies}) == 1


def test_every_message_is_signed_as_the_standard_says() -> None:
    listening = Listening(
        500,
        settings=Settings(webhook_retry_seconds=(0, 0)),
        clock=time.time_ns,  # the library compares with the time of the machine
    )
    listening.service.add(listening.source, 5, description="Für dich 🎁")
    listening.service.freeze(listening.source, "x")
    listening.run()
    assert listening.urls == [URL] * 3
    signer, stranger = Webhook(SECRET), Webhook(new_secret())
    for _, headers, body in listening.receivers.posts:
        assert headers["Content-Type"] == "application/json"
        assert signer.verify(body, headers) == json.loads(body)
        for verifier, forged, forged_headers in (
            (signer, body.replace(b"5", b"6"), headers),
            (signer, body, headers | {"webhook-id": "msg_other"}),
            (stranger, body, headers),
        ):
            with pytest.raises(WebhookVerificationError):
                verifier.verify(forged, forged_headers)


def test_a_secret_is_as_the_standard_says_and_no_two_are_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64


def test_each_attempt_has_the_same_id_and_bytes_and_a_time_of_its_own() -> None:
    listening = Listening(500, "nobody answered")
    listening.move()
    for seconds in (1, 5, 300):
        listening.run(seconds)
    posts = listening.receivers.posts
    assert len(set(listening.ids)) == 1
    assert len({body for _, _, body in posts}) == 1
    times = [int(headers["webhook-timestamp"]) for _, headers, _ in posts]
    assert times == [START // SECOND + after for after in (1, 6, 306)]
    assert len({headers["webhook-signature"] for _, headers, _ in posts}) == 3
    assert UUID(listening.ids[0].removeprefix("msg_"))


# In order


def test_a_wallets_events_are_sent_in_order_whatever_the_jitter_says() -> None:
    jitters = iter(seconds * SECOND for seconds in (5, 3, 4, 0))
    listening = Listening(settings=DELAYED, jitter=lambda longest: next(jitters))
    listening.move(4)
    assert listening.run(4) == 0
    listening.run(1)
    source = listening.source
    assert listening.sent_about(source) == listening.history(source)[1:]


def test_a_wallets_events_are_sent_in_order_whatever_the_clock_says() -> None:
    listening = Listening(settings=DELAYED)
    for step in (3, -2, -3, 1):
        listening.clock.now += step * SECOND
        listening.move()
    listening.run(60)
    source = listening.source
    assert listening.sent_about(source) == listening.history(source)[1:]


def test_a_message_that_failed_does_not_delay_the_next() -> None:
    listening = Listening(500)
    listening.move(2)
    listening.run()
    listening.run(5)
    first, second = (each.message_id for each in listening.deliveries())
    assert listening.ids == [first, second, first]


def test_of_many_transfers_at_once_each_wallets_history_is_sent_in_order() -> None:
    threads_count, times = 8, 25
    expected = threads_count * times * 2
    came = threading.Event()

    class Counting(Receivers):
        def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
            reply = super().post(url, headers, body)
            if len(self.posts) == expected:
                came.set()
            return reply

    listening = Listening(settings=Settings(), transport=Counting(), clock=time.time_ns)
    service = listening.service
    wallets = [listening.source, listening.target, open_wallet(service, 1_000)]
    listening.listen_anew((EventType.TRANSACTION_CREATED,))
    start = threading.Barrier(threads_count)

    def transfer(n: int) -> None:
        start.wait(TIMEOUT_SECONDS)
        for i in range(times):
            source, target = wallets[(n + i) % 3], wallets[(n + i + 1 + n % 2) % 3]
            service.transfer(source, target, 1)

    switch_seconds = sys.getswitchinterval()
    sys.setswitchinterval(0.000_01)
    try:
        with running(listening):
            threads = [
                threading.Thread(target=transfer, args=(n,), daemon=True)
                for n in range(threads_count)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIMEOUT_SECONDS)
                assert not thread.is_alive()
            assert came.wait(TIMEOUT_SECONDS)
    finally:
        sys.setswitchinterval(switch_seconds)
    assert len(listening.ids) == expected
    for wallet_id in wallets:
        assert listening.sent_about(wallet_id) == listening.history(wallet_id)[1:]
