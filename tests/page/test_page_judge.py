"""The page names the judge, with the command that judges this server."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.browser import Visit
from tests.server import PROJECT, TIMEOUT_SECONDS

pytestmark = [pytest.mark.server, pytest.mark.browser]

ONE_RACE = ("--only", "races/double-spend")
JUDGE_SECONDS = 60.0
"""By then it ends in any case."""


def test_the_command_of_the_judge_judges_this_server(visit: Visit) -> None:
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.on("judge-copy").click()
    expect(visit.on("judge-copy")).to_have_text("Copied")
    command = visit.page.evaluate("() => navigator.clipboard.readText()")
    expect(visit.on("judge-command")).to_have_text(command)
    python, *words = shlex.split(command)
    assert python == ".venv/bin/python"
    assert words == ["-m", "tests.judge", visit.url]
    ran = subprocess.run(
        [sys.executable, *words, *ONE_RACE],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=JUDGE_SECONDS + TIMEOUT_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "PASS    races/double-spend" in ran.stdout


def test_the_document_that_the_page_names_exists(visit: Visit) -> None:
    named = visit.page.locator("#judge code").inner_text()
    assert (PROJECT / named).exists()
    assert visit.sent == []
