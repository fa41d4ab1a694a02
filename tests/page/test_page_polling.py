"""How often the page asks, and for what."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser import Visit, opened
from tests.live_api import Api
from tests.page.owners import Owner
from tests.server import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]

STATE = "**/demo/state?*"

START = """async () => {
    const { poll } = await import("/page/poll.js");
    const { Refusal } = await import("/page/api.js");
    window.isAway = true;
    window.rounds = [];
    window.setHidden = (isHidden) => {
        const hidden = { configurable: true, value: isHidden };
        Object.defineProperty(document, "hidden", hidden);
        document.dispatchEvent(new Event("visibilitychange"));
    };
    poll(() => 1500, async () => {
        window.rounds.push(Date.now());
        window.during?.();
        if (window.isAway) throw new Refusal("The server cannot be reached.");
    });
}"""


def test_one_request_asks_for_everything_however_many_people_there_are(
    visit: Visit, api: Api
) -> None:
    owners = [Owner(visit, api, "USD", 100) for _ in range(3)]
    owners[-1].shows("$1.00")
    expect(visit.on("history-row")).not_to_have_count(0)
    asked: list[Request] = []
    with visit.page.expect_response(STATE):
        pass

    def note(request: Request) -> None:
        asked.append(request)

    visit.page.on("request", note)
    for _ in range(3):
        with visit.page.expect_response(STATE) as answered:
            pass
    visit.page.remove_listener("request", note)
    assert {urlsplit(each.url).path for each in asked} == {"/demo/state"}
    assert len(asked) <= 4
    assert set(answered.value.json()) == {"since", "requests"}, "nothing has changed"


def test_the_page_asks_less_often_while_the_server_is_away_and_not_when_hidden(
    browser: Browser, server: Server
) -> None:
    with opened(browser) as page:
        page.clock.install(time=0)
        page.goto(f"{server.url}/page/poll.js")
        page.clock.pause_at(60)
        page.evaluate(START)
        assert waits(page, 60_000) == [3_000, 6_000, 12_000, 15_000, 15_000]
        page.evaluate("() => { window.isAway = false; }")
        assert waits(page, 15_000)[-3:] == [1_500, 1_500, 1_500]
        page.evaluate("() => setHidden(true)")
        assert waits(page, 60_000) == []
        page.evaluate("() => setHidden(false)")
        assert len(page.evaluate("() => window.rounds")) == 2, "another one at once"
        assert waits(page, 3_000) == [1_500, 1_500]
        page.evaluate("() => { window.during = () => setHidden(true); }")
        assert waits(page, 60_000) == [1_500], "hidden during a round"


def waits(page: Page, milliseconds: int) -> list[int]:
    """Let time pass, and return what it took from each round to the next."""
    page.evaluate("() => { window.rounds.splice(0, window.rounds.length - 1); }")
    page.clock.run_for(milliseconds)
    rounds = page.evaluate("() => window.rounds")
    return [later - earlier for earlier, later in pairwise(rounds)]
