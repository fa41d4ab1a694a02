"""Heads that are wrong in themselves, and the right ones that are rarely seen."""

from __future__ import annotations

from tests.attacks.arena import Arena, Attack
from tests.attacks.crowd import Client, Crowd, exchange
from tests.attacks.wire import request

CLOSE_SECONDS = 2.0
PIPELINED = (50, 1_000)
BODY_BYTES_MAX = 1_048_576
PROBLEM = "application/problem+json"


def _check(problems: list[str]) -> None:
    assert not problems, "; ".join(problems)


def _statuses(client: Client) -> list[int]:
    return [answer.status for answer in client.answers]


def wrong_heads(arena: Arena) -> str:
    """Each is refused with its own status, by a problem document; nothing moves."""
    wallet_id = arena.new_wallet()
    host = b"Host: %s\r\n" % arena.target.authority.encode()
    body = b'{"walletId": "%s", "amount": 1}' % wallet_id.encode()
    post = b"POST /wallet/add HTTP/1.1\r\n"
    rest = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    rest %= len(body), body
    get = b"GET %s HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n"
    shapes = {
        "no Host": (post + rest, {400}),
        "two Hosts": (post + host + host + rest, {400}),
        "two different Hosts": (post + host + b"Host: b.example\r\n" + rest, {400}),
        "an empty Host": (post + b"Host:\r\n" + rest, {400, 403}),
        "a Host that is none": (post + b"Host: a b/c\r\n" + rest, {400, 403}),
        "two keys": (
            post + host + b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n" + rest,
            {400},
        ),
        "the same key twice": (
            post + host + b"Idempotency-Key: a\r\nIdempotency-Key: a\r\n" + rest,
            {400},
        ),
        "a key with an underscore": (
            post + host + b"Idempotency_Key: a\r\n" + rest,
            {400},
        ),
        "both spellings of the key": (
            post + host + b"Idempotency-Key: a\r\nIdempotency_Key: b\r\n" + rest,
            {400},
        ),
        "two slashes": (get % (b"//wallet/" + wallet_id.encode()), {404}),
        "another host's target": (
            post.replace(b" /", b" http://b.example/") + host + rest,
            {400, 403, 404, 421},
        ),
        "a target without a slash": (get % b"health", {400, 404}),
        "an asterisk": (get % b"*", {400, 404, 405}),
        "a long line": (get % (b"/" + b"a" * 70_000), {414}),
        "a large field": (
            b"GET /health HTTP/1.1\r\n" + host + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
            {431},
        ),
        "many fields": (
            b"GET /health HTTP/1.1\r\n" + host + b"X: x\r\n" * 2_000 + b"\r\n",
            {431},
        ),
        "CONNECT": (
            b"CONNECT b.example:443 HTTP/1.1\r\n" + host + b"\r\n",
            {400, 404, 405, 501},
        ),
        "TRACE": (b"TRACE /health HTTP/1.1\r\n" + host + b"\r\n", {400, 405, 501}),
        "an upgrade": (
            (get % b"/health").replace(b": close", b": upgrade, close\r\nUpgrade: h2c"),
            {200, 400},
        ),
    }
    messages = [data for data, _ in shapes.values()]
    clients = exchange(arena.target, messages, CLOSE_SECONDS)
    problems = [
        f"{name}: answered {_statuses(client)}, not {sorted(statuses)}"
        for (name, (_, statuses)), client in zip(shapes.items(), clients)
        if len(client.answers) != 1 or not set(_statuses(client)) <= statuses
    ]
    problems += [
        f"{name}: no problem document"
        for name, client in zip(shapes, clients)
        for each in client.answers
        if each.status >= 400 and each.headers.get("content-type") != PROBLEM
    ]
    moved = arena.balance(wallet_id)
    _check(problems + ([f"{moved} moved"] if moved else []))
    return f"{len(shapes)} heads"


