"""The fast loop leaves out by marker what starts a server or a browser."""

from __future__ import annotations

import pytest

from tests.browser import launched
from tests.server import running


def test_a_test_without_the_marker_starts_no_server() -> None:
    with pytest.raises(AssertionError, match=r"with pytest\.mark\.server$"):
        with running():
            pass


def test_a_test_without_the_marker_starts_no_browser() -> None:
    with pytest.raises(AssertionError, match=r"with pytest\.mark\.browser$"):
        with launched("chromium"):
            pass
