"""The demo page, as whoever opens it finds it: in a real browser, on a real server."""

from __future__ import annotations

import csv
import json
import random
import re
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Locator, Page, expect

from tests.browser import (
    NONE_HERE,
    REBOUND,
    Visit,
    elsewhere,
    found,
    launched,
    visiting,
)
from tests.live_api import Api
from tests.server import DEMO, PROJECT, TIMEOUT_SECONDS, Server, running

pytestmark = [pytest.mark.server, pytest.mark.browser]

EVERYBODY = count(1)
STORM_MILLISECONDS = 90_000
"""For a thousand transfers, on a machine that has much else to do."""

MARKUP = '<img src=x onerror="window.ran = 1"><script>window.ran = 1</script>'
QUOTES = """it's "$HOME" `id` \\ é 'twice'"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(DEMO) as server:
        yield server


@pytest.fixture(scope="module")
def api(server: Server) -> Api:
    return Api(server)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = found()
    if path is None:
        pytest.skip(NONE_HERE)
    with launched(path) as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    with visiting(
        browser, server.url, viewport={"width": 1280, "height": 900}
    ) as visit:
        yield visit


class Owner:
    """Somebody who has one wallet, and is on the page in a moment."""

    def __init__(self, visit: Visit, api: Api, currency: str, balance: int) -> None:
        self._visit, self._api, self._currency = visit, api, currency
        self.name = f"Owner {next(EVERYBODY)}"
        user = api.post("/demo/people", 201, name=self.name)["userId"]
        wallet = api.post("/wallet/create", 201, userId=user, currency=currency)
        self.wallet_id = str(wallet["id"])
        if balance:
            api.post("/wallet/add", 200, walletId=self.wallet_id, amount=balance)

    @property
    def card(self) -> Locator:
        return self._visit.page.locator(f'[data-wallet-id="{self.wallet_id}"]')

    @property
    def called(self) -> str:
        return f"{self.name}, {self._currency}"

    @property
    def balance(self) -> int:
        return int(self._api.get(f"/wallet/{self.wallet_id}")["balance"])

    @property
    def transactions(self) -> list[dict[str, Any]]:
        """What the service has of this wallet, latest first."""
        page = self._api.get(f"/wallet/{self.wallet_id}/transactions")
        return list(page["transactions"])

    def choose(self) -> Owner:
        """Have the page act on this wallet from now on."""
        button = self.card.get_by_role("button")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        return self

    def shows(self, balance: str) -> None:
        expect(self.card.get_by_test_id("balance")).to_have_text(balance)


def fill(visit: Visit, tab: str, form: str, **fields: str) -> Locator:
    """Open a tab, fill in the fields of a form, and return the form."""
    visit.on(f"tab-{tab}").click()
    place = visit.page.locator(f"#{form}-form")
    for name, text in fields.items():
        place.locator(f'[name="{name}"]').fill(text)
    return place


def send(visit: Visit, name: str, to: Owner | None = None, **fields: str) -> Locator:
    """Fill in the form of an action, send it, and return it."""
    form = fill(visit, name, name, **fields)
    if to is not None:
        form.get_by_label("To", exact=True).select_option(label=to.called)
    visit.on(f"{name}-submit").click()
    return form


def says(form: Locator, words: str | re.Pattern[str]) -> None:
    """Wait until a form says what came of it."""
    expect(form.get_by_test_id("result")).to_have_text(words)


# Wallets


def test_a_movement_that_somebody_else_made_shows_by_itself(
    visit: Visit, api: Api
) -> None:
    owner = Owner(visit, api, "USD", 5_000).choose()
    owner.shows("$50.00")
    api.post("/wallet/add", 200, walletId=owner.wallet_id, amount=123_456_750)
    owner.shows("$1,234,617.50")
    expect(visit.on("history-row").first).to_contain_text("+$1,234,567.50")


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
    says(form, "It neither sends nor receives now.")
    expect(card.get_by_test_id("wallet-state")).to_have_text(f"Frozen: {MARKUP}")
    expect(visit.on("bench-answer").first).to_contain_text("onerror")
    visit.announce(409)
    visit.on("wallet-submit").click()
    problem = visit.page.locator("#wallet-form").get_by_test_id("error")
    expect(problem).to_be_visible()
    assert visit.page.locator("body img, body script").count() == 0
    assert visit.page.evaluate("() => window.ran") is None


def test_money_is_moved_by_amounts_as_people_write_them(visit: Visit, api: Api) -> None:
    target = Owner(visit, api, "INR", 100_000)
    owner = Owner(visit, api, "INR", 100_000).choose()
    says(send(visit, "add", amount="1,250.50"), "Added ₹1,250.50.")
    says(send(visit, "add", amount=" 12,50,000 "), "Added ₹12,50,000.00.")
    says(send(visit, "deduct", amount="0.5", category="food"), "Deducted ₹0.50.")
    told = {"amount": "1000", "category": "rent", "description": "My half, for May"}
    form = send(visit, "transfer", to=target, **told)
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


def test_what_is_no_amount_is_told_at_its_field_and_never_sent(
    visit: Visit, api: Api
) -> None:
    owner = Owner(visit, api, "INR", 100_000).choose()
    shape = "Write digits, with one dot before the decimals, such as 1,250.50."
    refused = {
        "1.234": "This currency has 2 decimals, and no more.",
        "abc": shape,
        ".5": shape,
        "1e3": shape,
        "-5": shape,
        "": "Type an amount.",
        "1,25": "Commas stand between groups only: 125,000 or 1,25,000.",
        "0.00": "Type more than nothing.",
        "90071992547409.92": "The most there can be is 90071992547409.91.",
    }
    for text, words in refused.items():
        told_at_its_field(fill(visit, "add", "add", amount=text), words)
    for tab, form in FORMS_OF_AMOUNTS.items():
        told_at_its_field(fill(visit, tab, form, amount="1e3"), shape)
    assert visit.sent == [] and owner.balance == 100_000


FORMS_OF_AMOUNTS = {
    "transfer": "transfer",
    "deduct": "deduct",
    "bank": "bank",
    "exchange": "quote",
}


def told_at_its_field(form: Locator, words: str) -> None:
    """Send a form, and see its amount refused in these words."""
    form.locator("button").click()
    field = form.locator('[name="amount"]')
    expect(form.get_by_test_id("field-error")).to_have_text(words)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    said = re.compile(f"{re.escape(words)}$")
    expect(field).to_have_accessible_error_message(said)


def test_a_frozen_wallet_says_so_and_moves_again_when_it_is_unfrozen(
    visit: Visit, api: Api
) -> None:
    owner = Owner(visit, api, "USD", 5_000).choose()
    says(send(visit, "freeze", reason="Lost phone"), re.compile("neither sends"))
    expect(owner.card.get_by_test_id("wallet-state")).to_have_text("Frozen: Lost phone")
    visit.announce(423)
    form = send(visit, "deduct", amount="1")
    expect(form.get_by_test_id("error")).to_contain_text("frozen")
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
    says(visit.page.locator("#limits-form"), "These are its limits now.")
    says(send(visit, "deduct", amount="60"), "Deducted $60.00.")
    visit.on("tab-limits").click()
    expect(visit.on("limits-today")).to_have_text("$60.00 of $100.00, $40.00 left")
    expect(visit.on("limits-month")).to_have_text("$60.00 of $1,000.00, $940.00 left")
    visit.announce(422)
    problem = send(visit, "deduct", amount="40.01").get_by_test_id("error")
    expect(problem).to_contain_text("limit $100.00, left $40.00, resets")
    assert owner.balance == 44_000


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


# History


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


# The phone


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
    code = field.input_value()
    assert re.fullmatch("[0-9]{6}", code)
    visit.announce(400)
    field.fill("000000" if code != "000000" else "111111")
    text.get_by_test_id(confirm).click()
    expect(text.get_by_test_id("error")).to_contain_text(
        "not the code of the approval. Attempts left: 4."
    )
    expect(text.get_by_test_id("phone-status")).to_contain_text("4 tries")
    assert (owner.balance, target.balance) == (50_000, 0)
    field.fill(code)
    text.get_by_test_id(confirm).click()
    expect(text.get_by_test_id("phone-status")).to_have_text("Confirmed")
    says(text, "The money has moved.")
    owner.shows("$350.00")
    target.shows("$150.00")


def two_with_a_threshold(visit: Visit, api: Api) -> tuple[Owner, Owner]:
    """Return a receiver, and a sender whose threshold was set on the page."""
    target, owner = Owner(visit, api, "USD", 0), Owner(visit, api, "USD", 50_000)
    owner.choose()
    form = fill(visit, "limits", "limits", approvalThreshold="100")
    visit.on("limits-submit").click()
    says(form, "These are its limits now.")
    limits = api.get(f"/wallet/{owner.wallet_id}/limits")
    assert limits["approvalThreshold"] == 10_000
    return target, owner


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


# The inbox


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
    assert api.get("/webhooks")["webhooks"] == []


def outcomes(api: Api) -> tuple[tuple[str, list[int]], tuple[str, list[int]]]:
    """Return the id and the answers of the latest message that failed at first: those
    until it was received, and all."""
    received = list(reversed(api.get("/demo/inbox")["messages"]))
    failed = next(each["messageId"] for each in received if each["answer"] == 503)
    answers = [each["answer"] for each in received if each["messageId"] == failed]
    return (failed, answers[: answers.index(204)]), (failed, answers)


# The storm

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


def indian(amount: Decimal) -> str:
    """Write an amount with commas as in 12,50,000.00."""
    whole, dot, decimals = f"{amount:f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    grouped = re.sub(r"\B(?=([0-9]{2})+$)", ",", head)
    return (f"{grouped}," if head else "") + tail + dot + decimals


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


# The bench


def test_the_line_of_an_action_does_in_a_shell_what_the_page_did(
    visit: Visit, api: Api
) -> None:
    owner = Owner(visit, api, "USD", 0).choose()
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    says(send(visit, "add", amount="1.25", description=QUOTES), "Added $1.25.")
    entry = visit.on("bench-entry").first
    expect(entry).to_contain_text("POST /wallet/add")
    expect(entry.get_by_test_id("bench-status")).to_have_text("200")
    entry.get_by_test_id("bench-copy").click()
    expect(entry.get_by_test_id("bench-copy")).to_have_text("Copied")
    line = visit.page.evaluate("() => navigator.clipboard.readText()")
    assert line == entry.get_by_test_id("bench-curl").text_content()
    assert shell(line)["transaction"]["description"] == QUOTES
    owner.shows("$2.50")
    shown, ran = owner.transactions
    for same in ("type", "amount", "description", "category"):
        assert shown[same] == ran[same]

    form = fill(visit, "limits", "limits", daily="75")
    visit.on("limits-submit").click()
    says(form, "These are its limits now.")
    line = visit.on("bench-curl").first.text_content() or ""
    api.ask("PUT", f"/wallet/{owner.wallet_id}/limits", 200, {})
    assert shell(line)["daily"] == 7_500
    visit.on("audit-now").click()
    expect(visit.on("bench-entry").first).to_contain_text("GET /audit")
    assert shell(visit.on("bench-curl").first.text_content() or "")["balanced"]


def shell(line: str) -> Any:
    """Run a line of the bench in a shell, and return what it was answered."""
    ran = subprocess.run(
        ["bash", "-euc", line],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    return json.loads(ran.stdout)


# Refusals


def test_refusals_are_told_in_words_where_they_happened(visit: Visit, api: Api) -> None:
    target, owner = Owner(visit, api, "USD", 0), Owner(visit, api, "USD", 1_000)
    owner.choose()
    visit.announce(400)
    form = send(visit, "transfer", to=target, amount="20")
    problem = form.get_by_test_id("error")
    expect(problem).to_have_text(
        "The balance is 1000, less than the 2000 asked for."
        " In money: balance $10.00, asked for $20.00."
    )
    expect(visit.page.get_by_role("alert").filter(visible=True)).to_have_count(1)
    expect(visit.on("bench-answer").first).to_contain_text("insufficient_funds")
    form = send(visit, "transfer", to=target, amount="5", category="Not one!")
    error = form.get_by_test_id("field-error")
    expect(error).to_be_visible()
    assert error.get_attribute("data-field") == "category"
    assert (owner.balance, target.balance) == (1_000, 0)
    says(
        send(visit, "transfer", to=target, amount="5", category=""), re.compile("went")
    )
    expect(problem).to_be_hidden()


def test_a_server_that_is_gone_is_told_and_found_again(visit: Visit) -> None:
    visit.page.context.set_offline(True)
    expect(visit.on("connection")).to_contain_text("The server cannot be reached.")
    visit.page.context.set_offline(False)
    expect(visit.on("connection")).to_be_hidden()
    assert all("ERR_INTERNET_DISCONNECTED" in each for each in visit.complaints)
    visit.complaints.clear()


# For everybody

FOCUSED = """() => {
    const { dataset, textContent } = document.activeElement;
    return dataset.test ?? textContent.trim();
}"""
OUTLINE = "() => getComputedStyle(document.activeElement).outlineStyle"


def test_the_keyboard_alone_is_enough(visit: Visit, api: Api) -> None:
    owner = Owner(visit, api, "USD", 1_000)
    visit.page.reload()
    expect(visit.on("storm-books")).to_have_attribute("data-state", "balanced")
    keyboard = visit.page.keyboard
    stops: list[str] = []
    while stops[-1:] != ["storm-start"]:
        keyboard.press("Tab")
        stops.append(visit.page.evaluate(FOCUSED))
        assert visit.page.evaluate(OUTLINE) != "none", stops
        assert len(stops) <= 12, stops
    assert stops[0] == "Skip to the content"
    visit.page.evaluate("() => document.activeElement.blur()")
    visit.page.locator(".skip").focus()
    keyboard.press("Enter")
    for stop in ("storm-clients", "storm-transfers", "storm-start"):
        keyboard.press("Tab")
        assert visit.page.evaluate(FOCUSED) == stop
    keyboard.press("Shift+Tab")
    keyboard.type("100")
    keyboard.press("Tab")
    keyboard.press("Enter")
    done = re.compile("^Done: 100 of 100 transfers")
    expect(visit.on("storm-status")).to_have_text(done, timeout=STORM_MILLISECONDS)

    button = owner.card.get_by_role("button")
    for _ in range(40):
        keyboard.press("Tab")
        if button.evaluate("(element) => element === document.activeElement"):
            break
    keyboard.press("Space")
    expect(button).to_have_attribute("aria-pressed", "true")
    visit.on("tab-transfer").focus()
    keyboard.press("ArrowRight")
    expect(visit.on("tab-add")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.type("2.50")
    keyboard.press("Enter")
    owner.shows("$12.50")


def test_everything_has_a_name_and_every_heading_its_place(
    visit: Visit, api: Api
) -> None:
    target, _ = two_with_a_threshold(visit, api)
    send(visit, "transfer", to=target, amount="100.01")
    expect(visit.on("phone-code")).not_to_have_count(0)
    page = visit.page
    assert page.locator("html").get_attribute("lang") == "en"
    fields = page.locator("input, select, textarea")
    assert fields.count() > 40
    assert fields.evaluate_all(UNLABELLED) == []
    levels = page.locator("h1, h2, h3, h4, h5, h6").evaluate_all(
        "(all) => all.filter((each) => each.checkVisibility())"
        ".map(({ tagName }) => Number(tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for tab in ("transfer", "add", "deduct", "exchange", "bank", "limits", "freeze"):
        visit.on(f"tab-{tab}").click()
        assert unnamed(page) == []


UNLABELLED = """(all) => all
    .filter(({ labels }) => ![...labels].some((label) => label.textContent.trim()))
    .map(({ outerHTML }) => outerHTML)"""
NAMED = {
    "button",
    "checkbox",
    "combobox",
    "link",
    "meter",
    "progressbar",
    "radio",
    "slider",
    "switch",
    "tab",
    "tabpanel",
    "textbox",
}


def unnamed(page: Page) -> list[dict[str, Any]]:
    """Return what a screen reader could not call by a name."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    roles = {node["role"]["value"] for node in nodes if not node["ignored"]}
    assert {"button", "textbox", "combobox", "slider", "tabpanel"} <= roles
    return [
        node
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in NAMED
        and not node["name"]["value"].strip()
    ]


