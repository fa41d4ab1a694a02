"""What bytes are a request, and what is refused before anything runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_app.api.incoming.body import BODY_BYTES_MAX
from wallet_app.server.reader import (
    CHUNKS_MAX,
    HEAD_BYTES_MAX,
    Refused,
    Request,
    RequestReader,
)

HEAD = b"POST /wallet/add HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def read(*pieces: bytes) -> Request | None:
    """Return the request that these bytes are, or None if some are missing."""
    reader = RequestReader()
    for piece in pieces:
        reader.feed(piece)
    return reader.take()[0] if reader.is_complete else None


def refusal(*pieces: bytes) -> Refused:
    with pytest.raises(Refused) as raised:
        read(*pieces)
    return raised.value


def test_a_request_is_read_with_its_headers_and_body() -> None:
    assert read(HEAD + b"Content-Length: 4\r\nname:  a b \r\n\r\nbody") == Request(
        "POST",
        "/wallet/add",
        (1, 1),
        [("host", "x"), ("content-length", "4"), ("name", "a b")],
        b"body",
        True,
    )


def test_a_chunked_body_is_put_together() -> None:
    request = read(CHUNKED + b"2\r\nbo\r\n2;x=y\r\ndy\r\n0\r\nnote: x\r\n\r\n")
    assert request is not None and request.body == b"body"


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_a_client_says_whether_it_keeps_the_connection(head: bytes, kept: bool) -> None:
    request = read(head)
    assert request is not None and request.keep_alive is kept


@given(st.data())
def test_a_request_is_the_same_however_it_is_cut(data: st.DataObject) -> None:
    whole = CHUNKED + b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=9)))
    pieces = [
        whole[start:stop]
        for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True)
    ]
    assert read(*pieces) == read(whole)


def test_requests_that_come_together_are_read_one_by_one() -> None:
    reader = RequestReader()
    reader.feed(
        HEAD + b"Content-Length: 1\r\n\r\naGET /b HTTP/1.1\r\nHost: x\r\n\r\nGE"
    )
    first, rest = reader.take()
    reader.feed(rest)
    second, rest = reader.take()
    assert (first.body, second.target, rest) == (b"a", "/b", b"GE")
    reader.feed(rest)
    assert reader.has_begun and not reader.is_complete


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"GARBAGE\r\n\r\n", 400, id="no request line"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no Host"),
        pytest.param(HEAD + b"Host: y\r\n\r\n", 400, id="two Hosts"),
        pytest.param(HEAD + b"na me: x\r\n\r\n", 400, id="a blank in a name"),
        pytest.param(HEAD + b"name : x\r\n\r\n", 400, id="a blank before the colon"),
        pytest.param(HEAD + b"a: b\r\n c\r\n\r\n", 400, id="a folded header"),
        pytest.param(HEAD + b"a: b\n\r\n", 400, id="a bare LF"),
        pytest.param(HEAD + b"a: \0\r\n\r\n", 400, id="a NUL"),
        pytest.param(HEAD + b"Idempotency_Key: x\r\n\r\n", 400, id="an underscore"),
        pytest.param(
            HEAD + b"Idempotency-Key: x\r\nIdempotency-Key: y\r\n\r\n",
            400,
            id="two keys",
        ),
        pytest.param(
            HEAD + b"Transfer-Encoding: gzip\r\n" + CHUNKED[len(HEAD) :],
            400,
            id="two codings",
        ),
        pytest.param(HEAD + b"Origin: x\r\nOrigin: x\r\n\r\n", 400, id="two origins"),
        pytest.param(
            HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
            400,
            id="two lengths",
        ),
        pytest.param(
            CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n", 400, id="length and chunks"
        ),
        pytest.param(HEAD + b"Content-Length: +1\r\n\r\n", 400, id="a signed length"),
        pytest.param(HEAD + b"Content-Length: 1_0\r\n\r\n", 400, id="an odd length"),
        pytest.param(
            HEAD + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n",
            400,
            id="an endless length",
        ),
        pytest.param(HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 400, id="gzip"),
        pytest.param(
            HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, id="gzip in chunks"
        ),
        pytest.param(HEAD + b"Transfer-Encoding: rot13\r\n\r\n", 501, id="rot13"),
        pytest.param(CHUNKED + b"x\r\n", 400, id="no size of a chunk"),
        pytest.param(CHUNKED + b" 1\r\na\r\n", 400, id="a blank before a size"),
        pytest.param(CHUNKED + b"1\r\nab\r\n", 400, id="a chunk that is too long"),
        pytest.param(CHUNKED + b"1\r\na\n0\r\n\r\n", 400, id="a chunk without CRLF"),
        pytest.param(
            CHUNKED + b"1\r\na\r\n" * (CHUNKS_MAX + 1), 400, id="too many chunks"
        ),
        pytest.param(
            HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1),
            413,
            id="a large body",
        ),
        pytest.param(
            CHUNKED + b"%x\r\n" % (BODY_BYTES_MAX + 1) + b"a" * (BODY_BYTES_MAX + 1),
            413,
            id="a large chunk",
        ),
        pytest.param(b"GET /" + b"a" * 5_000, 414, id="a long request line"),
        pytest.param(HEAD + b"Expect: magic\r\n\r\n", 417, id="an odd expectation"),
        pytest.param(HEAD + b"a: b\r\n" * 101, 431, id="many headers"),
        pytest.param(HEAD + b"a: " + b"b" * 8_190, 431, id="a long header"),
        pytest.param(
            HEAD + b"".join(b"a%d: " % n + b"b" * 8_000 + b"\r\n" for n in range(9)),
            431,
            id="much of headers",
        ),
        pytest.param(
            HEAD
            + b"".join(b"a%d: " % n + b"b" * 8_000 + b"\r\n" for n in range(9))
            + b"\r\n",
            431,
            id="a whole head of much",
        ),
    ],
)
def test_what_is_no_request_of_ours_is_refused(sent: bytes, status: int) -> None:
    assert refusal(sent).status == status


def test_a_head_is_bounded_however_it_is_cut() -> None:
    reader, line = RequestReader(), b"a: %s\r\n" % (b"b" * 1_000)
    reader.feed(HEAD)
    with pytest.raises(Refused) as raised:
        for _ in range(HEAD_BYTES_MAX // 1_000 + 2):
            reader.feed(line)
    assert raised.value.status == 431


def test_the_largest_body_is_taken() -> None:
    request = read(
        HEAD + b"Content-Length: %d\r\n\r\n" % BODY_BYTES_MAX, b"a" * BODY_BYTES_MAX
    )
    assert request is not None and len(request.body) == BODY_BYTES_MAX
