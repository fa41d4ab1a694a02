"""One server, one browser and one page for all visits in a row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import NONE_HERE, Visit, found, launched, opened, visiting
from tests.live_api import Api
from tests.server import DEMO, Server, running


@pytest.fixture(scope="package")
def server() -> Iterator[Server]:
    with running(DEMO) as server:
        yield server


@pytest.fixture(scope="package")
def api(server: Server) -> Api:
    return Api(server)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = found()
    if path is None:
        pytest.skip(NONE_HERE)
    with launched(path) as browser:
        yield browser


@pytest.fixture(scope="package")
def page(browser: Browser) -> Iterator[Page]:
    """One page for many visits: to load it in a new one takes twice as long."""
    with opened(browser, viewport={"width": 1280, "height": 900}) as page:
        yield page


@pytest.fixture
def visit(page: Page, server: Server) -> Iterator[Visit]:
    with visiting(page, server.url) as visit:
        yield visit