CONTRAST = """() => {
    const FAST = { willReadFrequently: true };
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", FAST);
    const luminance = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const linear = [...canvas.getImageData(0, 0, 1, 1).data].map((each) =>
            each <= 10.31 ? each / 255 / 12.92 : ((each / 255 + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const background = luminance(getComputedStyle(document.body).backgroundColor);
    const texts = [...document.querySelectorAll("body, .lead, .hint, .about")];
    const contrasts = texts.map((each) => {
        const text = luminance(getComputedStyle(each).color);
        const [darker, lighter] = [text, background].sort((one, other) => one - other);
        return (lighter + 0.05) / (darker + 0.05);
    });
    return { background, least: Math.min(...contrasts) };
}"""


def test_light_and_dark_follow_the_system_until_somebody_chooses(
    browser: Browser, server: Server
) -> None:
    backgrounds = {}
    for scheme, other in (("light", "dark"), ("dark", "light")):
        with visiting(browser, server.url, color_scheme=scheme) as visit:
            seen = visit.page.evaluate(CONTRAST)
            assert seen["least"] >= 4.5, "the least contrast of WCAG's level AA"
            backgrounds[scheme] = seen["background"]
            button = visit.page.get_by_role("button", name=f"Switch to the {other}")
            button.click()
            changed = visit.page.evaluate(CONTRAST)["background"]
            visit.page.reload()
            assert visit.page.evaluate(CONTRAST)["background"] == changed
            backgrounds[f"{other}, chosen"] = changed
    assert backgrounds["light"] == backgrounds["light, chosen"] > 0.7
    assert backgrounds["dark"] == backgrounds["dark, chosen"] < 0.05


