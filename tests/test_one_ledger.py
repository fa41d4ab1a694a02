"""One ledger at one address under any server, with real processes.

What else gunicorn refuses is in `test_serving.py`.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
import urllib3
from werkzeug.exceptions import ServiceUnavailable

from tests.server import (
    BARE,
    PROJECT,
    TIMEOUT_SECONDS,
    Server,
    ask,
    assert_every_request_finds,
    free_port,
    granian,
    open_wallet,
    running,
    started,
)
from wallet_app.server.one_ledger import WHY, Guard

pytestmark = pytest.mark.server

WAITRESS = (sys.executable, "-m", "waitress", "--listen", "127.0.0.1:0", "wsgi:app")


def worker_pid(server: Server) -> int:
    return int(re.findall(r"Spawning worker-1 with PID: (\d+)", server.printed)[0])


def assert_only_finds_until_it_ends(server: Server, wallet: str) -> None:
    """Read a wallet until the server has ended: no other ledger may answer."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while server.process.poll() is None:
        assert time.monotonic() < deadline, server.printed
        with suppress(urllib3.exceptions.HTTPError):
            assert ask("GET", wallet).status == 200
        time.sleep(0.01)


@pytest.mark.parametrize(
    "command_of",
    [lambda: BARE, granian, lambda: WAITRESS],
    ids=["gunicorn", "granian", "waitress"],
)
def test_one_server_is_one_ledger_and_one_at_another_port_is_another(
    command_of: Callable[[], tuple[str, ...]],
) -> None:
    with running(command_of()) as server, running(command_of()) as other:
        for each, its_other in ((server, other), (other, server)):
            wallet = open_wallet(each)
            assert_every_request_finds(wallet)
            path = wallet.removeprefix(each.url)
            assert ask("GET", its_other.url + path).status == 404


def test_many_threads_are_one_ledger() -> None:
    with running((*WAITRESS[:-1], "--threads", "8", WAITRESS[-1])) as server:
        assert_every_request_finds(open_wallet(server))


def test_of_two_workers_of_granian_one_serves_and_the_other_says_why_not() -> None:
    with running(granian("--workers", "2")) as server:
        server.wait_for(f"{WHY}: this second worker does not serve.")
        server.wait_for("Start one (--workers 1)")
        assert_every_request_finds(open_wallet(server))
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


@pytest.mark.parametrize(
    "option", ["--no-respawn-failed-workers", "--respawn-failed-workers"]
)
def test_granian_ends_when_its_ledger_was_killed(option: str) -> None:
    with running(granian(option)) as server:
        wallet = open_wallet(server)
        os.kill(worker_pid(server), signal.SIGKILL)
        assert_only_finds_until_it_ends(server, wallet)
        if option == "--respawn-failed-workers":
            assert "Start the server again to begin a new ledger." in server.printed


def test_granian_ends_when_it_is_told_to_replace_its_worker() -> None:
    with running(granian("--respawn-interval", "0.1")) as server:
        wallet = open_wallet(server)
        server.signal(signal.SIGHUP)
        assert_only_finds_until_it_ends(server, wallet)
        assert WHY in server.printed


def test_a_second_server_at_the_same_address_ends_and_the_first_goes_on() -> None:
    """granian lets two servers listen at one address."""
    port = free_port()
    with running(granian(port=port)) as server, ExitStack() as stack:
        wallet = open_wallet(server)
        second = stack.enter_context(started(granian(port=port)))
        second.wait_for("Started worker-1")
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while second.process.poll() is None:
            assert time.monotonic() < deadline, second.printed
            with suppress(urllib3.exceptions.HTTPError):
                answer = ask("GET", wallet)
                assert answer.status == 200 or WHY in answer.json()["detail"]
        assert f"{WHY}, and another one serves at 127.0.0.1:{port}." in second.printed
        assert_every_request_finds(wallet)


def test_a_server_that_was_killed_can_be_started_again_at_its_address() -> None:
    port = free_port()
    for _ in range(2):
        with running(granian(port=port)) as server:
            open_wallet(server)
            os.kill(worker_pid(server), signal.SIGKILL)
            server.wait()


def test_a_copy_of_the_process_that_loaded_the_app_does_not_serve() -> None:
    program = """
import os
from wallet_app import create_app
app = create_app()
child = os.fork()
answer = app.test_client().get("/health")
if child:
    assert answer.status_code == 200
    assert os.waitpid(child, 0)[1] == 0
else:
    assert answer.status_code == 503
    assert "this is its copy" in answer.get_json()["detail"]
    os._exit(0)
"""
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )


def test_what_was_refused_once_stays_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is told to stop closes its socket, and still answers a request that
    it has accepted before."""
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(number))
    first, second = Guard(), Guard()
    for guard in (first, second):
        guard.hold(print)
    with socket.create_server(("127.0.0.1", 0)):
        first.admit_request()
        with pytest.raises(ServiceUnavailable, match="another one serves at"):
            second.admit_request()
    with pytest.raises(ServiceUnavailable, match="another one serves at"):
        second.admit_request()
    assert killed == [signal.SIGTERM]
    first.admit_request()
