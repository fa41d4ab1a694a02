"""The phone of the page, on which approvals are confirmed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import says, send, two_with_a_threshold

pytestmark = [pytest.mark.server, pytest.mark.browser]


def test_a_code_from_the_phone_confirms_what_is_above_the_threshold(
    visit: Visit, api: Api
) -> None:
    target, owner = two_with_a_threshold(visit, api)
    form = send(visit, "transfer", to=target, amount="150")
    says(form, re.compile("^This waits for a code"))
    text = visit.on("phone-message").first
    expect(text).to_contain_text(f"$150.00 from {owner.called} to {target.called}.")
    expect(text.get_by_test_id("phone-status")).to_contain_text("Waiting")
    assert (owner.balance, target.balance) == (50_000, 0)
    field, confirm = text.get_by_test_id("phone-code"), "phone-confirm"
    code = text.get_by_test_id("phone-text-code").inner_text()
    expect(field).to_have_value("")
    assert re.fullmatch("[0-9]{6}", code)
    visit.announce(400)
    field.fill("000000" if code != "000000" else "111111")
    text.get_by_test_id(confirm).click()
    expect(text.get_by_test_id("field-error")).to_have_text("Wrong code: 4 tries left.")
    expect(text.get_by_test_id("phone-status")).to_contain_text("4 tries")
    assert (owner.balance, target.balance) == (50_000, 0)
    field.fill(code)
    text.get_by_test_id(confirm).click()
    expect(text.get_by_test_id("phone-status")).to_have_text("Confirmed")
    says(text, "The money has moved.")
    says(form, f"$150.00 went to {target.called}.")
    owner.shows("$350.00")
    target.shows("$150.00")


def test_a_movement_that_waits_is_cancelled_on_the_phone_or_gets_a_new_code(
    visit: Visit, api: Api
) -> None:
    target, owner = two_with_a_threshold(visit, api)
    send(visit, "transfer", to=target, amount="100.01")
    texts = visit.on("phone-message").filter(has_text=owner.name)
    expect(texts).to_have_count(1)
    texts.get_by_test_id("phone-resend").click()
    expect(texts).to_have_count(2)
    expect(texts.last.get_by_test_id("phone-status")).to_have_text(
        "A newer code was sent"
    )
    texts.first.get_by_test_id("phone-cancel").click()
    expect(texts.first.get_by_test_id("phone-status")).to_have_text("Cancelled")
    expect(texts.first.get_by_test_id("phone-confirm")).to_be_hidden()
    assert (owner.balance, target.balance) == (50_000, 0)


def test_a_form_says_that_its_movement_waits_until_it_no_longer_does(
    visit: Visit, api: Api
) -> None:
    target, owner = two_with_a_threshold(visit, api)
    form = send(visit, "transfer", to=target, amount="101")
    says(form, re.compile("^This waits for a code"))
    texts = visit.on("phone-message").filter(has_text=owner.name)
    texts.first.get_by_test_id("phone-cancel").click()
    problem = form.get_by_test_id("error")
    expect(problem).to_have_text("Cancelled: nothing has moved.")
    expect(form.get_by_test_id("result")).to_be_hidden()

    visit.page.route("**/demo/state?*", expired)
    send(visit, "transfer", to=target, amount="102")
    expect(problem).to_have_text("The code has expired: nothing has moved.")
    expect(texts.first.get_by_test_id("phone-status")).to_have_text("Expired")
    visit.page.unroute("**/demo/state?*")

    send(visit, "transfer", to=target, amount="103")
    says(form, re.compile("^This waits for a code"))
    says(
        send(visit, "transfer", to=target, amount="1"),
        f"$1.00 went to {target.called}.",
    )
    texts.first.get_by_test_id("phone-cancel").click()
    expect(texts.first.get_by_test_id("phone-status")).to_have_text("Cancelled")
    says(form, f"$1.00 went to {target.called}.")
    assert (owner.balance, target.balance) == (49_900, 100)


def expired(route: Route) -> None:
    """Answer as the service does five minutes later."""
    answer = route.fetch()
    body = answer.json()
    for approval in body.get("phone", {"approvals": []})["approvals"]:
        if approval["status"] == "PENDING":
            approval["status"] = "EXPIRED"
    route.fulfill(response=answer, json=body)