def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    browser: Browser, server: Server
) -> None:
    size = {"width": 390, "height": 844}
    with visiting(browser, server.url, viewport=size, has_touch=True) as visit:
        expect(visit.on("history-row")).not_to_have_count(0)
        for tab in (
            "transfer",
            "add",
            "deduct",
            "exchange",
            "bank",
            "limits",
            "freeze",
        ):
            visit.on(f"tab-{tab}").tap()
            expect(visit.page.locator(f"#panel-{tab}")).to_be_visible()
            wide = visit.page.locator("html").evaluate(
                "({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth]"
            )
            assert wide == [390, 390]


# For nobody else


def test_the_browser_runs_no_script_but_the_servers_own_files(visit: Visit) -> None:
    visit.page.evaluate(
        """(markup) => {
            const script = document.createElement("script");
            script.textContent = "window.ran = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", markup);
        }""",
        '<img src="/page/icon.svg" onload="window.ran = 1"><b style="color: red">x</b>',
    )
    icon = visit.page.locator("img")
    expect(icon).to_have_js_property("complete", True)
    colour = "(element) => getComputedStyle(element).color"
    assert visit.page.locator("b").last.evaluate(colour) != "rgb(255, 0, 0)"
    assert visit.page.evaluate("() => window.ran") is None
    assert len(visit.complaints) == 3
    assert all("Content Security Policy" in each for each in visit.complaints)
    visit.complaints.clear()
    response = visit.page.reload()
    assert response and "unsafe" not in response.headers["content-security-policy"]


