"""Clients that send or read slowly, or never come to an end."""

from __future__ import annotations

import time

from tests.attacks.arena import Arena, Attack
from tests.attacks.crowd import Client, Crowd
from tests.attacks.target import Vitals
from tests.attacks.wire import request

TRICKLERS = 100
HEAD_SECONDS_MAX = 10
REQUEST_SECONDS_MAX = 30
GRACE_SECONDS = 4
"""How much later than its bound a server may notice."""

FAT_CLIENTS = 300
FAT_BYTES = 786_432
FAT_SECONDS = 2.0
FAT_ROUNDS = 3
SLOW_READERS = 64
PIPELINES = 8
PIPELINED = 2_000
LINGERERS = 200
BODY_BYTES_MAX = 1_048_576
ENDLESS_BYTES = 16 * BODY_BYTES_MAX
CHUNK = b"10000\r\n" + b" " * 65_536 + b"\r\n"

POST = b"POST /wallet/add HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"


def _post(arena: Arena) -> bytes:
    return POST % arena.target.authority.encode()


def _trickle(arena: Arena, crowd: Crowd, clients: list[Client], seconds: int) -> str:
    """Send a byte a second, half-way ask as newcomers; all have to be cut off."""
    seen = ""
    begun = time.monotonic()
    for second in range(1, seconds + GRACE_SECONDS + 1):
        for client in clients:
            crowd.say(client, b"1")
        if second == seconds // 2:
            seen = arena.newcomers(crowd)
        crowd.tend(begun + second - time.monotonic())
    is_left = sum(not client.is_closed for client in clients)
    assert not is_left, f"{is_left} of {len(clients)} tricklers were never cut off"
    statuses = {answer.status for client in clients for answer in client.answers}
    assert statuses <= {408}, f"tricklers were answered {statuses}"
    return f"{len(clients)} cut off with {statuses or 'no answer'}; {seen}"


def trickled_heads(arena: Arena) -> str:
    begin = b"GET /health HTTP/1.1\r\nHost: %s\r\nX: "
    with Crowd(arena.target) as crowd:
        clients = crowd.open(TRICKLERS, begin % arena.target.authority.encode())
        return _trickle(arena, crowd, clients, HEAD_SECONDS_MAX)


