"""Start and stop: whatever is done to a real server, there is one ledger or none."""

from __future__ import annotations

import itertools
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import urllib3
from gunicorn.config import Config

from tests.server import (
    BARE,
    CONFIGURED,
    DEMO,
    GUNICORN,
    PROJECT,
    TIMEOUT_SECONDS,
    Server,
    ask,
    assert_every_request_finds,
    open_wallet,
    running,
    started,
)
from wallet_app.server.admission import refusal
from wallet_app.server.one_ledger import WHY
from wallet_app.server.worker import STOP_READ_SECONDS
from wallet_app.services.payments.payments import AT_ONCE

pytestmark = pytest.mark.server

BOOTING = "Booting worker with pid: "

# SIGUSR2 makes gunicorn run itself again, which fails when it was run by `-m`.
SCRIPT = (str(Path(sys.executable).with_name("gunicorn")), *BARE[3:])

STALLED_BODY = (
    b"POST /wallet/create HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
)

each_way = pytest.mark.parametrize(
    "command", [BARE, CONFIGURED], ids=["bare", "configured"]
)


@pytest.fixture(scope="module")
def bare() -> Iterator[Server]:
    """A server without our settings, for the tests that leave it as it was."""
    with running(BARE) as server:
        yield server


@pytest.fixture(scope="module")
def configured() -> Iterator[Server]:
    """A server with our settings, which WEB_CONCURRENCY does not change."""
    with running(CONFIGURED, {"WEB_CONCURRENCY": "2"}) as server:
        yield server


@pytest.fixture(scope="module")
def demo() -> Iterator[Server]:
    with running(DEMO, {"WALLET_APPROVAL_THRESHOLD": "0"}) as server:
        yield server


