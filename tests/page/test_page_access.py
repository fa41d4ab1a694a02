"""The page by keyboard and by screen reader."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visit
from tests.live_api import Api
from tests.page.owners import (
    STORM_MILLISECONDS,
    TABS,
    Owner,
    send,
    two_with_a_threshold,
)

pytestmark = [pytest.mark.server, pytest.mark.browser]


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
    for tab in TABS:
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
