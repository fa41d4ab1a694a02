"""Exchanges and payments on the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import Owner, fill, says

pytestmark = [pytest.mark.server, pytest.mark.browser]


def test_an_exchange_gives_just_what_its_quote_says(visit: Visit, api: Api) -> None:
    target = Owner(visit, api, "INR", 0)
    owner = Owner(visit, api, "USD", 50_000).choose()
    form = fill(visit, "exchange", "quote", amount="100")
    form.locator('[name="toWalletId"]').select_option(label=target.called)
    visit.on("quote-submit").click()
    expect(visit.on("quote-gives")).to_have_text("$100.00")
    expect(visit.on("quote-gets")).to_have_text("₹8,312.00")
    expect(visit.on("quote-rate")).to_have_text("1 USD = 83.12 INR")
    expect(visit.on("quote-left")).to_have_text(re.compile("^[1-6]?[0-9] seconds left"))
    visit.on("exchange-submit").click()
    says(visit.page.locator("#exchange-form"), f"{target.called} got ₹8,312.00.")
    owner.shows("$400.00")
    target.shows("₹8,312.00")


def test_payments_are_followed_until_the_bank_has_paid_or_declined(
    visit: Visit, api: Api
) -> None:
    nothing = {"paidIn": 0, "paidOut": 0}
    before = api.get("/sandbox-bank")["currencies"].get("USD", nothing)
    owner = Owner(visit, api, "USD", 50_000).choose()
    payment = visit.on("payment").first
    status, steps = payment.get_by_test_id("payment-status"), payment.locator(".steps")
    for direction, account, end, last in (
        ("deposit", "ok", "SUCCEEDED", "The bank has paid."),
        ("withdraw", "declines", "FAILED", "The money was refunded."),
        ("withdraw", "flaky", "SUCCEEDED", "The bank has paid."),
        ("deposit", "times-out", "SUCCEEDED", "The bank has paid."),
    ):
        form = fill(visit, "bank", "bank", amount="100.25")
        visit.on("bank-direction").select_option(direction)
        visit.on(f"bank-{account}").check()
        visit.on("bank-submit").click()
        says(form, "It is on its way: see below.")
        expect(payment).to_contain_text(f"$100.25, sandbox-{account}")
        expect(status).to_have_text(end)
        asked = "The bank is asked." if direction == "deposit" else "Debited"
        expect(steps.get_by_test_id("payment-step").first).to_contain_text(asked)
        expect(steps.get_by_test_id("payment-step").last).to_contain_text(last)
    expect(visit.on("payment")).to_have_count(4)
    owner.shows("$600.25")
    assert owner.balance == 60_025
    bank = api.get("/sandbox-bank")["currencies"]["USD"]
    assert bank["paidIn"] - before["paidIn"] == 20_050
    assert bank["paidOut"] - before["paidOut"] == 10_025


def test_transfers_and_exchanges_offer_only_wallets_that_can_receive(
    visit: Visit, api: Api
) -> None:
    frozen, dinars = Owner(visit, api, "USD", 0), Owner(visit, api, "BHD", 1_000)
    api.post(f"/wallet/{frozen.wallet_id}/freeze", 200, reason="Lost phone")
    Owner(visit, api, "USD", 0)
    owner = Owner(visit, api, "USD", 50_000).choose()
    form = visit.page.locator("#transfer-form")
    expect(frozen.card.get_by_test_id("wallet-state")).to_be_visible()
    names = form.get_by_label("To", exact=True).locator("option").all_inner_texts()
    assert all(each.endswith(", USD") for each in names)
    assert names and frozen.called not in names and owner.called not in names
    form.get_by_role("button", name="Exchange").click()
    expect(visit.on("tab-exchange")).to_be_focused()
    foreign = visit.page.locator("#quote-form").get_by_label("To, in another currency")
    names = foreign.locator("option").all_inner_texts()
    assert {each[-3:] for each in names} == {"INR", "JPY"}, "there is a rate to these"
    dinars.choose()
    expect(foreign).to_have_text("No wallet that BHD is exchanged for")
    fill(visit, "exchange", "quote", amount="1")
    visit.on("quote-submit").click()
    error = visit.on("action-quote").get_by_test_id("field-error")
    expect(error).to_have_text("No wallet that BHD is exchanged for.")
    expect(visit.on("transfer-exchange")).to_be_hidden()
    assert visit.sent == []


def test_payments_survive_a_reload_and_a_parked_one_is_retried(
    visit: Visit, api: Api
) -> None:
    owner = Owner(visit, api, "USD", 50_000)
    parked = api.pay("withdraw", owner.wallet_id, 700, "sandbox-down")
    path = f"/payments/{parked['id']}"
    paid = api.pay("deposit", owner.wallet_id, 200, "sandbox-ok")
    api.wait_for(f"/payments/{paid['id']}", lambda each: each["status"] == "SUCCEEDED")
    owner.choose()
    visit.on("tab-bank").click()
    payments = visit.on("payment")
    expect(payments).to_have_count(2)
    visit.page.reload()
    owner.choose()
    visit.on("tab-bank").click()
    expect(payments.first).to_contain_text("Deposit of $2.00, sandbox-ok")
    expect(payments.last).to_contain_text("Withdrawal of $7.00, sandbox-down")
    visit.page.route("**/demo/state?*", parked_instead)
    expect(payments.last.get_by_test_id("payment-status")).to_have_text("PARKED")
    visit.page.route(f"**{path}/retry", lambda route: route.fulfill(json=api.get(path)))
    payments.last.get_by_test_id("payment-retry").click()
    steps = payments.last.get_by_test_id("payment-step")
    expect(steps.filter(has_text="Retried by hand.")).not_to_have_count(0)
    assert [each.url for each in visit.sent] == [f"{visit.url}{path}/retry"]


def parked_instead(route: Route) -> None:
    """Answer as the service does when six attempts have failed."""
    answer = route.fetch()
    body = answer.json()
    if "payments" in body:
        last = body["payments"]["payments"][-1]
        last |= {"status": "PARKED", "lastError": "no answer"}
    route.fulfill(response=answer, json=body)
