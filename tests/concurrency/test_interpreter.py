"""What relies on the interpreter: the README lists it, and it is the same without the
global lock of CPython."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from pathlib import Path

import pytest

from wallet_app.server import worker

PROJECT = Path(__file__).parents[2]

HAS_GLOBAL_LOCK = not sysconfig.get_config_var("Py_GIL_DISABLED")


def listed() -> list[tuple[str, str]]:
    """Return each file and line of code that the README lists."""
    text = Path(__file__).with_name("README.md").read_text()
    _, _, section = text.partition("## What relies on the interpreter")
    section, _, _ = section.partition("\n## ")
    return re.findall(r"^\| `(wallet_app/\S+\.py)` \| `([^`]+)` \|", section, re.M)


def test_lines_are_listed() -> None:
    assert len(listed()) >= 15


@pytest.mark.parametrize(("file", "line"), listed())
def test_each_line_that_relies_on_the_interpreter_is_as_listed(
    file: str, line: str
) -> None:
    assert line in map(str.strip, (PROJECT / file).read_text().splitlines())


@pytest.mark.parametrize("has_lock", [True, False])
def test_only_with_the_interpreters_lock_the_worker_stays_on_one_processor(
    has_lock: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays: list[int] = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: int(not has_lock))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(
        os, "sched_setaffinity", lambda pid, to: stays.append(len(to)), raising=False
    )
    worker.settle_processor()
    assert set(stays) == ({1} if has_lock else set())


def test_no_library_brings_the_interpreters_lock_back() -> None:
    is_enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    assert is_enabled is HAS_GLOBAL_LOCK