def trickled_bodies(arena: Arena) -> str:
    with Crowd(arena.target) as crowd:
        sized = _post(arena) + b"Content-Length: 1000\r\n\r\n"
        # One large chunk, of which each byte is a part.
        chunked = _post(arena) + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n"
        clients = crowd.open(TRICKLERS // 2, sized)
        clients += crowd.open(TRICKLERS // 2, chunked)
        return _trickle(arena, crowd, clients, REQUEST_SECONDS_MAX)


def fat_and_abandoned(arena: Arena) -> str:
    """Half of them are fat in their heads, half in their bodies; none is complete.

    The heap may keep room for a round of them, but not for each of three.
    """
    chunked = b"Transfer-Encoding: chunked\r\n"
    field = b"X-Fat: " + b"x" * 7_900 + b"\r\n"
    heads = _post(arena) + chunked + field * (FAT_BYTES // len(field)) + b"\r\n1\r\n{"
    bodies = _post(arena) + chunked + b"\r\n" + CHUNK * (FAT_BYTES // len(CHUNK))
    seen = f"{FAT_ROUNDS} times {FAT_CLIENTS} gone"
    pid = arena.target.worker()
    for _ in range(FAT_ROUNDS):
        with Crowd(arena.target) as crowd:
            for data in (heads, bodies):
                for _ in range(FAT_CLIENTS // 2 // 10):
                    crowd.open(10, data)
                    crowd.tend(0.1)
            newcomers = arena.newcomers(crowd)
            crowd.tend(FAT_SECONDS)
            if pid is not None:
                seen += f", {Vitals.of(pid).rss_mib:.0f} MiB with them"
    return f"{seen}; {newcomers}"


def endless_body(arena: Arena) -> str:
    """Send chunks until the server has had enough; to a view that reads none, too."""
    get = b"GET /health HTTP/1.1\r\nHost: %s\r\n" % arena.target.authority.encode()
    return f"POST {_endless(arena, _post(arena))}, GET {_endless(arena, get)}"


def _endless(arena: Arena, head: bytes) -> str:
    bytes_sent = 0
    with Crowd(arena.target) as crowd:
        (client,) = crowd.open(1, head + b"Transfer-Encoding: chunked\r\n\r\n")

        def is_over() -> bool:
            return client.is_closed or bool(client.answers)

        while bytes_sent < ENDLESS_BYTES and not is_over():
            crowd.say(client, CHUNK)
            crowd.tend(1, lambda: not client.pending or is_over())
            bytes_sent += len(CHUNK)
        crowd.tend(1, is_over)
        assert is_over(), f"read {bytes_sent:,} bytes without an answer"
        statuses = [answer.status for answer in client.answers]
    # A reset may overtake the answer, because the client is still sending.
    assert statuses in ([413], []), f"{statuses} after {bytes_sent:,} bytes"
    assert bytes_sent < ENDLESS_BYTES, f"{statuses} after {bytes_sent:,} bytes"
    return f"cut off within {bytes_sent:,} bytes"


def slow_readers(arena: Arena) -> str:
    """Ask for much, and read nothing or a byte a second."""
    wallet = f"/wallet/{arena.large_wallet()}"
    paths = (
        f"{wallet}/transactions.csv",
        f"{wallet}/transactions?limit=100",
        "/openapi.json",
        f"{wallet}/transactions.csv?type=CREDIT",
    )
    with Crowd(arena.target) as crowd:
        for number in range(SLOW_READERS):
            data = request("GET", paths[number % 4], host=arena.target.authority)
            crowd.open(1, data, is_reading=False)
        crowd.tend(1)
        seen = arena.newcomers(crowd)
        for _ in range(int(arena.seconds)):
            for client in crowd.clients[: SLOW_READERS // 2]:
                client.read_byte()
            crowd.tend(1)
        return f"{SLOW_READERS} slow readers for {arena.seconds:.0f} s; {seen}"


def unread_pipelines(arena: Arena) -> str:
    """Ask for much many times at once, and read none of it."""
    data = request("GET", "/openapi.json", host=arena.target.authority)
    pid = arena.target.worker()
    with Crowd(arena.target) as crowd:
        crowd.open(PIPELINES, data * PIPELINED, is_reading=False)
        crowd.tend(arena.seconds / 2)
        seen = arena.newcomers(crowd)
        held = f", {Vitals.of(pid).rss_mib:.0f} MiB with them" if pid else ""
        return f"{PIPELINES} times {PIPELINED} requests{held}; {seen}"


def lingerers(arena: Arena) -> str:
    """Be answered with `Connection: close`, and do not hang up."""
    data = request("GET", "/health", host=arena.target.authority, keep_alive=False)
    with Crowd(arena.target) as crowd:
        clients = crowd.open(LINGERERS, data)
        crowd.tend(5, lambda: all(c.answers or c.is_closed for c in clients))
        answered = sum(client.is_served for client in clients)
        assert answered == LINGERERS, f"{answered} of {LINGERERS} were answered"
        return f"{LINGERERS} that stay; {arena.newcomers(crowd)}"


ATTACKS = (
    Attack("trickled heads", trickled_heads),
    Attack("trickled bodies", trickled_bodies),
    Attack("abandoned fat requests", fat_and_abandoned, margin_mib=80.0),
    Attack("a body without end", endless_body, is_fast=True),
    Attack("slow readers", slow_readers, needs_large=True, margin_mib=48.0),
    Attack("pipelines that read nothing", unread_pipelines, margin_mib=80.0),
    Attack("clients that do not hang up", lingerers, is_fast=True),
)
