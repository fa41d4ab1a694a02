"""Every probe that there is: its name, what it shows, and whether it is a MUST."""

from __future__ import annotations

from typing import NamedTuple

from tests.judge.contract import contract
from tests.judge.races.races import AFTER_EVERY_RACE, RACES


class Probe(NamedTuple):
    """One probe. A MUST is what the exercise says in words."""

    name: str
    shows: str
    is_must: bool = True


PROBES = (
    Probe("setup/one-memory", "all connections see the same wallets"),
    Probe("setup/at-once", "how long requests take that arrive at once", False),
    *(Probe(case.name, case.shows, case.is_must) for case in contract.CASES),
    Probe(*contract.STATUSES, is_must=False),
    *(Probe(race.name, race.shows, race.is_must) for race in RACES),
    Probe(*AFTER_EVERY_RACE[0][:2]),
    Probe("races/alive", "after every race: the server still answers"),
)


def is_probe(name: str) -> bool:
    """Tell whether a name is that of a probe, or of a group of them."""
    return any(
        probe.name == name or probe.name.startswith(f"{name}/") for probe in PROBES
    )
