"""The inbox of the page, which receives webhooks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import Owner, send
from wallet_app.demo.people import RECEIVER

pytestmark = [pytest.mark.server, pytest.mark.browser]


def test_messages_arrive_verified_and_are_retried_while_the_receiver_fails(
    visit: Visit, api: Api
) -> None:
    owner = Owner(visit, api, "USD", 0).choose()
    visit.on("inbox-register").click()
    expect(visit.on("inbox-state")).to_contain_text("Registered")
    messages, deliveries = visit.on("inbox-message"), visit.on("delivery")
    send(visit, "add", amount="1")
    expect(messages).to_have_count(1)
    expect(messages.first).to_contain_text("transaction.created")
    expect(messages.first).to_contain_text("answered 204")
    expect(deliveries.first.get_by_test_id("delivery-status")).to_have_text("SUCCEEDED")
    messages.first.get_by_test_id("inbox-raw").click()
    expect(messages.first.locator("pre")).to_contain_text(owner.wallet_id)

    visit.on("inbox-failing").check()
    expect(visit.on("bench-curl").first).to_contain_text('"failing":true')
    send(visit, "add", amount="2")
    expect(messages.first).to_contain_text("answered 503")
    expect(deliveries.first.get_by_test_id("delivery-status")).to_have_text("PENDING")
    expect(deliveries.first).to_contain_text("answered 503")
    visit.on("inbox-failing").uncheck()
    expect(messages.first).to_contain_text("answered 204")
    expect(messages.first).to_contain_text(re.compile("attempt [0-9]"))
    latest = deliveries.first
    expect(latest.get_by_test_id("delivery-status")).to_have_text("SUCCEEDED")
    failed, retried = outcomes(api)
    assert set(failed[1]) == {503} and retried == (failed[0], [*failed[1], 204])

    before = messages.count()
    latest.get_by_test_id("delivery-redeliver").click()
    expect(messages).to_have_count(before + 1)
    sealed = set(visit.on("inbox-verified").all_inner_texts())
    assert sealed == {"Signature verified"}
    assert outcomes(api)[1] == (failed[0], [*failed[1], 204, 204])
    visit.tolerate(404)  # its deliveries may be asked for while it is deleted
    visit.on("inbox-delete").click()
    expect(visit.on("inbox-register")).to_be_visible()
    urls = [each["url"] for each in api.get("/webhooks")["webhooks"]]
    assert urls == [RECEIVER]  # which was there before


def outcomes(api: Api) -> tuple[tuple[str, list[int]], tuple[str, list[int]]]:
    """Return the id and the answers of the latest message that failed at first: those
    until it was received, and all."""
    received = list(reversed(api.get("/demo/state")["inbox"]["messages"]))
    failed = next(each["messageId"] for each in received if each["answer"] == 503)
    answers = [each["answer"] for each in received if each["messageId"] == failed]
    return (failed, answers[: answers.index(204)]), (failed, answers)
