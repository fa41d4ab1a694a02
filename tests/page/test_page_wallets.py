"""Wallets on the page: what moves, freezes and is limited shows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import Owner, says, send

pytestmark = [pytest.mark.server, pytest.mark.browser]


MARKUP = '<img src=x onerror="window.ran = 1"><script>window.ran = 1</script>'


def test_a_movement_that_somebody_else_made_shows_by_itself(
    visit: Visit, api: Api
) -> None:
    owner = Owner(visit, api, "USD", 5_000).choose()
    owner.shows("$50.00")
    api.post("/wallet/add", 200, walletId=owner.wallet_id, amount=123_456_750)
    owner.shows("$1,234,617.50")
    expect(visit.on("history-row").first).to_contain_text("+$1,234,567.50")


def test_wallets_that_were_made_elsewhere_appear(visit: Visit, api: Api) -> None:
    wallet_id = api.open_wallet(4_200)
    user = api.get(f"/wallet/{wallet_id}")["userId"]
    card = visit.page.locator(f'[data-wallet-id="{wallet_id}"]')
    expect(card.get_by_test_id("balance")).to_have_text("₹42.00")
    person = visit.on("person").filter(has=card)
    expect(person.locator("h3")).to_have_text(f"User {user[:8]}")
    card.get_by_role("button").click()
    says(send(visit, "add", amount="1"), "Added ₹1.00.")
    expect(card.get_by_test_id("balance")).to_have_text("₹43.00")


def test_names_and_descriptions_that_are_markup_are_shown_as_text(visit: Visit) -> None:
    name = f"{MARKUP[:40]} O\"Brien's"
    visit.on("open-person").click()
    visit.on("person-name").fill(name)
    visit.on("person-submit").click()
    expect(visit.on("person").filter(has_text="O\"Brien's").locator("h3")).to_have_text(
        name
    )
    visit.on("wallet-currency").select_option("BHD")
    visit.on("wallet-submit").click()
    card = (
        visit.on("person").filter(has_text="O\"Brien's").get_by_test_id("wallet-card")
    )
    expect(card.get_by_test_id("balance")).to_have_text("BHD 0.000")
    says(send(visit, "add", amount="1.250", description=MARKUP), "Added BHD 1.250.")
    expect(card.get_by_test_id("balance")).to_have_text("BHD 1.250")
    expect(visit.on("history-row").locator("td.description")).to_have_text(MARKUP)
    form = send(visit, "freeze", reason=MARKUP)
    says(form, "Frozen: it neither sends nor receives now.")
    expect(card.get_by_test_id("wallet-state")).to_have_text(f"Frozen: {MARKUP}")
    expect(visit.on("bench-answer").first).to_contain_text("onerror")
    visit.announce(409)
    visit.on("wallet-submit").click()
    problem = visit.page.locator("#wallet-form").get_by_test_id("field-error")
    expect(problem).to_be_visible()
    assert visit.page.locator("body img, body script").count() == 0
    assert visit.page.evaluate("() => window.ran") is None


def test_money_is_moved_by_amounts_as_people_write_them(visit: Visit, api: Api) -> None:
    target = Owner(visit, api, "INR", 100_000)
    owner = Owner(visit, api, "INR", 100_000).choose()
    says(send(visit, "add", amount="1,250.50"), "Added ₹1,250.50.")
    says(send(visit, "add", amount=" 12,50,000 "), "Added ₹12,50,000.00.")
    says(send(visit, "deduct", amount="0.5", category="food"), "Deducted ₹0.50.")
    details = {"amount": "1000", "category": "rent", "description": "My half, for May"}
    form = send(visit, "transfer", to=target, **details)
    says(form, f"₹1,000.00 went to {target.called}.")
    owner.shows("₹12,51,250.00")
    target.shows("₹2,000.00")
    row = visit.on("history-row").first
    expect(row).to_contain_text("Transfer out")
    expect(row).to_contain_text("rentMy half, for May−₹1,000.00₹12,51,250.00")
    assert [(each["type"], each["amount"]) for each in owner.transactions] == [
        ("TRANSFER_OUT", 100_000),
        ("DEBIT", 50),
        ("CREDIT", 125_000_000),
        ("CREDIT", 125_050),
        ("CREDIT", 100_000),
    ]
    assert owner.transactions[0]["description"] == "My half, for May"
    assert target.transactions[0]["referenceId"] == owner.transactions[0]["id"]


def test_a_frozen_wallet_says_so_and_moves_again_when_it_is_unfrozen(
    visit: Visit, api: Api
) -> None:
    owner = Owner(visit, api, "USD", 5_000).choose()
    says(send(visit, "freeze", reason="Lost phone"), re.compile("neither sends"))
    expect(owner.card.get_by_test_id("wallet-state")).to_have_text("Frozen: Lost phone")
    visit.announce(423)
    form = send(visit, "deduct", amount="1")
    expect(form.get_by_test_id("error")).to_contain_text("Frozen")
    assert owner.balance == 5_000
    visit.on("tab-freeze").click()
    expect(visit.on("freeze-submit")).to_have_text("Unfreeze")
    visit.on("freeze-submit").click()
    expect(owner.card.get_by_test_id("wallet-state")).to_be_hidden()
    says(send(visit, "deduct", amount="1"), "Deducted $1.00.")
    owner.shows("$49.00")


def test_limits_are_set_and_show_what_of_them_is_used(visit: Visit, api: Api) -> None:
    owner = Owner(visit, api, "USD", 50_000).choose()
    visit.on("tab-limits").click()
    expect(visit.on("limits-today")).to_have_text("$0.00, no limit")
    visit.on("limits-per-transaction").fill("90")
    visit.on("limits-daily").fill("100.00")
    visit.on("limits-monthly").fill("1,000")
    visit.on("limits-submit").click()
    says(visit.page.locator("#limits-form"), "Limits saved.")
    says(send(visit, "deduct", amount="60"), "Deducted $60.00.")
    visit.on("tab-limits").click()
    expect(visit.on("limits-today")).to_have_text("$60.00 of $100.00, $40.00 left")
    expect(visit.on("limits-month")).to_have_text("$60.00 of $1,000.00, $940.00 left")
    visit.announce(422)
    problem = send(visit, "deduct", amount="40.01").get_by_test_id("field-error")
    expect(problem).to_contain_text("$40.00 of $100.00 per day is left until")
    assert owner.balance == 44_000
