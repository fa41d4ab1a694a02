"""The matrix: probes by implementations, in one table that fits a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from tests.judge import samples
from tests.judge.arithmetic.verdicts import Result, Verdict
from tests.judge.reports.matrix import table
from tests.judge.reports.report import Report

RIGHT = samples.report(
    Result("contract/add/negative", Verdict.PASS, ""),
    Result("races/lost-update", Verdict.PASS, ""),
    Result("races/ring", Verdict.UNKNOWN, ""),
    url="http://127.0.0.1:4000",
)


def drawn(reports: dict[str, Report]) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    console.print(table(reports))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_each_probe_is_a_row_and_each_report_a_column() -> None:
    lines = drawn({"wrong.json": samples.report(), "right.json": RIGHT})
    cells = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    assert cells["probe"] == ["1", "2"]
    assert cells["races/lost-update"] == ["FAIL", "PASS"]
    assert cells["races/many-from-ten"] == ["WEAK", "-"]
    assert cells["races/ring"] == ["-", "?"]
    assert cells["score"] == ["0", "?"]
    assert cells["1"] == ["wrong.json", "http://127.0.0.1:3000"]
    assert cells["2"] == ["right.json", "http://127.0.0.1:4000"]


def test_of_a_group_of_the_contract_the_worst_is_shown() -> None:
    lines = drawn({"wrong.json": samples.report(), "right.json": RIGHT})
    found = [line.split() for line in lines if "contract/" in line]
    assert found == [["contract/add", "FAIL", "PASS"]]


def test_six_reports_fit_and_none_controls_the_terminal() -> None:
    reports = {f"{n} {samples.ATTACK}.json": samples.hostile() for n in range(6)}
    lines = drawn(reports)
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)
    assert sum(line.count("FAIL") for line in lines) == 6
