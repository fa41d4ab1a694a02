"""The page gives strangers nothing to read, run or trigger."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Frame, expect

from tests.browser import REBOUND, Visit, elsewhere
from tests.live_api import Api
from tests.server import Server

pytestmark = [pytest.mark.server, pytest.mark.browser]


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
    const texts = [];
    const read = (path) => fetch(url + path).then((answer) => answer.text());
    for (const path of ["/audit", "/demo/state", `/wallet/${walletId}`]) {
        await read(path).then((text) => texts.push(text), () => {});
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
    return texts;
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
    before = api.get("/audit"), api.get("/demo/state")["inbox"]
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
    assert (api.get("/audit"), api.get("/demo/state")["inbox"]) == before


def test_a_name_that_a_stranger_points_here_is_answered_nothing(
    browser: Browser, server: Server
) -> None:
    port = server.url.rpartition(":")[2]
    with browser.new_context() as context:
        page = context.new_page()
        for path in ("/", "/audit", "/demo/state"):
            answer = page.goto(f"http://{REBOUND}:{port}{path}")
            assert answer and answer.status == 403
            assert json.loads(page.locator("body").inner_text())["code"] == "forbidden"