ATTACK = """async ([url, walletId]) => {
    const told = [];
    const read = (path) => fetch(url + path).then((answer) => answer.text());
    for (const path of ["/audit", "/demo/phone", `/wallet/${walletId}`]) {
        await read(path).then((text) => told.push(text), () => {});
    }
    const body = JSON.stringify({ walletId, amount: 1 });
    const posts = { "/wallet/add": body, "/demo/inbox": "{}" };
    for (const [path, text] of Object.entries(posts)) {
        const headers = { "Content-Type": "text/plain" };
        const options = { method: "POST", mode: "no-cors", headers, body: text };
        await fetch(url + path, options).catch(() => {});
    }
    const unfreeze = `${url}/wallet/${walletId}/unfreeze`;
    await fetch(unfreeze, { method: "POST", mode: "no-cors" }).catch(() => {});
    navigator.sendBeacon(unfreeze);
    await fetch(unfreeze, { method: "POST", mode: "no-cors" }).catch(() => {});
    return told;
}"""
FORM = """(action) => {
    const form = document.createElement("form");
    Object.assign(form, { action, method: "POST" });
    document.body.append(form);
    form.submit();
}"""
FRAME = """(url) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
}"""


def is_loaded(frame: Frame) -> bool:
    """Tell whether a frame shows more than the nothing that it begins with."""
    return frame.parent_frame is not None and frame.url not in ("", "about:blank")


