"""The page in light and dark, on a phone, and its pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import opened, visiting
from tests.live_api import Api
from tests.page.owners import TABS
from tests.server import PROJECT, Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


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
        with (
            opened(browser, color_scheme=scheme) as page,
            visiting(page, server.url) as visit,
        ):
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


SHIFTED = """() => new Promise((resolve) => {
    new PerformanceObserver((list) => {
        resolve(list.getEntries().reduce((sum, { value }) => sum + value, 0));
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(0)));
})"""


def test_nothing_jumps_while_the_page_loads(browser: Browser, server: Server) -> None:
    size = {"width": 1280, "height": 900}
    with opened(browser, viewport=size) as page, visiting(page, server.url) as visit:
        expect(visit.on("history-row")).not_to_have_count(0)
        assert visit.page.evaluate(SHIFTED) < 0.005


CUT_OFF = """(elements) => elements
    .filter((each) => {
        const { left, right } = each.getBoundingClientRect();
        return left < 0 || right > innerWidth;
    })
    .map(({ textContent }) => textContent)"""


def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    browser: Browser, server: Server, api: Api
) -> None:
    wallet_id = api.open_wallet(5_000)
    api.ask("PUT", f"/wallet/{wallet_id}/limits", 200, {"approvalThreshold": 0})
    api.post("/wallet/deduct", 202, walletId=wallet_id, amount=5)
    size = {"width": 390, "height": 844}
    with (
        opened(browser, viewport=size, has_touch=True) as page,
        visiting(page, server.url) as visit,
    ):
        expect(visit.on("history-row")).not_to_have_count(0)
        expect(visit.page.locator("#phone-count")).to_be_visible()
        edges = visit.page.locator(".top a, .top button, .count, [role=tab]")
        assert edges.evaluate_all(CUT_OFF) == []
        assert visit.page.locator("#judge *").evaluate_all(CUT_OFF) == []
        for tab in TABS:
            visit.on(f"tab-{tab}").tap()
            expect(visit.page.locator(f"#panel-{tab}")).to_be_visible()
            wide = visit.page.locator("html").evaluate(
                "({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth]"
            )
            assert wide == [390, 390]


LARGE_SUM = "₹9,00,72,03,59,37,030.96"


@pytest.mark.parametrize("width", [1280, 390])
def test_a_large_sum_stays_in_its_place(
    browser: Browser, server: Server, width: int
) -> None:
    size = {"width": width, "height": 844}
    with opened(browser, viewport=size) as page, visiting(page, server.url) as visit:
        for when in ("before", "after"):
            shown = visit.on(f"storm-sum-{when}")
            shown.evaluate("(element, text) => element.textContent = text", LARGE_SUM)
        assert visit.page.locator("#readout *").evaluate_all(CUT_OFF) == []


def test_the_pictures_of_the_readme_are_there_and_take_nothing_from_elsewhere() -> None:
    pictures = PROJECT / "wallet_app/demo/pictures"
    names = ["storm-light.png", "storm-dark.png", "wide-light.png", "wide-dark.png"]
    names += ["phone.png", "phone-dark.png", "trace.svg"]
    names += [f"unlocked-{number}.png" for number in (1, 2, 3)]
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
    for folder in (PROJECT, pictures.parent):
        readme = (folder / "README.md").read_text()
        shown = re.findall(r"!\[[^]]*\]\(([^):]+)\)", readme)
        shown += re.findall(r'<img src="([^":]+)"', readme)
        for named in shown:
            assert Path(folder, named).exists(), named
