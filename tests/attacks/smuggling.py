"""Requests that two readers could read differently.

Each is a POST that adds 1 to a wallet of its own, in a shape that is wrong or odd, and
hides one that would add 1,000.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.attacks.arena import Arena, Attack
from tests.attacks.crowd import Client, exchange
from tests.attacks.wire import request

CLOSE_SECONDS = 2.2
"""A little more than the 2 seconds that a closing server may wait for its client."""

HIDDEN_AMOUNT = 1_000
LINE = b"POST /wallet/add HTTP/1.1\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@dataclass(frozen=True, slots=True)
class Shape:
    """The bytes of a request; %B is its body, %L the length of that, %C the body as
    chunks, %S the hidden request, %H the host."""

    name: str
    data: bytes
    is_refused: bool = True
    """Whether it must be refused, and its connection closed; else it may be carried
    out, once."""

    answers_max: int = 1


def _sized(length: bytes, body: bytes = b"%B") -> bytes:
    return LINE + b"Host: %H\r\n" + JSON + length + b"\r\n" + body


def _refused(name: str, lines: bytes, body: bytes = b"%B") -> Shape:
    return Shape(name, _sized(lines, body))


def _odd(name: str, lines: bytes, body: bytes = b"%B", answers_max: int = 1) -> Shape:
    return Shape(name, _sized(lines, body), False, answers_max)


CL = b"Content-Length: %L\r\n"

SHAPES = (
    # Two lengths.
    _odd("CL and TE", CL + CHUNKED, b"%C"),
    _odd("TE and CL", CHUNKED + CL, b"%C"),
    _odd("CL of 0 and TE", b"Content-Length: 0\r\n" + CHUNKED, b"%C%S"),
    _refused("CL and TE, without chunks", CL + CHUNKED, b"%B%S"),
    _refused("two different CLs", CL + b"Content-Length: 0\r\n", b"%B%S"),
    _refused("two different CLs, 0 first", b"Content-Length: 0\r\n" + CL, b"%B%S"),
    _odd("two equal CLs", CL + CL),
    _odd("equal CLs in one line", b"Content-Length: %L, %L\r\n"),
    _refused("different CLs in one line", b"Content-Length: %L, 0\r\n", b"%B%S"),
    # Lengths that are no numbers.
    _refused("CL with a plus", b"Content-Length: +%L\r\n"),
    _refused("CL with a minus", b"Content-Length: -%L\r\n"),
    _refused("CL of -1", b"Content-Length: -1\r\n"),
    _refused("CL in hex", b"Content-Length: 0x%L\r\n"),
    _refused("CL with an underscore", b"Content-Length: 0_%L\r\n"),
    _refused("CL with spaces inside", b"Content-Length: %L %L\r\n"),
    _refused("CL with a fraction", b"Content-Length: %L.0\r\n"),
    _refused("CL that is empty", b"Content-Length:\r\n"),
    _refused("CL in words", b"Content-Length: many\r\n"),
    _refused("CL in other digits", "Content-Length: \u0661\u0660\r\n".encode()),
    _refused("CL beyond 64 bits", b"Content-Length: 1" + b"0" * 20 + b"\r\n"),
    _refused("CL of 5,000 digits", b"Content-Length: " + b"1" * 5_000 + b"\r\n"),
    _odd("CL with leading zeros", b"Content-Length: 000%L\r\n"),
    _odd("CL with tabs around", b"Content-Length:\t%L\t\r\n"),
    _refused("CL with a vertical tab", b"Content-Length: \x0b%L\r\n"),
    # Codings.
    _refused("TE of identity", b"Transfer-Encoding: identity\r\n" + CL, b"%B%S"),
    _refused("TE that is unknown", b"Transfer-Encoding: rot13\r\n", b"%C"),
    _refused("TE where chunked is not last", b"Transfer-Encoding: chunked, gzip\r\n"),
    _refused("TE of gzip and chunked", b"Transfer-Encoding: gzip, chunked\r\n", b"%C"),
    _refused("TE chunked twice", b"Transfer-Encoding: chunked, chunked\r\n", b"%C"),
    _refused("TE in two lines", CHUNKED + b"Transfer-Encoding: x\r\n", b"%C"),
    _refused("TE chunked in two lines", CHUNKED + CHUNKED, b"%C"),
    _refused("TE with a prefix", b"Transfer-Encoding: xchunked\r\n", b"%C"),
    _refused("TE in quotes", b'Transfer-Encoding: "chunked"\r\n', b"%C"),
    _refused("TE with a parameter", b"Transfer-Encoding: chunked;q=1\r\n", b"%C"),
    _refused("TE with a vertical tab", b"Transfer-Encoding: \x0bchunked\r\n", b"%C"),
    _refused("TE that is empty", b"Transfer-Encoding:\r\n" + CL, b"%B%S"),
    _odd("TE in capitals", b"Transfer-Encoding: CHUNKED\r\n", b"%C"),
    _odd("TE with a comma before", b"Transfer-Encoding: , chunked\r\n", b"%C"),
    Shape(
        "TE in HTTP/1.0",
        b"POST /wallet/add HTTP/1.0\r\nHost: %H\r\n" + JSON + CHUNKED + b"\r\n%C",
        is_refused=False,
    ),
    # Fields.
    _refused("a space before the colon", b"Content-Length : %L\r\n"),
    _refused("a tab before the colon", b"Transfer-Encoding\t: chunked\r\n" + CL),
    _refused("a field without a colon", CL + b"field\r\n"),
    _refused("a field without a name", CL + b": x\r\n"),
    _refused("NUL in a value", CL + b"X: a\x00b\r\n"),
    _refused("NUL in a name", CL + b"X\x00: a\r\n"),
    _refused("CR in a value", CL + b"X: a\rTransfer-Encoding: chunked\r\n"),
    _odd("a folded field", CL + b"X: a\r\n Transfer-Encoding: chunked\r\n"),
    _refused("a folded length", b"Content-Length:\r\n %L\r\n"),
    _refused("a folded first field", CL + b"Transfer-Encoding:\r\n chunked\r\n"),
    _refused("a name with a space", CL + b"Transfer Encoding: chunked\r\n"),
    _refused("a name with a bracket", CL + b"X[]: a\r\n"),
    _refused("a name in other letters", CL + "\u00c4: a\r\n".encode()),
    Shape(
        "a space before the first field",
        LINE + b" Host: %H\r\n" + JSON + CL + b"\r\n%B",
    ),
    # Lines.
    Shape("bare LF", _sized(CL).replace(b"\r\n", b"\n"), False),
    Shape("bare CR", _sized(CL).replace(b"\r\n", b"\r"), False),
    Shape("bare LF before a length", _sized(b"X: a\nContent-Length: %L\r\n"), False),
    Shape("an empty line before", b"\r\n" + _sized(CL), False),
    Shape("no version", _sized(CL).replace(b" HTTP/1.1", b"", 1)),
    Shape("HTTP/2.0", _sized(CL).replace(b"1.1", b"2.0", 1)),
    Shape("HTTP/1.10", _sized(CL).replace(b"1.1", b"1.10", 1)),
    Shape("a tab in the line", _sized(CL).replace(b" /", b"\t/", 1)),
    Shape("two spaces in the line", _sized(CL).replace(b" /", b"  /", 1), False),
    Shape("a space after the version", _sized(CL).replace(b"1.1", b"1.1 ", 1), False),
    Shape("a method in small letters", _sized(CL).replace(b"POST", b"post", 1)),
    Shape("NUL in the target", _sized(CL).replace(b"/add", b"/add\x00", 1)),
    Shape("a fragment in the target", _sized(CL).replace(b"/add", b"/add#x", 1), False),
    Shape("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03%B\r\n\r\n"),
    Shape("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%S"),
    # Chunks.
    _odd("chunk extensions", CHUNKED, b"%E"),
    _odd("a trailer that is a length", CHUNKED, b"%T"),
    _odd("garbage after a request", CL, b"%BGARBAGE\r\n\r\n", 2),
    _odd("a half request after a request", CL, b"%BPOST /wallet/add HTT", 2),
    _odd("garbage after the chunks", CHUNKED, b"%CGARBAGE\r\n\r\n", 2),
    _odd("a short length", b"Content-Length: 5\r\n", answers_max=2),
)


def filled(shape: Shape, arena: Arena, wallet_id: str) -> bytes:
    """Return the bytes of a shape, for a wallet."""
    host = arena.target.authority
    body = b'{"walletId": "%s", "amount": 1}' % wallet_id.encode()
    hidden = {"walletId": wallet_id, "amount": HIDDEN_AMOUNT}
    chunk = b"%x\r\n%s\r\n" % (len(body), body)
    parts = {
        b"%S": request("POST", "/wallet/add", hidden, host=host),
        b"%E": b"%x;a=b;c\r\n%s\r\n0;d=e\r\n\r\n" % (len(body), body),
        b"%T": chunk + b"0\r\nContent-Length: 5\r\n\r\n",
        b"%C": chunk + b"0\r\n\r\n",
        b"%L": b"%d" % len(body),
        b"%B": body,
        b"%H": host.encode(),
    }
    data = shape.data
    for mark, part in parts.items():
        data = data.replace(mark, part)
    return data


def problem(shape: Shape, client: Client, moved: int) -> str | None:
    """Return what is wrong with what a shape did, if anything is."""
    statuses = [answer.status for answer in client.answers]
    carried_out = statuses.count(200)
    said = f"{shape.name}: {statuses}, moved {moved}"
    if moved != carried_out or len(statuses) > shape.answers_max:
        return said
    if any(status not in (200, *range(400, 500), 501, 505) for status in statuses):
        return said
    if shape.is_refused and (carried_out or not statuses):
        return said
    if shape.is_refused and not client.is_closed:
        return f"{said}, not closed"
    return f"{said}, and {client.rest[:40]!r}" if client.rest else None


def smuggled(arena: Arena) -> str:
    wallets = [arena.new_wallet() for _ in SHAPES]
    messages = [filled(*each) for each in zip(SHAPES, [arena] * len(SHAPES), wallets)]
    clients = exchange(arena.target, messages, CLOSE_SECONDS)
    moved = [arena.balance(wallet_id) for wallet_id in wallets]
    problems = [
        found for each in zip(SHAPES, clients, moved) if (found := problem(*each))
    ]
    assert not problems, f"{len(problems)} of {len(SHAPES)}: " + "; ".join(problems)
    return f"{len(SHAPES)} shapes, each refused or carried out once"


ATTACKS = (Attack("smuggling", smuggled, is_fast=True),)
