"""Requests become environs of WSGI, and what an app returns answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from wallet_app.server.gateway import call, environ_of, problem
from wallet_app.server.reader import Request

SERVER, CLIENT = ("127.0.0.1", 8000), "127.0.0.9"


def environ(target: str = "/", *headers: tuple[str, str], body: bytes = b"") -> Any:
    request = Request("POST", target, (1, 1), [("host", "x"), *headers], body, True)
    return environ_of(request, SERVER, CLIENT)


def test_an_environ_says_what_was_asked_by_whom_and_where() -> None:
    made = environ("/a%20b%C3%A9?c=%20d#e", ("content-type", "t"), body=b"body")
    assert made["PATH_INFO"].encode("latin-1").decode() == "/a bé"
    assert made["QUERY_STRING"] == "c=%20d#e"
    assert made["RAW_URI"] == "/a%20b%C3%A9?c=%20d#e"
    assert (made["SERVER_NAME"], made["SERVER_PORT"]) == ("127.0.0.1", "8000")
    assert made["REMOTE_ADDR"] == CLIENT
    assert made["CONTENT_TYPE"] == "t" and "HTTP_CONTENT_TYPE" not in made
    assert made["wsgi.input"].read() == b"body"


def test_the_values_of_a_header_that_is_repeated_are_joined() -> None:
    made = environ("/", ("accept", "a"), ("accept", "b"))
    assert made["HTTP_ACCEPT"] == "a,b"


def test_a_chunked_body_has_a_length_for_the_app() -> None:
    made = environ("/", ("transfer-encoding", "chunked"), body=b"body")
    assert made["CONTENT_LENGTH"] == "4"
    assert "HTTP_TRANSFER_ENCODING" not in made


def test_the_host_in_a_target_counts_more_than_the_header() -> None:
    made = environ("http://other.example:81/a?b")
    assert (made["HTTP_HOST"], made["PATH_INFO"]) == ("other.example:81", "/a")
    assert environ("http://other.example")["PATH_INFO"] == "/"


def test_a_target_that_is_no_url_is_an_error() -> None:
    with pytest.raises(ValueError, match="IPv6"):
        environ("http://[::1")


class Pieces:
    """What an app returns, which notes whether it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces

    def close(self) -> None:
        self.is_closed = True


def app_of(
    produced: Iterable[bytes], status: str = "200 OK", *headers: tuple[str, str]
) -> Callable[..., Iterable[bytes]]:
    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start(status, list(headers))
        return produced

    return app


def test_an_answer_of_known_length_is_whole_and_the_app_cleans_up() -> None:
    produced = Pieces(b"a", b"b")
    answer = call(app_of(produced, "200 OK", ("Content-Length", "2")), environ())
    assert (answer.status, answer.body, answer.stream) == ("200 OK", b"ab", None)
    assert produced.is_closed


def test_an_answer_of_unknown_length_is_a_stream_of_pieces_that_are_not_empty() -> None:
    produced = Pieces(b"a", b"", b"b")
    stream = call(app_of(produced), environ()).stream
    assert stream is not None and not produced.is_closed
    assert [stream.next_piece() for _ in range(3)] == [b"a", b"b", b""]
    stream.close()
    assert produced.is_closed


@pytest.mark.parametrize("status", ["204 NO CONTENT", "304 NOT MODIFIED"])
def test_an_answer_that_has_no_body_is_no_stream(status: str) -> None:
    assert call(app_of(Pieces(), status), environ()).stream is None


def test_a_problem_of_the_server_ends_with_a_newline() -> None:
    answer = problem(408)
    assert answer.body.endswith(b"}\n")
    assert dict(answer.headers)["Content-Length"] == str(len(answer.body))


def test_an_app_that_fails_while_its_answer_is_put_together_is_a_500() -> None:
    def fails() -> Iterator[bytes]:
        yield b"a"
        raise MemoryError

    answer = call(app_of(fails(), "200 OK", ("Content-Length", "2")), environ())
    assert answer.status.startswith("500 ") and b"MemoryError" not in answer.body
