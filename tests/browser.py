"""A real browser for a test: Debian's Chromium, driven by Playwright, and watched."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests import markers
from tests.server import TIMEOUT_SECONDS

TIMEOUT_MILLISECONDS = TIMEOUT_SECONDS * 1000

NAMES = ("chromium", "chromium-browser", "google-chrome")
NONE_HERE = "no Chromium on this machine (Debian: apt-get install chromium)"

REBOUND = "rebound.example"
"""A stranger's name that the browser finds at this machine, as after DNS rebinding."""

ARGUMENTS = (
    "--no-sandbox",  # which root cannot have
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
)

_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of")


def found() -> str | None:
    """Return the path of a browser; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """Run a browser for as long as the block takes."""
    markers.expect("browser")
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    with sync_playwright() as playwright:
        playwright.selectors.set_test_id_attribute("data-test")
        browser = playwright.chromium.launch(
            executable_path=path, args=ARGUMENTS, timeout=3 * TIMEOUT_MILLISECONDS
        )
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A visit to the page of one server, and all that went wrong with it meanwhile."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.sent: list[Request] = []
        self._refusals: set[int] = set()
        self._announced: set[int] = set()
        self._tolerated: set[int] = set()
        page.on("console", self._heard)
        page.on("pageerror", self._failed)
        page.on("request", self._asked)
        page.on("response", self._answered)

    def announce(self, *statuses: int) -> None:
        """Say with which statuses the server is going to refuse something."""
        self._announced.update(statuses)

    def tolerate(self, status: int) -> None:
        """Say with which status the server may refuse something, by a race."""
        self._tolerated.add(status)

    def on(self, name: str) -> Locator:
        """Return what the markup names by data-test."""
        return self.page.get_by_test_id(name)

    def check(self) -> None:
        """Raise AssertionError for what went wrong, or was announced and did not."""
        assert not self.complaints, self.complaints
        assert self._refusals - self._tolerated == self._announced, self._refusals

    def leave(self) -> None:
        """Leave the page as one that was never used."""
        self.page.remove_listener("console", self._heard)
        self.page.remove_listener("pageerror", self._failed)
        self.page.remove_listener("request", self._asked)
        self.page.remove_listener("response", self._answered)
        context = self.page.context
        context.set_offline(False)
        context.clear_permissions()
        self.page.unroute_all(behavior="ignoreErrors")
        session = context.new_cdp_session(self.page)
        everything = {"origin": self.url, "storageTypes": "all"}
        session.send("Storage.clearDataForOrigin", everything)
        session.detach()
        self.page.goto("about:blank")

    def _failed(self, error: Error) -> None:
        self.complaints.append(str(error))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning") or _REFUSED.match(message.text):
            return  # a refusal counts with the answers
        self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:")):
            self.complaints.append(f"asked {request.url}")
        if request.method != "GET":
            self.sent.append(request)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._refusals.add(response.status)


@contextmanager
def opened(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open an empty page in a new context."""
    with browser.new_context(**options) as context:
        context.set_default_timeout(TIMEOUT_MILLISECONDS)
        yield context.new_page()


@contextmanager
def visiting(page: Page, url: str) -> Iterator[Visit]:
    """Load a server's page; check at the end that all went well, and leave it empty."""
    visit = Visit(page, url)
    try:
        page.goto(f"{url}/")
        expect(visit.on("storm-books")).to_have_attribute("data-state", "balanced")
        yield visit
        visit.check()
    finally:
        visit.leave()


@contextmanager
def elsewhere() -> Iterator[int]:
    """Run a site of a stranger on this machine; the value is its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>Elsewhere</title>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(TIMEOUT_SECONDS)
