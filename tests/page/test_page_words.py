"""What the page says of refusals: names, money, and no word of a developer's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import Owner, fill, says, send
from tests.server import Server
from wallet_app.api.outgoing.problems import document
from wallet_app.demo import demo_views
from wallet_app.domain.errors.families import WalletError

pytestmark = [pytest.mark.server, pytest.mark.browser]

WORDS = """async (problems) => {
    const { wordsOf } = await import("/page/refusals.js");
    return problems.map((problem) =>
        wordsOf({ message: "undefined", code: problem.code, problem }));
}"""
DEVELOPERS = re.compile(
    r"[0-9a-f]{8}-|minor unit|slug|\bbody\b|query|otp|undefined|null|NaN|_"
)


def refusals(family: type[WalletError] = WalletError) -> list[type[WalletError]]:
    """Return every kind of refusal: those that have a code."""
    below = [each for kind in family.__subclasses__() for each in refusals(kind)]
    return [family, *below] if "code" in vars(family) else below


def test_each_refusal_has_words_without_ids_and_minor_units(
    page: Page, server: Server
) -> None:
    assert demo_views.TooManyPeople in refusals()
    page.goto(f"{server.url}/page/refusals.js")
    problems = [document(each.example()) for each in refusals()]
    assert len(problems) > 40
    for problem, words in zip(problems, page.evaluate(WORDS, problems)):
        assert not DEVELOPERS.search(words), (problem["code"], words)


def test_a_refusal_is_told_in_money_and_names_at_its_field(
    visit: Visit, api: Api
) -> None:
    target, owner = Owner(visit, api, "INR", 0), Owner(visit, api, "INR", 21_718_045)
    owner.choose()
    visit.announce(400, 409, 422, 423)
    form = send(visit, "transfer", to=target, amount="9,00,000")
    shown_at(form, "amount", f"Not enough money: {owner.name} has ₹2,17,180.45.")
    api.ask("PUT", f"/wallet/{owner.wallet_id}/limits", 200, {"perTransaction": 5_000})
    form = send(visit, "deduct", amount="50.01")
    shown_at(form, "amount", "Over the limit: ₹50.00 per transaction.")
    api.post(f"/wallet/{owner.wallet_id}/freeze", 200, reason="Lost phone")
    form = send(visit, "transfer", amount="1")
    expect(form.get_by_test_id("error")).to_have_text(
        f"Frozen: {owner.name}’s INR wallet neither sends nor receives."
    )
    visit.on("open-wallet").click()
    visit.on("wallet-user").select_option(label=owner.name)
    visit.on("wallet-currency").select_option("INR")
    visit.on("wallet-submit").click()
    form = visit.page.locator("#wallet-form")
    shown_at(form, "currency", f"{owner.name} has a wallet in this currency already.")
    assert (owner.balance, target.balance) == (21_718_045, 0)


def shown_at(form: Any, field: str, words: str) -> None:
    """See words at a field, and nowhere else in the form."""
    error = form.get_by_test_id("field-error")
    expect(error).to_have_text(words)
    expect(error).to_have_attribute("data-field", field)
    expect(form.get_by_test_id("error")).to_be_hidden()


def test_what_is_left_empty_is_asked_for_and_not_sent(visit: Visit, api: Api) -> None:
    Owner(visit, api, "USD", 100).choose()
    visit.on("open-person").click()
    visit.on("person-submit").click()
    shown_at(visit.on("person-form"), "name", "Type a name.")
    shown_at(send(visit, "freeze"), "reason", "Type a reason.")
    assert visit.sent == []


@pytest.mark.parametrize(
    ("typed", "category"),
    [("Food & Drink", "food-drink"), ("Café", "cafe"), ("  rent ", "rent")],
)
def test_a_category_is_written_as_a_slug_and_says_so(
    visit: Visit, api: Api, typed: str, category: str
) -> None:
    owner = Owner(visit, api, "USD", 100).choose()
    form = fill(visit, "add", "add", amount="1", category=typed)
    said = "" if typed.strip() == category else f"Saved as {category}"
    expect(form.get_by_test_id("category-hint")).to_have_text(said)
    visit.on("add-submit").click()
    says(form, "Added $1.00.")
    assert owner.transactions[0]["category"] == category


def test_a_category_without_letters_is_refused_at_its_field(
    visit: Visit, api: Api
) -> None:
    Owner(visit, api, "USD", 100).choose()
    form = send(visit, "add", amount="1", category="42 !")
    shown_at(form, "category", "Begin with a letter from a to z.")
    assert visit.sent == []
