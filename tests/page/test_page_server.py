"""A server that is away, or has begun a new ledger, as the page shows it."""

from __future__ import annotations

import signal

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visit, visiting
from tests.live_api import Api
from tests.page.owners import Owner, says, send
from tests.server import DEMO, running

pytestmark = [pytest.mark.server, pytest.mark.browser]


def test_a_server_that_is_gone_is_told_and_found_again(visit: Visit) -> None:
    light = visit.on("storm-books")
    visit.page.context.set_offline(True)
    expect(visit.on("connection")).to_contain_text("The server cannot be reached.")
    expect(light).to_have_attribute("data-state", "unknown")
    expect(light).to_contain_text("The server does not answer.")
    visit.page.context.set_offline(False)
    expect(visit.on("connection")).to_be_hidden()
    expect(light).to_have_attribute("data-state", "balanced")
    expect(visit.on("ledger")).to_be_hidden()
    assert all("ERR_INTERNET_DISCONNECTED" in each for each in visit.complaints)
    visit.complaints.clear()


def test_a_server_that_was_started_again_has_a_new_ledger(page: Page) -> None:
    with running(DEMO) as first:
        url = first.url
        with visiting(page, url) as visit:
            visit.tolerate(404)  # what is gone may be asked for once more
            owner = Owner(visit, Api(first), "USD", 5_000).choose()
            first.signal(signal.SIGTERM)
            first.wait()
            light = visit.on("storm-books")
            expect(light).to_have_attribute("data-state", "unknown")
            port = url.rpartition(":")[2]
            with running((*DEMO[:-1], port)):
                expect(visit.on("ledger")).to_contain_text("The ledger is new")
                expect(light).to_have_attribute("data-state", "balanced")
                expect(owner.card).to_have_count(0)
                visit.on("ledger-close").click()
                expect(visit.on("ledger")).to_be_hidden()
                assert all("ERR_" in each for each in visit.complaints)
                visit.complaints.clear()


def test_the_demo_data_is_reset_by_a_button(visit: Visit, api: Api) -> None:
    visit.tolerate(404)
    owner = Owner(visit, api, "USD", 5_000).choose()
    says(send(visit, "add", amount="1"), "Added $1.00.")
    visit.page.once("dialog", lambda dialog: dialog.dismiss())
    visit.on("reset").click()
    assert owner.balance == 5_100
    visit.page.once("dialog", lambda dialog: dialog.accept())
    visit.on("reset").click()
    expect(visit.on("ledger")).to_contain_text("The ledger is new")
    expect(owner.card).to_have_count(0)
    assert len(api.get("/demo/state")["book"]["people"]) == 4
    expect(visit.on("storm-books")).to_contain_text("5 wallets")
    expect(visit.on("history-row")).not_to_have_count(0)
