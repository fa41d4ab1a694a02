"""The HTML page: one file, and nothing in it that a server has said is markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import msgspec
import pytest

from tests.browser import NONE_HERE, found, launched, opened
from tests.judge import samples
from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.reports.evidence import UNSEEN
from tests.judge.reports.page import write
from tests.judge.reports.report import Report

REPORTS = {"of each verdict": samples.report(), "hostile": samples.hostile()}

ELEMENTS = set(
    "html head meta title style body h1 h2 p div b small strong span ol ul li details "
    "summary svg text line g rect table tr th td pre".split()
)
ATTRIBUTES = set(
    "lang charset http-equiv content name class open height role aria-label x x1 x2 y "
    "y1 y2 width rx dx text-anchor".split()
)


class Markup(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data

    def error(self, message: str) -> None:
        raise AssertionError(message)


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_nothing_that_a_server_has_said_is_markup(report: Report) -> None:
    page = write(report, "run.json")
    markup = Markup(page)
    assert markup.elements <= ELEMENTS
    assert set(markup.attributes) <= ATTRIBUTES
    values = set().union(*markup.attributes.values())
    assert not any("evil" in value or "script" in value for value in values)
    assert all(each.isprintable() or each == "\n" for each in page)


def test_what_a_server_has_said_is_text() -> None:
    text = Markup(write(samples.hostile())).text
    assert r"\x1b[31m<script>alert(1)</script>]]>&amp;[red]x[/red]" in text
    assert "{{ 7*7 }}" in text


def test_nothing_comes_from_elsewhere() -> None:
    page = write(samples.report())
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.search(r"url\(|@import|\b(src|href)=", page)


def test_a_failure_is_shown_with_its_evidence() -> None:
    text = " ".join(Markup(write(samples.report(), "run.json")).text.split())
    for said in (
        "wallet 3f2a90c1 began at 0; acknowledged 1 + 2 = 3; at rest it holds 2",
        "0.04 to 1.95 msPOST /wallet/add {amount: 2}200 balanceAfter 2",
        "likely: both read 0 before either wrote",
        "came back 7 of 10 times; see it again:",
        "python -m tests.judge replay run.json races/lost-update",
        "contract/add 2 of 3",
        "an add answers the balance",
        *UNSEEN,
    ):
        assert said in text


def test_each_call_has_a_bar_in_its_lane() -> None:
    page = write(samples.report(samples.LOST_UPDATE, samples.HANG))
    bars = re.findall(
        r'<g class="(\w+)"><rect x="([\d.]+)%" width="([\d.]+)%" y="(\d+)"', page
    )
    assert bars == [
        ("acknowledged", "0.0", "97.44", "20"),
        ("acknowledged", "2.05", "97.95", "74"),
        ("unknown", "0.0", "100.0", "20"),
        ("unknown", "0.0", "100.0", "74"),
    ]


def test_only_what_has_evidence_can_be_unfolded() -> None:
    bare = Result("contract/add/zero", Verdict.FAIL, "an add of 0 was acknowledged")
    assert "<details" not in write(samples.report(bare))
    with_curl = msgspec.structs.replace(bare, curl=("curl http://127.0.0.1:3000/",))
    assert "<details open>" in write(samples.report(with_curl))


@pytest.mark.browser
def test_the_page_fits_a_screen_and_a_phone(tmp_path: Path) -> None:
    path = found()
    if path is None:
        pytest.skip(NONE_HERE)
    file = tmp_path / "report.html"
    heard: list[str] = []
    with launched(path) as browser:
        for width, report in product((1280, 390), REPORTS.values()):
            file.write_text(write(report, "run.json"))
            viewport = {"width": width, "height": 800}
            with opened(browser, viewport=viewport, color_scheme="dark") as page:
                page.on("console", lambda message: heard.append(message.text))
                page.on("request", lambda request: heard.append(request.url))
                page.goto(file.as_uri())
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide == width
    assert heard == [file.as_uri()] * 4
