"""Forms and buttons of the page: what is sent once, seen, distinguished and focused."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import Owner, fill, says, send

pytestmark = [pytest.mark.server, pytest.mark.browser]


@pytest.mark.parametrize("name", ["add", "deduct", "transfer", "bank"])
def test_enter_does_not_send_the_same_amount_twice(
    visit: Visit, api: Api, name: str
) -> None:
    Owner(visit, api, "USD", 0)
    Owner(visit, api, "USD", 5_000).choose()
    form = fill(visit, name, name, amount="1.25")
    amount = form.locator('[name="amount"]')
    amount.press("Enter")
    expect(form.get_by_test_id("result")).to_be_visible()
    amount.press("Enter")
    expect(form.get_by_test_id("field-error")).to_have_text("Type an amount.")
    expect(amount).to_be_focused()
    assert len(visit.sent) == 1


def test_the_latest_request_covers_nothing_and_can_be_closed(
    visit: Visit, api: Api
) -> None:
    Owner(visit, api, "USD", 0).choose()
    send(visit, "add", amount="1")
    latest, header = visit.on("latest"), visit.page.locator("header.top")
    expect(latest).to_contain_text("POST /wallet/add")
    assert latest.evaluate("(each) => getComputedStyle(each).position") == "static"
    expect(header.get_by_test_id("latest")).to_have_count(1)
    inside, around = latest.bounding_box(), header.bounding_box()
    assert inside and around and inside["height"] < around["height"] < 70
    visit.on("latest-close").click()
    says(send(visit, "add", amount="2"), "Added $2.00.")
    expect(latest).to_be_hidden()
    expect(visit.on("bench-entry").first).to_contain_text("POST /wallet/add")


def test_people_whose_names_look_the_same_are_told_apart(
    visit: Visit, api: Api
) -> None:
    names = ("Maya Sen", "maya  sen", "Ｍaya Sen", "Maya\u200d Sen")
    for name in names:
        user = api.post("/demo/people", 201, name=name)["userId"]
        api.post("/wallet/create", 201, userId=user, currency="GBP")
    last = visit.on("person").filter(has_text="(4)")
    expect(last.locator("h3")).to_have_text("Maya\u200d Sen (4)")
    options = visit.page.locator("#transfer-from option")
    shown = [each for each in options.all_inner_texts() if each.endswith(", GBP")]
    assert len(set(shown)) == len(shown) == len(names)


def test_a_button_that_leads_no_further_keeps_the_focus(visit: Visit, api: Api) -> None:
    owner = Owner(visit, api, "USD", 100_000).choose()
    for _ in range(20):
        api.post("/wallet/deduct", 200, walletId=owner.wallet_id, amount=1)
    expect(visit.on("history-page")).to_have_text("Page 1 of 2, 21 in all")
    for name, where in (("next", "Page 2 of 2"), ("previous", "Page 1 of 2")):
        button = visit.on(f"page-{name}")
        button.focus()
        button.press("Enter")
        expect(visit.on("history-page")).to_have_text(f"{where}, 21 in all")
        expect(button).to_be_disabled()
        expect(button).to_be_focused()


def test_numbers_are_grouped_in_fields_too(visit: Visit, api: Api) -> None:
    owner = Owner(visit, api, "INR", 0)
    limits = {"daily": 123_456_789_00, "perTransaction": 99_999}
    api.ask("PUT", f"/wallet/{owner.wallet_id}/limits", 200, limits)
    owner.choose()
    visit.on("tab-limits").click()
    expect(visit.on("limits-daily")).to_have_value("12,34,56,789.00")
    expect(visit.on("limits-per-transaction")).to_have_value("999.99")
    visit.on("limits-submit").click()
    says(visit.page.locator("#limits-form"), "Limits saved.")
    assert api.get(f"/wallet/{owner.wallet_id}/limits")["daily"] == 123_456_789_00
