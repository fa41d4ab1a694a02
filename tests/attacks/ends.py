"""Ends: how a server stops, and signals that must not end it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.attacks.arena import Arena, Attack, own_arena
from tests.attacks.crowd import Crowd
from tests.attacks.wire import request
from tests.receivers import receiving
from tests.server import CONFIGURED, DEMO, Server

STOP_SECONDS_MAX = 5.0
GIVEN_UP_SECONDS = 40.0
SILENT = 40
LEFT_UNDONE = "Left undone"
IGNORED = (signal.SIGHUP, signal.SIGUSR2, signal.SIGALRM)


def _stop(arena: Arena, number: signal.Signals, crowd: Crowd) -> str:
    """Stop a server while clients trickle, each in its way, except silent ones; return
    what is wrong with how it ends."""
    server = arena.server
    assert server is not None
    begun = time.monotonic()
    if number is signal.SIGINT:
        os.killpg(server.process.pid, number)
    else:
        server.signal(number)
    while server.process.poll() is None:
        if time.monotonic() - begun > GIVEN_UP_SECONDS:
            return f"does not end in {GIVEN_UP_SECONDS:.0f} s"
        for client in crowd.clients:
            if not client.is_reading:
                client.read_byte()
            elif client.has_spoken:
                crowd.say(client, b"1")
        crowd.tend(0.2)
    seconds = time.monotonic() - begun
    if seconds > STOP_SECONDS_MAX:
        return f"ends after {seconds:.1f} s"
    status = server.process.returncode
    return f"ends with {status}" if status else ""


@contextmanager
def _hanging_receiver(arena: Arena) -> Iterator[None]:
    """Have a webhook whose receiver does not answer."""
    with receiving(hangs=True) as receiver:
        events = ["wallet.created"]
        arena.post("/webhooks", {"url": receiver.url, "events": events})
        arena.new_wallet()
        receiver.wait_for(bool)
        yield


def _trickling(arena: Arena) -> Crowd:
    crowd = Crowd(arena.target)
    head = (
        b"POST /wallet/add HTTP/1.1\r\nHost: %s\r\n" % arena.target.authority.encode()
    )
    head += b"Content-Type: application/json\r\n"
    crowd.open(1, head + b"Content-Length: 9999\r\n\r\n")
    crowd.open(1, head)
    crowd.tend(0.5)
    return crowd


def _silent(arena: Arena) -> Crowd:
    crowd = Crowd(arena.target)
    crowd.open(SILENT)
    crowd.tend(0.5)
    return crowd


def _slow_reader(arena: Arena) -> Crowd:
    path = f"/wallet/{arena.large_wallet()}/transactions.csv"
    crowd = Crowd(arena.target)
    data = request("GET", path, host=arena.target.authority)
    crowd.open(4, data, is_reading=False)
    crowd.tend(0.5)
    return crowd


CLIENTS = {
    "a trickling client": _trickling,
    "silent clients": _silent,
    "slow readers": _slow_reader,
}


def _stops(arena: Arena, number: signal.Signals) -> str:
    problems = []
    for name, beginning in CLIENTS.items():
        with own_arena(arena.seconds) as own, beginning(own) as crowd:
            if wrong := _stop(own, number, crowd):
                problems.append(f"with {name}: {wrong}")
    with own_arena(arena.seconds) as own, Crowd(own.target) as nobody:
        with _hanging_receiver(own):
            if wrong := _stop(own, number, nobody):
                problems.append(f"with a receiver that hangs: {wrong}")
            if own.server and LEFT_UNDONE not in own.server.printed:
                problems.append(f"with a receiver that hangs: no {LEFT_UNDONE!r}")
    assert not problems, "; ".join(problems)
    return f"ends within {STOP_SECONDS_MAX:.0f} s in {len(CLIENTS) + 1} cases"


def sigterm(arena: Arena) -> str:
    return _stops(arena, signal.SIGTERM)


def ctrl_c(arena: Arena) -> str:
    return _stops(arena, signal.SIGINT)


def _send(server: Server, number: signal.Signals, worker: int | None) -> None:
    if worker is None:
        os.killpg(server.process.pid, number)
    else:
        os.kill(worker, number)


def _signalled(arena: Arena, command: tuple[str, ...], number: signal.Signals) -> str:
    """Send a signal to the worker and to its group; return to whom it was fatal."""
    for whom in ("the worker", "the group"):
        with own_arena(arena.seconds, command) as own:
            assert own.server is not None
            _send(
                own.server,
                number,
                own.target.worker() if whom == "the worker" else None,
            )
            # That nothing happens shows only in time: a master looks each second.
            time.sleep(1.5)
            try:
                own.check_ledger()
            except (OSError, AssertionError):
                return f"{number.name} to {whom} of {command[1:3]}"
    return ""


def signals(arena: Arena) -> str:
    ways: list[tuple[tuple[str, ...], signal.Signals]]
    ways = [(CONFIGURED, number) for number in IGNORED]
    ways += [(DEMO, number) for number in IGNORED]
    ways += [(("nohup", *DEMO), signal.SIGHUP)]
    fatal = [found for way in ways if (found := _signalled(arena, *way))]
    assert not fatal, f"the ledger is gone by {'; '.join(fatal)}"
    return f"{2 * len(ways)} signals"


ATTACKS = (
    Attack("SIGTERM among bad clients", sigterm, starts_server=True),
    Attack("Ctrl-C among bad clients", ctrl_c, starts_server=True),
    Attack("signals to worker and group", signals, starts_server=True),
)
