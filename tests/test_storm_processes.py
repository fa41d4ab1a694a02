"""The processes of a storm: how a server starts them, and that none outlives it."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3
from urllib3.exceptions import HTTPError

from tests.live_api import Api
from tests.server import DEMO, TIMEOUT_SECONDS, Server, running
from wallet_app.demo.storm.report import Order, StormState
from wallet_app.demo.storm.storms import StormRunning, Storms

ORDER = Order(
    id="one",
    locks=True,
    clients=1,
    transfers=100,
    seconds=1,
    address=("127.0.0.1", 8000),
    host="127.0.0.1",
    wallets=[],
)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# One process


def program(text: str) -> Storms:
    """Return storms that are a program in place of the real one."""
    return Storms((sys.executable, "-c", text))


@pytest.mark.slow
def test_one_storm_at_a_time_and_the_end_of_its_stdin_stops_it() -> None:
    assert Storms().report is None
    storms = program("import sys; sys.stdin.read()")
    storms.stop()
    assert storms.start(ORDER).state is StormState.STARTING
    with pytest.raises(StormRunning):
        storms.start(ORDER)
    storms.stop()
    storms.stop()
    wait_until(lambda: storms.report and storms.report.state is StormState.FAILED)
    assert storms.report is not None
    assert storms.report.problem == "The process of the storm ended by itself."
    assert storms.start(ORDER).state is StormState.STARTING
    storms.stop()


@pytest.mark.slow
def test_what_is_no_report_ends_the_storm() -> None:
    storms = program("import time; print('nonsense', flush=True); time.sleep(60)")
    storms.start(ORDER)
    wait_until(lambda: storms.report and storms.report.state is StormState.FAILED)


# A demo server's


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(DEMO) as server:
        yield server


@pytest.fixture
def api(server: Server) -> Api:
    return Api(server)


def storm(api: Api) -> Any:
    return api.get("/demo/state")["storm"]


def over(api: Api) -> Any:
    """Wait for the end of a storm, and return its report."""
    wait_until(lambda: storm(api)["state"] not in ("STARTING", "RUNNING"))
    return storm(api)


@pytest.mark.server
def test_a_storm_moves_the_servers_own_money_and_loses_none(api: Api) -> None:
    before = api.get("/audit")
    body = {"clients": 8, "transfers": 200}
    started = api.post("/demo/storm", 202, **body, locks=True)
    assert started["state"] == "STARTING"
    report = over(api)
    assert report["id"] == started["id"] and report["state"] == "DONE"
    assert report["figures"]["answers"] == {"200 moved": 200}
    after = api.get("/audit")
    assert after["transactions"] == before["transactions"] + 400
    sums = {each["currencies"]["INR"]["balances"] for each in (before, after)}
    assert sums == {report["sumBefore"]} == {report["sumAfter"]}
    assert report["audits"] == report["balanced"] >= 2
    paths = [each["path"] for each in api.get("/demo/state")["requests"]]
    assert "/wallet/transfer" not in paths and "/demo/storm" not in paths


@pytest.mark.server
def test_without_locks_another_services_money_is_lost_and_none_of_the_servers(
    api: Api,
) -> None:
    before = api.get("/audit")
    api.post("/demo/storm", 202, clients=20, transfers=500, locks=False)
    report = over(api)
    assert report["state"] == "DONE", report
    losses = report["losses"]
    assert losses["breaks"] > 0 and losses["transactions"] == 2 + 2 * 500
    wrong = sum(each["balance"] - each["expected"] for each in losses["wrong"])
    assert losses["wrong"] and report["sumAfter"] - report["sumBefore"] == wrong
    assert not report["audit"]["balanced"] and report["audit"]["problems"] > 0
    lost, kept = losses["example"]["lost"], losses["example"]["kept"]
    for update in (lost, kept):
        assert losses["example"]["read"] + update["change"] == update["balanceAfter"]
    assert {losses["example"]["name"], lost["withName"]} == {"Asha Rao", "Ravi Kumar"}
    assert api.get("/audit") == before
    wait_until(lambda: not answers(report["url"]))


@pytest.mark.server
@pytest.mark.parametrize("locks", [True, False])
def test_a_storm_stops_when_it_is_told_to_or_the_demo_is_reset(
    api: Api, locks: bool
) -> None:
    for method, path in (("DELETE", "/demo/storm"), ("POST", "/demo/reset")):
        api.post("/demo/storm", 202, clients=2, transfers=10_000, locks=locks)
        wait_until(lambda: storm(api)["figures"]["answered"])
        assert (
            api.post("/demo/storm", 409, clients=1, transfers=100, locks=locks)["code"]
            == "storm_running"
        )
        api.ask(method, path, 204 if method == "DELETE" else 200, {})
        report = over(api)
        assert report["state"] == "STOPPED"
        assert report["figures"]["answered"] < 10_000


@pytest.mark.server
def test_no_process_of_a_storm_outlives_its_server() -> None:
    with running(DEMO) as server:
        api = Api(server)
        api.post("/demo/storm", 202, clients=2, transfers=10_000, locks=False)
        wait_until(lambda: storm(api)["figures"]["answered"])
        url = storm(api)["url"]
        assert answers(url)
        worker = int(re.findall(r"Booting worker with pid: (\d+)", server.printed)[-1])
        server.signal(signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not answers(url))


def answers(url: str) -> bool:
    """Return whether a service answers at an address."""
    try:
        urllib3.request("GET", f"{url}/health", timeout=TIMEOUT_SECONDS, retries=False)
    except HTTPError:
        return False
    return True
