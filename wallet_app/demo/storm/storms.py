"""The storm of a demo server: one at a time, in a process that does not share the
interpreter lock with it, and that ends with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Thread

from msgspec import DecodeError, json, structs

from wallet_app.demo.storm.report import Order, Report, StormState
from wallet_app.domain.errors.families import Conflict
from wallet_app.services.json_forms import json_line

PROJECT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-m", "wallet_app.demo.storm")
GOING = (StormState.STARTING, StormState.RUNNING)


class StormRunning(Conflict):
    """One storm at a time."""

    code, title = "storm_running", "A storm is running"
    message = "A storm is running: stop it first."


class Storms:
    """Starts storms and has the report of the latest one."""

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        self._program = program
        self._lock = Lock()
        self._latest: _Process | None = None

    @property
    def report(self) -> Report | None:
        """The latest report of the latest storm."""
        return self._latest.report if self._latest else None

    def start(self, order: Order) -> Report:
        """Start a storm. Raises StormRunning."""
        with self._lock:
            if self._latest and self._latest.report.state in GOING:
                raise StormRunning
            self._latest = _Process(self._program, order)
            return self._latest.report

    def stop(self) -> None:
        """Have the storm end soon, if there is one."""
        with self._lock:
            if self._latest:
                self._latest.stop()


class _Process:
    """One storm's process. A thread reads what it reports."""

    def __init__(self, program: Sequence[str], order: Order) -> None:
        self.report = Report.begun(order, StormState.STARTING, "")
        self._process = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            start_new_session=True,  # a Ctrl-C at the terminal is the server's
        )
        assert self._process.stdin
        self._stdin = self._process.stdin
        self._stdin.write(json_line(order))
        self._stdin.flush()
        Thread(target=self._read, name="storm", daemon=True).start()

    def stop(self) -> None:
        """Close what the process reads, which stops it."""
        self._stdin.close()

    def _read(self) -> None:
        reports = json.Decoder(Report)
        with self._process:
            assert self._process.stdout
            for line in self._process.stdout:
                try:
                    self.report = reports.decode(line)
                except DecodeError:
                    break
            self._process.kill()
        if self.report.state in GOING:
            self.report = structs.replace(
                self.report,
                state=StormState.FAILED,
                problem="The process of the storm ended by itself.",
            )
