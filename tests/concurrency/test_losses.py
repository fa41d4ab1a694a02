"""What a verdict begins with: the money that is lost."""

from __future__ import annotations

import pytest

from tests.concurrency.losses import Balances, lost

WRONG_WALLET = (
    "Money is in the wrong wallet: asha should have 100 and has 40; "
    "ravi should have 100 and has 160."
)


@pytest.mark.parametrize(
    ("has", "possible", "said"),
    [
        (
            {"asha": 160},
            [{"asha": 220}],
            "60 is lost: asha should have 220 and has 160.",
        ),
        (
            {"asha": 220},
            [{"asha": 160}],
            "60 is too much: asha should have 160 and has 220.",
        ),
        (
            {"asha": -20},
            [{"asha": 40}],
            "20 is spent that was not there: asha should have 40 and has -20.",
        ),
        (
            {"asha": 40, "ravi": 160},
            [{"asha": 100, "ravi": 100}],
            WRONG_WALLET,
        ),
        (
            {"asha": 40, "$asha": 0},
            [{"asha": 100, "$asha": 2}],
            "$asha should have 2 and has 0; asha should have 100 and has 40.",
        ),
        ({"asha": 5}, [{}], "5 is too much: asha should have 0 and has 5."),
        ({"asha": 160}, [{"asha": 100}, {"asha": 160}], ""),
        (
            {"asha": 90},
            [{"asha": 0}, {"asha": 100}],
            "10 is lost: asha should have 100 and has 90.",
        ),
        (
            {"asha": 40, "ravi": 0},
            [{"asha": 41, "ravi": 1}, {"asha": 40, "ravi": 60}],
            "60 is lost: ravi should have 60 and has 0.",
        ),
    ],
)
def test_money_is_counted_beside_the_most_similar_of_what_is_possible(
    has: Balances, possible: list[Balances], said: str
) -> None:
    assert lost(has, possible) == said
    assert lost(has, possible[::-1]) == said