@pytest.fixture(params=["bare", "configured"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the two."""
    server: Server = request.getfixturevalue(request.param)
    return server


def wait_for_count(server: Server, text: str, number: int) -> None:
    """Wait until the server has printed a text so many times."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while server.printed.count(text) < number:
        assert time.monotonic() < deadline, server.printed
        time.sleep(0.02)


def worker_pid(server: Server, number: int = 1) -> int:
    """Wait for the start of the worker with this number; return its process id."""
    wait_for_count(server, BOOTING, number)
    return int(re.findall(rf"{BOOTING}(\d+)\n", server.printed)[number - 1])


def assert_one_worker_ever(server: Server) -> None:
    assert server.printed.count(BOOTING) == 1, server.printed


def add_standby(server: Server, number: int) -> None:
    """Make gunicorn start one more worker, and wait until that refused to serve."""
    server.signal(signal.SIGTTIN)
    pid = worker_pid(server, number)
    server.wait_for(f"[{pid}] [ERROR] {WHY}: this second worker does not serve")


def printed_by_refusal(
    command: tuple[str, ...], environ: Mapping[str, str] | None = None
) -> str:
    """Return what a start prints that ends by itself, in words and not a traceback."""
    with started(command, environ) as server:
        assert server.wait() != 0, server.printed
        # gunicorn prints a traceback of its own if a second worker refuses meanwhile.
        assert "/wallet_app/" not in server.printed, "a frame of ours"
        return server.printed


def hang_up(server: Server) -> None:
    """Make gunicorn replace its worker by a new one."""
    server.signal(signal.SIGHUP)


def drop_the_oldest_of_two(server: Server) -> None:
    """Make gunicorn start a second worker and stop the first, the ledger's."""
    add_standby(server, 2)
    server.signal(signal.SIGTTOU)


def kill_worker(server: Server) -> None:
    os.kill(worker_pid(server), signal.SIGKILL)


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.02)


def wait_until_closed_to_others(server: Server) -> None:
    """Wait until the worker is stopping, which shows in whom it does not answer."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    with pytest.raises(urllib3.exceptions.HTTPError):
        while time.monotonic() < deadline:
            ask("GET", f"{server.url}/health", timeout_seconds=0.3)


def connect(server: Server) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), TIMEOUT_SECONDS)


def read_answer(connection: socket.socket) -> tuple[int, str | None, Any]:
    """Return the status, the media type and the JSON of an answer."""
    with HTTPResponse(connection) as answer:
        answer.begin()
        media_type = answer.getheader("Content-Type")
        return answer.status, media_type, json.loads(answer.read())


def test_a_started_server_is_healthy(server: Server) -> None:
    answer = ask("GET", f"{server.url}/health")
    assert (answer.status, answer.json()["status"]) == (200, "ok")
    assert answer.json()["background"]["running"]


def test_the_app_can_be_made_where_gunicorn_is_not_installed() -> None:
    program = """
import sys
sys.modules["gunicorn"] = None
from wallet_app import create_app
assert create_app().test_client().get("/health").status_code == 200
"""
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )


def test_the_demo_server_prints_a_first_request_that_works(demo: Server) -> None:
    greeting = re.search(r"^ *curl (?:.*\\\n)*.*$", demo.printed, re.MULTILINE)
    assert greeting and demo.url in greeting.group()
    ran = subprocess.run(
        ["bash", "-euc", greeting.group()],
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    wallet = json.loads(ran.stdout)
    assert ask("GET", f"{demo.url}/wallet/{wallet['id']}").json() == wallet


def test_the_demo_server_lists_its_options() -> None:
    ran = subprocess.run(
        [sys.executable, "wsgi.py", "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    assert "--host" in ran.stdout and "--port" in ran.stdout


def test_the_demo_server_says_at_once_that_its_port_is_in_use(demo: Server) -> None:
    port = demo.url.rpartition(":")[2]
    ran = subprocess.run(
        [sys.executable, "wsgi.py", "--port", port],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr == (
        f"Port {port} of 127.0.0.1 cannot be used: Address already in use. "
        f"Try another one: {sys.executable} wsgi.py --port {int(port) + 1}\n"
    )


def test_the_demo_server_says_what_to_type_without_its_requirements() -> None:
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "wsgi.py"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("The requirements are not installed. Type: python3 -m")


@pytest.mark.parametrize(
    ("command", "environ"),
    [
        (BARE, {"WEB_CONCURRENCY": "2"}),
        ((*CONFIGURED, "--workers", "2"), {}),
        (DEMO, {"GUNICORN_CMD_ARGS": "--workers=2"}),
        ((*GUNICORN, "wallet_app:create_app()", "--workers", "2"), {}),
    ],
    ids=["bare", "configured", "demo", "the factory"],
)
def test_a_start_with_two_workers_is_refused(
    command: tuple[str, ...], environ: dict[str, str]
) -> None:
    printed = printed_by_refusal(command, environ)
    assert f"{WHY}: 2 workers would be 2 different ledgers." in printed
    assert "Start one (--workers 1, and WEB_CONCURRENCY unset)" in printed


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("workers", 2, f"{WHY}: 2 workers would be 2 different ledgers. Start one"),
        ("workers", 0, "Start one"),
        ("preload_app", True, f"{WHY}, the one that serves. Start it without"),
        ("reload", True, f"{WHY}, and a reload would empty it. Start it without"),
        ("reuse_port", True, f"{WHY}, and with --reuse-port a second server could"),
        ("max_requests", 10, "would replace it. Start it with --max-requests 0."),
        ("certfile", __file__, "TLS is for a proxy before this server."),
    ],
)
def test_settings_that_would_split_or_lose_the_ledger_are_refused(
    setting: str, value: object, words: str
) -> None:
    cfg = Config()
    cfg.set("workers", 1)
    assert refusal(cfg) is None
    cfg.set(setting, value)
    assert words in (refusal(cfg) or "")


@each_way
@pytest.mark.parametrize(
    ("options", "instead"),
    [
        ("--preload", "Start it without --preload."),
        ("--max-requests 10", "Start it with --max-requests 0."),
        ("-k asgi", "Start it without --worker-class."),
    ],
)
def test_a_start_that_would_split_or_lose_the_ledger_is_refused(
    command: tuple[str, ...], options: str, instead: str
) -> None:
    printed = printed_by_refusal((*command, *options.split()))
    assert WHY in printed
    assert instead in printed


@each_way
def test_settings_that_cannot_be_used_stop_the_start(command: tuple[str, ...]) -> None:
    environ = {"WALLET_DEMOO": "1", "WALLET_DEFAULT_CURRENCY": "XXX"}
    printed = printed_by_refusal(command, environ)
    assert "WALLET_DEMOO is no setting; there are WALLET_ALLOWED_HOSTS," in printed
    assert "WALLET_DEFAULT_CURRENCY='XXX' must be an ISO 4217 code" in printed


def test_web_concurrency_does_not_change_a_configured_server(
    configured: Server,
) -> None:
    assert_every_request_finds(open_wallet(configured))
    assert_one_worker_ever(configured)


@pytest.mark.parametrize("name", ["SIGTTIN", "SIGTTOU", "SIGHUP", "SIGUSR2"])
def test_no_signal_touches_the_ledger_of_a_configured_server(
    configured: Server, name: str
) -> None:
    wallet = open_wallet(configured)
    warning = f"{name} ignored. {WHY}: "
    count = configured.printed.count(warning)
    configured.signal(signal.Signals[name])
    wait_for_count(configured, warning, count + 1)
    assert_every_request_finds(wallet)
    assert_one_worker_ever(configured)


def test_a_window_that_changes_its_size_touches_no_ledger(configured: Server) -> None:
    wallet = open_wallet(configured)
    configured.signal(signal.SIGWINCH)
    configured.wait_for("Handling signal: winch")
    assert_every_request_finds(wallet)
    assert_one_worker_ever(configured)


def test_a_second_worker_of_a_bare_server_never_serves() -> None:
    with running(BARE) as server:
        wallet = open_wallet(server)
        add_standby(server, 2)
        assert_every_request_finds(wallet)
        add_standby(server, 3)
        assert_every_request_finds(wallet)
        server.signal(signal.SIGWINCH)
        server.wait_for("Handling signal: winch")
        assert_every_request_finds(wallet)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0, server.printed


def test_a_second_master_of_a_bare_server_gives_up_and_the_first_goes_on() -> None:
    with running(SCRIPT) as server:
        wallet = open_wallet(server)
        server.signal(signal.SIGUSR2)
        try:
            server.wait_for("Shutting down: Master.2")
            second = re.findall(r"Listening at: \S+ \((\d+)\)", server.printed)[1]
            wait_until_gone(int(second))
        except BaseException:
            # A second master would outlive the first.
            os.killpg(server.process.pid, signal.SIGKILL)
            raise
        assert f"{WHY}, and another one serves at 127.0.0.1:" in server.printed
        assert_every_request_finds(wallet)


@pytest.mark.parametrize(
    ("command", "lose_ledger"),
    [
        (BARE, hang_up),
        (BARE, drop_the_oldest_of_two),
        (BARE, kill_worker),
        (CONFIGURED, kill_worker),
    ],
    ids=["bare, SIGHUP", "bare, SIGTTOU", "bare, SIGKILL", "configured, SIGKILL"],
)
def test_a_server_that_lost_its_ledger_ends_and_never_serves_an_empty_one(
    command: tuple[str, ...], lose_ledger: Callable[[Server], None]
) -> None:
    with running(command) as server:
        wallet = open_wallet(server)
        lose_ledger(server)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while server.process.poll() is None:
            assert time.monotonic() < deadline, server.printed
            with suppress(urllib3.exceptions.HTTPError):
                assert ask("GET", wallet).status == 200
            time.sleep(0.01)
        assert "Start the server again to begin a new ledger." in server.printed


def test_a_busy_worker_is_not_recycled_however_short_the_timeout() -> None:
    with running((*BARE, "--timeout", "2")) as server:
        wallet = open_wallet(server)
        pid = worker_pid(server)
        os.kill(pid, signal.SIGSTOP)
        # That nothing happens shows only in time: gunicorn looks once a second for
        # workers that were silent for two, and would have aborted this one by then.
        time.sleep(3.5)
        os.kill(pid, signal.SIGCONT)
        assert_every_request_finds(wallet)
        assert "WORKER TIMEOUT" not in server.printed
        assert_one_worker_ever(server)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can pin a process")
def test_all_threads_of_the_worker_stay_on_one_processor(server: Server) -> None:
    tasks = Path(f"/proc/{worker_pid(server)}/task").glob("*/status")
    allowed = [
        line
        for task in tasks
        for line in task.read_text().splitlines()
        if line.startswith("Cpus_allowed_list")
    ]
    assert len(allowed) > AT_ONCE
    assert len(set(allowed)) == 1 and re.search(r"\t\d+$", allowed[0])


@each_way
def test_sigterm_finishes_the_requests_in_flight_and_then_stops(
    command: tuple[str, ...],
) -> None:
    user_id = str(uuid4())
    body = json.dumps({"userId": user_id}).encode()
    head = (
        "POST /wallet/create HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    begun = b"HTTP/1.1 100 Continue\r\n\r\n"
    with running(command) as server:
        with connect(server) as connection:
            connection.sendall(head.encode())
            assert connection.recv(len(begun), socket.MSG_WAITALL) == begun
            connection.sendall(body[:10])
            server.signal(signal.SIGTERM)
            server.wait_for("Handling signal: term")
            wait_until_closed_to_others(server)
            connection.sendall(body[10:])
            status, _, wallet = read_answer(connection)
        assert (status, wallet["userId"]) == (201, user_id)
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"GARBAGE\r\n\r\n", 400, "bad_request"),
        (b"GET /health HTTP/1.1\r\nna me: x\r\n\r\n", 400, "bad_request"),
        (
            b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 4094),
            414,
            "request_uri_too_long",
        ),
        (
            b"GET /health HTTP/1.1\r\n%s\r\n" % (b"name: x\r\n" * 101),
            431,
            "request_header_fields_too_large",
        ),
        (
            b"GET /health HTTP/1.1\r\nname: %s\r\n\r\n" % (b"x" * 8190),
            431,
            "request_header_fields_too_large",
        ),
        (
            b"POST /wallet/add HTTP/1.1\r\nTransfer-Encoding: rot13\r\n\r\n",
            501,
            "not_implemented",
        ),
    ],
    ids=[
        "no request line",
        "no header",
        "a long line",
        "many headers",
        "a large header",
        "an unknown coding",
    ],
)
def test_what_never_reaches_the_app_is_refused_with_a_problem_too(
    server: Server, request_bytes: bytes, status: int, code: str
) -> None:
    with connect(server) as connection:
        connection.sendall(request_bytes)
        answered, media_type, problem = read_answer(connection)
    assert (answered, media_type) == (status, "application/problem+json")
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"].lower().replace(" ", "_") == code
    assert problem["type"] == "about:blank"
    assert problem["detail"]


def test_a_query_that_is_too_long_is_refused_as_the_description_says(
    server: Server,
) -> None:
    path = "/wallet/{walletId}/transactions"
    described = ask("GET", f"{server.url}/openapi.json").json()["paths"][path]["get"]
    url = f"{server.url}{path.format(walletId=uuid4())}?category={'a' * 5_000}"
    answer = ask("GET", url)
    content = described["responses"][str(answer.status)]["content"]
    examples = content["application/problem+json"]["examples"]
    assert (answer.status, answer.json()["code"]) == (414, "request_uri_too_long")
    assert answer.json()["code"] in examples


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "Script-Name", "X-Forwarded-Prefix"])
def test_a_header_does_not_move_the_app_to_another_path(
    server: Server, name: str
) -> None:
    with connect(server) as connection:
        head = f"GET /health HTTP/1.1\r\nHost: localhost\r\n{name}: /x\r\n\r\n"
        connection.sendall(head.encode())
        assert read_answer(connection)[0] == (400 if "_" in name else 200)


def test_clients_that_do_not_hang_up_keep_nobody_waiting(server: Server) -> None:
    begun = time.monotonic()
    with ExitStack() as held:
        for _ in range(40):
            connection = held.enter_context(connect(server))
            connection.sendall(
                b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            assert read_answer(connection)[0] == 200
        # gunicorn by itself waits two seconds for each of them, serving nobody.
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("descriptors", [256, 1024])
def test_more_connections_than_descriptors_do_not_stop_the_server(
    descriptors: int,
) -> None:
    stalled = (b"", b"GET /health HTT", STALLED_BODY)
    command = ("bash", "-c", f'ulimit -n {descriptors}; exec "$@"', "-", *CONFIGURED)
    with enough_descriptors(), running(command) as server, ExitStack() as held:
        wallet = open_wallet(server)
        for _, begun in zip(range(descriptors + 200), itertools.cycle(stalled)):
            held.enter_context(connect(server)).sendall(begun)
        assert_every_request_finds(wallet)
        held.close()
        assert_every_request_finds(wallet)
        assert_one_worker_ever(server)
        assert server.printed.count("were closed for new ones") == 1
        assert "Traceback" not in server.printed


@contextmanager
def enough_descriptors() -> Iterator[None]:
    """Let this process have many connections, whatever it was started with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR2", "SIGALRM", "SIGTTIN", "SIGTTOU"])
def test_no_signal_to_the_worker_ends_the_ledger(server: Server, name: str) -> None:
    wallet = open_wallet(server)
    os.kill(worker_pid(server), signal.Signals[name])
    assert_every_request_finds(wallet)


def test_no_signal_to_a_whole_process_group_ends_a_configured_ledger(
    configured: Server,
) -> None:
    """A terminal that closes sends SIGHUP to the whole group."""
    wallet = open_wallet(configured)
    count = configured.printed.count("SIGUSR2 ignored.")
    for name in ("SIGHUP", "SIGUSR2", "SIGALRM"):
        os.killpg(configured.process.pid, signal.Signals[name])
    wait_for_count(configured, "SIGUSR2 ignored.", count + 1)
    assert_every_request_finds(wallet)


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (signal.SIGTERM, "Handling signal: term"),
        (signal.SIGINT, "Handling signal: int"),
    ],
    ids=["SIGTERM", "Ctrl-C"],
)
def test_a_stop_waits_for_no_client_that_stalls(
    number: signal.Signals, printed: str
) -> None:
    with running() as server, ExitStack() as held:
        for begun in (b"", b"GET /health HTT", STALLED_BODY):
            held.enter_context(connect(server)).sendall(begun)
        began = time.monotonic()
        os.killpg(server.process.pid, number)
        server.wait_for(printed)
        assert server.wait() == 0
        assert time.monotonic() - began < 10  # gunicorn would wait for 30
        assert "Traceback" not in server.printed


