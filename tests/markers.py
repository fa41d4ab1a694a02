"""Which test runs, so that what it starts can ask for the marker that says so."""

from __future__ import annotations

import pytest

running: pytest.Item | None = None
"""None outside pytest, as in the benchmarks."""


def expect(name: str) -> None:
    """Raise AssertionError if a test runs that does not have this marker."""
    if running is not None and running.get_closest_marker(name) is None:
        raise AssertionError(f"mark {running.nodeid} with pytest.mark.{name}")
