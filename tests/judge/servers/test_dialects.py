"""Each dialect is spoken as `talks.txt` says."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest

from tests.judge.servers.clients import served
from tests.judge.servers.dialects import DIALECTS

_, *_TALKS = Path(__file__).with_name("talks.txt").read_text().split("\n# ")
TALKS = {talk.split("\n")[0]: talk.strip().split("\n")[1:] for talk in _TALKS}


def test_there_is_a_talk_with_each() -> None:
    assert [*TALKS] == [*DIALECTS]


def with_ids(request: str, ids: list[str]) -> str:
    return re.sub(r"\$([AB])", lambda sign: ids["AB".index(sign[1])], request)


@pytest.mark.parametrize("name", TALKS)
def test_it_speaks_its_dialect(name: str) -> None:
    ids: list[str] = []
    with served(name) as client:
        for request, expected in zip(TALKS[name][::2], TALKS[name][1::2]):
            said = with_ids(request, ids)
            method, path, *body = said.split(" ", 2)
            status, answer = client.ask(method, path, "".join(body) or None)
            wanted, _, contained = expected.strip().partition(" ")
            assert (status, contained in answer) == (int(wanted), True), (said, answer)
            if status == 201:
                ids += re.findall(r'id":"?([\w-]+)', answer)


def test_with_its_key_it_is_the_exercise() -> None:
    with served("dialect-key-header") as client:
        body = f'{{"userId": "{uuid4()}"}}'
        first = client.ask("POST", "/wallet/create", body, "key")
        assert first[0] == 201
        assert client.ask("POST", "/wallet/create", body, "key") == first
