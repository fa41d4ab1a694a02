"""What the demo server prints when it is ready, and that nothing depends on it."""

from __future__ import annotations

import errno
import io
import sys

import pytest

from wallet_app.server.gunicorn_settings import greet


class FailingOutput(io.StringIO):
    """A stdout that cannot take what is printed."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        BrokenPipeError(),
        ValueError("I/O operation on closed file."),
        UnicodeEncodeError("ascii", "\u20ac", 0, 1, "not in range"),
    ],
    ids=repr,
)
def test_a_greeting_that_cannot_be_printed_ends_no_start(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(sys, "stdout", FailingOutput(error))
    greet("http://127.0.0.1:8000")
