"""What the enumerations have proved, at the end of the test run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from _pytest.terminal import TerminalReporter

Claims = dict[str, str]
CLAIMS = pytest.StashKey[Claims]()


@pytest.fixture
def claim(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """State what an exhausted enumeration has shown, for the summary."""
    claims = request.config.stash.setdefault(CLAIMS, {})
    return claims.__setitem__


def pytest_terminal_summary(
    terminalreporter: TerminalReporter, config: pytest.Config
) -> None:
    claims = config.stash.get(CLAIMS, {})
    if claims:
        terminalreporter.section("no schedule loses money: enumerated to the end")
        for what, shown in claims.items():
            terminalreporter.write_line(f"{what:46} {shown}")
