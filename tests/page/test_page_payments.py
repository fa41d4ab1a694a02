"""Exchanges and payments on the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

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
    owner = Owner(visit, api, "USD", 50_000).choose()
    payment = visit.on("payment").first
    status, steps = payment.get_by_test_id("payment-status"), payment.locator(".steps")
    for direction, account, end, last in (
        ("deposit", "ok", "SUCCEEDED", "The bank has paid."),
        ("withdraw", "declines", "FAILED", "The money came back."),
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
    assert (bank["paidIn"], bank["paidOut"]) == (20_050, 10_025)
