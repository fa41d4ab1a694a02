"""The history on the page: filters, pages, the plot, the download."""

from __future__ import annotations

import csv
import re

import pytest
from playwright.sync_api import expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import Owner

pytestmark = [pytest.mark.server, pytest.mark.browser]


def test_the_history_has_filters_and_pages(visit: Visit, api: Api) -> None:
    owner = spender(visit, api)
    where, rows = visit.on("history-page"), visit.on("history-row")
    expect(where).to_have_text("Page 1 of 2, 25 in all")
    expect(rows).to_have_count(20)
    expect(visit.on("page-previous")).to_be_disabled()
    visit.on("page-next").click()
    expect(where).to_have_text("Page 2 of 2, 25 in all")
    expect(rows).to_have_count(5)
    expect(visit.on("page-last")).to_be_disabled()
    visit.on("page-first").click()
    expect(rows).to_have_count(20)
    visit.on("filter-type").select_option("DEBIT")
    visit.on("filter-category").fill("food")
    visit.on("filter-submit").click()
    expect(where).to_have_text("Page 1 of 1, 12 in all")
    assert {
        "|".join(row.locator("td").all_inner_texts()[1:5]) for row in rows.all()
    } == {"Debit|food|Lunch|−$1.00"}
    visit.on("filter-to").fill("2020-01-01T00:00:00")
    visit.on("filter-submit").click()
    expect(where).to_have_text("Nothing matches.")
    expect(rows).to_have_count(0)
    visit.on("filter-reset").click()
    expect(where).to_have_text("Page 1 of 2, 25 in all")
    assert owner.balance == 100_000 - 12 * 100 - 12 * 250


def spender(visit: Visit, api: Api) -> Owner:
    """Return somebody who has paid for twelve lunches and as many rides."""
    owner = Owner(visit, api, "USD", 100_000).choose()
    for amount, category, description in (
        (100, "food", "Lunch"),
        (250, "transport", "Metro"),
    ) * 12:
        api.post(
            "/wallet/deduct",
            200,
            walletId=owner.wallet_id,
            amount=amount,
            category=category,
            description=description,
        )
    owner.shows("$958.00")
    return owner


def test_the_history_is_drawn_added_up_and_downloaded(visit: Visit, api: Api) -> None:
    owner = spender(visit, api)
    expect(visit.on("plot-note")).to_have_text("all 25 movements")
    plot, label = visit.on("plot"), visit.on("plot-label")
    for key, balance in {
        "Home": "$1,000.00",
        "ArrowRight": "$999.00",
        "ArrowUp": "$996.50",
        "End": "$958.00",
        "ArrowLeft": "$960.50",
    }.items():
        plot.press(key)
        expect(label).to_have_text(re.compile(f": {re.escape(balance)}$"))
        said = plot.get_attribute("aria-valuetext")
        assert said and said.endswith(f": {balance}")
    bars = visit.on("spending").locator("li")
    expect(bars).to_have_text(["transport$30.00", "food$12.00"])
    visit.on("filter-category").fill("food")
    visit.on("filter-submit").click()
    expect(visit.on("history-page")).to_have_text("Page 1 of 1, 12 in all")
    with visit.page.expect_download() as download:
        visit.on("history-csv").click()
    with download.value.path().open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:3] == ["id", "createdAt", "type"] and header[9] == "category"
    foods = [each for each in owner.transactions if each["category"] == "food"]
    assert len(rows) == 12 and {row[9] for row in rows} == {"food"}
    assert {each["id"] for each in foods} <= {row[0] for row in rows}


def test_the_history_says_with_whom(visit: Visit, api: Api) -> None:
    rupees, target = Owner(visit, api, "INR", 0), Owner(visit, api, "USD", 0)
    owner = Owner(visit, api, "USD", 0)
    paid = api.pay("deposit", owner.wallet_id, 50_000, "sandbox-ok")
    api.wait_for(f"/payments/{paid['id']}", lambda each: each["status"] == "SUCCEEDED")
    declined = api.pay("withdraw", owner.wallet_id, 100, "sandbox-declines")
    api.wait_for(f"/payments/{declined['id']}", lambda each: each["status"] == "FAILED")
    move = {"fromWalletId": owner.wallet_id, "amount": 1_000}
    api.post("/wallet/transfer", 200, toWalletId=target.wallet_id, **move)
    quote = {"fromCurrency": "USD", "toCurrency": "INR", "amount": 1_000}
    quote_id = api.post("/fx/quotes", 201, **quote)["quoteId"]
    api.post(
        "/wallet/transfer", 200, toWalletId=rupees.wallet_id, quoteId=quote_id, **move
    )
    owner.choose()
    what = visit.on("history-row").locator("td:nth-child(2)")
    expect(what).to_have_text(
        [
            f"Exchange to {rupees.called}",
            f"Transfer out to {target.name}",
            "Refund from sandbox-declines",
            "Withdrawal to sandbox-declines",
            "Deposit from sandbox-ok",
        ]
    )
    rupees.choose()
    expect(what).to_have_text([f"Exchange from {owner.called}"])
