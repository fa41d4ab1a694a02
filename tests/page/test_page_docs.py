"""/docs under the demo server, as somebody who tries it out finds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.server import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


@pytest.fixture
def docs(page: Page, server: Server) -> Iterator[Page]:
    page.goto(f"{server.url}/docs")
    yield page
    page.goto("about:blank")


def opened(docs: Page, name: str) -> Locator:
    """Open an operation to try it out."""
    operation = docs.locator(f"[id$=-{name}]")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    return operation


def execute(operation: Locator) -> Locator:
    """Send what is filled in, and return the status of the answer."""
    operation.get_by_role("button", name="Execute").click()
    return operation.locator(".live-responses-table .response-col_status").last


def test_commands_are_tried_in_a_row_without_a_key(docs: Page) -> None:
    for name in ("addMoney", "transferMoney"):
        operation = opened(docs, name)
        key = operation.locator("[data-param-name=Idempotency-Key] input")
        expect(key).to_have_value("")
        expect(execute(operation)).to_contain_text("200")


def test_a_filled_in_key_is_sent(docs: Page) -> None:
    operation = opened(docs, "addMoney")
    key = operation.locator("[data-param-name=Idempotency-Key] input")
    key.fill("of-this-request")
    for _ in range(2):
        expect(execute(operation)).to_contain_text("200")
    headers = operation.locator(".live-responses-table .headerline")
    expect(headers.filter(has_text="idempotent-replayed")).to_contain_text("true")


def test_the_ids_of_the_examples_are_filled_in(docs: Page) -> None:
    for name in ("getWallet", "getApproval"):
        expect(execute(opened(docs, name))).to_contain_text("200")


def test_the_docs_lead_back_to_the_page(docs: Page) -> None:
    link = docs.get_by_role("link", name="Back to the page")
    expect(link).to_have_attribute("href", "/")