def test_a_second_signal_hurries_a_stop() -> None:
    with running() as server, connect(server) as connection:
        connection.sendall(STALLED_BODY)
        server.signal(signal.SIGTERM)
        wait_until_closed_to_others(server)
        began = time.monotonic()
        os.kill(worker_pid(server), signal.SIGQUIT)
        assert server.wait() == 0
        assert time.monotonic() - began < STOP_READ_SECONDS


def test_a_worker_ends_whose_first_process_was_killed() -> None:
    with running() as server:
        pid = worker_pid(server)
        os.kill(server.process.pid, signal.SIGKILL)
        wait_until_gone(pid)
        assert "Traceback" not in server.printed


def test_the_demo_server_prints_its_settings_and_the_codes_of_approvals(
    demo: Server,
) -> None:
    for setting in ("APPROVAL_THRESHOLD=0", "DEMO=1", "OTP_CHANNEL=log"):
        assert f"\n  WALLET_{setting}\n" in demo.printed
    wallet_id = open_wallet(demo).rpartition("/")[2]
    body: dict[str, object] = {"walletId": wallet_id, "amount": 100}
    ask("POST", f"{demo.url}/wallet/add", body)
    body["amount"] = 60
    asked = ask("POST", f"{demo.url}/wallet/deduct", body)
    assert asked.status == 202
    approval_id = asked.json()["approvalId"]
    said = re.search(rf"code of approval {approval_id} is (\d{{6}})", demo.printed)
    assert said
    path = f"{demo.url}/approvals/{approval_id}/confirm"
    confirmed = ask("POST", path, {"otp": said.group(1)})
    assert confirmed.json()["wallet"]["balance"] == 40
