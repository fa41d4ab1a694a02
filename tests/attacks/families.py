"""All attacks, by family."""

from __future__ import annotations

from tests.attacks import broken, costs, ends, heads, shares, silent, slow, smuggling

ATTACKS = tuple(
    attack
    for family in (silent, slow, broken, smuggling, heads, costs, shares, ends)
    for attack in family.ATTACKS
)
FAST = tuple(attack for attack in ATTACKS if attack.is_fast)
