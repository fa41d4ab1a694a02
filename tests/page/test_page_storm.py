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


@pytest.fixture
def new_ledger(api: Api) -> None:
    """Leave only wallets that have enough for a storm."""
    api.post("/demo/reset", 200)


@pytest.mark.usefixtures("new_ledger")
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
    assert sum(int(each.replace(",", "") or 0) for each in columns) == 1_000
    assert int(visit.on("storm-rate").inner_text().replace(",", "")) > 0
    times = [visit.on(f"storm-p{share}").inner_text() for share in (50, 95, 99)]
    p50, p95, p99 = (float(each.removesuffix(" ms")) for each in times)
    assert 0 < p50 <= p95 <= p99
    good, _, made = visit.on("storm-audits").inner_text().partition(" of ")
    assert good == made and int(made) >= 3, "before, meanwhile and after"
    expect(visit.on("bench-entry").first).to_contain_text("1,000 of 1,000")


COLUMNS = """async () => {
    const { showColumns } = await import("/page/bars.js");
    showColumns(document.getElementById("latencies"), [{ label: "≤1", count: 1250 }]);
}"""


def test_the_counts_of_latencies_are_grouped(visit: Visit) -> None:
    visit.page.evaluate(COLUMNS)
    counts = visit.on("storm-latencies").locator(".column-count")
    expect(counts).to_have_text(["1,250"])


def test_a_storm_stops_when_it_is_told_to(visit: Visit, api: Api) -> None:
    visit.on("storm-transfers").fill("10,000")
    visit.on("storm-clients").fill("50")
    visit.on("storm-start").click()
    status = visit.on("storm-status")
    expect(status).to_have_text(
        re.compile("^[1-9][0-9,]* of 10,000 transfers answered")
    )
    expect(visit.on("storm-start")).to_be_disabled()
    expect(visit.on("storm-start")).to_be_focused()
    visit.on("storm-stop").click()
    expect(status).to_have_text(
        re.compile("^Stopped after [0-9,]+ of 10,000 transfers")
    )
    expect(visit.on("storm-sum-words")).to_have_text("The same to the paisa.")
    expect(visit.on("storm-start")).to_be_enabled()
    expect(visit.on("storm-stop")).to_be_focused()
    ended = api.get("/audit")["transactions"]
    visit.on("audit-now").click()
    expect(visit.on("storm-books")).to_contain_text(f"{ended:,} transactions")


MONEY = r"₹[0-9,]+\.[0-9]{2}"


def test_without_locks_money_is_lost_and_the_page_shows_how(
    visit: Visit, api: Api
) -> None:
    before = api.get("/audit")
    subject, light = visit.on("storm-subject"), visit.on("storm-books")
    expect(subject).to_have_text("This server")
    visit.page.evaluate(WATCH)
    visit.on("storm-unlocked").click()
    expect(subject).to_have_text("A service without locks, in a process of its own")
    done = re.compile(r"^Done: 1,000 of 1,000 transfers")
    expect(visit.on("storm-status")).to_have_text(done, timeout=STORM_MILLISECONDS)
    expect(light).to_have_attribute("data-state", "broken")
    expect(light).to_contain_text("The books do not balance")
    seen = visit.page.evaluate("() => window.seen")
    assert seen["books"][0] == "unknown", "what was shown was this server's light"
    sums = [visit.on(f"storm-sum-{when}").inner_text() for when in ("before", "after")]
    first, last = (Decimal(re.sub("[₹,]", "", each)) for each in sums)
    assert first.scaleb(2) == before["currencies"]["INR"]["balances"]
    what = "has vanished" if last < first else "came from nowhere"
    lost = f"₹{indian(abs(last - first))} {what}."
    if last == first:  # what came and what went can be the same, by chance
        lost = "The same to the paisa."
    expect(visit.on("storm-sum-words")).to_have_text(lost)
    losses = visit.on("losses")
    expect(losses.locator("h2")).to_have_text(f"Without locks: {lost}")
    differences = losses.get_by_test_id("loss").locator("b.bad").all_inner_texts()
    amounts = [Decimal(re.sub("[₹,+]", "", each)) for each in minus(differences)]
    assert sum(amounts) == last - first
    breaks = r"^[1-9][0-9,]* of 2,002 transactions do not begin from the balance"
    expect(visit.on("losses-breaks")).to_have_text(re.compile(breaks))

    lanes = visit.on("lanes")
    steps = [
        each.removeprefix("Transfer ")
        for each in lanes.locator("> *").all_inner_texts()
    ]
    one, two, reads, reads_too, writes, writes_over, end = steps
    assert reads == reads_too and re.fullmatch(rf".+’s balance: {MONEY}", reads)
    start = Decimal(re.sub("[₹,]", "", reads.rpartition(" ")[2]))
    for letter, title, written in (("A", one, writes), ("B", two, writes_over)):
        match = re.fullmatch(
            rf"{letter}: ({MONEY}) (from|to) (Asha Rao|Ravi Kumar)", title
        )
        assert match, title
        amount = Decimal(re.sub("[₹,]", "", match[1]))
        after = start + (amount if match[2] == "from" else -amount)
        assert written.removesuffix(", over it") == f"writes ₹{indian(after)}"
    assert end.startswith(f"Both read ₹{indian(start)} before either wrote.")

    assert api.get("/audit") == before, "the server's own money"
    lines = visit.on("bench-curl").all_text_contents()
    assert all(f"'{visit.url}/" in line for line in lines), "its service has ended"
    expect(visit.on("storm-unlocked")).to_be_focused()
    visit.on("audit-now").click()
    expect(light).to_have_attribute("data-state", "balanced")
    expect(subject).to_have_text("This server")
    expect(visit.on("storm-status")).to_have_text("Ready.")
    expect(visit.on("storm-audits")).to_have_text("–")
    expect(visit.on("storm-answer")).to_have_count(0)

    expect(losses).to_be_visible()
    visit.tolerate(404)  # what is gone may be asked for once more
    visit.page.once("dialog", lambda dialog: dialog.accept())
    visit.on("reset").click()
    expect(visit.on("ledger")).to_be_visible()
    expect(losses).to_be_hidden()


def minus(texts: list[str]) -> list[str]:
    return [each.replace("−", "-") for each in texts]


def test_a_storm_without_locks_stops_when_it_is_told_to(visit: Visit) -> None:
    visit.on("storm-transfers").fill("10,000")
    visit.on("storm-unlocked").click()
    status = visit.on("storm-status")
    expect(status).to_have_text(re.compile("^[1-9][0-9,]* of 10,000"))
    visit.on("storm-stop").click()
    expect(status).to_have_text(re.compile("^Stopped after [0-9,]+ of 10,000"))
    expect(visit.on("storm-unlocked")).to_be_enabled()
    expect(visit.on("storm-stop")).to_be_focused()


def test_a_storm_is_shown_to_who_comes_while_it_runs_and_to_nobody_later(
    visit: Visit, api: Api
) -> None:
    api.post("/demo/storm", 202, clients=2, transfers=10_000, locks=False)
    status = visit.on("storm-status")
    expect(status).to_have_text(re.compile("^[1-9][0-9,]* of 10,000"))
    visit.page.reload()
    expect(status).to_have_text(re.compile("^[1-9][0-9,]* of 10,000"))
    visit.on("storm-stop").click()
    expect(status).to_have_text(re.compile("^Stopped after"))
    visit.page.reload()
    expect(visit.on("storm-books")).to_have_attribute("data-state", "balanced")
    expect(status).to_have_text("Ready.")


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
