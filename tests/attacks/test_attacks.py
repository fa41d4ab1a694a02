"""The fast attacks, one after another against one server. The slow ones, with good
clients beside them, are run by hand: `python -m tests.attacks`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.arena import Arena, Attack, own_arena
from tests.attacks.families import FAST
from tests.attacks.target import NotJudged, Target
from tests.attacks.wire import answers_in


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with own_arena(seconds=2) as arena:
        yield arena


@pytest.mark.parametrize("attack", FAST, ids=lambda attack: attack.name)
def test_an_attack_is_survived(arena: Arena, attack: Attack) -> None:
    try:
        attack.run(arena)
    except NotJudged as why:
        pytest.skip(str(why))
    finally:
        arena.check_ledger()


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:8000",
        "http://0.0.0.0:8000",
        "http://127.0.0.1",
        "https://127.0.0.1:8000",
        "http://wallet.example:8000",
    ],
)
def test_only_a_loopback_address_is_attacked(url: str) -> None:
    with pytest.raises(ValueError):
        Target.parse(url)


def test_answers_are_read_as_they_are_framed() -> None:
    sized = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n"
    )
    empty = b"HTTP/1.1 204 No Content\r\n\r\n"
    answers, rest = answers_in(sized + chunked + empty + sized[:-1], False)
    assert [each.body for each in answers] == [b"{}", b"{", b""]
    assert rest == sized[:-1]
