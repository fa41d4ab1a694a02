"""The storm of transfers on the page, and its books."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import STORM_MILLISECONDS, indian

pytestmark = [pytest.mark.server, pytest.mark.browser]


WATCH = """() => {
    window.seen = { books: [], progress: [] };
    const note = () => {
        window.seen.books.push(document.getElementById("books").dataset.state);
        window.seen.progress.push(document.getElementById("storm-progress").value);
    };
    const options = { attributes: true, subtree: true, childList: true };
    new MutationObserver(note).observe(document.getElementById("readout"), options);
}"""


def test_a_storm_of_a_thousand_transfers_leaves_every_book_balanced(
    visit: Visit, api: Api
) -> None:
    before = api.get("/audit")
    visit.page.evaluate(WATCH)
    visit.on("storm-start").click()
    done = re.compile(r"^Done: 1,000 of 1,000 transfers in [0-9.]+ seconds\.$")
    expect(visit.on("storm-status")).to_have_text(done, timeout=STORM_MILLISECONDS)
    expect(visit.on("storm-sum-words")).to_have_text("The same to the paisa.")
    after = api.get("/audit")
    assert (
        after["balanced"]
        and after["currencies"]["INR"]["balances"]
        == (before["currencies"]["INR"]["balances"])
    )
    assert after["transactions"] - before["transactions"] == 2 * 1_000

    seen = visit.page.evaluate("() => window.seen")
    assert set(seen["books"]) == {"balanced"}
    assert seen["progress"] == sorted(seen["progress"])
    assert seen["progress"][-1] == 1_000 and len(set(seen["progress"])) > 2
    sums = [visit.on(f"storm-sum-{when}").inner_text() for when in ("before", "after")]
    rupees = Decimal(before["currencies"]["INR"]["balances"]).scaleb(-2)
    assert sums == [f"₹{indian(rupees)}"] * 2

    expect(visit.on("storm-answer")).to_have_text(["200moved1,000"])
    columns = visit.on("storm-latencies").locator(".column-count").all_text_contents()
    assert sum(int(each or 0) for each in columns) == 1_000
    assert int(visit.on("storm-rate").inner_text().replace(",", "")) > 0
    times = [visit.on(f"storm-p{share}").inner_text() for share in (50, 95, 99)]
    p50, p95, p99 = (float(each.removesuffix(" ms")) for each in times)
    assert 0 < p50 <= p95 <= p99
    good, _, made = visit.on("storm-audits").inner_text().partition(" of ")
    assert good == made and int(made) >= 3, "before, meanwhile and after"
    expect(visit.on("bench-entry").first).to_contain_text("1000 of 1000")


def test_a_storm_stops_when_it_is_told_to(visit: Visit, api: Api) -> None:
    visit.on("storm-transfers").fill("10,000")
    visit.on("storm-clients").fill("50")
    visit.on("storm-start").click()
    status = visit.on("storm-status")
    expect(status).to_have_text(
        re.compile("^[1-9][0-9,]* of 10,000 transfers answered")
    )
    expect(visit.on("storm-start")).to_be_disabled()
    visit.on("storm-stop").click()
    expect(status).to_have_text(
        re.compile("^Stopped after [0-9,]+ of 10,000 transfers")
    )
    expect(visit.on("storm-sum-words")).to_have_text("The same to the paisa.")
    expect(visit.on("storm-start")).to_be_enabled()
    ended = api.get("/audit")["transactions"]
    visit.on("audit-now").click()
    expect(visit.on("storm-books")).to_contain_text(f"{ended:,} transactions")


def test_a_storm_is_no_larger_than_it_says(visit: Visit) -> None:
    for name, text in (("clients", "51"), ("clients", "1.5"), ("transfers", "10,001")):
        visit.on(f"storm-{name}").fill(text)
        visit.on("storm-start").click()
        error = visit.page.locator("#storm-form").get_by_test_id("field-error")
        expect(error).to_contain_text("A whole number from")
        assert error.get_attribute("data-field") == name
        visit.on(f"storm-{name}").fill("20" if name == "clients" else "100")
    assert visit.sent == []


def test_books_that_do_not_balance_are_shown_as_such(visit: Visit) -> None:
    audit = {
        "balanced": False,
        "wallets": 2,
        "transactions": 5,
        "currencies": {},
        "problems": [{"detail": "A wallet has one unit too many."}],
    }
    visit.page.route("**/audit", lambda route: route.fulfill(json=audit))
    visit.on("audit-now").click()
    expect(visit.on("storm-books")).to_have_attribute("data-state", "broken")
    expect(visit.on("storm-books")).to_contain_text("The books do not balance")
    expect(visit.on("storm-books")).to_contain_text("A wallet has one unit too many.")