def test_a_page_of_another_origin_neither_reads_nor_triggers_anything(
    browser: Browser, server: Server, api: Api
) -> None:
    wallet_id = api.open_wallet(100)
    api.post(f"/wallet/{wallet_id}/freeze", 200, reason="Card stolen")
    before = api.get("/audit"), api.get("/demo/inbox")
    with elsewhere() as port:
        for name in ("127.0.0.1", "localhost"):
            with browser.new_context() as context:
                page = context.new_page()
                page.goto(f"http://{name}:{port}/")
                assert page.evaluate(ATTACK, [server.url, wallet_id]) == []
                with page.expect_event("framenavigated", is_loaded) as framed:
                    page.evaluate(FRAME, f"{server.url}/")
                assert framed.value.url == "chrome-error://chromewebdata/"
                page.evaluate(FORM, f"{server.url}/wallet/{wallet_id}/unfreeze")
                expect(page.locator("body")).to_contain_text("forbidden")
    assert api.get(f"/wallet/{wallet_id}")["frozenReason"] == "Card stolen"
    assert (api.get("/audit"), api.get("/demo/inbox")) == before


def test_a_name_that_a_stranger_points_here_is_answered_nothing(
    browser: Browser, server: Server
) -> None:
    port = server.url.rpartition(":")[2]
    with browser.new_context() as context:
        page = context.new_page()
        for path in ("/", "/audit", "/demo/phone"):
            answer = page.goto(f"http://{REBOUND}:{port}{path}")
            assert answer and answer.status == 403
            assert json.loads(page.locator("body").inner_text())["code"] == "forbidden"


