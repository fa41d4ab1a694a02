"""The README shows what was run: its transcript is run again and compared."""

from __future__ import annotations

import re
import subprocess
import textwrap

from tests.server import DEMO, PROJECT, TIMEOUT_SECONDS, running

README = (PROJECT / "README.md").read_text()


def block(language: str) -> str:
    """Return the README's first block in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert found
    return found.group(1)


def without_chance(text: str) -> str:
    """Return a text with its ids and its times replaced by their kind."""
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]*Z", "TIME", text)


def test_the_transcript_is_what_the_server_answers() -> None:
    shown = without_chance(block("console")).splitlines()
    commands = [line[2:] for line in block("console").splitlines() if line[:2] == "$ "]
    assert len(commands) >= 9
    with running(DEMO) as server:
        script = "\n".join(
            f"cat <<'EOF'\n$ {command}\nEOF\n"
            + command.replace("http://127.0.0.1:8000", server.url)
            + "\necho"
            for command in commands
        )
        ran = subprocess.run(
            ["bash", "-euc", script],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    answered = [line for line in without_chance(ran.stdout).splitlines() if line]
    assert answered == shown


def test_the_code_that_is_shown_is_the_code() -> None:
    source = (PROJECT / "wallet_app/services/money.py").read_text()
    assert textwrap.indent(block("python"), " " * 8) in source


MISSED = (
    "transfers in the service, 4 threads",
    "a transfer, no rule configured",
    "POST /wallet/transfer, 8 connections",
    "POST /wallet/transfer, 64 connections",
)
"""Rows that miss their target; the README says why."""


def test_every_row_of_the_benchmarks_is_shown_and_reached_its_target() -> None:
    rows = block("text").splitlines()[1:]
    assert len(rows) == 17
    for row in rows:
        assert row.endswith(" no" if row.startswith(MISSED) else "yes"), row


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:wallet_app|tests|\.ci)/[^`]*)`", README))
    for name in named:
        assert (PROJECT / name).exists(), name
