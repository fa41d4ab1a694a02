"""How many schedules other explorers of threads try in a second, and how many they
need, on the same three classes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import explored
from tests.benchmarks.report import Scale, Table
from tests.concurrency.explorer import Call, Explored, explore

REQUIREMENTS = {
    "frontrun": "frontrun==0.7.0",
    "interleave_test": "interleave-test==0.1.0",
}
TIMEOUT_SECONDS = 600
HERE = Path(__file__).parent

Times = dict[str, tuple[int, float]]


def explorers_table(scale: Scale) -> Table:
    """Each explorer with the schedules that it tried of each class, and its rate."""
    times = {
        "this, up to equivalence": _this(None),
        "this, 2 preemptions": _this(2),
        **_others(),
    }
    lines = [
        (tool, name, f"{schedules:,}", f"{schedules / seconds:,.0f} /s")
        for tool, measured in times.items()
        for name, (schedules, seconds) in measured.items()
    ]
    return Table(("explorer", "class", "schedules", "rate"), lines)


def _this(preemptions: int | None) -> Times:
    times = {}
    for subject in explored.SUBJECTS:
        started = time.perf_counter()
        schedules = 0
        while time.perf_counter() - started < 1:  # one exploration takes milliseconds
            found = _explored(subject.__name__, preemptions)
            schedules += found.schedules
        rounds_seconds = time.perf_counter() - started
        rate = schedules / rounds_seconds
        times[subject.__name__] = found.schedules, found.schedules / rate
    return times


def _explored(name: str, preemptions: int | None) -> Explored:
    return explore(
        HERE / "explored.py",
        lambda module: getattr(module, name)(),
        [[Call("one")], [Call("other")]],
        lambda history: None if history.final == [True] else "it does not hold",
        final=[Call("holds")],
        preemptions=preemptions,
    )


def _others() -> dict[str, Times]:
    """Install the others where nothing else sees them, and run them there."""
    times: dict[str, Times] = {}
    with tempfile.TemporaryDirectory() as folder:
        python = str(Path(folder, "bin/python"))
        _run(sys.executable, "-m", "venv", folder)
        for tool, requirement in REQUIREMENTS.items():
            start = [str(Path(folder, "bin/frontrun"))] if tool == "frontrun" else []
            try:
                _run(python, "-m", "pip", "install", "-qq", requirement)
                printed = _run(*start, python, str(HERE / "other_explorers.py"), tool)
            except (OSError, subprocess.SubprocessError) as error:
                print(f"{tool} is left out: {error}", file=sys.stderr)
                continue
            times |= json.loads(printed.splitlines()[-1])
    return times


def _run(*command: str) -> str:
    return subprocess.run(
        command,
        check=True,
        timeout=TIMEOUT_SECONDS,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        text=True,
    ).stdout
