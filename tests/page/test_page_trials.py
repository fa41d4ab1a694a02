"""What else of the service can be tried on the page: batches, fraud rules, the bank's
books and the house's wallets."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import Owner, fill, says, send

pytestmark = [pytest.mark.server, pytest.mark.browser]


def lines(visit: Visit, *given: tuple[Owner, str]) -> Locator:
    """Fill in lines of a batch, the first at the top, and send it."""
    form = fill(visit, "batch", "batch")
    for number, (target, amount) in enumerate(given, 1):
        target_field = form.locator(f'[name="toWalletId{number}"]')
        target_field.select_option(label=target.called)
        visit.on(f"batch-amount-{number}").fill(amount)
    visit.on("batch-submit").click()
    return form


def test_a_batch_makes_all_of_its_transfers_or_none(visit: Visit, api: Api) -> None:
    first, second = Owner(visit, api, "USD", 0), Owner(visit, api, "USD", 0)
    owner = Owner(visit, api, "USD", 10_000).choose()
    visit.announce(400)
    form = lines(visit, (first, "60"), (second, "60"))
    error = form.get_by_test_id("field-error")
    expect(error).to_have_text(
        f"Not enough money: {owner.name} has $40.00. None of the transfers was made."
    )
    expect(error).to_have_attribute("data-field", "amount2")
    assert (owner.balance, first.balance, second.balance) == (10_000, 0, 0)
    says(
        lines(visit, (first, "60"), (second, "40")),
        "2 transfers were made, at one moment.",
    )
    assert (owner.balance, first.balance, second.balance) == (0, 6_000, 4_000)
    visit.on("batch-submit").click()
    expect(error).to_have_text("Type an amount.")


def test_fraud_rules_watch_a_wallet_and_their_alerts_show(
    visit: Visit, api: Api
) -> None:
    target, owner = Owner(visit, api, "USD", 0), Owner(visit, api, "USD", 5_000_000)
    owner.choose()
    visit.on("tab-fraud").click()
    rules, switch = visit.on("fraud-rules"), visit.on("fraud-watched")
    expect(rules).to_contain_text("A first transfer to a wallet, of $10,000.00 or more")
    expect(switch).not_to_be_checked()
    switch.check()
    expect(visit.on("bench-entry").first).to_contain_text("PUT /demo/fraud")
    form = send(visit, "transfer", to=target, amount="12,000")
    expect(form.get_by_test_id("result")).to_contain_text("This waits for a code")
    for _ in range(10):
        api.post("/wallet/deduct", 200, walletId=owner.wallet_id, amount=1)
    visit.announce(403)
    form = send(visit, "deduct", amount="0.01")
    expect(form.get_by_test_id("error")).to_have_text(
        "Blocked as suspicious. Many movements in a short time."
    )
    visit.on("tab-fraud").click()
    alerts = visit.on("alert").filter(has_text=owner.name)
    expect(alerts.first).to_contain_text("Velocityblocked")
    expect(alerts.first).to_contain_text(f"$0.01 from {owner.called}")
    expect(alerts.last).to_contain_text("New payeeneeds a code")
    assert owner.balance == 5_000_000 - 10
    switch.uncheck()
    says(send(visit, "deduct", amount="0.01"), "Deducted $0.01.")


def test_the_banks_books_and_the_houses_wallets_are_shown(
    visit: Visit, api: Api
) -> None:
    target, owner = Owner(visit, api, "INR", 0), Owner(visit, api, "USD", 50_000)
    paid = api.pay("deposit", owner.wallet_id, 1_000, "sandbox-ok")
    api.wait_for(f"/payments/{paid['id']}", lambda each: each["status"] == "SUCCEEDED")
    quote = {"fromCurrency": "USD", "toCurrency": "INR", "amount": 10_000}
    api.post(
        "/wallet/transfer",
        200,
        fromWalletId=owner.wallet_id,
        toWalletId=target.wallet_id,
        amount=10_000,
        quoteId=api.post("/fx/quotes", 201, **quote)["quoteId"],
    )
    visit.on("tab-bank").click()
    books = api.get("/sandbox-bank")["currencies"]["USD"]
    line = visit.on("bank-books").locator("li", has_text="USD, paid into wallets")
    expect(line.locator("b")).to_have_text(f"${books['paidIn'] // 100:,}.00")
    visit.on("tab-exchange").click()
    line = visit.on("liquidity").locator("li", has_text="INR")
    expect(line.locator("b")).to_have_text("−₹8,312.00")
