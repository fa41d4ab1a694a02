"""Amounts, as a field and amounts.js read and write them."""

from __future__ import annotations

import random
import re
from decimal import Decimal

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import Owner, fill, indian
from tests.server import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


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
        "90071992547409.92": "The most there can be is 90,071,992,547,409.91.",
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
    form.locator("button.primary").click()
    field = form.locator('[name="amount"]')
    expect(form.get_by_test_id("field-error")).to_have_text(words)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    said = re.compile(f"{re.escape(words)}$")
    expect(field).to_have_accessible_error_message(said)


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


@pytest.fixture
def script(page: Page, server: Server) -> Page:
    """A page of the server's own that shows a script, and runs none."""
    page.goto(f"{server.url}/page/amounts.js")
    return page


def test_amounts_are_read_and_written_as_exactly_as_decimals(script: Page) -> None:
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
    assert script.evaluate(PARSE, read) == [
        str(minor) for minor in minors for _ in range(3 * len(CURRENCIES))
    ]
    assert script.evaluate(FORMAT, written) == expected


@pytest.mark.parametrize(
    ("digits", "refused"),
    [
        (0, ["1.0", "1.", "9007199254740992"]),
        (2, ["1.234", "90071992547409.92", "0.001"]),
        (3, ["1.2345", "9007199254740.992"]),
    ],
)
def test_what_is_no_amount_is_not_read(
    script: Page, digits: int, refused: list[str]
) -> None:
    never = """
        abc .5 5. 1e3 1E3 0x10 -1 +1 − 1,25 1,2,3 ,100 100, 1,,000 1,0000 1,00,00 1.2.3
        1.000,50 1_000 ₹5 5INR NaN Infinity ٣ １ ½ 1' 1/2 00,0 1,250,00,000
    """.split()
    cases = [[text, digits] for text in ["", "  ", "1 000", "1" * 60, *never, *refused]]
    read = script.evaluate(PARSE, cases)
    assert [case for case, minor in zip(cases, read) if minor is not None] == []