# Amounts, as amounts.js reads and writes them

MINOR_MAX = 2**53 - 1
CURRENCIES = {
    "JPY": ("¥", 0),
    "INR": ("₹", 2),
    "USD": ("$", 2),
    "BHD": ("BHD\u00a0", 3),
}
PARSE = """async (cases) => {
    const { parseAmount } = await import("/page/amounts.js");
    return cases.map(([text, digits]) => parseAmount(text, digits).minor?.toString());
}"""
FORMAT = """async (cases) => {
    const { formatAmount } = await import("/page/amounts.js");
    return cases.map(([minor, currency, digits]) =>
        formatAmount(BigInt(minor), currency, digits));
}"""


def test_amounts_are_read_and_written_as_exactly_as_decimals(visit: Visit) -> None:
    dice = random.Random(2026)
    minors = [
        0,
        1,
        9,
        10,
        99,
        100,
        999,
        1_000,
        99_999,
        100_000,
        MINOR_MAX - 1,
        MINOR_MAX,
    ]
    minors += [dice.randrange(10 ** dice.randrange(1, 16)) for _ in range(500)]
    written, read, expected = [], [], []
    for minor in minors:
        for currency, (symbol, digits) in CURRENCIES.items():
            amount = Decimal(minor).scaleb(-digits)
            plain, by_threes = f"{amount:.{digits}f}", f"{amount:,.{digits}f}"
            own = indian(amount) if currency == "INR" else by_threes
            read += [[text, digits] for text in (plain, by_threes, indian(amount))]
            written += [[str(minor), currency, digits], [str(-minor), currency, digits]]
            expected += [f"{symbol}{own}", f"{'−' if minor else ''}{symbol}{own}"]
    assert visit.page.evaluate(PARSE, read) == [
        str(minor) for minor in minors for _ in range(3 * len(CURRENCIES))
    ]
    assert visit.page.evaluate(FORMAT, written) == expected


@pytest.mark.parametrize(
    ("digits", "refused"),
    [
        (0, ["1.0", "1.", "9007199254740992"]),
        (2, ["1.234", "90071992547409.92", "0.001"]),
        (3, ["1.2345", "9007199254740.992"]),
    ],
)
def test_what_is_no_amount_is_not_read(
    visit: Visit, digits: int, refused: list[str]
) -> None:
    never = """
        abc .5 5. 1e3 1E3 0x10 -1 +1 − 1,25 1,2,3 ,100 100, 1,,000 1,0000 1,00,00 1.2.3
        1.000,50 1_000 ₹5 5INR NaN Infinity ٣ １ ½ 1' 1/2 00,0 1,250,00,000
    """.split()
    cases = [[text, digits] for text in ["", "  ", "1 000", "1" * 60, *never, *refused]]
    read = visit.page.evaluate(PARSE, cases)
    assert [case for case, minor in zip(cases, read) if minor is not None] == []


# The pictures


def test_the_pictures_of_the_readme_are_there_and_take_nothing_from_elsewhere() -> None:
    pictures = PROJECT / "wallet_app/demo/pictures"
    names = ("storm-light.png", "storm-dark.png", "phone.png", "trace.svg")
    assert sorted(each.name for each in pictures.iterdir()) == sorted(names)
    for picture in pictures.iterdir():
        assert picture.stat().st_size < 250_000
        if picture.suffix == ".png":
            assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    drawn = (pictures / "trace.svg").read_text()
    assert drawn.startswith("<svg") and "lost-update" in drawn
    assert set(re.findall(r"https?://[^\"' )]*", drawn)) <= {
        "http://www.w3.org/2000/svg"
    }
    readme = (PROJECT / "README.md").read_text()
    for named in re.findall(r"!\[[^]]*\]\(([^):]+)\)", readme):
        assert Path(PROJECT, named).exists(), named
