"""Chunked bodies that are broken, in every way that we know of."""

from __future__ import annotations

from tests.attacks.arena import Arena, Attack, need
from tests.attacks.crowd import Client, ask, exchange

CLOSE_SECONDS = 2.2
"""A little more than the 2 seconds that a closing server may wait for its client."""


SHAPES: dict[str, bytes] = {
    "a size that is no number": b"xyz\r\n%s\r\n0\r\n\r\n",
    "a negative size": b"-1\r\n%s\r\n0\r\n\r\n",
    "a size with a sign": b"+%x\r\n%s\r\n0\r\n\r\n",
    "a size with 0x": b"0x%x\r\n%s\r\n0\r\n\r\n",
    "a size with an underscore": b"0_%x\r\n%s\r\n0\r\n\r\n",
    "a size with a fraction": b"%x.0\r\n%s\r\n0\r\n\r\n",
    "a size in quotes": b'"%x"\r\n%s\r\n0\r\n\r\n',
    "a size after a space": b" %x\r\n%s\r\n0\r\n\r\n",
    "a size before a tab": b"%x\t\r\n%s\r\n0\r\n\r\n",
    "a size in other digits": "\N{FULLWIDTH DIGIT ONE}\r\n%s\r\n0\r\n\r\n".encode(),
    "a size with NUL": b"%x\x00\r\n%s\r\n0\r\n\r\n",
    "an empty size": b"\r\n%s\r\n0\r\n\r\n",
    "an extension without a size": b";a=b\r\n%s\r\n0\r\n\r\n",
    "CR in an extension": b"%x;a\r=b\r\n%s\r\n0\r\n\r\n",
    "LF in an extension": b"%x;a\n=b\r\n%s\r\n0\r\n\r\n",
    "data longer than its size": b"1\r\n%s\r\n0\r\n\r\n",
    "no line end after the data": b"%x\r\n%s0\r\n\r\n",
    "LF after the data": b"%x\r\n%s\n0\r\n\r\n",
    "something else after the data": b"%x\r\n%sXX0\r\n\r\n",
    "CR after the size": b"%x\r%s\r\n0\r\n\r\n",
    "LF after the size": b"%x\n%s\r\n0\r\n\r\n",
    "a size that is never reached": b"1" + b"0" * 16 + b"\r\n%s\r\n0\r\n\r\n",
    "a size of 20,000 digits": b"f" * 20_000 + b"\r\n%s\r\n0\r\n\r\n",
}
"""What follows the head: %x is the size of the body and %s the body, where they are."""

UNENDED = {"a size that is never reached", "a size of 20,000 digits"}
"""Shapes for whose rest a server may wait."""


def filled(shape: bytes, body: bytes) -> bytes:
    return shape.replace(b"%x", b"%x" % len(body)).replace(b"%s", body)


def _messages(arena: Arena, line: bytes, body: bytes) -> list[bytes]:
    """Return a request for each shape."""
    head = b"%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
    head %= line, arena.target.authority.encode()
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    return [head + filled(shape, body) for shape in SHAPES.values()]


def _problems(clients: list[Client]) -> list[str]:
    """Return the shapes that were not refused once, with the connection closed."""
    problems = []
    for name, client in zip(SHAPES, clients):
        statuses = [answer.status for answer in client.answers]
        if name in UNENDED and not client.received:
            continue
        if statuses not in ([400], [413]) or client.rest:
            problems.append(f"{name}: answered {statuses}")
        elif not client.is_closed:
            problems.append(f"{name}: not closed")
    return problems


def _refused(arena: Arena, line: bytes, body: bytes = b"{}") -> None:
    clients = exchange(arena.target, _messages(arena, line, body), CLOSE_SECONDS)
    problems = _problems(clients)
    assert not problems, f"{len(problems)} of {len(SHAPES)} shapes: " + "; ".join(
        problems
    )


def broken_posts(arena: Arena) -> str:
    wallet_id = arena.new_wallet()
    body = b'{"walletId": "%s", "amount": 1}' % wallet_id.encode()
    try:
        _refused(arena, b"POST /wallet/add", body)
    finally:
        moved = arena.balance(wallet_id)
    assert not moved, f"{moved} were added"
    return f"{len(SHAPES)} shapes refused once each"


def broken_gets(arena: Arena) -> str:
    _refused(arena, b"GET /wallet/" + arena.witnesses[0].encode())
    return f"{len(SHAPES)} shapes refused once each"


def broken_deletes(arena: Arena) -> str:
    """Delete a webhook by each shape: it has to be there afterwards."""
    body = {"url": "http://127.0.0.1:9/", "events": ["fraud.flagged"]}
    made = ask(arena.target, "POST", "/webhooks", body)
    need(made.status == 201, f"no webhook on a loopback address: {made.status}")
    path = f"/webhooks/{made.json()['id']}"
    try:
        _refused(arena, b"DELETE " + path.encode())
    finally:
        found = ask(arena.target, "GET", path).status
        ask(arena.target, "DELETE", path)
    assert found == 200, f"the webhook was deleted: {found}"
    return f"{len(SHAPES)} shapes refused once each; the webhook is there"


ATTACKS = (
    Attack("broken chunks on POST", broken_posts, is_fast=True),
    Attack("broken chunks on GET", broken_gets, is_fast=True),
    Attack("broken chunks on DELETE", broken_deletes, is_fast=True),
)