def other_origins(arena: Arena) -> str:
    """Names that a stranger can point at this machine, and pages of other origins."""
    wallet_id = arena.new_wallet()
    body = {"walletId": wallet_id, "amount": 1}
    own = arena.target.authority
    port = arena.target.port
    posts = {
        "the Host of a stranger": ("b.example", {}, 403),
        "one that begins like ours": (f"127.0.0.1.b.example:{port}", {}, 403),
        "one that ends like ours": (f"notlocalhost:{port}", {}, 403),
        "a cross-site Origin": (own, {"Origin": "http://b.example"}, 403),
        "an Origin of null": (own, {"Origin": "null"}, 403),
        "a cross-site fetch": (own, {"Sec-Fetch-Site": "cross-site"}, 403),
        "an Origin of ours": (own, {"Origin": f"http://{own}"}, 200),
        "localhost": (f"localhost:{port}", {}, 200),
    }
    messages = [
        request(
            "POST", "/wallet/add", body, host=host, headers=headers, keep_alive=False
        )
        for host, headers, _ in posts.values()
    ]
    clients = exchange(arena.target, messages, CLOSE_SECONDS)
    problems = [
        f"{name}: answered {_statuses(client)}, not {status}"
        for (name, (_, _, status)), client in zip(posts.items(), clients)
        if _statuses(client) != [status]
    ]
    moved = arena.balance(wallet_id)
    _check(problems + ([f"{moved} moved, not 2"] if moved != 2 else []))
    return f"{len(posts)} names and origins"


def pipelining(arena: Arena) -> str:
    """Valid requests in one go, also more than a socket's buffer or a read of a server
    holds, are all answered, in order."""
    for count in PIPELINED:
        wallet_id = arena.new_wallet()
        body = {"walletId": wallet_id, "amount": 1}
        host = arena.target.authority
        message = request("POST", "/wallet/add", body, host=host)
        last = request("POST", "/wallet/add", body, host=host, keep_alive=False)
        (client,) = exchange(arena.target, [message * (count - 1) + last], 20)
        statuses = [each.status for each in client.answers]
        assert statuses == [200] * count, f"{len(statuses)} of {count}: {statuses[-1:]}"
        balances = [each.json()["wallet"]["balance"] for each in client.answers]
        assert balances == list(range(1, count + 1)), f"answered {balances}"
    return f"{PIPELINED} answered in order"


def old_versions(arena: Arena) -> str:
    """HTTP/1.0, which closes, unless it is asked not to."""
    line = b"GET /health HTTP/1.0\r\n"
    host = b"Host: %s\r\n" % arena.target.authority.encode()
    with Crowd(arena.target) as crowd:
        (plain,) = crowd.open(1, line + host + b"\r\n")
        (kept,) = crowd.open(1, line + host + b"Connection: keep-alive\r\n\r\n")
        crowd.tend(CLOSE_SECONDS, lambda: bool(plain.is_closed and kept.answers))
        crowd.say(kept, line + host + b"\r\n")
        crowd.tend(CLOSE_SECONDS, lambda: kept.is_closed)
        said = _statuses(plain), _statuses(kept), plain.is_closed, kept.is_closed
    # A server may close a connection that it was asked to keep.
    assert said in (([200], [200, 200], True, True), ([200], [200], True, True)), said
    return f"answered {said[0]} and {said[1]}"


def expectations(arena: Arena) -> str:
    """`Expect: 100-continue`: the body is asked for only if it would be read."""
    wallet_id = arena.new_wallet()
    body = b'{"walletId": "%s", "amount": 1}' % wallet_id.encode()
    head = b"POST /wallet/add HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
    head %= arena.target.authority.encode()
    head += b"Content-Type: application/json\r\nExpect: 100-continue\r\n"
    with Crowd(arena.target) as crowd:
        (valid,) = crowd.open(1, head + b"Content-Length: %d\r\n\r\n" % len(body))
        length = b"Content-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1)
        (large,) = crowd.open(1, head + length)
        crowd.tend(CLOSE_SECONDS, lambda: bool(valid.answers and large.answers))
        begun = _statuses(valid)
        crowd.say(valid, body)
        crowd.tend(CLOSE_SECONDS, lambda: len(valid.answers) > 1 and large.is_closed)
        said = begun, _statuses(valid), _statuses(large)
    assert said == ([100], [100, 200], [413]), f"answered {said}"
    assert arena.balance(wallet_id) == 1
    return "100 and 200; 413 without 100"


ATTACKS = (
    Attack("wrong heads", wrong_heads, is_fast=True),
    Attack("other origins", other_origins, is_fast=True),
    Attack("pipelining", pipelining, is_fast=True),
    Attack("HTTP/1.0", old_versions, is_fast=True),
    Attack("Expect: 100-continue", expectations, is_fast=True),
)
