"""The command: `python -m tests.screenshots` makes the pictures of the README again."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect
from rich.console import Console

from tests.browser import NONE_HERE, Visit, found, launched, opened, visiting
from tests.concurrency.execution import Laboratory
from tests.concurrency.hunt import hunt
from tests.concurrency.mutants import MUTANTS
from tests.concurrency.trace import report
from tests.server import DEMO, PROJECT, running

PICTURES = PROJECT / "wallet_app/demo/pictures"
STORM_MILLISECONDS = 120_000

DESKTOP = {"width": 1280, "height": 800}
WIDE = {"width": 1920, "height": 1080}
MARGIN = 24
PHONE = {"width": 390, "height": 844}

TRACED, SEED = "lost-update", 0
TRACE_COLUMNS = 100
"""As wide as its last line, which is to be copied."""

SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, monospace; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""rich's own picture without the fonts that it takes from elsewhere."""


def main() -> int:
    """Make the pictures; 1 says that there is no browser."""
    path = found()
    if path is None:
        print(NONE_HERE, file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with running(DEMO) as server, launched(path) as browser:
        for name, options in (
            ("storm-light", {"viewport": DESKTOP, "color_scheme": "light"}),
            ("storm-dark", {"viewport": DESKTOP, "color_scheme": "dark"}),
            ("wide-light", {"viewport": WIDE, "color_scheme": "light"}),
            ("wide-dark", {"viewport": WIDE, "color_scheme": "dark"}),
            ("phone", {"viewport": PHONE, "color_scheme": "light", "has_touch": True}),
            (
                "phone-dark",
                {"viewport": PHONE, "color_scheme": "dark", "has_touch": True},
            ),
        ):
            _photograph(browser, server.url, PICTURES / f"{name}.png", options)
        _photograph_losses(browser, server.url)
    _draw_trace(PICTURES / "trace.svg")
    for picture in sorted(PICTURES.iterdir()):
        print(f"{picture.relative_to(PROJECT)}  {picture.stat().st_size:,} bytes")
    return 0


def _photograph(browser: Browser, url: str, path: Path, options: Any) -> None:
    options |= {"reduced_motion": "reduce"}
    with opened(browser, **options) as page, visiting(page, url) as visit:
        visit.on("storm-start").click()
        done = re.compile("^Done: 1,000 of 1,000 transfers")
        expect(visit.on("storm-status")).to_have_text(done, timeout=STORM_MILLISECONDS)
        expect(visit.on("storm-sum-words")).to_have_text("The same to the paisa.")
        _tidy(visit)
        visit.page.screenshot(path=path)


def _photograph_losses(browser: Browser, url: str) -> None:
    """Make the series of a storm without locks: meanwhile, afterwards, and one update
    that was lost."""
    with (
        opened(browser, viewport=DESKTOP, reduced_motion="reduce") as page,
        visiting(page, url) as visit,
    ):
        visit.on("storm-transfers").fill("2,000")
        visit.on("storm-unlocked").click()
        half_way = re.compile("^1,[0-9]{3} of 2,000 transfers answered")
        status, readout = visit.on("storm-status"), page.locator("#readout")
        expect(status).to_have_text(half_way, timeout=STORM_MILLISECONDS)
        readout.screenshot(path=PICTURES / "unlocked-1.png")
        done = re.compile("^Done: 2,000 of 2,000 transfers")
        expect(status).to_have_text(done, timeout=STORM_MILLISECONDS)
        expect(visit.on("lanes")).to_be_visible()
        readout.screenshot(path=PICTURES / "unlocked-2.png")
        visit.page.locator("#latest").evaluate("(element) => element.remove()")
        losses = visit.on("losses")
        losses.evaluate("(element) => element.scrollIntoView({ block: 'center' })")
        box = losses.bounding_box()
        assert box is not None
        top, height = box["y"] - MARGIN, box["height"] + 2 * MARGIN
        page.screenshot(
            path=PICTURES / "unlocked-3.png",
            clip={"x": 0, "y": top, "width": DESKTOP["width"], "height": height},
        )


def _tidy(visit: Visit) -> None:
    """Show the top, or on a phone what the storm has done, and nothing that passes."""
    readout = visit.page.locator("#readout")
    where = "scrollIntoView()" if visit.page.viewport_size == PHONE else "blur()"
    visit.page.mouse.move(0, 0)
    readout.evaluate(f"(element) => element.{where}")
    visit.page.locator("#latest").evaluate("(element) => element.remove()")


def _draw_trace(path: Path) -> None:
    """Draw what `python -m tests.concurrency lost-update --seed 0` prints."""
    mutant = MUTANTS[TRACED]
    with mutant.planted():
        failure = hunt(Laboratory(lines=mutant.lines), SEED)
    assert failure is not None
    console = Console(
        record=True, width=TRACE_COLUMNS, file=io.StringIO(), highlight=False
    )
    console.print(f"[bold]{mutant.name}[/]: {mutant.bug}\n")
    console.print(report(failure, mutant.name, mutant.lines, TRACE_COLUMNS))
    console.save_svg(
        str(path),
        title=f"python -m tests.concurrency {TRACED} --seed {SEED}",
        code_format=SVG,
        unique_id="trace",
    )


if __name__ == "__main__":
    sys.exit(main())
