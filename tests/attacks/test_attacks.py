"""The fast attacks, one after another against one server. The slow ones, with good
clients beside them, are run by hand: `python -m tests.attacks`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.arena import Arena, Attack, own_arena
from tests.attacks.families import FAST
from tests.attacks.target import NotJudged

pytestmark = pytest.mark.server


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
